//! What handlers take from a request, with problem documents where it is not there.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query as AxumQuery, Request, rejection::BytesRejection},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    Api, BODY_BYTES_MAX, TAKE_OVER_BODY_BYTES_MAX,
    problem::{Problem, Slug},
};
use crate::{register::Member, tls::accept::Peer};

/// Longest time that a body may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// The enrolled owner's agent at the other end.
pub struct Caller(pub Member);

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<Peer>().and_then(|peer| peer.key_hash);
        let key = peer.ok_or_else(|| {
            let detail = "this route needs the client certificate that enrolment gave; enroll first, with the string that `coordinator invite` prints";
            Problem::new(Slug::CertificateMissing, detail)
        })?;
        let member = api.register.member(&key).ok_or_else(|| {
            let detail = "the certificate is ours, but its enrolment was replaced by a newer one; ask the operator for a new invitation";
            Problem::new(Slug::NotEnrolled, detail)
        })?;
        Ok(Self(member))
    }
}

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let path = request.uri().path().to_owned();
        let read = timeout(BODY_TIME_MAX, Bytes::from_request(request, api)).await;
        let read = read.map_err(|_| {
            Problem::new(Slug::BodyTooSlow, format!("it was not complete after {} s", BODY_TIME_MAX.as_secs()))
        })?;
        let bytes = read.map_err(|rejection| unread(&path, &rejection))?;
        let body = serde_json::from_slice(&bytes);
        body.map(Self).map_err(|error| Problem::new(Slug::BodyMalformed, format!("expected JSON: {error}")))
    }
}

fn unread(path: &str, rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let max = if path.ends_with("/cases") { TAKE_OVER_BODY_BYTES_MAX } else { BODY_BYTES_MAX };
        return Problem::new(Slug::BodyTooLong, format!("at most {max} bytes are taken"));
    }
    Problem::new(Slug::BodyMalformed, rejection.body_text())
}

/// The query of the address.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        AxumQuery::try_from_uri(&parts.uri)
            .map(|AxumQuery(query)| Self(query))
            .map_err(|rejection| Problem::new(Slug::QueryMalformed, rejection.body_text()))
    }
}

/// Does what waits for a disk, or computes for long, where that stops nobody else.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a handler was broken off");
        Problem::new(Slug::Internal, "look at the coordinator's log")
    })
}
