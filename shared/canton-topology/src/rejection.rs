//! Why Canton refuses a transaction: its own names, with their data and its error codes.
//!
//! Source: `topology-protocol` 5.8.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::{
    authorization::Needed,
    id::{Fingerprint, Namespace},
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
    #[error("the mapping is for another synchronizer")]
    InvalidSynchronizer,
    /// There is nothing to remove.
    #[error("there is nothing to remove")]
    NoCorrespondingActiveTxToRevoke,
    /// The mapping makes no sense here.
    #[error("{0}")]
    InvalidTopologyMapping(String),
    /// This kind is never removed.
    #[error("a mapping of this kind cannot be removed")]
    CannotRemoveMapping,
    /// A removal must repeat what it removes.
    #[error("a removal must repeat the active mapping as it is")]
    RemoveMustNotChangeMapping,
    /// A member lacks keys.
    #[error("these members have no keys: {}", list(members))]
    InsufficientKeys {
        /// The members.
        members: BTreeSet<String>,
    },
    /// A member is not on the synchronizer.
    #[error("these members are not on the synchronizer: {}", list(members))]
    UnknownMembers {
        /// The members.
        members: BTreeSet<String>,
    },
    /// The synchronizer has no parameters.
    #[error("the synchronizer has no parameters")]
    MissingSynchronizerParameters,
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
    #[error("the party has the name of a participant's own party")]
    PartyIdConflictWithAdminParty,
    /// The participant has a party's name.
    #[error("the participant has the name of a party")]
    ParticipantIdConflictWithPartyId,
    /// The keys do not suffice for a member.
    #[error("the keys do not suffice for this member")]
    InvalidOwnerToKeyMapping,
    /// The keys are in use.
    #[error("the keys are in use and cannot be removed")]
    InvalidOwnerToKeyMappingRemoval,
    /// Keys that were removed cannot come back.
    #[error("a member that was removed cannot register keys again")]
    CannotReregisterKeys,
    /// A participant that left cannot come back.
    #[error("a participant that left cannot join again")]
    ParticipantCannotRejoinSynchronizer,
    /// The synchronizer lets nobody, or not this one, join.
    #[error("the synchronizer does not let this participant join")]
    OnboardingRestrictionInPlace,
    /// An upgrade was announced; nothing else may change.
    #[error("an upgrade of the synchronizer is announced; nothing else may change")]
    AnnouncedLsuTopologyFreeze,
    /// No upgrade was announced.
    #[error("no upgrade is announced")]
    NoLsuAnnounced,
    /// The successor is not a later one.
    #[error("the successor must be later than the one announced before")]
    InvalidSynchronizerSuccessor,
    /// The successor is not the announced one.
    #[error("the successor is not the announced one")]
    LsuSequencerSuccessorInvalidSuccessorPsid,
    /// The upgrade lies in the past.
    #[error("the time of the upgrade has passed")]
    InvalidUpgradeTime,
    /// A mediator is in another group.
    #[error("a mediator is in another group already")]
    MediatorsAlreadyInOtherGroups,
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
    /// The synchronizer does not take keys on this curve or in this format, or this algorithm or format of signatures.
    #[error("the synchronizer does not take this key's curve or format, or this signature's algorithm or format")]
    NotTaken,
}

fn list<T: std::fmt::Display>(items: &BTreeSet<T>) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn missing_text(missing: &Needed) -> String {
    let namespaces = missing.namespaces.iter().map(|namespace| format!("namespace {namespace}"));
    let keys = missing.keys.iter().map(|key| format!("key {key}"));
    namespaces.chain(keys).collect::<Vec<_>>().join(", ")
}

impl Rejection {
    /// Canton's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SerialMismatch { .. } => "SerialMismatch",
            Self::MaxSerialReached => "MaxSerialReached",
            Self::NoDelegationFoundForKeys { .. } => "NoDelegationFoundForKeys",
            Self::NotAuthorizedByNamespaceKey => "NotAuthorizedByNamespaceKey",
            Self::NotFullyAuthorized { .. } => "NotFullyAuthorized",
            Self::SignatureCheckFailed { .. } => "SignatureCheckFailed",
            Self::InvalidSynchronizer => "InvalidSynchronizer",
            Self::NoCorrespondingActiveTxToRevoke => "NoCorrespondingActiveTxToRevoke",
            Self::InvalidTopologyMapping(_) => "InvalidTopologyMapping",
            Self::CannotRemoveMapping => "CannotRemoveMapping",
            Self::RemoveMustNotChangeMapping => "RemoveMustNotChangeMapping",
            Self::InsufficientKeys { .. } => "InsufficientKeys",
            Self::UnknownMembers { .. } => "UnknownMembers",
            Self::MissingSynchronizerParameters => "MissingSynchronizerParameters",
            Self::NamespaceHasBeenRevoked { .. } => "NamespaceHasBeenRevoked",
            Self::NamespaceAlreadyInUse { .. } => "NamespaceAlreadyInUse",
            Self::PartyIdConflictWithAdminParty => "PartyIdConflictWithAdminParty",
            Self::ParticipantIdConflictWithPartyId => "ParticipantIdConflictWithPartyId",
            Self::InvalidOwnerToKeyMapping => "InvalidOwnerToKeyMapping",
            Self::InvalidOwnerToKeyMappingRemoval => "InvalidOwnerToKeyMappingRemoval",
            Self::CannotReregisterKeys => "CannotReregisterKeys",
            Self::ParticipantCannotRejoinSynchronizer => "ParticipantCannotRejoinSynchronizer",
            Self::OnboardingRestrictionInPlace => "OnboardingRestrictionInPlace",
            Self::AnnouncedLsuTopologyFreeze => "AnnouncedLsuTopologyFreeze",
            Self::NoLsuAnnounced => "NoLsuAnnounced",
            Self::InvalidSynchronizerSuccessor => "InvalidSynchronizerSuccessor",
            Self::LsuSequencerSuccessorInvalidSuccessorPsid => "LsuSequencerSuccessorInvalidSuccessorPsid",
            Self::InvalidUpgradeTime => "InvalidUpgradeTime",
            Self::MediatorsAlreadyInOtherGroups => "MediatorsAlreadyInOtherGroups",
        }
    }

    /// The id of the error that a node answers with, and whether a node hides it behind a redacted text.
    pub fn error_code(&self) -> (&'static str, bool) {
        match self {
            Self::SerialMismatch { .. } => ("TOPOLOGY_SERIAL_MISMATCH", false),
            Self::MaxSerialReached => ("TOPOLOGY_MANAGER_ALARM", true),
            Self::NoDelegationFoundForKeys { .. }
            | Self::NotAuthorizedByNamespaceKey
            | Self::NotFullyAuthorized { .. } => ("TOPOLOGY_UNAUTHORIZED_TRANSACTION", true),
            Self::SignatureCheckFailed { .. } => ("TOPOLOGY_INVALID_TX_SIGNATURE", true),
            Self::InvalidSynchronizer => ("TOPOLOGY_INVALID_SYNCHRONIZER", false),
            Self::NoCorrespondingActiveTxToRevoke => ("TOPOLOGY_NO_CORRESPONDING_ACTIVE_TX_TO_REVOKE", false),
            Self::InvalidTopologyMapping(_) => ("TOPOLOGY_INVALID_MAPPING", false),
            Self::CannotRemoveMapping => ("TOPOLOGY_CANNOT_REMOVE_MAPPING", false),
            Self::RemoveMustNotChangeMapping => ("TOPOLOGY_REMOVE_MUST_NOT_CHANGE_MAPPING", false),
            Self::InsufficientKeys { .. } => ("TOPOLOGY_INSUFFICIENT_KEYS", false),
            Self::UnknownMembers { .. } => ("TOPOLOGY_UNKNOWN_MEMBERS", false),
            Self::MissingSynchronizerParameters => ("TOPOLOGY_MISSING_MAPPING", false),
            Self::NamespaceHasBeenRevoked { .. } => ("TOPOLOGY_NAMESPACE_HAS_BEEN_REVOKED", false),
            Self::NamespaceAlreadyInUse { .. } => ("TOPOLOGY_NAMESPACE_ALREADY_IN_USE", false),
            Self::PartyIdConflictWithAdminParty => ("TOPOLOGY_PARTY_ID_CONFLICT_WITH_ADMIN_PARTY", false),
            Self::ParticipantIdConflictWithPartyId => ("TOPOLOGY_PARTICIPANT_ID_CONFLICT_WITH_PARTY", false),
            Self::InvalidOwnerToKeyMapping => ("TOPOLOGY_INVALID_OWNER_TO_KEY_MAPPING", false),
            Self::InvalidOwnerToKeyMappingRemoval => ("TOPOLOGY_INVALID_REMOVAL_OF_OWNER_TO_KEY_MAPPING", false),
            Self::CannotReregisterKeys | Self::ParticipantCannotRejoinSynchronizer => {
                ("TOPOLOGY_MEMBER_CANNOT_REJOIN_SYNCHRONIZER", false)
            }
            Self::OnboardingRestrictionInPlace => ("TOPOLOGY_PARTICIPANT_ONBOARDING_REFUSED", false),
            Self::AnnouncedLsuTopologyFreeze => ("TOPOLOGY_LSU_TOPOLOGY_FREEZE", false),
            Self::NoLsuAnnounced => ("TOPOLOGY_NO_LSU_ANNOUNCED", false),
            Self::InvalidSynchronizerSuccessor => ("TOPOLOGY_INVALID_SUCCESSOR_PHYSICAL_SYNCHRONIZER_ID", false),
            Self::LsuSequencerSuccessorInvalidSuccessorPsid => {
                ("LSU_SEQUENCER_SUCCESSOR_INVALID_SUCCESSOR_PSID", false)
            }
            Self::InvalidUpgradeTime => ("TOPOLOGY_INVALID_UPGRADE_TIME", false),
            Self::MediatorsAlreadyInOtherGroups => ("TOPOLOGY_MEDIATORS_ALREADY_IN_OTHER_GROUPS", false),
        }
    }
}
