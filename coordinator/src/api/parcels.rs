//! `/v1/cases/{id}/parcels/{sha256}`: sealed files in, in pieces, and out to the owner whom they are for. Opaque here.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{Path, State},
    http::StatusCode,
};
use canton_topology::id::Namespace;
use protocol::{
    api::{ParcelState, ParcelStatus},
    intent::CaseId,
    limits,
    parcel::ContentHash,
};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Api,
    extract::{Caller, Query, blocking},
    problem::{Problem, Slug},
};
use crate::{
    clock,
    parcels::{
        ParcelError, keeper,
        ledger::{Key, Piece},
        places::Place,
    },
    store::StoreError,
};

/// Longest time that a piece may take: about 35 kB/s.
const PIECE_TIME_MAX: Duration = Duration::from_secs(120);

/// How much of a piece is handed to the connection at once.
const SLICE_BYTES: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incoming {
    to: Namespace,
    length: u64,
    offset: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    offset: u64,
    length: usize,
}

type Address = Path<(String, String)>;

/// `GET …`: how far a parcel is.
pub async fn show(
    State(api): State<Arc<Api>>,
    Caller(caller): Caller,
    Path(address): Address,
) -> Result<Json<ParcelStatus>, Problem> {
    let (case, parcel) = parse(&address)?;
    Ok(Json(api.parcels.status(case, parcel, &caller.owner).map_err(ParcelError::from)?))
}

/// `PUT …/bytes`: the next piece. A parcel whose bytes are all there is hashed beside, and `GET …` tells the end.
pub async fn receive(
    State(api): State<Arc<Api>>,
    Caller(caller): Caller,
    Path(address): Address,
    Query(incoming): Query<Incoming>,
    body: Body,
) -> Result<Json<ParcelStatus>, Problem> {
    let (case, parcel) = parse(&address)?;
    let key = Key { case, parcel, from: caller.owner };
    let piece = Piece { key: key.clone(), to: incoming.to, length: incoming.length, offset: incoming.offset };
    let place = place(&api, &key.from)?;
    let bytes = read(body).await?;
    let shelf = Arc::clone(&api);
    let status = blocking(move || {
        let _place = place;
        check_case(&shelf, piece.key.case)?;
        check_addressee(&shelf, &piece.to)?;
        Ok::<_, Problem>(shelf.parcels.receive(&piece, &bytes, clock::now())?)
    });
    let status = status.await??;
    if status.state == ParcelState::Checking {
        keeper::check(&api.parcels, key);
    }
    Ok(Json(status))
}

/// `GET …/bytes`: some bytes of a complete parcel.
pub async fn give(
    State(api): State<Arc<Api>>,
    Caller(caller): Caller,
    Path(address): Address,
    Query(range): Query<Range>,
) -> Result<Body, Problem> {
    let (case, parcel) = parse(&address)?;
    let max = limits::PARCEL_CHUNK_BYTES_MAX;
    if !(1..=max).contains(&range.length) {
        let detail = format!("length: {}; expected from 1 to {max}", range.length);
        return Err(Problem::new(Slug::QueryMalformed, detail));
    }
    let place = place(&api, &caller.owner)?;
    let bytes =
        blocking(move || api.parcels.read(case, parcel, &caller.owner, (range.offset, range.length), clock::now()));
    let outgoing = Outgoing { bytes: bytes.await??.into(), _place: place };
    Ok(Body::from_stream(tokio_stream::iter(outgoing)))
}

/// A piece on its way out: it keeps its place until the last of it is taken, however slowly.
struct Outgoing {
    bytes: Bytes,
    _place: Place,
}

impl Iterator for Outgoing {
    type Item = Result<Bytes, Infallible>;

    fn next(&mut self) -> Option<Self::Item> {
        let slice = self.bytes.split_to(self.bytes.len().min(SLICE_BYTES));
        (!slice.is_empty()).then_some(Ok(slice))
    }
}

/// `DELETE …`: its sender takes a parcel back.
pub async fn take_back(
    State(api): State<Arc<Api>>,
    Caller(caller): Caller,
    Path(address): Address,
) -> Result<StatusCode, Problem> {
    let (case, parcel) = parse(&address)?;
    let key = Key { case, parcel, from: caller.owner };
    blocking(move || api.parcels.take_back(&key)).await??;
    Ok(StatusCode::NO_CONTENT)
}

fn parse((case, parcel): &(String, String)) -> Result<(CaseId, ContentHash), Problem> {
    let case = case.parse().map_err(|error| Problem::new(Slug::CaseUnknown, format!("{error}")))?;
    let parcel = parcel.parse().map_err(|error| Problem::new(Slug::ParcelUnknown, format!("{error}")))?;
    Ok((case, parcel))
}

fn place(api: &Api, owner: &Namespace) -> Result<Place, Problem> {
    let busy = || Problem::new(Slug::Busy, "too many pieces of parcels are under way; try again in a moment");
    api.places.take(owner).ok_or_else(busy)
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let max = limits::PARCEL_CHUNK_BYTES_MAX;
    let read = timeout(PIECE_TIME_MAX, to_bytes(body, max)).await.map_err(|_| {
        Problem::new(Slug::BodyTooSlow, format!("it was not complete after {} s", PIECE_TIME_MAX.as_secs()))
    })?;
    read.map_err(|error| Problem::new(Slug::BodyTooLong, format!("at most {max} bytes are taken at once: {error}")))
}

fn check_case(api: &Api, case: CaseId) -> Result<(), Problem> {
    let first: Result<Option<u64>, StoreError> = api.store.sequence_of(case, 0);
    let unknown = || Problem::new(Slug::CaseUnknown, format!("case {case} is not here; post its intent first"));
    first?.map(drop).ok_or_else(unknown)
}

/// Nobody else could ever fetch it.
fn check_addressee(api: &Api, to: &Namespace) -> Result<(), Problem> {
    let is_enrolled = api.register.members().iter().any(|member| member.owner == *to);
    let detail = || format!("to: owner {to} is not enrolled here and could not fetch it; carry the file by hand");
    if is_enrolled { Ok(()) } else { Err(Problem::new(Slug::ParcelRefused, detail())) }
}
