//! `GET /healthz` and `GET /readyz`, for whoever watches over the process. No client certificate is asked for.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;

use super::Api;
use crate::driver::Topology;

#[derive(Serialize)]
pub struct Health {
    status: &'static str,
}

/// The process answers.
pub async fn alive() -> Json<Health> {
    Json(Health { status: "ok" })
}

#[derive(Serialize)]
pub struct Readiness {
    ready: bool,
    store: &'static str,
    topology: &'static str,
    detail: String,
}

/// Statements are taken, and judged where that is configured.
pub async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, Json<Readiness>) {
    // The store's writer holds the other end for as long as it writes.
    let is_stored = api.store.durable().has_changed().is_ok();
    let (is_read, topology, detail) = match &*api.driver.topology().borrow() {
        Topology::NotConfigured => (
            true,
            "none",
            "no participant is configured: it carries statements; the owners' agents offer, submit and say how a case stands"
                .to_owned(),
        ),
        Topology::Unread(reason) => (false, "unread", format!("topology was never read: {reason}")),
        Topology::Stale(_, reason) => {
            (false, "stale", format!("topology is of earlier; the last attempt failed: {reason}"))
        }
        Topology::Read(_) => (true, "read", "topology is read and judged".to_owned()),
    };
    let ready = is_stored && is_read && !*api.stop.borrow();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let store = if is_stored { "ok" } else { "stopped" };
    (status, Json(Readiness { ready, store, topology, detail }))
}
