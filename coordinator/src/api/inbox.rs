//! `GET /v1/inbox`: everything since a cursor. The cursor is the coordinator's durable sequence, so an agent that was
//! away, or a coordinator that was killed, goes on where both have been.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use protocol::{
    api::{Base64, Inbox, InboxEntry},
    limits,
};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{
    Api,
    extract::{Caller, Query, blocking},
    problem::{Problem, Slug},
};
use crate::{driver::Topology, store::Stored};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_ms: u64,
}

pub async fn inbox(
    State(api): State<Arc<Api>>,
    _: Caller,
    Query(cursor): Query<Cursor>,
) -> Result<Json<Inbox>, Problem> {
    let Cursor { after, wait_ms } = cursor;
    if wait_ms > limits::INBOX_WAIT_MS_MAX {
        let detail = format!("wait_ms: {wait_ms}; expected from 0 to {}", limits::INBOX_WAIT_MS_MAX);
        return Err(Problem::new(Slug::QueryMalformed, detail));
    }
    let mut durable = api.store.durable();
    let newest = *durable.borrow();
    if after > newest {
        let detail = format!(
            "after: {after}; the newest statement here is {newest}: this coordinator was restored from an older backup. Read again from 0 and post what is missing"
        );
        return Err(Problem::new(Slug::CursorAhead, detail));
    }
    let mut stop = api.stop.clone();
    let wait = async {
        tokio::select! {
            // A store that has ended wakes too, and the read below tells.
            _ = durable.wait_for(|newest| *newest > after) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    };
    // Having waited long enough is an answer too: an empty one.
    let _ = timeout_at(Instant::now() + Duration::from_millis(wait_ms), wait).await;
    let store = Arc::clone(&api.store);
    let stored = blocking(move || store.since(after, limits::INBOX_ENTRIES_MAX)).await??;
    let next = stored.last().map_or(after, |last| last.sequence);
    let reads_topology = !matches!(&*api.driver.topology().borrow(), Topology::NotConfigured);
    Ok(Json(Inbox { entries: stored.into_iter().map(entry).collect(), next, reads_topology }))
}

fn entry(stored: Stored) -> InboxEntry {
    InboxEntry {
        sequence: stored.sequence,
        case: stored.case.to_string(),
        position: stored.position,
        statement: Base64(stored.bytes),
    }
}
