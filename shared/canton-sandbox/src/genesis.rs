//! The first rows of a synchronizer: its own namespace, parameters, sequencer and mediator, and a participant's roots,
//! keys and trust certificate. Every row is really signed and judged.

use std::{collections::HashMap, sync::Arc};

use canton_topology::{
    Timestamp,
    hash::TransactionHash,
    id::{
        Fingerprint, Member, MemberKind, Namespace, ParticipantId, PhysicalSynchronizerId, SynchronizerId,
        UniqueIdentifier,
    },
    key::{KeyUsage, SigningPublicKey},
    mapping::{
        Duration, DynamicParameters, Mapping, MediatorSynchronizerState, NamespaceDelegation, OnboardingRestriction,
        OwnerKey, OwnerToKeyMapping, SequencerSynchronizerState, SynchronizerParametersState,
        SynchronizerTrustCertificate,
    },
    signature::Signature,
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use ed25519_dalek::{Signer as _, SigningKey};
use rand_core::{OsRng, RngCore as _};

/// A key of a node of the sandbox.
#[derive(Clone)]
pub struct NodeKey {
    secret: Secret,
    public: SigningPublicKey,
}

/// How a key signs.
#[derive(Clone)]
enum Secret {
    Held(SigningKey),
    /// Only what it really signed once: the key of a recorded node, which nobody has.
    Recorded(Arc<HashMap<TransactionHash, Signature>>),
}

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeKey({})", self.public.fingerprint())
    }
}

impl NodeKey {
    /// A fresh key.
    pub fn generate(usage: &[KeyUsage]) -> Self {
        let mut seed = [0; 32];
        OsRng.fill_bytes(&mut seed);
        Self::from_seed(seed, usage)
    }

    /// The key of a seed, for tests that must repeat.
    pub fn from_seed(seed: [u8; 32], usage: &[KeyUsage]) -> Self {
        let secret = SigningKey::from_bytes(&seed);
        let public = SigningPublicKey::ed25519(secret.verifying_key().as_bytes(), usage)
            .expect("a key made from a seed is a point, and the usages go together");
        Self { secret: Secret::Held(secret), public }
    }

    /// The public half.
    pub fn public(&self) -> &SigningPublicKey {
        &self.public
    }

    /// Its name.
    pub fn fingerprint(&self) -> Fingerprint {
        self.public.fingerprint()
    }

    /// Its namespace.
    pub fn namespace(&self) -> Namespace {
        Namespace::from(self.fingerprint())
    }

    /// A key of which only some signatures are known, as of a recorded node.
    pub fn recorded(public: SigningPublicKey, signatures: HashMap<TransactionHash, Signature>) -> Self {
        Self { secret: Secret::Recorded(Arc::new(signatures)), public }
    }

    /// Signs a transaction's hash.
    ///
    /// # Panics
    /// Where it is a recorded key that never signed it.
    pub fn sign(&self, transaction: &Transaction) -> Signature {
        self.signature(transaction).expect("only tests ask recorded keys, for what they signed")
    }

    /// The signature of a transaction's hash; `None` of a recorded key that never signed it.
    pub(crate) fn signature(&self, transaction: &Transaction) -> Option<Signature> {
        match &self.secret {
            Secret::Held(secret) => {
                let signature = secret.sign(transaction.hash().as_bytes());
                Some(Signature::new_ed25519(signature.to_bytes(), self.fingerprint()))
            }
            Secret::Recorded(signatures) => signatures.get(&transaction.hash()).cloned(),
        }
    }
}

/// A node: a participant, sequencer or mediator.
#[derive(Clone, Debug)]
pub struct Node {
    /// Who it is.
    pub member: Member,
    /// The key of its namespace.
    pub namespace_key: NodeKey,
    /// The key with which it signs messages.
    pub protocol_key: NodeKey,
}

impl Node {
    /// A fresh node.
    ///
    /// # Panics
    /// Where the name is not one that Canton takes.
    pub fn generate(kind: MemberKind, name: &str) -> Self {
        let namespace_key = NodeKey::generate(&[KeyUsage::Namespace]);
        let uid = UniqueIdentifier::new(name, namespace_key.namespace()).expect("names of sandbox nodes are plain");
        let usage = [KeyUsage::SequencerAuthentication, KeyUsage::Protocol];
        Self { member: Member { kind, uid }, namespace_key, protocol_key: NodeKey::generate(&usage) }
    }

    /// The participant's id.
    pub fn participant(&self) -> ParticipantId {
        ParticipantId::from(self.member.uid.clone())
    }

    /// Its signing keys, with the names that a node gives them.
    pub(crate) fn keys(&self) -> Vec<(String, NodeKey)> {
        let name = self.member.uid.identifier();
        vec![
            (format!("{name}-namespace"), self.namespace_key.clone()),
            (format!("{name}-signing"), self.protocol_key.clone()),
        ]
    }

    fn root(&self) -> SignedTransaction {
        signed(
            Mapping::NamespaceDelegation(NamespaceDelegation::root(self.namespace_key.public().clone())),
            &[&self.namespace_key],
        )
    }

    fn key_mapping(&self) -> SignedTransaction {
        let mut keys = vec![OwnerKey::Signing(self.protocol_key.public().clone())];
        if self.member.kind == MemberKind::Participant {
            keys.push(OwnerKey::Encryption(encryption_key()));
        }
        let mapping = Mapping::OwnerToKeyMapping(OwnerToKeyMapping { member: self.member.clone(), keys });
        signed(mapping, &[&self.namespace_key, &self.protocol_key])
    }

    /// A participant's rows when it joins.
    pub fn onboarding(&self, synchronizer: &SynchronizerId) -> Vec<SignedTransaction> {
        let certificate = SynchronizerTrustCertificate {
            participant: self.participant(),
            synchronizer: synchronizer.clone(),
            feature_flags: Vec::new(),
        };
        let certificate = signed(Mapping::SynchronizerTrustCertificate(certificate), &[&self.namespace_key]);
        vec![self.root(), self.key_mapping(), certificate]
    }
}

/// A first transaction, signed.
fn signed(mapping: Mapping, keys: &[&NodeKey]) -> SignedTransaction {
    let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
    let signatures = keys.iter().map(|key| key.sign(&transaction)).collect();
    SignedTransaction::new(transaction, signatures, false)
}

/// The P-256 generator as a public key: nothing is ever encrypted to a participant of the sandbox.
fn encryption_key() -> canton_topology::key::EncryptionPublicKey {
    const GENERATOR: &str = concat!(
        "3059301306072a8648ce3d020106082a8648ce3d030107034200",
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    );
    let bytes = hex::decode(GENERATOR).expect("these are hex digits");
    canton_topology::key::EncryptionPublicKey { format: 4, bytes, scheme: 0, spec: 1 }
}

/// A fresh synchronizer: its id and its first rows, to be judged in one batch.
pub fn synchronizer(name: &str, protocol_version: u32) -> (PhysicalSynchronizerId, Vec<SignedTransaction>) {
    let owner = NodeKey::generate(&[KeyUsage::Namespace]);
    let uid = UniqueIdentifier::new(name, owner.namespace()).expect("names of sandbox synchronizers are plain");
    let logical = SynchronizerId::from(uid);
    let sequencer = Node::generate(MemberKind::Sequencer, "sequencer");
    let mediator = Node::generate(MemberKind::Mediator, "mediator");
    let parameters = SynchronizerParametersState {
        synchronizer: logical.clone(),
        onboarding_restriction: OnboardingRestriction::UnrestrictedOpen,
        parameters: parameters(),
    };
    let sequencers = SequencerSynchronizerState {
        synchronizer: logical.clone(),
        threshold: 1,
        active: vec![sequencer.member.clone()],
        observers: Vec::new(),
    };
    let mediators = MediatorSynchronizerState {
        synchronizer: logical.clone(),
        group: 0,
        threshold: 1,
        active: vec![mediator.member.clone()],
        observers: Vec::new(),
    };
    let rows = vec![
        signed(Mapping::NamespaceDelegation(NamespaceDelegation::root(owner.public().clone())), &[&owner]),
        signed(Mapping::SynchronizerParametersState(parameters), &[&owner]),
        sequencer.root(),
        sequencer.key_mapping(),
        mediator.root(),
        mediator.key_mapping(),
        signed(Mapping::SequencerSynchronizerState(sequencers), &[&owner]),
        signed(Mapping::MediatorSynchronizerState(mediators), &[&owner]),
    ];
    (PhysicalSynchronizerId { logical, serial: 0, protocol_version }, rows)
}

/// Canton's own defaults for what must be there.
fn parameters() -> DynamicParameters {
    let seconds = |seconds| Duration { seconds, nanos: 0 };
    DynamicParameters {
        confirmation_response_timeout: seconds(30),
        mediator_reaction_timeout: seconds(30),
        assignment_exclusivity_timeout: seconds(0),
        ledger_time_record_time_tolerance: seconds(60),
        reconciliation_interval: seconds(60),
        mediator_deduplication_timeout: seconds(172_800),
        max_request_size: 10_485_760,
        confirmation_requests_max_rate: 10_000,
        sequencer_aggregate_submission_timeout: seconds(300),
        traffic_control: None,
        commitment_catch_up: None,
        preparation_time_record_time_tolerance: Some(seconds(60)),
    }
}

/// The moment at which a genesis is sequenced: Canton's first one.
pub const GENESIS: Timestamp = Timestamp(-62_135_596_799_999_999);
