//! The lists of one kind of mapping.

use canton_proto::canton::{
    protocol::v30::{TopologyMapping, topology_mapping::Mapping as Wire},
    topology::admin::v30::{
        BaseQuery, BaseResult, ListDecentralizedNamespaceDefinitionRequest,
        ListDecentralizedNamespaceDefinitionResponse, ListNamespaceDelegationRequest, ListNamespaceDelegationResponse,
        ListPartyToParticipantRequest, ListPartyToParticipantResponse, ListVettedPackagesRequest,
        ListVettedPackagesResponse, StoreId, list_decentralized_namespace_definition_response,
        list_namespace_delegation_response, list_party_to_participant_response, list_vetted_packages_response,
    },
};
use canton_topology::{
    mapping::{Code, Mapping},
    state::Row,
};
use prost::Message as _;
use tonic::Status;

use super::Api;
use crate::{clock::to_wire, refused::Refused};

impl Api {
    /// The rows of one kind that pass, each with its circumstances and its mapping as the wire writes it.
    fn of_kind(
        &self,
        query: Option<BaseQuery>,
        code: Code,
        passes: impl Fn(&Mapping) -> bool,
    ) -> Result<Vec<(BaseResult, Wire)>, Status> {
        let (store, rows) = self.rows(query)?;
        let store = self.name(&store);
        let wanted = rows.iter().filter(|row| {
            let mapping = row.transaction.mapping();
            mapping.code() == code && passes(mapping)
        });
        wanted.map(|row| Ok((circumstances(row, &store), wire(row)?))).collect()
    }

    pub(super) fn namespace_delegations(
        &self,
        request: ListNamespaceDelegationRequest,
    ) -> Result<ListNamespaceDelegationResponse, Status> {
        let passes = |mapping: &Mapping| {
            let target = matches!(mapping, Mapping::NamespaceDelegation(delegation)
                if delegation.target.fingerprint_ref().as_str().starts_with(&request.filter_target_key_fingerprint));
            target && mapping.namespace().as_str().starts_with(&request.filter_namespace)
        };
        let rows = self.of_kind(request.base_query.clone(), Code::NamespaceDelegation, passes)?;
        let results = rows.into_iter().filter_map(|(context, mapping)| match mapping {
            Wire::NamespaceDelegation(item) => {
                Some(list_namespace_delegation_response::Result { context: Some(context), item: Some(item) })
            }
            _ => None,
        });
        Ok(ListNamespaceDelegationResponse { results: results.collect() })
    }

    pub(super) fn definitions(
        &self,
        request: ListDecentralizedNamespaceDefinitionRequest,
    ) -> Result<ListDecentralizedNamespaceDefinitionResponse, Status> {
        let passes = |mapping: &Mapping| mapping.namespace().as_str().starts_with(&request.filter_namespace);
        let rows = self.of_kind(request.base_query.clone(), Code::DecentralizedNamespaceDefinition, passes)?;
        let results = rows.into_iter().filter_map(|(context, mapping)| match mapping {
            Wire::DecentralizedNamespaceDefinition(item) => {
                let (context, item) = (Some(context), Some(item));
                Some(list_decentralized_namespace_definition_response::Result { context, item })
            }
            _ => None,
        });
        Ok(ListDecentralizedNamespaceDefinitionResponse { results: results.collect() })
    }

    pub(super) fn vetted_packages(
        &self,
        request: ListVettedPackagesRequest,
    ) -> Result<ListVettedPackagesResponse, Status> {
        let passes = |mapping: &Mapping| {
            matches!(mapping, Mapping::VettedPackages(vetted)
                if vetted.participant.to_string().starts_with(&request.filter_participant))
        };
        let rows = self.of_kind(request.base_query.clone(), Code::VettedPackages, passes)?;
        let results = rows.into_iter().filter_map(|(context, mapping)| match mapping {
            Wire::VettedPackages(item) => {
                Some(list_vetted_packages_response::Result { context: Some(context), item: Some(item) })
            }
            _ => None,
        });
        Ok(ListVettedPackagesResponse { results: results.collect() })
    }

    pub(super) fn parties_to_participants(
        &self,
        request: ListPartyToParticipantRequest,
    ) -> Result<ListPartyToParticipantResponse, Status> {
        let passes = |mapping: &Mapping| {
            let Mapping::PartyToParticipant(party) = mapping else { return false };
            let mut hosts = party.participants.iter().map(|host| host.participant.to_string());
            party.party.to_string().starts_with(&request.filter_party)
                && (request.filter_participant.is_empty()
                    || hosts.any(|host| host.starts_with(&request.filter_participant)))
        };
        let rows = self.of_kind(request.base_query.clone(), Code::PartyToParticipant, passes)?;
        let results = rows.into_iter().filter_map(|(context, mapping)| match mapping {
            Wire::PartyToParticipant(item) => {
                Some(list_party_to_participant_response::Result { context: Some(context), item: Some(item) })
            }
            _ => None,
        });
        Ok(ListPartyToParticipantResponse { results: results.collect() })
    }
}

fn circumstances(row: &Row, store: &StoreId) -> BaseResult {
    BaseResult {
        store: Some(store.clone()),
        sequenced: Some(to_wire(row.sequenced)),
        valid_from: Some(to_wire(row.valid_from)),
        valid_until: row.valid_until.map(to_wire),
        operation: row.transaction.operation() as i32,
        transaction_hash: row.hash().as_bytes().to_vec(),
        serial: i32::try_from(row.serial().get()).unwrap_or(i32::MAX),
        signed_by_fingerprints: row.signatures.keys().map(ToString::to_string).collect(),
    }
}

fn wire(row: &Row) -> Result<Wire, Status> {
    let mapping = TopologyMapping::decode(row.transaction.mapping().encode().as_slice());
    let mapping = mapping.map_err(|error| Status::internal(error.to_string()))?;
    mapping.mapping.ok_or_else(|| Refused::not_set("mapping").into())
}
