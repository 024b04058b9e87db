//! Topology mappings: what a transaction says. One type for each of Canton's kinds, read from the wire and written
//! back in the order in which Canton writes.

mod decentralized_namespace;
mod endpoint;
mod keys;
mod logical_upgrade;
mod namespace_delegation;
mod parameters;
mod participant;
mod party_to_participant;
pub(crate) mod schema;
mod synchronizer;

use crate::{
    hash::{UniqueKey, length_prefixed},
    id::{IdError, Member, MemberKind, Namespace, SynchronizerId, UniqueIdentifier},
    key::SigningPublicKey,
    wire::{self, DecodeError, DecodeErrorKind, Message, Node, Writer},
};

pub use self::{
    decentralized_namespace::DecentralizedNamespaceDefinition,
    endpoint::Endpoint,
    keys::{OwnerKey, OwnerToKeyMapping, PartyToKeyMapping},
    logical_upgrade::{LsuAnnouncement, LsuSequencerConnectionSuccessor},
    namespace_delegation::{NamespaceDelegation, Restriction},
    parameters::{CommitmentCatchUp, Duration, DynamicParameters, TrafficControl},
    participant::{
        ParticipantSynchronizerPermission, PartyHostingLimits, SynchronizerTrustCertificate, VettedPackage,
        VettedPackages,
    },
    party_to_participant::{HostingParticipant, PartyToParticipant, Permission, SigningKeysWithThreshold},
    synchronizer::{
        DynamicSequencingParametersState, MediatorSynchronizerState, OnboardingRestriction, SequencerSynchronizerState,
        SynchronizerParametersState,
    },
};

pub(crate) use self::participant::{TIMES, timestamp, write_timestamp};

/// Most keys in one mapping.
pub const KEYS_MAX: usize = 20;

/// The number of a mapping's kind, as it stands in unique keys and restrictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Code {
    NamespaceDelegation = 1,
    DecentralizedNamespaceDefinition = 3,
    OwnerToKeyMapping = 4,
    SynchronizerTrustCertificate = 5,
    ParticipantSynchronizerPermission = 6,
    PartyHostingLimits = 7,
    VettedPackages = 8,
    PartyToParticipant = 9,
    SynchronizerParametersState = 11,
    MediatorSynchronizerState = 12,
    SequencerSynchronizerState = 13,
    DynamicSequencingParametersState = 17,
    PartyToKeyMapping = 18,
    LsuAnnouncement = 19,
    LsuSequencerConnectionSuccessor = 20,
}

impl Code {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::NamespaceDelegation,
        Self::DecentralizedNamespaceDefinition,
        Self::OwnerToKeyMapping,
        Self::SynchronizerTrustCertificate,
        Self::ParticipantSynchronizerPermission,
        Self::PartyHostingLimits,
        Self::VettedPackages,
        Self::PartyToParticipant,
        Self::SynchronizerParametersState,
        Self::MediatorSynchronizerState,
        Self::SequencerSynchronizerState,
        Self::DynamicSequencingParametersState,
        Self::PartyToKeyMapping,
        Self::LsuAnnouncement,
        Self::LsuSequencerConnectionSuccessor,
    ];

    /// The kind of that number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as i32 == number)
    }

    /// Canton's three letters for it, as in the filters of a node's API.
    pub fn letters(self) -> &'static str {
        match self {
            Self::NamespaceDelegation => "nsd",
            Self::DecentralizedNamespaceDefinition => "dnd",
            Self::OwnerToKeyMapping => "otk",
            Self::SynchronizerTrustCertificate => "dtc",
            Self::ParticipantSynchronizerPermission => "pdp",
            Self::PartyHostingLimits => "phl",
            Self::VettedPackages => "vtp",
            Self::PartyToParticipant => "ptp",
            Self::SynchronizerParametersState => "dop",
            Self::MediatorSynchronizerState => "mds",
            Self::SequencerSynchronizerState => "sds",
            Self::DynamicSequencingParametersState => "sep",
            Self::PartyToKeyMapping => "ptk",
            Self::LsuAnnouncement => "lsu",
            Self::LsuSequencerConnectionSuccessor => "scs",
        }
    }

    /// Canton's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NamespaceDelegation => "NamespaceDelegation",
            Self::DecentralizedNamespaceDefinition => "DecentralizedNamespaceDefinition",
            Self::OwnerToKeyMapping => "OwnerToKeyMapping",
            Self::SynchronizerTrustCertificate => "SynchronizerTrustCertificate",
            Self::ParticipantSynchronizerPermission => "ParticipantSynchronizerPermission",
            Self::PartyHostingLimits => "PartyHostingLimits",
            Self::VettedPackages => "VettedPackages",
            Self::PartyToParticipant => "PartyToParticipant",
            Self::SynchronizerParametersState => "SynchronizerParametersState",
            Self::MediatorSynchronizerState => "MediatorSynchronizerState",
            Self::SequencerSynchronizerState => "SequencerSynchronizerState",
            Self::DynamicSequencingParametersState => "DynamicSequencingParametersState",
            Self::PartyToKeyMapping => "PartyToKeyMapping",
            Self::LsuAnnouncement => "LsuAnnouncement",
            Self::LsuSequencerConnectionSuccessor => "LsuSequencerConnectionSuccessor",
        }
    }
}

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

/// How Canton calls a bare fingerprint that does not read.
pub(crate) fn id_error_kind(error: &IdError) -> DecodeErrorKind {
    match error {
        IdError::TooLong { .. } => DecodeErrorKind::Invariant(error.to_string()),
        IdError::Empty { .. }
        | IdError::Character { .. }
        | IdError::Delimiter { .. }
        | IdError::NoNamespace { .. }
        | IdError::Member { .. }
        | IdError::Physical { .. } => DecodeErrorKind::StringConversion(error.to_string()),
    }
}

/// Reads a namespace or fingerprint.
fn namespace(node: &Node<'_>, number: u32) -> Result<Namespace, DecodeError> {
    node.text(number).parse().map_err(|error| node.error(number, id_error_kind(&error)))
}

/// Reads anything that is built of a unique identifier.
fn identifier<T: std::str::FromStr<Err = IdError>>(node: &Node<'_>, number: u32) -> Result<T, DecodeError> {
    convert(node, number, node.text(number).parse())
}

fn convert<T>(node: &Node<'_>, number: u32, result: Result<T, IdError>) -> Result<T, DecodeError> {
    result.map_err(|error| node.error(number, DecodeErrorKind::ValueConversion(error.to_string())))
}

/// Reads a number that Canton wants to be at least 1.
fn positive(node: &Node<'_>, number: u32) -> Result<u32, DecodeError> {
    let value = node.int(number);
    u32::try_from(value).ok().filter(|value| *value > 0).ok_or_else(|| {
        node.error(number, DecodeErrorKind::Invariant(format!("{value}: must be from 1 to {}", i32::MAX)))
    })
}

/// Reads a number that Canton wants to be at least 0.
fn non_negative(node: &Node<'_>, number: u32) -> Result<u32, DecodeError> {
    let value = node.int(number);
    u32::try_from(value)
        .map_err(|_| node.error(number, DecodeErrorKind::Invariant(format!("{value}: must be from 0 to {}", i32::MAX))))
}

/// Reads the signing keys of a repeated field, refusing an empty list.
fn signing_keys(node: &Node<'_>, number: u32) -> Result<Vec<SigningPublicKey>, DecodeError> {
    let keys = node.children(number).map(|key| SigningPublicKey::from_node(&key)).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(node.error(number, DecodeErrorKind::FieldNotSet)) } else { Ok(keys) }
}

fn too_many_keys(node: &Node<'_>, number: u32, found: usize) -> DecodeError {
    node.error(number, DecodeErrorKind::Invariant(format!("{found} keys; at most {KEYS_MAX} are taken")))
}

/// Reads the unique identifiers of mediators or sequencers, dropping repetitions.
fn members(node: &Node<'_>, number: u32, kind: MemberKind) -> Result<Vec<Member>, DecodeError> {
    let mut members = Vec::new();
    for text in node.texts(number) {
        let member = Member { kind, uid: convert(node, number, text.parse())? };
        if !members.contains(&member) {
            members.push(member);
        }
    }
    Ok(members)
}
