//! `POST /v1/nonces`, `POST /v1/introductions` and `GET /v1/introductions`: the mailbox by which owners introduce their keys.

use std::sync::Arc;

use axum::extract::State;
use canton_topology::id::Namespace;
use protocol::{
    api::{Base64, Introduced, Introductions, Nonce, PostIntroduction},
    limits,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tracing::info;

use super::{
    Api,
    extract::{Caller, Json, Query, blocking},
    problem::Problem,
};
use crate::clock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    after: Option<Namespace>,
}

/// Something for the caller's keys to answer.
pub async fn nonce(State(api): State<Arc<Api>>, Caller(caller): Caller) -> axum::Json<Nonce> {
    axum::Json(api.mailbox.nonce(&caller.owner, clock::now()))
}

/// The caller's own introduction.
pub async fn post(
    State(api): State<Arc<Api>>,
    Caller(caller): Caller,
    Json(request): Json<PostIntroduction>,
) -> Result<axum::Json<Introduced>, Problem> {
    let bytes = request.introduction.0;
    let introduction = hex::encode(Sha256::digest(&bytes));
    let name = caller.name.clone();
    blocking(move || api.mailbox.post(&caller, bytes, clock::now())).await??;
    info!(name, introduction, "an introduction is in the mailbox");
    Ok(axum::Json(Introduced { introduction }))
}

/// Everybody's.
pub async fn list(
    State(api): State<Arc<Api>>,
    _: Caller,
    Query(page): Query<Page>,
) -> Result<axum::Json<Introductions>, Problem> {
    let found = blocking(move || api.mailbox.list(page.after.as_ref())).await??;
    let is_full = found.len() == limits::INTRODUCTIONS_PER_ANSWER_MAX;
    let next = found.last().filter(|_| is_full).map(|last| last.owner.to_string());
    let introductions = found.into_iter().map(|one| Base64(one.bytes)).collect();
    Ok(axum::Json(Introductions { introductions, next }))
}
