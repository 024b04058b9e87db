//! A participant's Ledger API: where its ledger ends, whom it hosts, which contracts a party has, and what happened to it.

pub mod contracts;
pub mod updates;

use std::fmt;

use canton_proto::daml::ledger::api::v2::{
    CumulativeFilter, EventFormat, Filters, GetLatestPrunedOffsetsRequest, GetLedgerApiVersionRequest,
    GetLedgerEndRequest, WildcardFilter,
    admin::{GetPartiesRequest, party_management_service_client::PartyManagementServiceClient},
    cumulative_filter::IdentifierFilter,
    state_service_client::StateServiceClient,
    version_service_client::VersionServiceClient,
};
use canton_topology::id::PartyId;
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessError,
    connection::Connection,
    error::NodeError,
    participant::Options,
    status::{self, NodeVersion},
};

/// A place in one participant's ledger; 0 is its begin. No other participant knows what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub i64);

impl Offset {
    /// Before everything.
    pub const BEGIN: Self = Self(0);

    fn read(field: &str, offset: i64) -> Result<Self, NodeError> {
        if offset < 0 {
            return Err(NodeError::BadAnswer(format!("{field}: the offset {offset}")));
        }
        Ok(Self(offset))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A participant's Ledger API. Connects when it is first used, and again after every break.
#[derive(Clone, Debug)]
pub struct Ledger {
    connection: Connection,
}

impl Ledger {
    /// The Ledger API at an address. Nothing is sent yet.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub fn new(options: &Options) -> Result<Self, AccessError> {
        Ok(Self { connection: Connection::new(options)? })
    }

    /// The release of the node.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn version(&self) -> Result<NodeVersion, NodeError> {
        let mut client = VersionServiceClient::new(self.connection.quick().await?);
        let answer = client.get_ledger_api_version(GetLedgerApiVersionRequest {}).await;
        NodeVersion::parse(&answer.map_err(|status| NodeError::from_status(&status, false))?.into_inner().version)
    }

    /// Which API this address is, in the node's own words.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn api_name(&self) -> Result<String, NodeError> {
        status::api_name(&self.connection).await
    }

    /// Where its ledger ends now.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn ledger_end(&self) -> Result<Offset, NodeError> {
        let mut client = StateServiceClient::new(self.connection.quick().await?);
        let answer = client.get_ledger_end(GetLedgerEndRequest {}).await;
        Offset::read("offset", answer.map_err(|status| NodeError::from_status(&status, false))?.into_inner().offset)
    }

    /// Up to where (inclusive) it has forgotten; the begin where it forgot nothing.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn pruned_offset(&self) -> Result<Offset, NodeError> {
        let mut client = StateServiceClient::new(self.connection.quick().await?);
        let answer = client.get_latest_pruned_offsets(GetLatestPrunedOffsetsRequest {}).await;
        let answer = answer.map_err(|status| NodeError::from_status(&status, false))?.into_inner();
        Offset::read("participant_pruned_up_to_inclusive", answer.participant_pruned_up_to_inclusive)
    }

    /// Whether this participant hosts a party.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn is_hosted_locally(&self, party: &PartyId) -> Result<bool, NodeError> {
        let mut client = PartyManagementServiceClient::new(self.connection.quick().await?);
        let request = GetPartiesRequest { parties: vec![party.to_string()], identity_provider_id: String::new() };
        let answer = client.get_parties(request).await.map_err(|status| NodeError::from_status(&status, false))?;
        let details = answer.into_inner().party_details;
        Ok(details.iter().any(|one| one.party == party.to_string() && one.is_local))
    }
}

/// Everything of one party, without Daml's own values.
fn everything_of(party: &PartyId) -> EventFormat {
    let wildcard = WildcardFilter { include_created_event_blob: false };
    let all = CumulativeFilter { identifier_filter: Some(IdentifierFilter::WildcardFilter(wildcard)) };
    let filters_by_party = [(party.to_string(), Filters { cumulative: vec![all] })].into();
    EventFormat { filters_by_party, filters_for_any_party: None, verbose: false }
}
