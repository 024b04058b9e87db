//! Reading topology: everything of a store, or one kind of mapping.

use canton_proto::canton::topology::admin::v30::{
    BaseQuery, ExportTopologySnapshotRequest, ExportTopologySnapshotResponse, ExportTopologySnapshotV2Request,
    ExportTopologySnapshotV2Response, ListAllRequest, ListAllResponse, ListAllV2Request, ListAllV2Response,
    ListAvailableStoresRequest, ListAvailableStoresResponse, ListDecentralizedNamespaceDefinitionRequest,
    ListDecentralizedNamespaceDefinitionResponse, ListNamespaceDelegationRequest, ListNamespaceDelegationResponse,
    ListPartyToParticipantRequest, ListPartyToParticipantResponse, ListVettedPackagesRequest,
    ListVettedPackagesResponse, TopologyTransactions, base_query::TimeQuery,
    topology_manager_read_service_server::TopologyManagerReadService, topology_transactions,
};
use canton_topology::{
    snapshot::{self, Format, Item},
    state::Row,
    transaction::Operation,
};
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::{Answers, Api, answers, store::Store};
use crate::{clock::from_wire, refused::Refused};

/// Largest piece of an exported file, in bytes.
pub(super) const CHUNK_BYTES: usize = 2 << 20;

impl Api {
    /// The rows that a query means, in the order of their acceptance, and whose they are.
    pub(super) fn rows(&self, query: Option<BaseQuery>) -> Result<(Store, Vec<Row>), Refused> {
        let query = query.ok_or_else(|| Refused::not_set("base_query"))?;
        let store = self.store(query.store)?;
        let time = query.time_query.ok_or_else(|| Refused::not_set("time_query"))?;
        let state = self.state(&store)?;
        let rows = state
            .rows()
            .filter(|row| row.proposal == query.proposals && stands(row, &time))
            .filter(|row| matches_operation(row, query.operation))
            .filter(|row| {
                let wanted = &query.filter_signed_key;
                wanted.is_empty() || row.signatures.keys().any(|key| key.as_str().starts_with(wanted))
            })
            .filter(|row| !self.0.faults.hides(&row.hash()));
        Ok((store, rows.cloned().collect()))
    }

    fn items(
        &self,
        query: Option<BaseQuery>,
        namespace: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Item>, Refused> {
        let (_, rows) = self.rows(query)?;
        let rows = rows
            .iter()
            .filter(|row| wanted(row.transaction.mapping().code().letters()))
            .filter(|row| row.transaction.mapping().namespace().as_str().starts_with(namespace));
        Ok(rows.map(Row::to_item).collect())
    }
}

fn stands(row: &Row, time: &TimeQuery) -> bool {
    match time {
        TimeQuery::HeadState(()) => row.valid_until.is_none(),
        TimeQuery::Snapshot(at) => {
            let at = from_wire(*at);
            row.valid_from < at && row.valid_until.is_none_or(|until| until >= at)
        }
        TimeQuery::Range(range) => {
            range.from.is_none_or(|from| row.valid_from >= from_wire(from))
                && range.until.is_none_or(|until| row.valid_from <= from_wire(until))
        }
    }
}

fn matches_operation(row: &Row, wanted: i32) -> bool {
    match wanted {
        1 => row.transaction.operation() == Operation::AddReplace,
        2 => row.transaction.operation() == Operation::Remove,
        _ => true,
    }
}

fn transactions(items: &[Item]) -> Result<TopologyTransactions, Status> {
    let decode = |item: &Item| topology_transactions::Item::decode(item.encode().as_slice());
    let items = items.iter().map(decode).collect::<Result<_, _>>();
    Ok(TopologyTransactions { items: items.map_err(|error| Status::internal(error.to_string()))? })
}

#[tonic::async_trait]
impl TopologyManagerReadService for Api {
    async fn list_available_stores(
        &self,
        _: Request<ListAvailableStoresRequest>,
    ) -> Result<Response<ListAvailableStoresResponse>, Status> {
        let standing = self.0.standing();
        let synchronizer = standing.connected.then_some(Store::Synchronizer);
        let local = standing.stores.keys().cloned().map(Store::Local);
        let store_ids = synchronizer.into_iter().chain(local).map(|store| self.name(&store)).collect();
        Ok(Response::new(ListAvailableStoresResponse { store_ids }))
    }

    async fn list_all(&self, request: Request<ListAllRequest>) -> Result<Response<ListAllResponse>, Status> {
        let ListAllRequest { base_query, exclude_mappings, filter_namespace } = request.into_inner();
        let wanted = |code: &str| !exclude_mappings.iter().any(|excluded| excluded == code);
        let items = self.items(base_query, &filter_namespace, wanted)?;
        Ok(Response::new(ListAllResponse { result: Some(transactions(&items)?) }))
    }

    async fn list_all_v2(&self, request: Request<ListAllV2Request>) -> Result<Response<ListAllV2Response>, Status> {
        let ListAllV2Request { base_query, include_mappings, filter_namespace } = request.into_inner();
        let wanted = |code: &str| include_mappings.is_empty() || include_mappings.iter().any(|one| one == code);
        let items = self.items(base_query, &filter_namespace, wanted)?;
        Ok(Response::new(ListAllV2Response { result: Some(transactions(&items)?) }))
    }

    async fn export_topology_snapshot(
        &self,
        request: Request<ExportTopologySnapshotRequest>,
    ) -> Result<Response<Answers<ExportTopologySnapshotResponse>>, Status> {
        let ExportTopologySnapshotRequest { base_query, exclude_mappings, filter_namespace } = request.into_inner();
        let wanted = |code: &str| !exclude_mappings.iter().any(|excluded| excluded == code);
        let file = snapshot::write(Format::V1, &self.items(base_query, &filter_namespace, wanted)?);
        let chunks = file.chunks(CHUNK_BYTES).map(|chunk| ExportTopologySnapshotResponse { chunk: chunk.to_vec() });
        Ok(Response::new(answers(chunks.collect())))
    }

    async fn export_topology_snapshot_v2(
        &self,
        request: Request<ExportTopologySnapshotV2Request>,
    ) -> Result<Response<Answers<ExportTopologySnapshotV2Response>>, Status> {
        let ExportTopologySnapshotV2Request { base_query, exclude_mappings, filter_namespace } = request.into_inner();
        let wanted = |code: &str| !exclude_mappings.iter().any(|excluded| excluded == code);
        let file = snapshot::write(Format::V2, &self.items(base_query, &filter_namespace, wanted)?);
        let chunks = file.chunks(CHUNK_BYTES).map(|chunk| ExportTopologySnapshotV2Response { chunk: chunk.to_vec() });
        Ok(Response::new(answers(chunks.collect())))
    }

    async fn list_namespace_delegation(
        &self,
        request: Request<ListNamespaceDelegationRequest>,
    ) -> Result<Response<ListNamespaceDelegationResponse>, Status> {
        self.namespace_delegations(request.into_inner()).map(Response::new)
    }

    async fn list_decentralized_namespace_definition(
        &self,
        request: Request<ListDecentralizedNamespaceDefinitionRequest>,
    ) -> Result<Response<ListDecentralizedNamespaceDefinitionResponse>, Status> {
        self.definitions(request.into_inner()).map(Response::new)
    }

    async fn list_vetted_packages(
        &self,
        request: Request<ListVettedPackagesRequest>,
    ) -> Result<Response<ListVettedPackagesResponse>, Status> {
        self.vetted_packages(request.into_inner()).map(Response::new)
    }

    async fn list_party_to_participant(
        &self,
        request: Request<ListPartyToParticipantRequest>,
    ) -> Result<Response<ListPartyToParticipantResponse>, Status> {
        self.parties_to_participants(request.into_inner()).map(Response::new)
    }
}
