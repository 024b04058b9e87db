//! The Ledger API's state: its end, what was pruned, and the active contracts.

use std::{collections::BTreeSet, sync::Arc};

use canton_proto::daml::ledger::api::v2::{
    ActiveContract, EventFormat, GetActiveContractsRequest, GetActiveContractsResponse,
    GetConnectedSynchronizersRequest, GetConnectedSynchronizersResponse, GetLatestPrunedOffsetsRequest,
    GetLatestPrunedOffsetsResponse, GetLedgerEndRequest, GetLedgerEndResponse, cumulative_filter::IdentifierFilter,
    get_active_contracts_response::ContractEntry, get_connected_synchronizers_response::ConnectedSynchronizer,
    state_service_server::StateService,
};
use canton_topology::id::PartyId;
use tonic::{Code, Request, Response, Status};

use super::{Answers, Api, answers};
use crate::{access::LedgerUser, acs, connection, contract::Contract, hosting, ledger::Pruned, refused::Refused};

/// What a reader wants to see of contracts.
pub(super) struct Seen {
    /// Of whom; of everybody where nobody is named.
    parties: Option<BTreeSet<String>>,
    /// With their content.
    blobs: bool,
}

impl Seen {
    /// What a format asks for.
    pub fn of(format: &EventFormat) -> Self {
        let for_all = format.filters_for_any_party.is_some();
        let filters = format.filters_by_party.values().chain(&format.filters_for_any_party);
        let blobs = filters.flat_map(|filters| &filters.cumulative).any(|filter| match &filter.identifier_filter {
            Some(IdentifierFilter::WildcardFilter(filter)) => filter.include_created_event_blob,
            Some(IdentifierFilter::TemplateFilter(filter)) => filter.include_created_event_blob,
            Some(IdentifierFilter::InterfaceFilter(filter)) => filter.include_created_event_blob,
            None => false,
        });
        let parties = (!for_all).then(|| format.filters_by_party.keys().cloned().collect());
        Self { parties, blobs }
    }

    /// Those who see the contract among the wanted; `None` where nobody does.
    pub fn witnesses(&self, contract: &Contract) -> Option<Vec<String>> {
        let all = contract.stakeholders().into_iter().map(PartyId::to_string);
        let wanted = |party: &String| self.parties.as_ref().is_none_or(|parties| parties.contains(party));
        let seen: Vec<String> = all.filter(wanted).collect();
        (!seen.is_empty()).then_some(seen)
    }

    /// The event that created the contract, where it is wanted.
    pub fn created(
        &self,
        contract: &Contract,
        offset: i64,
    ) -> Option<canton_proto::daml::ledger::api::v2::CreatedEvent> {
        let mut event = acs::created_event(contract, offset, self.witnesses(contract)?);
        if !self.blobs {
            event.created_event_blob.clear();
        }
        Some(event)
    }
}

/// The refusal of what was pruned.
pub(super) fn pruned(pruned: Pruned) -> Refused {
    let cause = format!("The request precedes the pruned offset {}", pruned.earliest - 1);
    Refused::new(Code::FailedPrecondition, "PARTICIPANT_PRUNED_DATA_ACCESSED", cause)
        .with("earliest_offset", (pruned.earliest - 1).to_string())
}

impl Api {
    /// An offset that the reader names, which must not lie behind the end.
    pub(super) fn offset(&self, field: &str, offset: i64) -> Result<i64, Refused> {
        if offset < 0 {
            let cause = format!("Offset {offset} in {field} is a negative integer: {field} must be non-negative");
            return Err(Refused::new(Code::InvalidArgument, "NEGATIVE_OFFSET", cause));
        }
        let end = self.0.standing().ledger.end();
        if offset > end {
            let cause = format!("{field} offset ({offset}) is after ledger end ({end})");
            return Err(Refused::new(Code::OutOfRange, "OFFSET_AFTER_LEDGER_END", cause));
        }
        Ok(offset)
    }

    fn active(&self, offset: i64, format: &EventFormat) -> Result<Vec<GetActiveContractsResponse>, Refused> {
        let seen = Seen::of(format);
        let synchronizer = self.0.synchronizer.id.logical.to_string();
        let active = self.0.standing().ledger.active_at(offset).map_err(pruned)?;
        let answer = |(offset, contract): (i64, Arc<Contract>)| {
            let active = ActiveContract {
                created_event: Some(seen.created(&contract, offset)?),
                synchronizer_id: synchronizer.clone(),
                reassignment_counter: 0,
            };
            Some(GetActiveContractsResponse {
                workflow_id: String::new(),
                contract_entry: Some(ContractEntry::ActiveContract(active)),
                stream_continuation_token: offset.to_be_bytes().to_vec(),
            })
        };
        Ok(active.into_iter().filter_map(answer).collect())
    }
}

#[tonic::async_trait]
impl StateService for Api {
    async fn get_active_contracts(
        &self,
        request: Request<GetActiveContractsRequest>,
    ) -> Result<Response<Answers<GetActiveContractsResponse>>, Status> {
        let may_read = LedgerUser::may_read(&request);
        let request = request.into_inner();
        let format = request.event_format.ok_or_else(|| {
            let cause = "The submitted command is missing a mandatory field: event_format";
            Refused::new(Code::InvalidArgument, "MISSING_FIELD", cause)
        })?;
        may_read?;
        let offset = self.offset("active_at_offset", request.active_at_offset)?;
        Ok(Response::new(answers(self.active(offset, &format)?)))
    }

    async fn get_connected_synchronizers(
        &self,
        request: Request<GetConnectedSynchronizersRequest>,
    ) -> Result<Response<GetConnectedSynchronizersResponse>, Status> {
        let request = request.into_inner();
        let standing = self.0.standing();
        let party: Option<PartyId> = request.party.parse().ok();
        let host = party.as_ref().and_then(|party| hosting::host(&standing.topology, party, &self.0.id()));
        let one = || ConnectedSynchronizer {
            synchronizer_alias: connection::alias(&self.0.synchronizer.id).to_owned(),
            synchronizer_id: self.0.synchronizer.id.logical.to_string(),
            permission: host.map_or(0, |host| host.permission as i32),
        };
        let is_wanted = standing.connected && (request.party.is_empty() || host.is_some());
        let connected_synchronizers = is_wanted.then(one).into_iter().collect();
        Ok(Response::new(GetConnectedSynchronizersResponse { connected_synchronizers }))
    }

    async fn get_ledger_end(&self, _: Request<GetLedgerEndRequest>) -> Result<Response<GetLedgerEndResponse>, Status> {
        Ok(Response::new(GetLedgerEndResponse { offset: self.0.standing().ledger.end() }))
    }

    async fn get_latest_pruned_offsets(
        &self,
        _: Request<GetLatestPrunedOffsetsRequest>,
    ) -> Result<Response<GetLatestPrunedOffsetsResponse>, Status> {
        let pruned = self.0.standing().ledger.pruned();
        Ok(Response::new(GetLatestPrunedOffsetsResponse {
            participant_pruned_up_to_inclusive: pruned,
            all_divulged_contracts_pruned_up_to_inclusive: pruned,
        }))
    }
}
