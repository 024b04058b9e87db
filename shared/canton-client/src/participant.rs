//! One participant's admin API.

use canton_proto::canton::{
    protocol::v30::{SignedTopologyTransaction, TopologyMapping},
    topology::admin::v30::{
        AddTransactionsRequest, AuthorizeRequest, BaseQuery, GetIdRequest, ListAllRequest, ListAllV2Request,
        SignTransactionsRequest, StoreId, Synchronizer, authorize_request, base_query,
        identity_initialization_service_client::IdentityInitializationServiceClient, store_id, synchronizer,
        topology_manager_read_service_client::TopologyManagerReadServiceClient,
        topology_manager_write_service_client::TopologyManagerWriteServiceClient,
    },
};
use canton_topology::{
    id::{ParticipantId, SynchronizerId},
    key::SigningPublicKey,
    signature::Signature,
    snapshot::{self, Item},
    transaction::{SignedTransaction, Transaction},
};
use prost::Message as _;
use tonic::Code;

use crate::{access::AccessError, connection::Connection, error::NodeError};

pub use crate::connection::Options;

/// Largest answer that is read, in bytes: a whole network's topology comes in one.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A participant. Connects when it is first used, and again after every break.
#[derive(Clone, Debug)]
pub struct Participant {
    pub(crate) connection: Connection,
}

impl Participant {
    /// A participant at an address. Nothing is sent yet.
    ///
    /// # Errors
    /// Where the address is not one, or the files of its access are missing or do not go together.
    pub fn new(options: &Options) -> Result<Self, AccessError> {
        Ok(Self { connection: Connection::new(options)? })
    }

    /// The participant's own id.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn id(&self) -> Result<ParticipantId, NodeError> {
        let mut client = IdentityInitializationServiceClient::new(self.connection.quick().await?);
        let answer = client.get_id(GetIdRequest {}).await.map_err(|status| NodeError::from_status(&status, false))?;
        let text = answer.into_inner().unique_identifier;
        ParticipantId::parse_lenient(&text).map_err(|error| NodeError::BadAnswer(format!("its id: {error}")))
    }

    /// Every row for good that the synchronizer's store has and had, in the order in which they became effective.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn topology(&self, synchronizer: &SynchronizerId) -> Result<Vec<Item>, NodeError> {
        let range = base_query::TimeRange { from: None, until: None };
        self.rows(synchronizer, false, base_query::TimeQuery::Range(range)).await
    }

    /// The proposals that are open in the synchronizer's store, in the order in which they were made.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn open_proposals(&self, synchronizer: &SynchronizerId) -> Result<Vec<Item>, NodeError> {
        self.rows(synchronizer, true, base_query::TimeQuery::HeadState(())).await
    }

    async fn rows(
        &self,
        synchronizer: &SynchronizerId,
        proposals: bool,
        time: base_query::TimeQuery,
    ) -> Result<Vec<Item>, NodeError> {
        let mut client = TopologyManagerReadServiceClient::new(self.connection.quick().await?)
            .max_decoding_message_size(ANSWER_BYTES_MAX);
        let query = BaseQuery {
            store: Some(store(synchronizer)),
            proposals,
            operation: 0,
            time_query: Some(time),
            filter_signed_key: String::new(),
            protocol_version: None,
        };
        let (base_query, filter_namespace) = (Some(query), String::new());
        let request = ListAllV2Request {
            base_query: base_query.clone(),
            include_mappings: Vec::new(),
            filter_namespace: filter_namespace.clone(),
        };
        let result = match client.list_all_v2(request).await {
            Ok(answer) => Ok(answer.into_inner().result),
            // 3.4 has only the older call. Its version may be none of our business: whoever may only read topology
            // may not ask for the node's status.
            Err(status) if status.code() == Code::Unimplemented => {
                let request = ListAllRequest { base_query, exclude_mappings: Vec::new(), filter_namespace };
                client.list_all(request).await.map(|answer| answer.into_inner().result)
            }
            Err(status) => Err(status),
        };
        let result = result.map_err(|status| NodeError::from_status(&status, false))?;
        let bytes = result.unwrap_or_default().encode_to_vec();
        let mut items =
            snapshot::read_items(&bytes, 0).map_err(|error| NodeError::BadAnswer(format!("a row: {error}")))?;
        items.retain(|item| item.rejection.is_none());
        // A stable sort: rows of one batch stay in the node's own order.
        items.sort_by_key(|item| (item.sequenced, item.valid_from));
        Ok(items)
    }

    /// Hands transactions in. OK means that they were taken and queued, not that they are effective.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn add(
        &self,
        synchronizer: &SynchronizerId,
        transactions: &[SignedTransaction],
    ) -> Result<(), NodeError> {
        let request = AddTransactionsRequest {
            transactions: transactions.iter().map(to_message).collect::<Result<_, _>>()?,
            force_changes: Vec::new(),
            store: Some(store(synchronizer)),
            wait_to_become_effective: None,
        };
        let mut client = TopologyManagerWriteServiceClient::new(self.connection.quick().await?);
        client.add_transactions(request).await.map_err(|status| NodeError::from_status(&status, true))?;
        Ok(())
    }

    /// Lets the participant sign with the named key of its own. The transaction must carry a signature already.
    ///
    /// # Errors
    /// Where the node refuses, and where what came back is not that key's signature over the same bytes: a node that
    /// does not hold the key answers OK and adds nothing.
    pub async fn sign(
        &self,
        synchronizer: &SynchronizerId,
        transaction: &SignedTransaction,
        key: &SigningPublicKey,
    ) -> Result<Signature, NodeError> {
        let request = SignTransactionsRequest {
            transactions: vec![to_message(transaction)?],
            signed_by: vec![key.fingerprint().to_string()],
            store: Some(store(synchronizer)),
            force_flags: Vec::new(),
        };
        let mut client = TopologyManagerWriteServiceClient::new(self.connection.quick().await?);
        let answer =
            client.sign_transactions(request).await.map_err(|status| NodeError::from_status(&status, false))?;
        let answer = answer.into_inner().transactions.try_into();
        let [signed] = answer.map_err(|_| NodeError::BadAnswer("not one transaction".to_owned()))?;
        added(&signed, &transaction.transaction, key)
    }

    /// Lets the participant be the first who signs a change of a party, with the named key of its own: what nobody has
    /// signed, it only signs as a proposal that it hands to the synchronizer at once. Where it did so before, or its answer
    /// was lost, its signature is read back.
    ///
    /// # Errors
    /// Where the node refuses or builds other bytes from the same words, where it adds no signature of that key, and
    /// for what is no change of a party.
    pub async fn propose(
        &self,
        synchronizer: &SynchronizerId,
        transaction: &Transaction,
        key: &SigningPublicKey,
    ) -> Result<Signature, NodeError> {
        let mapping = TopologyMapping::decode(transaction.mapping().encode().as_slice()).ok();
        let mapping = mapping.filter(|mapping| mapping.mapping.is_some()).ok_or_else(|| {
            let kind = transaction.mapping().code().name();
            NodeError::BadAnswer(format!("a participant is never the first to sign a {kind}; let an owner sign first"))
        })?;
        let proposal = authorize_request::Proposal {
            change: transaction.operation() as i32,
            serial: transaction.serial().get(),
            mapping: Some(mapping),
        };
        let request = AuthorizeRequest {
            r#type: Some(authorize_request::Type::Proposal(proposal)),
            must_fully_authorize: false,
            force_changes: Vec::new(),
            signed_by: vec![key.fingerprint().to_string()],
            store: Some(store(synchronizer)),
            wait_to_become_effective: None,
        };
        let mut client = TopologyManagerWriteServiceClient::new(self.connection.quick().await?);
        match client.authorize(request).await {
            Ok(answer) => {
                let signed = answer.into_inner().transaction;
                added(&signed.ok_or_else(|| NodeError::BadAnswer("no transaction".to_owned()))?, transaction, key)
            }
            // What it has signed before stands, or waits, for all to read, whatever it says to being asked again.
            Err(status) => match self.shown(synchronizer, transaction, key).await {
                Ok(Some(signature)) => Ok(signature),
                Ok(None) | Err(_) => Err(NodeError::from_status(&status, true)),
            },
        }
    }

    /// The key's signature over a transaction, where the synchronizer shows it.
    async fn shown(
        &self,
        synchronizer: &SynchronizerId,
        transaction: &Transaction,
        key: &SigningPublicKey,
    ) -> Result<Option<Signature>, NodeError> {
        let mut rows = self.open_proposals(synchronizer).await?;
        rows.extend(self.topology(synchronizer).await?);
        let mut same = rows.into_iter().filter(|row| row.transaction.transaction.bytes() == transaction.bytes());
        Ok(same.find_map(|row| signature_of(row.transaction, key)))
    }
}

/// The signature that a node says it added, where it is one by this key over these very bytes.
fn added(
    signed: &SignedTopologyTransaction,
    transaction: &Transaction,
    key: &SigningPublicKey,
) -> Result<Signature, NodeError> {
    let bad = |reason: &str| NodeError::BadAnswer(reason.to_owned());
    let signed = SignedTransaction::parse_plain(&signed.encode_to_vec())
        .map_err(|error| bad(&format!("the signed transaction: {error}")))?;
    if signed.transaction.bytes() != transaction.bytes() {
        return Err(bad("the node sent back another transaction"));
    }
    signature_of(signed, key).ok_or_else(|| {
        bad(&format!("the node added no valid signature of key {}; does it hold that key?", key.fingerprint()))
    })
}

/// The key's signature, where it has one that verifies.
fn signature_of(signed: SignedTransaction, key: &SigningPublicKey) -> Option<Signature> {
    let hash = signed.transaction.hash();
    let is_valid = |signature: &Signature| signature.verify(key, hash.as_bytes()).is_ok();
    let mut by_key = signed.signatures.into_iter().filter(|signature| signature.signed_by() == key.fingerprint_ref());
    by_key.find(is_valid)
}

fn store(synchronizer: &SynchronizerId) -> StoreId {
    let kind = Some(synchronizer::Kind::Id(synchronizer.to_string()));
    StoreId { store: Some(store_id::Store::Synchronizer(Synchronizer { kind })) }
}

/// Canton's message around the same bytes: the transaction itself is a field of bytes.
fn to_message(signed: &SignedTransaction) -> Result<SignedTopologyTransaction, NodeError> {
    SignedTopologyTransaction::decode(signed.encode_plain().as_slice())
        .map_err(|error| NodeError::BadAnswer(format!("a transaction of ours: {error}")))
}
