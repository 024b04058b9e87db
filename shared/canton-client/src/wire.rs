//! What generated messages cannot do: keep fields that they do not know, and speak an older release's layout.

use std::time::Duration;

use canton_topology::Timestamp;
use prost::Message;
use tonic::{Request, Response, Status, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use crate::{connection::Door, error::NodeError};

/// A call of one message each way, with messages of our own layout.
pub(crate) async fn unary<Q, A>(door: Door, path: &'static str, request: Q) -> Result<A, Status>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut grpc = Grpc::new(door);
    ready(&mut grpc).await?;
    let codec = ProstCodec::<Q, A>::default();
    grpc.unary(Request::new(request), PathAndQuery::from_static(path), codec).await.map(Response::into_inner)
}

/// Waits until the channel takes a call.
pub(crate) async fn ready(grpc: &mut Grpc<Door>) -> Result<(), Status> {
    grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))
}

/// A time as Canton counts it.
pub(crate) fn timestamp(field: &str, time: Option<prost_types::Timestamp>) -> Result<Timestamp, NodeError> {
    let time = time.ok_or_else(|| NodeError::BadAnswer(format!("{field} is not set")))?;
    let micros = time.seconds.checked_mul(1_000_000).and_then(|all| all.checked_add(i64::from(time.nanos) / 1_000));
    micros.map(Timestamp).ok_or_else(|| NodeError::BadAnswer(format!("{field}: {} seconds", time.seconds)))
}

/// A duration as protobuf writes it.
pub(crate) fn duration(duration: Duration) -> prost_types::Duration {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    // Less than a thousand million.
    prost_types::Duration { seconds, nanos: duration.subsec_nanos().cast_signed() }
}
