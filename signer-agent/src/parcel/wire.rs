//! The coordinator's routes for parcels, one function for each.

use std::time::Duration;

use canton_topology::id::Namespace;
use protocol::{
    api::ParcelStatus,
    intent::CaseId,
    limits,
    parcel::{Content, ContentHash},
};
use reqwest::Method;

use crate::coordinator_link::{Link, LinkError};

/// How long an answer without a piece may take.
const STATUS_WITHIN: Duration = Duration::from_secs(20);
/// How long a piece may take: as long as the coordinator waits for one, and a little.
const PIECE_WITHIN: Duration = Duration::from_secs(130);
/// Longest answer that is not a piece.
const STATUS_BYTES_MAX: usize = 64 << 10;

fn path(case: CaseId, parcel: ContentHash) -> String {
    format!("/v1/cases/{case}/parcels/{parcel}")
}

fn status(body: &[u8]) -> Result<ParcelStatus, LinkError> {
    serde_json::from_slice(body).map_err(|error| LinkError::BadAnswer(error.to_string()))
}

impl Link {
    pub(super) async fn parcel(&self, case: CaseId, parcel: ContentHash) -> Result<ParcelStatus, LinkError> {
        let request = self.request(Method::GET, &path(case, parcel), STATUS_WITHIN);
        status(&Self::bounded(request, STATUS_BYTES_MAX).await?)
    }

    pub(super) async fn put_piece(
        &self,
        case: CaseId,
        parcel: Content,
        to: &Namespace,
        offset: u64,
        bytes: Vec<u8>,
    ) -> Result<ParcelStatus, LinkError> {
        // Of all that a namespace may have, only the space must not stand in an address.
        let to = to.as_str().replace(' ', "%20");
        let path = format!("{}/bytes?to={to}&length={}&offset={offset}", path(case, parcel.hash), parcel.length);
        let request = self.request(Method::PUT, &path, PIECE_WITHIN).body(bytes);
        status(&Self::bounded(request, STATUS_BYTES_MAX).await?)
    }

    pub(super) async fn piece(
        &self,
        case: CaseId,
        parcel: ContentHash,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, LinkError> {
        let path = format!("{}/bytes?offset={offset}&length={length}", path(case, parcel));
        // A refusal is longer than the last bytes of a parcel may be.
        let max = length.max(STATUS_BYTES_MAX);
        let bytes = Self::bounded(self.request(Method::GET, &path, PIECE_WITHIN), max).await?;
        debug_assert!(length <= limits::PARCEL_CHUNK_BYTES_MAX);
        if bytes.len() > length {
            return Err(LinkError::BadAnswer(format!("{} bytes where {length} were asked for", bytes.len())));
        }
        Ok(bytes)
    }

    pub(super) async fn remove_parcel(&self, case: CaseId, parcel: ContentHash) -> Result<(), LinkError> {
        let request = self.request(Method::DELETE, &path(case, parcel), STATUS_WITHIN);
        Self::bounded(request, STATUS_BYTES_MAX).await.map(drop)
    }
}
