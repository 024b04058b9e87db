//! Whether the participant is on the synchronizer, and what its topology says of its clock and ours.

use std::time::{Duration, UNIX_EPOCH};

use super::{Line, Subject};
use crate::{error::NodeError, participant::Participant};

/// How far two clocks may differ before it is told.
const SKEW: Duration = Duration::from_secs(5);

pub(super) async fn look(subject: &Subject<'_>) -> Vec<Line> {
    let tried = format!("synchronizer {}", subject.synchronizer);
    let participant = match Participant::new(subject.options) {
        Ok(participant) => participant,
        Err(error) => return vec![Line::wrong(tried, error.to_string(), "mend the configuration")],
    };
    let mut lines = vec![connected(&participant, subject, &tried).await];
    lines.extend(clock(&participant, subject).await);
    lines
}

async fn connected(participant: &Participant, subject: &Subject<'_>, tried: &str) -> Line {
    let connected = match participant.connected().await {
        Ok(connected) => connected,
        Err(error) => return unreadable(tried, &error),
    };
    let found = connected.iter().find(|one| one.synchronizer.logical == *subject.synchronizer);
    if let Some(one) = found {
        let found = format!("connected to {} as {:?}", one.synchronizer, one.alias);
        return if one.healthy {
            Line::right(tried, found)
        } else {
            Line::unknown(tried, format!("{found}, and not healthy"), "wait, then see the node's log")
        };
    }
    let registered = match participant.registered().await {
        Ok(registered) => registered,
        Err(error) => return unreadable(tried, &error),
    };
    let logical = |one: &crate::connectivity::Registered| one.synchronizer.as_ref().map(|id| id.logical.clone());
    match registered.iter().find(|one| logical(one).as_ref() == Some(subject.synchronizer)) {
        Some(one) if one.manual_connect => Line::wrong(
            tried,
            format!("registered as {:?} and not connected; the node waits to be told to connect", one.alias),
            format!("connect it: participant.synchronizers.reconnect(\"{}\")", one.alias),
        ),
        Some(one) => Line::unknown(
            tried,
            format!("registered as {:?}, and not connected", one.alias),
            format!("wait, or connect it: participant.synchronizers.reconnect(\"{}\")", one.alias),
        ),
        None => {
            let known: Vec<String> = registered.iter().filter_map(logical).map(|id| id.to_string()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let found = format!("the participant does not know it; it knows: {known}");
            Line::wrong(tried, found, "compare the synchronizer's id in the configuration with the network's")
        }
    }
}

fn unreadable(tried: &str, error: &NodeError) -> Line {
    Line::unknown_of(tried, error)
}

/// What was sequenced in the future tells a clock that is behind.
async fn clock(participant: &Participant, subject: &Subject<'_>) -> Option<Line> {
    let rows = participant.topology(subject.synchronizer).await.ok()?;
    let last = rows.iter().map(|row| row.sequenced.micros()).max()?;
    let last = UNIX_EPOCH + Duration::from_micros(u64::try_from(last).ok()?);
    let ahead = last.duration_since(subject.now).ok().filter(|ahead| *ahead > SKEW)?;
    let found = format!("topology of the synchronizer is {} seconds ahead of this machine", ahead.as_secs());
    Some(Line::wrong("this machine's clock", found, "set the clock (NTP): deadlines and tokens depend on it"))
}
