//! What Canton calls its rejections: the name of the class, and the id of the error that a node answers with.

use super::Rejection;

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
            Self::InvalidSynchronizer { .. } => "InvalidSynchronizer",
            Self::NoCorrespondingActiveTxToRevoke { .. } => "NoCorrespondingActiveTxToRevoke",
            Self::InvalidTopologyMapping(_) => "InvalidTopologyMapping",
            Self::CannotRemoveMapping { .. } => "CannotRemoveMapping",
            Self::RemoveMustNotChangeMapping { .. } => "RemoveMustNotChangeMapping",
            Self::InsufficientKeys { .. } => "InsufficientKeys",
            Self::UnknownMembers { .. } => "UnknownMembers",
            Self::MissingSynchronizerParameters { .. } => "MissingSynchronizerParameters",
            Self::NamespaceHasBeenRevoked { .. } => "NamespaceHasBeenRevoked",
            Self::NamespaceAlreadyInUse { .. } => "NamespaceAlreadyInUse",
            Self::PartyIdConflictWithAdminParty { .. } => "PartyIdConflictWithAdminParty",
            Self::ParticipantIdConflictWithPartyId { .. } => "ParticipantIdConflictWithPartyId",
            Self::InvalidOwnerToKeyMapping { .. } => "InvalidOwnerToKeyMapping",
            Self::InvalidOwnerToKeyMappingRemoval { .. } => "InvalidOwnerToKeyMappingRemoval",
            Self::CannotReregisterKeys { .. } => "CannotReregisterKeys",
            Self::ParticipantCannotRejoinSynchronizer { .. } => "ParticipantCannotRejoinSynchronizer",
            Self::OnboardingRestrictionInPlace { .. } => "OnboardingRestrictionInPlace",
            Self::AnnouncedLsuTopologyFreeze { .. } => "AnnouncedLsuTopologyFreeze",
            Self::NoLsuAnnounced => "NoLsuAnnounced",
            Self::InvalidSynchronizerSuccessor { .. } => "InvalidSynchronizerSuccessor",
            Self::LsuSequencerSuccessorInvalidSuccessorPsid { .. } => "LsuSequencerSuccessorInvalidSuccessorPsid",
            Self::InvalidUpgradeTime { .. } => "InvalidUpgradeTime",
            Self::MediatorsAlreadyInOtherGroups { .. } => "MediatorsAlreadyInOtherGroups",
            Self::MultiTransactionHashMismatch { .. } => "MultiTransactionHashMismatch",
            Self::NoSignatureProvided => "NoSignatureProvided",
            Self::InternalError { .. } => "InternalError",
            Self::ParticipantStillHostsParties { .. } => "ParticipantStillHostsParties",
            Self::MembersCannotRejoinSynchronizer { .. } => "MembersCannotRejoinSynchronizer",
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
            Self::InvalidSynchronizer { .. } => ("TOPOLOGY_INVALID_SYNCHRONIZER", false),
            Self::NoCorrespondingActiveTxToRevoke { .. } => ("TOPOLOGY_NO_CORRESPONDING_ACTIVE_TX_TO_REVOKE", false),
            Self::InvalidTopologyMapping(_) => ("TOPOLOGY_INVALID_MAPPING", false),
            Self::CannotRemoveMapping { .. } => ("TOPOLOGY_CANNOT_REMOVE_MAPPING", false),
            Self::RemoveMustNotChangeMapping { .. } => ("TOPOLOGY_REMOVE_MUST_NOT_CHANGE_MAPPING", false),
            Self::InsufficientKeys { .. } => ("TOPOLOGY_INSUFFICIENT_KEYS", false),
            Self::UnknownMembers { .. } => ("TOPOLOGY_UNKNOWN_MEMBERS", false),
            Self::MissingSynchronizerParameters { .. } => ("TOPOLOGY_MISSING_MAPPING", false),
            Self::NamespaceHasBeenRevoked { .. } => ("TOPOLOGY_NAMESPACE_HAS_BEEN_REVOKED", false),
            Self::NamespaceAlreadyInUse { .. } => ("TOPOLOGY_NAMESPACE_ALREADY_IN_USE", false),
            Self::PartyIdConflictWithAdminParty { .. } => ("TOPOLOGY_PARTY_ID_CONFLICT_WITH_ADMIN_PARTY", false),
            Self::ParticipantIdConflictWithPartyId { .. } => ("TOPOLOGY_PARTICIPANT_ID_CONFLICT_WITH_PARTY", false),
            Self::InvalidOwnerToKeyMapping { .. } => ("TOPOLOGY_INVALID_OWNER_TO_KEY_MAPPING", false),
            Self::InvalidOwnerToKeyMappingRemoval { .. } => ("TOPOLOGY_INVALID_REMOVAL_OF_OWNER_TO_KEY_MAPPING", false),
            Self::CannotReregisterKeys { .. }
            | Self::ParticipantCannotRejoinSynchronizer { .. }
            | Self::MembersCannotRejoinSynchronizer { .. } => ("TOPOLOGY_MEMBER_CANNOT_REJOIN_SYNCHRONIZER", false),
            Self::OnboardingRestrictionInPlace { .. } => ("TOPOLOGY_PARTICIPANT_ONBOARDING_REFUSED", false),
            Self::AnnouncedLsuTopologyFreeze { .. } => ("TOPOLOGY_LSU_TOPOLOGY_FREEZE", false),
            Self::NoLsuAnnounced => ("TOPOLOGY_NO_LSU_ANNOUNCED", false),
            Self::InvalidSynchronizerSuccessor { .. } => ("TOPOLOGY_INVALID_SUCCESSOR_PHYSICAL_SYNCHRONIZER_ID", false),
            Self::LsuSequencerSuccessorInvalidSuccessorPsid { .. } => {
                ("LSU_SEQUENCER_SUCCESSOR_INVALID_SUCCESSOR_PSID", false)
            }
            Self::InvalidUpgradeTime { .. } => ("TOPOLOGY_INVALID_UPGRADE_TIME", false),
            Self::MediatorsAlreadyInOtherGroups { .. } => ("TOPOLOGY_MEDIATORS_ALREADY_IN_OTHER_GROUPS", false),
            Self::MultiTransactionHashMismatch { .. } => ("TOPOLOGY_MULTI_TRANSACTION_HASH_MISMATCH", false),
            Self::NoSignatureProvided | Self::InternalError { .. } => ("TOPOLOGY_MANAGER_INTERNAL_ERROR", true),
            Self::ParticipantStillHostsParties { .. } => ("TOPOLOGY_ILLEGAL_REMOVAL_OF_ACTIVE_TRANSACTIONS", false),
        }
    }
}
