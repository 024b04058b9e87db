//! Topology mappings: what a transaction says. One type for each of Canton's kinds, read from the wire and written
//! back in the order in which Canton writes.

mod canton_form;
mod code;
mod decentralized_namespace;
mod endpoint;
mod field;
mod keys;
mod logical_upgrade;
mod namespace_delegation;
mod parameters;
mod participant;
mod party_to_participant;
pub(crate) mod schema;
mod synchronizer;

use std::collections::BTreeSet;

use crate::{
    hash::{UniqueKey, length_prefixed},
    id::{Namespace, SynchronizerId, UniqueIdentifier},
    key::SigningPublicKey,
    wire::{self, DecodeError, DecodeErrorKind, Message, Node, Writer},
};

pub use self::{
    code::{Code, NotACode},
    decentralized_namespace::DecentralizedNamespaceDefinition,
    endpoint::Endpoint,
    keys::{OwnerKey, OwnerToKeyMapping, PartyToKeyMapping},
    logical_upgrade::{LsuAnnouncement, LsuSequencerConnectionSuccessor},
    namespace_delegation::{NamespaceDelegation, Restriction},
    parameters::{CommitmentCatchUp, Duration, DynamicParameters, TrafficControl},
    participant::{
        NotAPackageId, PackageId, ParticipantSynchronizerPermission, PartyHostingLimits, SynchronizerTrustCertificate,
        VettedPackage, VettedPackages,
    },
    party_to_participant::{HostingParticipant, PartyToParticipant, Permission, SigningKeysWithThreshold},
    synchronizer::{
        DynamicSequencingParametersState, MediatorSynchronizerState, OnboardingRestriction, SequencerSynchronizerState,
        SynchronizerParametersState,
    },
};

pub(crate) use self::{
    field::id_error_kind,
    participant::{TIMES, timestamp, write_timestamp},
};

use self::field::{convert, identifier, members, namespace, non_negative, positive, signing_keys, too_many_keys};

/// Most keys in one mapping.
pub const KEYS_MAX: usize = 20;

/// What a transaction says. Equality is Canton's own: of the parsed objects, not of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Mapping {
    NamespaceDelegation(NamespaceDelegation),
    DecentralizedNamespaceDefinition(DecentralizedNamespaceDefinition),
    OwnerToKeyMapping(OwnerToKeyMapping),
    SynchronizerTrustCertificate(SynchronizerTrustCertificate),
    ParticipantSynchronizerPermission(ParticipantSynchronizerPermission),
    PartyHostingLimits(PartyHostingLimits),
    VettedPackages(VettedPackages),
    PartyToParticipant(PartyToParticipant),
    SynchronizerParametersState(SynchronizerParametersState),
    MediatorSynchronizerState(MediatorSynchronizerState),
    SequencerSynchronizerState(SequencerSynchronizerState),
    DynamicSequencingParametersState(DynamicSequencingParametersState),
    PartyToKeyMapping(PartyToKeyMapping),
    LsuAnnouncement(LsuAnnouncement),
    LsuSequencerConnectionSuccessor(LsuSequencerConnectionSuccessor),
}

impl Mapping {
    /// Its kind.
    pub fn code(&self) -> Code {
        match self {
            Self::NamespaceDelegation(_) => Code::NamespaceDelegation,
            Self::DecentralizedNamespaceDefinition(_) => Code::DecentralizedNamespaceDefinition,
            Self::OwnerToKeyMapping(_) => Code::OwnerToKeyMapping,
            Self::SynchronizerTrustCertificate(_) => Code::SynchronizerTrustCertificate,
            Self::ParticipantSynchronizerPermission(_) => Code::ParticipantSynchronizerPermission,
            Self::PartyHostingLimits(_) => Code::PartyHostingLimits,
            Self::VettedPackages(_) => Code::VettedPackages,
            Self::PartyToParticipant(_) => Code::PartyToParticipant,
            Self::SynchronizerParametersState(_) => Code::SynchronizerParametersState,
            Self::MediatorSynchronizerState(_) => Code::MediatorSynchronizerState,
            Self::SequencerSynchronizerState(_) => Code::SequencerSynchronizerState,
            Self::DynamicSequencingParametersState(_) => Code::DynamicSequencingParametersState,
            Self::PartyToKeyMapping(_) => Code::PartyToKeyMapping,
            Self::LsuAnnouncement(_) => Code::LsuAnnouncement,
            Self::LsuSequencerConnectionSuccessor(_) => Code::LsuSequencerConnectionSuccessor,
        }
    }

    /// The namespace of what it is about. Permissions and limits are about a node or a party of another namespace than
    /// the synchronizer's, which grants them.
    pub fn namespace(&self) -> &Namespace {
        match self {
            Self::NamespaceDelegation(m) => &m.namespace,
            Self::DecentralizedNamespaceDefinition(m) => &m.namespace,
            Self::OwnerToKeyMapping(m) => m.member.uid.namespace(),
            Self::SynchronizerTrustCertificate(m) => m.participant.namespace(),
            Self::ParticipantSynchronizerPermission(m) => m.participant.namespace(),
            Self::PartyHostingLimits(m) => m.party.namespace(),
            Self::VettedPackages(m) => m.participant.namespace(),
            Self::PartyToParticipant(m) => m.party.namespace(),
            Self::SynchronizerParametersState(m) => m.synchronizer.namespace(),
            Self::MediatorSynchronizerState(m) => m.synchronizer.namespace(),
            Self::SequencerSynchronizerState(m) => m.synchronizer.namespace(),
            Self::DynamicSequencingParametersState(m) => m.synchronizer.namespace(),
            Self::PartyToKeyMapping(m) => m.party.namespace(),
            Self::LsuAnnouncement(m) => m.successor.logical.namespace(),
            Self::LsuSequencerConnectionSuccessor(m) => m.sequencer.namespace(),
        }
    }

    /// What it is about, where that has a unique identifier.
    pub fn uid(&self) -> Option<&UniqueIdentifier> {
        match self {
            Self::NamespaceDelegation(_) | Self::DecentralizedNamespaceDefinition(_) => None,
            Self::OwnerToKeyMapping(m) => Some(&m.member.uid),
            Self::SynchronizerTrustCertificate(m) => Some(m.participant.uid()),
            Self::ParticipantSynchronizerPermission(m) => Some(m.participant.uid()),
            Self::PartyHostingLimits(m) => Some(m.party.uid()),
            Self::VettedPackages(m) => Some(m.participant.uid()),
            Self::PartyToParticipant(m) => Some(m.party.uid()),
            Self::SynchronizerParametersState(m) => Some(m.synchronizer.uid()),
            Self::MediatorSynchronizerState(m) => Some(m.synchronizer.uid()),
            Self::SequencerSynchronizerState(m) => Some(m.synchronizer.uid()),
            Self::DynamicSequencingParametersState(m) => Some(m.synchronizer.uid()),
            Self::PartyToKeyMapping(m) => Some(m.party.uid()),
            Self::LsuAnnouncement(m) => Some(m.successor.logical.uid()),
            Self::LsuSequencerConnectionSuccessor(m) => Some(&m.sequencer),
        }
    }

    /// Every unique identifier that it names.
    pub fn referenced(&self) -> BTreeSet<&UniqueIdentifier> {
        let mut referenced: BTreeSet<&UniqueIdentifier> = self.uid().into_iter().collect();
        referenced.extend(self.restricted_to().map(SynchronizerId::uid));
        match self {
            Self::PartyToParticipant(m) => referenced.extend(m.participants.iter().map(|host| host.participant.uid())),
            Self::MediatorSynchronizerState(m) => referenced.extend(m.members().map(|member| &member.uid)),
            Self::SequencerSynchronizerState(m) => referenced.extend(m.members().map(|member| &member.uid)),
            Self::NamespaceDelegation(_)
            | Self::DecentralizedNamespaceDefinition(_)
            | Self::OwnerToKeyMapping(_)
            | Self::SynchronizerTrustCertificate(_)
            | Self::ParticipantSynchronizerPermission(_)
            | Self::PartyHostingLimits(_)
            | Self::VettedPackages(_)
            | Self::SynchronizerParametersState(_)
            | Self::DynamicSequencingParametersState(_)
            | Self::PartyToKeyMapping(_)
            | Self::LsuAnnouncement(_)
            | Self::LsuSequencerConnectionSuccessor(_) => {}
        }
        referenced
    }

    /// The one synchronizer that the mapping may stand on, where it names one.
    pub fn restricted_to(&self) -> Option<&SynchronizerId> {
        match self {
            Self::SynchronizerTrustCertificate(m) => Some(&m.synchronizer),
            Self::ParticipantSynchronizerPermission(m) => Some(&m.synchronizer),
            Self::PartyHostingLimits(m) => Some(&m.synchronizer),
            Self::SynchronizerParametersState(m) => Some(&m.synchronizer),
            Self::MediatorSynchronizerState(m) => Some(&m.synchronizer),
            Self::SequencerSynchronizerState(m) => Some(&m.synchronizer),
            Self::DynamicSequencingParametersState(m) => Some(&m.synchronizer),
            Self::LsuAnnouncement(m) => Some(&m.successor.logical),
            Self::LsuSequencerConnectionSuccessor(m) => Some(&m.successor.logical),
            Self::NamespaceDelegation(_)
            | Self::DecentralizedNamespaceDefinition(_)
            | Self::OwnerToKeyMapping(_)
            | Self::VettedPackages(_)
            | Self::PartyToParticipant(_)
            | Self::PartyToKeyMapping(_) => None,
        }
    }

    /// The hash that names its chain of serials.
    pub fn unique_key(&self) -> UniqueKey {
        let mut body = Vec::new();
        let participant = |uid: &UniqueIdentifier| format!("PAR::{uid}");
        match self {
            Self::NamespaceDelegation(m) => {
                put(&mut body, &m.namespace);
                put(&mut body, m.target.fingerprint_ref());
            }
            Self::DecentralizedNamespaceDefinition(m) => return definition_key(&m.namespace),
            Self::OwnerToKeyMapping(m) => put(&mut body, &m.member.uid),
            Self::PartyToKeyMapping(m) => put(&mut body, &m.party),
            Self::PartyToParticipant(m) => put(&mut body, &m.party),
            Self::VettedPackages(m) => put(&mut body, &participant(m.participant.uid())),
            Self::SynchronizerTrustCertificate(m) => {
                put(&mut body, &participant(m.participant.uid()));
                put(&mut body, &m.synchronizer);
            }
            Self::ParticipantSynchronizerPermission(m) => {
                put(&mut body, &m.synchronizer);
                put(&mut body, &participant(m.participant.uid()));
            }
            Self::PartyHostingLimits(m) => {
                put(&mut body, &m.synchronizer);
                put(&mut body, &m.party);
            }
            Self::SynchronizerParametersState(m) => put(&mut body, &m.synchronizer),
            Self::SequencerSynchronizerState(m) => put(&mut body, &m.synchronizer),
            Self::DynamicSequencingParametersState(m) => put(&mut body, &m.synchronizer),
            Self::MediatorSynchronizerState(m) => {
                put(&mut body, &m.synchronizer);
                body.extend_from_slice(&m.group.to_be_bytes());
            }
            Self::LsuAnnouncement(m) => put(&mut body, &m.successor.logical),
            Self::LsuSequencerConnectionSuccessor(m) => {
                put(&mut body, &m.sequencer);
                put(&mut body, &m.successor.logical);
            }
        }
        UniqueKey::of(body, self.code() as u32)
    }

    /// The signing keys that the mapping itself carries and whose holders may have to prove that they hold them.
    pub fn mapped_signing_keys(&self) -> Vec<&SigningPublicKey> {
        match self {
            Self::OwnerToKeyMapping(m) => m.signing_keys().collect(),
            Self::PartyToKeyMapping(m) => m.keys.iter().collect(),
            Self::PartyToParticipant(m) => m.signing_keys.iter().flat_map(|keys| &keys.keys).collect(),
            Self::NamespaceDelegation(_)
            | Self::DecentralizedNamespaceDefinition(_)
            | Self::SynchronizerTrustCertificate(_)
            | Self::ParticipantSynchronizerPermission(_)
            | Self::PartyHostingLimits(_)
            | Self::VettedPackages(_)
            | Self::SynchronizerParametersState(_)
            | Self::MediatorSynchronizerState(_)
            | Self::SequencerSynchronizerState(_)
            | Self::DynamicSequencingParametersState(_)
            | Self::LsuAnnouncement(_)
            | Self::LsuSequencerConnectionSuccessor(_) => Vec::new(),
        }
    }

    /// Every signing key that stands in the mapping: the one that it delegates to, or those that it maps.
    pub fn signing_keys(&self) -> Vec<&SigningPublicKey> {
        match self {
            Self::NamespaceDelegation(delegation) => vec![&delegation.target],
            other => other.mapped_signing_keys(),
        }
    }

    /// Reads the message `TopologyMapping`, as leniently as Canton does.
    ///
    /// # Errors
    /// Where Canton refuses, by Canton's name, with the place.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::from_node(&Node::root(&read_mapping(bytes)?, "mapping"))
    }

    /// Reads the message `TopologyMapping`.
    pub(crate) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let missing = || node.own_error(DecodeErrorKind::FieldNotSet);
        let number = node.member().ok_or_else(missing)?;
        let inner = node.child(number).ok_or_else(missing)?;
        Ok(match number {
            1 => Self::NamespaceDelegation(NamespaceDelegation::from_node(&inner)?),
            3 => Self::DecentralizedNamespaceDefinition(DecentralizedNamespaceDefinition::from_node(&inner)?),
            4 => Self::OwnerToKeyMapping(OwnerToKeyMapping::from_node(&inner)?),
            5 => Self::SynchronizerTrustCertificate(SynchronizerTrustCertificate::from_node(&inner)?),
            6 => Self::ParticipantSynchronizerPermission(ParticipantSynchronizerPermission::from_node(&inner)?),
            7 => Self::PartyHostingLimits(PartyHostingLimits::from_node(&inner)?),
            8 => Self::VettedPackages(VettedPackages::from_node(&inner)?),
            9 => Self::PartyToParticipant(PartyToParticipant::from_node(&inner)?),
            11 => Self::SynchronizerParametersState(SynchronizerParametersState::from_node(&inner)?),
            12 => Self::MediatorSynchronizerState(MediatorSynchronizerState::from_node(&inner)?),
            13 => Self::SequencerSynchronizerState(SequencerSynchronizerState::from_node(&inner)?),
            15 => Self::DynamicSequencingParametersState(DynamicSequencingParametersState::from_node(&inner)?),
            16 => Self::PartyToKeyMapping(PartyToKeyMapping::from_node(&inner)?),
            17 => Self::LsuAnnouncement(LsuAnnouncement::from_node(&inner)?),
            18 => Self::LsuSequencerConnectionSuccessor(LsuSequencerConnectionSuccessor::from_node(&inner)?),
            _ => return Err(missing()),
        })
    }

    /// Writes the message `TopologyMapping`.
    pub fn encode(&self) -> Vec<u8> {
        let (number, bytes) = match self {
            Self::NamespaceDelegation(m) => (1, m.encode()),
            Self::DecentralizedNamespaceDefinition(m) => (3, m.encode()),
            Self::OwnerToKeyMapping(m) => (4, m.encode()),
            Self::SynchronizerTrustCertificate(m) => (5, m.encode()),
            Self::ParticipantSynchronizerPermission(m) => (6, m.encode()),
            Self::PartyHostingLimits(m) => (7, m.encode()),
            Self::VettedPackages(m) => (8, m.encode()),
            Self::PartyToParticipant(m) => (9, m.encode()),
            Self::SynchronizerParametersState(m) => (11, m.encode()),
            Self::MediatorSynchronizerState(m) => (12, m.encode()),
            Self::SequencerSynchronizerState(m) => (13, m.encode()),
            Self::DynamicSequencingParametersState(m) => (15, m.encode()),
            Self::PartyToKeyMapping(m) => (16, m.encode()),
            Self::LsuAnnouncement(m) => (17, m.encode()),
            Self::LsuSequencerConnectionSuccessor(m) => (18, m.encode()),
        };
        let mut writer = Writer::default();
        writer.bytes(number, &bytes);
        writer.finish()
    }
}

/// Reads the message `TopologyMapping` as far as its wire goes.
pub(crate) fn read_mapping(bytes: &[u8]) -> Result<Message<'_>, DecodeError> {
    wire::skim(&schema::MAPPING, bytes, 0, "mapping")
}

/// The unique key of a namespace's definition.
pub fn definition_key(namespace: &Namespace) -> UniqueKey {
    let mut body = Vec::new();
    put(&mut body, namespace);
    UniqueKey::of(body, Code::DecentralizedNamespaceDefinition as u32)
}

/// The unique key of a party's hosting.
pub fn party_key(party: &crate::id::PartyId) -> UniqueKey {
    let mut body = Vec::new();
    put(&mut body, party);
    UniqueKey::of(body, Code::PartyToParticipant as u32)
}

/// The unique key of a namespace's delegation to a key.
pub fn delegation_key(namespace: &Namespace, target: &crate::id::Fingerprint) -> UniqueKey {
    let mut body = Vec::new();
    put(&mut body, namespace);
    put(&mut body, target);
    UniqueKey::of(body, Code::NamespaceDelegation as u32)
}

fn put(body: &mut Vec<u8>, text: &impl ToString) {
    length_prefixed(body, text.to_string().as_bytes());
}
