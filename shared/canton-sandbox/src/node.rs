//! One participant's admin API.

mod authorize;

use std::{collections::BTreeSet, sync::Arc};

use canton_proto::canton::{
    admin::participant::v30::{
        ListConnectedSynchronizersRequest, ListConnectedSynchronizersResponse, list_connected_synchronizers_response,
        synchronizer_connectivity_service_server::{
            SynchronizerConnectivityService, SynchronizerConnectivityServiceServer,
        },
    },
    protocol::v30::SignedTopologyTransaction,
    topology::admin::v30::{
        AddTransactionsRequest, AddTransactionsResponse, AuthorizeRequest, AuthorizeResponse, GetIdRequest,
        GetIdResponse, ListAllV2Request, ListAllV2Response, SignTransactionsRequest, SignTransactionsResponse, StoreId,
        TopologyTransactions, authorize_request,
        base_query::TimeQuery,
        identity_initialization_service_server::{IdentityInitializationService, IdentityInitializationServiceServer},
        store_id, synchronizer,
        topology_manager_read_service_server::{TopologyManagerReadService, TopologyManagerReadServiceServer},
        topology_manager_write_service_server::{TopologyManagerWriteService, TopologyManagerWriteServiceServer},
        topology_transactions,
    },
};
use canton_topology::{
    id::Fingerprint,
    judge::Verdict,
    planner,
    state::{Row, State},
    transaction::{Operation, SignedTransaction},
};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, transport::Server};

use crate::{
    genesis::{Node, NodeKey},
    network::Shared,
    refused,
};

/// Serves until the task ends.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, node: Node) {
    let api = Api { shared, node: Arc::new(node) };
    let served = Server::builder()
        .add_service(TopologyManagerWriteServiceServer::new(api.clone()))
        .add_service(TopologyManagerReadServiceServer::new(api.clone()))
        .add_service(IdentityInitializationServiceServer::new(api.clone()))
        .add_service(SynchronizerConnectivityServiceServer::new(api))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await;
    if let Err(error) = served {
        tracing::warn!(%error, "a sandbox participant stopped");
    }
}

#[derive(Clone)]
struct Api {
    shared: Arc<Shared>,
    node: Arc<Node>,
}

impl Api {
    /// The store must be this synchronizer's.
    fn check_store(&self, store: Option<StoreId>) -> Result<(), Status> {
        let kind = match store.and_then(|store| store.store) {
            Some(store_id::Store::Synchronizer(synchronizer)) => synchronizer.kind,
            Some(store_id::Store::Authorized(_) | store_id::Store::Temporary(_)) => {
                let cause = "the sandbox keeps only the synchronizer's store";
                return Err(refused::with_id(Code::NotFound, "TOPOLOGY_STORE_NOT_FOUND", cause));
            }
            None => return Err(refused::not_set("store")),
        };
        let own = &self.shared.synchronizer;
        let known = match kind.ok_or_else(|| refused::not_set("kind"))? {
            synchronizer::Kind::Id(id) => id == own.logical.to_string(),
            synchronizer::Kind::PhysicalId(id) => id == own.to_string(),
        };
        if known {
            return Ok(());
        }
        Err(refused::with_id(Code::NotFound, "TOPOLOGY_STORE_NOT_FOUND", "no such synchronizer is connected"))
    }

    fn parse(transactions: &[SignedTopologyTransaction]) -> Result<Vec<SignedTransaction>, Status> {
        let parse = |message: &SignedTopologyTransaction| {
            SignedTransaction::parse_plain(&message.encode_to_vec()).map_err(|error| refused::undecodable(&error))
        };
        transactions.iter().map(parse).collect()
    }

    fn held(&self) -> [&NodeKey; 2] {
        [&self.node.namespace_key, &self.node.protocol_key]
    }

    /// The transaction with this node's signatures besides: by the wanted keys where some are named, else by all that
    /// may sign it.
    fn signed(
        &self,
        head: &State,
        mut signed: SignedTransaction,
        wanted: &BTreeSet<Fingerprint>,
    ) -> Result<SignedTransaction, Status> {
        let usable = if wanted.is_empty() {
            let held = self.held().map(NodeKey::fingerprint).into();
            planner::permissible(head, &signed.transaction, &held).into_keys().collect()
        } else {
            wanted.clone()
        };
        if usable.is_empty() {
            let cause = "no key of this node may sign this transaction";
            return Err(refused::with_id(Code::NotFound, "TOPOLOGY_NO_APPROPRIATE_SIGNING_KEY_IN_STORE", cause));
        }
        let before = signed.signers();
        let new = self.held().into_iter().filter(|key| usable.contains(&key.fingerprint()));
        let new = new.filter(|key| !before.contains(&key.fingerprint()));
        let signatures: Vec<_> = new.map(|key| key.sign(&signed.transaction)).collect();
        signed.signatures.extend(signatures);
        Ok(signed)
    }
}

fn keys(named: &[String]) -> Result<BTreeSet<Fingerprint>, Status> {
    let parsed = named.iter().map(|text| text.parse()).collect::<Result<_, canton_topology::id::IdError>>();
    parsed.map_err(|error| refused::undecodable(&error))
}

fn to_message(signed: &SignedTransaction) -> Result<SignedTopologyTransaction, Status> {
    let message = SignedTopologyTransaction::decode(signed.encode_plain().as_slice());
    message.map_err(|error| Status::internal(error.to_string()))
}

/// Whether a stored row with the same hash has every signer of the transaction already.
fn is_known(head: &State, signed: &SignedTransaction) -> bool {
    let (key, hash) = (signed.transaction.unique_key(), signed.transaction.hash());
    let stored: Vec<&Row> =
        head.active(&key).filter(|row| row.hash() == hash).into_iter().chain(head.proposal(&key, &hash)).collect();
    let signers = signed.signers();
    // Keys that may say nothing here are no new signers either.
    let candidates = planner::permissible(head, &signed.transaction, &signers);
    stored.iter().any(|row| candidates.keys().all(|key| row.signatures.contains_key(key)))
}

#[tonic::async_trait]
impl TopologyManagerWriteService for Api {
    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<AuthorizeResponse>, Status> {
        let request = request.into_inner();
        self.check_store(request.store)?;
        let head = self.shared.head();
        let transaction = match request.r#type {
            Some(authorize_request::Type::Proposal(proposal)) => authorize::proposed(&head, proposal)?,
            Some(authorize_request::Type::TransactionHash(hash)) => authorize::stored(&head, &hash)?,
            None => return Err(refused::not_set("type")),
        };
        let signed = SignedTransaction::new(transaction, Vec::new(), !request.must_fully_authorize);
        let signed = self.signed(&head, signed, &keys(&request.signed_by)?)?;
        if let Some(Verdict::Rejected(rejection)) = self.shared.try_batch(std::slice::from_ref(&signed)).first() {
            return Err(refused::rejection(rejection));
        }
        let message = to_message(&signed)?;
        self.shared.sequence(vec![signed]);
        Ok(Response::new(AuthorizeResponse { transaction: Some(message) }))
    }

    async fn add_transactions(
        &self,
        request: Request<AddTransactionsRequest>,
    ) -> Result<Response<AddTransactionsResponse>, Status> {
        let request = request.into_inner();
        self.check_store(request.store)?;
        let head = self.shared.head();
        let mut batch = Self::parse(&request.transactions)?;
        batch.retain(|signed| !is_known(&head, signed));
        for verdict in self.shared.try_batch(&batch) {
            if let Verdict::Rejected(rejection) = verdict {
                return Err(refused::rejection(&rejection));
            }
        }
        if !batch.is_empty() {
            self.shared.sequence(batch);
        }
        Ok(Response::new(AddTransactionsResponse {}))
    }

    async fn sign_transactions(
        &self,
        request: Request<SignTransactionsRequest>,
    ) -> Result<Response<SignTransactionsResponse>, Status> {
        let request = request.into_inner();
        self.check_store(request.store)?;
        let head = self.shared.head();
        let wanted = keys(&request.signed_by)?;
        let mut answer = Vec::new();
        for signed in Self::parse(&request.transactions)? {
            answer.push(to_message(&self.signed(&head, signed, &wanted)?)?);
        }
        Ok(Response::new(SignTransactionsResponse { transactions: answer }))
    }
}

#[tonic::async_trait]
impl TopologyManagerReadService for Api {
    async fn list_all_v2(&self, request: Request<ListAllV2Request>) -> Result<Response<ListAllV2Response>, Status> {
        let request = request.into_inner();
        let query = request.base_query.ok_or_else(|| refused::not_set("base_query"))?;
        self.check_store(query.store)?;
        let time = query.time_query.ok_or_else(|| refused::not_set("time_query"))?;
        let micros = |time: prost_types::Timestamp| time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000;
        let stands = |row: &Row| match &time {
            TimeQuery::HeadState(()) => row.valid_until.is_none(),
            TimeQuery::Snapshot(at) => {
                row.valid_from.0 < micros(*at) && row.valid_until.is_none_or(|until| until.0 >= micros(*at))
            }
            TimeQuery::Range(range) => {
                range.from.is_none_or(|from| row.valid_from.0 >= micros(from))
                    && range.until.is_none_or(|until| row.valid_from.0 <= micros(until))
            }
        };
        let head = self.shared.head();
        let items = head
            .rows()
            .filter(|row| row.proposal == query.proposals && stands(row))
            .filter(|row| matches_operation(row, query.operation))
            .filter(|row| {
                let code = row.transaction.mapping().code().letters();
                request.include_mappings.is_empty() || request.include_mappings.iter().any(|one| one == code)
            })
            .filter(|row| row.transaction.mapping().namespace().as_str().starts_with(&request.filter_namespace))
            .map(|row| topology_transactions::Item::decode(row.to_item().encode().as_slice()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(ListAllV2Response { result: Some(TopologyTransactions { items }) }))
    }
}

fn matches_operation(row: &Row, wanted: i32) -> bool {
    match wanted {
        1 => row.transaction.operation() == Operation::AddReplace,
        2 => row.transaction.operation() == Operation::Remove,
        _ => true,
    }
}

#[tonic::async_trait]
impl IdentityInitializationService for Api {
    async fn get_id(&self, _: Request<GetIdRequest>) -> Result<Response<GetIdResponse>, Status> {
        let unique_identifier = self.node.member.uid.to_string();
        Ok(Response::new(GetIdResponse { initialized: true, unique_identifier }))
    }
}

#[tonic::async_trait]
impl SynchronizerConnectivityService for Api {
    async fn list_connected_synchronizers(
        &self,
        _: Request<ListConnectedSynchronizersRequest>,
    ) -> Result<Response<ListConnectedSynchronizersResponse>, Status> {
        let own = &self.shared.synchronizer;
        let one = list_connected_synchronizers_response::Result {
            synchronizer_alias: own.logical.uid().identifier().to_owned(),
            synchronizer_id: own.logical.to_string(),
            physical_synchronizer_id: own.to_string(),
            healthy: true,
        };
        Ok(Response::new(ListConnectedSynchronizersResponse { connected_synchronizers: vec![one] }))
    }
}
