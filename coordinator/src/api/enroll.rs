//! `POST /v1/enroll`: the one route that changes something without a client certificate.

use std::sync::Arc;

use axum::extract::State;
use protocol::api::{EnrollRequest, EnrollResponse};
use tracing::info;

use super::{
    Api,
    extract::{Json, blocking},
    problem::Problem,
};
use crate::clock;

pub async fn enroll(
    State(api): State<Arc<Api>>,
    Json(request): Json<EnrollRequest>,
) -> Result<axum::Json<EnrollResponse>, Problem> {
    let enroller = Arc::clone(&api.enroller);
    let enrolled = blocking(move || enroller.enroll(&request, clock::now())).await??;
    info!(name = %enrolled.response.name, owner = %enrolled.owner, identity = %enrolled.identity, "enrolled");
    // Before the answer: the agent's next request may carry a statement.
    api.driver.admit(enrolled.identity, enrolled.owner);
    Ok(axum::Json(enrolled.response))
}
