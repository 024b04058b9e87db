//! Changing topology: what others signed, what this node signs, and stores of its own.

use std::time::Duration;

use canton_proto::canton::topology::admin::v30::{
    AddTransactionsRequest, AddTransactionsResponse, AuthorizeRequest, AuthorizeResponse,
    CreateTemporaryTopologyStoreRequest, CreateTemporaryTopologyStoreResponse, DropTemporaryTopologyStoreRequest,
    DropTemporaryTopologyStoreResponse, GenerateTransactionsRequest, GenerateTransactionsResponse,
    SignTransactionsRequest, SignTransactionsResponse, authorize_request,
    generate_transactions_response::GeneratedTransaction, store_id::Temporary,
    topology_manager_write_service_server::TopologyManagerWriteService,
};
use canton_topology::{
    judge::{Time, Verdict, fold_batch},
    planner,
    state::{State, StaticParameters},
    transaction::SignedTransaction,
};
use tonic::{Code, Request, Response, Status};

use super::{Api, authorize, fingerprints, parse, store::Store, to_message};
use crate::{
    clock::{duration, now, words},
    refused::{self, Refused},
    standing::LocalStore,
};

impl Api {
    /// Judges transactions, hands them in where all of them pass, and waits where that is wished.
    async fn hand_in(
        &self,
        store: &Store,
        batch: Vec<SignedTransaction>,
        wait: Option<Duration>,
        task: &str,
    ) -> Result<(), Status> {
        match store {
            Store::Local(local) => self.store_locally(local, &batch),
            Store::Synchronizer => {
                self.check(&self.0.try_batch(&batch))?;
                if !batch.is_empty() {
                    let placed = self.0.submit(batch);
                    if let Some(timeout) = wait {
                        return self.wait(placed, timeout, task).await;
                    }
                }
                Ok(())
            }
        }
    }

    fn check(&self, verdicts: &[Verdict]) -> Result<(), Status> {
        let refused = verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Rejected(rejection) => Some(refused::rejection(rejection, &self.0.synchronizer.id)),
            Verdict::Active { .. } | Verdict::Proposal { .. } => None,
        });
        refused.map_or(Ok(()), Err)
    }

    fn store_locally(&self, local: &LocalStore, batch: &[SignedTransaction]) -> Result<(), Status> {
        let mut state = self.state(&Store::Local(local.clone()))?;
        let time = Time { sequenced: now(), effective: now() };
        let verdicts = fold_batch(&mut state, &mut self.0.synchronizer.verifier(), batch, time);
        self.check(&verdicts)?;
        self.0.standing().stores.insert(local.clone(), state);
        Ok(())
    }

    /// Waits until the node has seen what it handed in. What it waits for happens all the same.
    async fn wait(
        &self,
        placed: tokio::sync::oneshot::Receiver<crate::synchronizer::Placed>,
        timeout: Duration,
        task: &str,
    ) -> Result<(), Status> {
        let node = &self.0;
        let seen = async {
            let Ok(placed) = placed.await else { return };
            // Not longer than the whole wait, which is bounded.
            node.wait_for(timeout, |standing| (standing.seen >= placed.events).then_some(())).await;
        };
        if tokio::time::timeout(timeout, seen).await.is_ok() {
            return Ok(());
        }
        Err(Status::internal(format!("Task {task}-wait-for-effective did not complete within {}.", words(timeout))))
    }
}

/// Whether a stored row with the same hash, be it of the past, has every signer of the transaction already.
fn is_known(state: &State, signed: &SignedTransaction) -> bool {
    let hash = signed.transaction.hash();
    let signers = signed.signers();
    // Keys that may say nothing here are no new signers either.
    let candidates = planner::permissible(state, &signed.transaction, &signers);
    let mut stored = state.rows().filter(|row| row.hash() == hash);
    stored.any(|row| candidates.keys().all(|key| row.signatures.contains_key(key)))
}

/// Whether it is in place, signed by all these.
fn stands(state: &State, signed: &SignedTransaction) -> bool {
    let active = state.active(&signed.transaction.unique_key());
    active.is_some_and(|row| {
        row.hash() == signed.transaction.hash() && signed.signers().iter().all(|key| row.signatures.contains_key(key))
    })
}

#[tonic::async_trait]
impl TopologyManagerWriteService for Api {
    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<AuthorizeResponse>, Status> {
        let request = request.into_inner();
        let store = self.store(request.store)?;
        let state = self.state(&store)?;
        let wanted = fingerprints(&request.signed_by)?;
        let wait = request.wait_to_become_effective.map(duration);
        let proposal = !request.must_fully_authorize;
        let (signed, wait) = match request.r#type {
            Some(authorize_request::Type::Proposal(proposed)) => {
                let psid = &self.0.synchronizer.id;
                let transaction =
                    authorize::proposed(&state, psid, proposed.change, proposed.serial, proposed.mapping)?;
                (SignedTransaction::new(transaction, Vec::new(), proposal), wait)
            }
            Some(authorize_request::Type::TransactionHash(hash)) => (authorize::stored(&state, &hash)?, None),
            None => return Err(Refused::not_set("type").into()),
        };
        let is_begun = !signed.signatures.is_empty();
        let signed = self.signed(&state, signed, &wanted, &request.force_changes)?;
        if !is_begun && stands(&state, &signed) {
            return Err(Refused::already_exists().into());
        }
        let message = to_message(&signed)?;
        if !is_known(&state, &signed) {
            self.hand_in(&store, vec![signed], wait, "authorize").await?;
        }
        Ok(Response::new(AuthorizeResponse { transaction: Some(message) }))
    }

    async fn add_transactions(
        &self,
        request: Request<AddTransactionsRequest>,
    ) -> Result<Response<AddTransactionsResponse>, Status> {
        let request = request.into_inner();
        let store = self.store(request.store)?;
        let state = self.state(&store)?;
        let mut batch = parse(&request.transactions)?;
        batch.retain(|signed| !is_known(&state, signed));
        let wait = request.wait_to_become_effective.map(duration);
        self.hand_in(&store, batch, wait, "addTransactions").await?;
        Ok(Response::new(AddTransactionsResponse {}))
    }

    async fn sign_transactions(
        &self,
        request: Request<SignTransactionsRequest>,
    ) -> Result<Response<SignTransactionsResponse>, Status> {
        let request = request.into_inner();
        let store = self.store(request.store)?;
        let state = self.state(&store)?;
        let wanted = fingerprints(&request.signed_by)?;
        let mut transactions = Vec::new();
        for signed in parse(&request.transactions)? {
            transactions.push(to_message(&self.signed(&state, signed, &wanted, &request.force_flags)?)?);
        }
        Ok(Response::new(SignTransactionsResponse { transactions }))
    }

    async fn generate_transactions(
        &self,
        request: Request<GenerateTransactionsRequest>,
    ) -> Result<Response<GenerateTransactionsResponse>, Status> {
        let mut generated_transactions = Vec::new();
        for proposal in request.into_inner().proposals {
            let state = self.state(&self.store(proposal.store)?)?;
            let transaction = authorize::generated(
                &state,
                &self.0.synchronizer.id,
                proposal.operation,
                proposal.serial,
                proposal.mapping,
            )?;
            generated_transactions.push(GeneratedTransaction {
                serialized_transaction: transaction.bytes().to_vec(),
                transaction_hash: transaction.hash().as_bytes().to_vec(),
            });
        }
        Ok(Response::new(GenerateTransactionsResponse { generated_transactions }))
    }

    async fn create_temporary_topology_store(
        &self,
        request: Request<CreateTemporaryTopologyStoreRequest>,
    ) -> Result<Response<CreateTemporaryTopologyStoreResponse>, Status> {
        let CreateTemporaryTopologyStoreRequest { name, protocol_version } = request.into_inner();
        let supported = self.0.options.version.protocol_versions();
        if !i32::try_from(protocol_version).is_ok_and(|version| supported.contains(&version)) {
            let reason = format!("OtherError(Protocol version {protocol_version} is not supported)");
            return Err(Refused::unreadable(reason).into());
        }
        let mut standing = self.0.standing();
        let local = LocalStore::Temporary(name.clone());
        if standing.stores.contains_key(&local) {
            let cause = format!("Cannot create topology store with id {name}, because it already exists.");
            let refused = Refused::new(Code::AlreadyExists, "TOPOLOGY_TEMPORARY_STORE_ALREADY_EXISTS", cause);
            return Err(refused.with("storeId", name).into());
        }
        let empty = State::new(self.0.synchronizer.id.clone(), StaticParameters::default());
        standing.stores.insert(local, empty);
        Ok(Response::new(CreateTemporaryTopologyStoreResponse { store_id: Some(Temporary { name }) }))
    }

    async fn drop_temporary_topology_store(
        &self,
        request: Request<DropTemporaryTopologyStoreRequest>,
    ) -> Result<Response<DropTemporaryTopologyStoreResponse>, Status> {
        let store = request.into_inner().store_id.ok_or_else(|| Refused::not_set("store_id"))?;
        let local = LocalStore::Temporary(store.name.clone());
        if self.0.standing().stores.remove(&local).is_none() {
            return Err(Refused::no_store(format!("Topology store '{}' is not known.", store.name)).into());
        }
        Ok(Response::new(DropTemporaryTopologyStoreResponse {}))
    }
}
