//! Why Canton refuses a transaction: its own names, with their data and its error codes.
//!
//! Source: `topology-protocol` 5.8.

mod code;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::{
    Timestamp,
    authorization::Needed,
    hash::TransactionHash,
    id::{Fingerprint, Member, Namespace, ParticipantId, PartyId, PhysicalSynchronizerId, SynchronizerId},
    mapping::{Code, OnboardingRestriction},
    show::moment,
    signature::SignatureError,
    transaction::Serial,
};

/// Why a transaction is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The serial is not the next one.
    #[error("serial {found} is not the next one, {expected}")]
    SerialMismatch {
        /// The next one.
        expected: Serial,
        /// The one that it has.
        found: Serial,
    },
    /// The chain is at its end.
    #[error("the last serial is taken; nothing can follow")]
    MaxSerialReached,
    /// None of the signatures' keys has anything to say about this mapping.
    #[error("none of the signing keys may sign this mapping: {}", list(keys))]
    NoDelegationFoundForKeys {
        /// The keys.
        keys: BTreeSet<Fingerprint>,
    },
    /// Only keys that prove their possession signed, none that speaks for a namespace.
    #[error("no signature speaks for a namespace that must agree")]
    NotAuthorizedByNamespaceKey,
    /// Signatures are missing and the sender did not send it as a proposal.
    #[error("signatures are missing: {}", missing_text(missing))]
    NotFullyAuthorized {
        /// What is missing.
        missing: Needed,
    },
    /// A signature that counts does not verify.
    #[error("the signature of {key} is refused: {reason}")]
    SignatureCheckFailed {
        /// Whose.
        key: Fingerprint,
        /// Why.
        reason: SignatureRefusal,
    },
    /// The mapping belongs to another synchronizer.
    #[error("the mapping is for another synchronizer, {synchronizer}")]
    InvalidSynchronizer {
        /// The one that it names.
        synchronizer: SynchronizerId,
    },
    /// There is nothing to remove.
    #[error("there is no {} to remove", kind.name())]
    NoCorrespondingActiveTxToRevoke {
        /// The kind of what would be removed.
        kind: Code,
    },
    /// The mapping makes no sense here.
    #[error("{0}")]
    InvalidTopologyMapping(String),
    /// This kind is never removed.
    #[error("{} cannot be removed", kind.name())]
    CannotRemoveMapping {
        /// The kind.
        kind: Code,
    },
    /// A removal must repeat what it removes.
    #[error("a removal must repeat the active mapping as it is, that of {active}")]
    RemoveMustNotChangeMapping {
        /// What is active.
        active: TransactionHash,
    },
    /// A member lacks keys.
    #[error("these members have no keys: {}", list(members))]
    InsufficientKeys {
        /// The members.
        members: BTreeSet<Member>,
    },
    /// A member is not on the synchronizer.
    #[error("these members are not on the synchronizer: {}", list(members))]
    UnknownMembers {
        /// The members.
        members: BTreeSet<Member>,
    },
    /// The synchronizer has no parameters.
    #[error("{synchronizer} has no parameters")]
    MissingSynchronizerParameters {
        /// The synchronizer.
        synchronizer: SynchronizerId,
    },
    /// The delegation was revoked, for good.
    #[error("the delegation of {namespace} was revoked; that is final")]
    NamespaceHasBeenRevoked {
        /// The namespace.
        namespace: Namespace,
    },
    /// A plain and a decentralized namespace would have the same name.
    #[error("the namespace {namespace} is in use as one of the other kind")]
    NamespaceAlreadyInUse {
        /// The namespace.
        namespace: Namespace,
    },
    /// The party has a participant's name.
    #[error("{party} has the name of a participant's own party")]
    PartyIdConflictWithAdminParty {
        /// The party.
        party: PartyId,
    },
    /// The participant has a party's name.
    #[error("participant {participant} has the name of a party")]
    ParticipantIdConflictWithPartyId {
        /// The participant, and the party.
        participant: ParticipantId,
    },
    /// The keys do not suffice for a member.
    #[error("{member} has no {lacks} key of a kind that the synchronizer takes")]
    InvalidOwnerToKeyMapping {
        /// The member.
        member: Member,
        /// What it lacks.
        lacks: KeyPurpose,
    },
    /// The keys are in use.
    #[error("the keys of {member} are in use by {user} and cannot be removed")]
    InvalidOwnerToKeyMappingRemoval {
        /// The member.
        member: Member,
        /// The active transaction for which it needs them.
        user: TransactionHash,
    },
    /// Keys that were removed cannot come back.
    #[error("{member} was removed and cannot register keys again")]
    CannotReregisterKeys {
        /// The member.
        member: Member,
    },
    /// A participant that left cannot come back.
    #[error("participant {participant} left and cannot join again")]
    ParticipantCannotRejoinSynchronizer {
        /// The participant.
        participant: ParticipantId,
    },
    /// The synchronizer lets nobody, or not this one, join.
    #[error("the synchronizer does not let participant {participant} join: it is {restriction:?}")]
    OnboardingRestrictionInPlace {
        /// The participant.
        participant: ParticipantId,
        /// What the synchronizer restricts.
        restriction: OnboardingRestriction,
        /// From when on it may, where its permission says so.
        login_after: Option<Timestamp>,
    },
    /// An upgrade was announced; nothing else may change.
    #[error("the upgrade to {successor} is announced; nothing else may change")]
    AnnouncedLsuTopologyFreeze {
        /// What it is upgraded to.
        successor: PhysicalSynchronizerId,
    },
    /// No upgrade was announced.
    #[error("no upgrade is announced")]
    NoLsuAnnounced,
    /// The successor is not a later one.
    #[error("the successor {found} must be later than {before}, the one announced before")]
    InvalidSynchronizerSuccessor {
        /// The successor.
        found: PhysicalSynchronizerId,
        /// The one announced before.
        before: PhysicalSynchronizerId,
    },
    /// The successor is not the announced one.
    #[error("the successor {found} is not the announced one, {announced}")]
    LsuSequencerSuccessorInvalidSuccessorPsid {
        /// The successor.
        found: PhysicalSynchronizerId,
        /// The announced one.
        announced: PhysicalSynchronizerId,
    },
    /// The upgrade lies in the past.
    #[error("the time of the upgrade, {}, must be after {}, when it becomes effective", moment(*found), moment(*effective))]
    InvalidUpgradeTime {
        /// The time of the upgrade.
        found: Timestamp,
        /// When the announcement becomes effective.
        effective: Timestamp,
    },
    /// A mediator is in another group.
    #[error("mediators of group {group} are in other groups already: {}", groups_text(elsewhere))]
    MediatorsAlreadyInOtherGroups {
        /// The group that would take them.
        group: u32,
        /// In which group each of them is.
        elsewhere: BTreeMap<Member, u32>,
    },
    /// A signature over several transactions does not cover this one. The parser refuses that before any node judges it.
    #[error("a signature over {} transactions does not cover {transaction}", covered.len())]
    MultiTransactionHashMismatch {
        /// The transaction.
        transaction: TransactionHash,
        /// What is covered.
        covered: BTreeSet<TransactionHash>,
    },
    /// No signature at all. The parser refuses that before any node judges it.
    #[error("there is no signature")]
    NoSignatureProvided,
    /// Something that a node believes impossible.
    #[error("a node failed: {reason}")]
    InternalError {
        /// What it said.
        reason: String,
    },
    /// A participant that hosts parties would leave. Only the submitting node asks.
    #[error("participant {participant} still hosts {}", list(parties))]
    ParticipantStillHostsParties {
        /// The participant.
        participant: ParticipantId,
        /// The parties.
        parties: BTreeSet<PartyId>,
    },
    /// Members that were removed would return. Only the submitting node asks.
    #[error("these members left and cannot join again: {}", list(members))]
    MembersCannotRejoinSynchronizer {
        /// The members.
        members: BTreeSet<Member>,
    },
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPurpose {
    /// It signs.
    Signing,
    /// It decrypts.
    Encryption,
}

impl std::fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signing => "signing",
            Self::Encryption => "encryption",
        })
    }
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureRefusal {
    /// It does not verify.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The key has not the usage that it needs here.
    #[error("the key has not the usage that it needs here")]
    KeyUsage,
    /// The synchronizer does not take signatures in this format.
    #[error("the synchronizer does not take signatures in this format")]
    SignatureFormat,
    /// The synchronizer does not take keys in this format.
    #[error("the synchronizer does not take keys in this format")]
    KeyFormat,
    /// The synchronizer does not take keys on this curve.
    #[error("the synchronizer does not take keys on this curve")]
    KeySpec,
    /// The synchronizer does not take the algorithm that the signature names.
    #[error("the synchronizer does not take this algorithm")]
    Algorithm,
    /// The signature names no algorithm, and the synchronizer takes none for the key's curve.
    #[error("the synchronizer takes no algorithm for this key's curve")]
    NoAlgorithm,
}

impl SignatureRefusal {
    /// Canton's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature(SignatureError::WrongKey | SignatureError::Delegated) => "SignatureWithWrongKey",
            Self::Signature(SignatureError::Format) | Self::SignatureFormat => "UnsupportedSignatureFormat",
            Self::Signature(SignatureError::Algorithm) => "KeyAlgoSpecsMismatch",
            Self::Signature(SignatureError::Key) => "InvalidKeyError",
            Self::Signature(SignatureError::Invalid) => "InvalidSignature",
            Self::KeyUsage => "InvalidKeyUsage",
            Self::KeyFormat => "UnsupportedKeyFormat",
            Self::KeySpec => "UnsupportedKeySpec",
            Self::Algorithm => "UnsupportedAlgorithmSpec",
            Self::NoAlgorithm => "NoMatchingAlgorithmSpec",
        }
    }
}

fn list<T: std::fmt::Display>(items: &BTreeSet<T>) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn missing_text(missing: &Needed) -> String {
    let namespaces = missing.namespaces.iter().map(|namespace| format!("namespace {namespace}"));
    let keys = missing.keys.iter().map(|key| format!("key {key}"));
    namespaces.chain(keys).collect::<Vec<_>>().join(", ")
}

fn groups_text(groups: &BTreeMap<Member, u32>) -> String {
    groups.iter().map(|(member, group)| format!("{member} in {group}")).collect::<Vec<_>>().join(", ")
}
