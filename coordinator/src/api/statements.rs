//! `POST /v1/statements`: a statement is verified, stored durably, and only then acknowledged. The same bytes again get
//! the same answer. Anybody who is enrolled may carry a statement; who made it is in the statement.

use std::sync::Arc;

use axum::extract::State;
use protocol::{
    api::{PostStatement, Posted},
    statement::Statement,
};
use tracing::debug;

use super::{
    Api,
    extract::{Caller, Json, blocking},
    problem::{Problem, Slug},
};

pub async fn post(
    State(api): State<Arc<Api>>,
    Caller(carrier): Caller,
    Json(request): Json<PostStatement>,
) -> Result<axum::Json<Posted>, Problem> {
    let parsed = blocking(move || Statement::parse(&request.statement.0)).await?;
    let statement = parsed.map_err(|error| Problem::new(Slug::StatementUnreadable, error.to_string()))?;
    check_signer(&api, &statement)?;
    debug!(carrier = %carrier.name, statement = %statement.hash(), kind = statement.kind().name(), "posted");
    let taken = api.driver.take(statement).await?;
    let store = Arc::clone(&api.store);
    let sequence = blocking(move || store.sequence_of(taken.case, taken.position)).await??;
    let sequence = sequence.ok_or_else(|| Problem::new(Slug::Internal, "the statement was stored and is not there"))?;
    Ok(axum::Json(Posted {
        sequence,
        case: taken.case.to_string(),
        position: taken.position,
        head: hex::encode(taken.head),
    }))
}

/// What a key has said stays said; a key whose enrolment was replaced says nothing new.
fn check_signer(api: &Api, statement: &Statement) -> Result<(), Problem> {
    let signer = statement.signer();
    if signer == api.coordinator || api.register.is_current(&signer) {
        return Ok(());
    }
    let detail = format!("identity key {signer} is not enrolled here, or was replaced by a newer one");
    Err(Problem::new(Slug::SpeakerRefused, detail))
}
