//! The routes. Each handler reads, makes one call and replies; what is wrong becomes a problem document.

mod cases;
mod directory;
mod enroll;
mod extract;
mod health;
mod inbox;
mod introductions;
mod parcels;
pub mod problem;
mod statements;
mod take_over;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post, put},
};
use protocol::{identity::IdentityPublicKey, limits, plan::Planner};
use tokio::sync::{Semaphore, watch};

use self::problem::{Problem, Slug};
use crate::{
    driver::Driver,
    enrolment::Enroller,
    mailbox::Mailbox,
    parcels::{Parcels, places::Places},
    register::Register,
    store::Store,
};

/// Longest body: a statement of 1 MiB as base64, and the JSON around it.
const BODY_BYTES_MAX: usize = 3 << 19;
/// Longest body where a case is taken over: its statements as base64, and the JSON around them.
const TAKE_OVER_BODY_BYTES_MAX: usize = limits::TAKE_OVER_BYTES_MAX / 2 * 3;

/// What the handlers work with.
pub struct Api {
    /// Where everything stays.
    pub store: Arc<dyn Store>,
    /// Who is enrolled.
    pub register: Arc<Register>,
    /// Who enrolls.
    pub enroller: Arc<Enroller>,
    /// The mailbox of introductions.
    pub mailbox: Mailbox,
    /// Sealed files on their way.
    pub parcels: Arc<Parcels>,
    /// How many pieces of them may be in memory.
    pub places: Arc<Places>,
    /// The way to the mind.
    pub driver: Driver,
    /// The coordinator's identity key.
    pub coordinator: IdentityPublicKey,
    /// The coordinators from which this one takes over.
    pub former: Vec<IdentityPublicKey>,
    /// Places for cases that are being taken over.
    pub take_overs: Arc<Semaphore>,
    /// How intents are planned.
    pub planner: Planner,
    /// Becomes true when requests that wait must end.
    pub stop: watch::Receiver<bool>,
}

/// All routes.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/v1/enroll", post(enroll::enroll))
        .route("/v1/directory", get(directory::directory))
        .route("/v1/statements", post(statements::post))
        .route("/v1/nonces", post(introductions::nonce))
        .route("/v1/introductions", post(introductions::post).get(introductions::list))
        .route("/v1/inbox", get(inbox::inbox))
        .route("/v1/cases", get(cases::list).merge(take_over::route()))
        .route("/v1/cases/{id}", get(cases::show))
        .route("/v1/cases/{id}/parcels/{parcel}", get(parcels::show).delete(parcels::take_back))
        .route("/v1/cases/{id}/parcels/{parcel}/bytes", put(parcels::receive).get(parcels::give))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(async || {
            Problem::new(
                Slug::RouteUnknown,
                "there is no such route; see GET /readyz for whether this is the right server",
            )
        })
        .method_not_allowed_fallback(async || {
            Problem::new(Slug::MethodNotAllowed, "the route is there, but not for this method")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api)
}
