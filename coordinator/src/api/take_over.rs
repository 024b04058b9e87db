//! `POST /v1/cases`: a case that another coordinator had is handed over by one of its owners, whole. The same again gets the
//! same answer.

use std::sync::Arc;

use axum::{
    extract::{DefaultBodyLimit, FromRequestParts, State},
    http::request::Parts,
    routing::{MethodRouter, post},
};
use protocol::{
    api::{HandOver, HandedOver},
    limits,
    statement::{Statement, StatementError},
};
use tokio::sync::OwnedSemaphorePermit;
use tracing::info;

use super::{
    Api, TAKE_OVER_BODY_BYTES_MAX,
    extract::{Caller, Json, blocking},
    problem::{Problem, Slug},
};

/// The route, which takes longer bodies than others.
pub fn route() -> MethodRouter<Arc<Api>> {
    post(take_over).layer(DefaultBodyLimit::max(TAKE_OVER_BODY_BYTES_MAX))
}

/// A place to read a long body. Asked for before the body is.
struct Place {
    _permit: OwnedSemaphorePermit,
}

impl FromRequestParts<Arc<Api>> for Place {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let permit = Arc::clone(&api.take_overs).try_acquire_owned();
        permit.map(|permit| Self { _permit: permit }).map_err(|_| {
            let max = limits::TAKE_OVERS_AT_ONCE_MAX;
            Problem::new(Slug::Busy, format!("{max} cases are being taken over; try again in a moment"))
        })
    }
}

async fn take_over(
    State(api): State<Arc<Api>>,
    Caller(carrier): Caller,
    _: Place,
    Json(request): Json<HandOver>,
) -> Result<axum::Json<HandedOver>, Problem> {
    let parsed = blocking(move || {
        request
            .statements
            .iter()
            .map(|statement| Statement::parse(&statement.0))
            .collect::<Result<Vec<_>, StatementError>>()
    });
    let statements = parsed.await?.map_err(|error| Problem::new(Slug::StatementUnreadable, error.to_string()))?;
    let taken = api.driver.take_over(statements).await?;
    info!(carrier = %carrier.name, case = %taken.case, statements = taken.position + 1, "taken over");
    let (case, head) = (taken.case.to_string(), hex::encode(taken.head));
    Ok(axum::Json(HandedOver { case, statements: taken.position + 1, head }))
}
