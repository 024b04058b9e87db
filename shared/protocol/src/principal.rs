//! Principals: everybody whom a mapping gives something to say. Who is added by a change must have been introduced.

use std::{collections::BTreeSet, fmt};

use canton_topology::{
    id::{Fingerprint, Member, MemberKind, Namespace, ParticipantId},
    key::SigningPublicKey,
    mapping::{Mapping, OwnerKey},
    state::State,
    transaction::{Operation, Transaction},
};

/// Somebody, or something, that a mapping names and that can act from then on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// An owner of a decentralized namespace.
    Owner(Namespace),
    /// A host of a party.
    Host(ParticipantId),
    /// A node of the network.
    Node(Member),
    /// A key.
    Key(Fingerprint),
}

impl Principal {
    /// What it is, in a word.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Owner(_) => "owner",
            Self::Host(_) => "host",
            Self::Node(_) => "node",
            Self::Key(_) => "key",
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(owner) => owner.fmt(f),
            Self::Host(host) => host.fmt(f),
            Self::Node(member) => member.fmt(f),
            Self::Key(key) => key.fmt(f),
        }
    }
}

/// Whom a transaction adds on this topology.
pub fn added(transaction: &Transaction, state: &State) -> BTreeSet<Principal> {
    if transaction.operation() == Operation::Remove {
        return BTreeSet::new();
    }
    let before = state
        .active(&transaction.unique_key())
        .filter(|row| row.transaction.operation() == Operation::AddReplace)
        .map(|row| named(row.transaction.mapping()))
        .unwrap_or_default();
    named(transaction.mapping()).difference(&before).cloned().collect()
}

/// Everybody whom a mapping names.
fn named(mapping: &Mapping) -> BTreeSet<Principal> {
    let key = |key: &SigningPublicKey| Principal::Key(key.fingerprint());
    let participant =
        |id: &ParticipantId| Principal::Node(Member { kind: MemberKind::Participant, uid: id.uid().clone() });
    let node = |member: &Member| Principal::Node(member.clone());
    match mapping {
        Mapping::NamespaceDelegation(m) => [key(&m.target)].into(),
        Mapping::DecentralizedNamespaceDefinition(m) => m.owners.iter().cloned().map(Principal::Owner).collect(),
        Mapping::OwnerToKeyMapping(m) => {
            let keys = m.keys.iter().map(|owned| match owned {
                OwnerKey::Signing(signing) => key(signing),
                OwnerKey::Encryption(encryption) => Principal::Key(encryption.fingerprint()),
            });
            keys.chain([node(&m.member)]).collect()
        }
        Mapping::SynchronizerTrustCertificate(m) => [participant(&m.participant)].into(),
        Mapping::ParticipantSynchronizerPermission(m) => [participant(&m.participant)].into(),
        Mapping::PartyToParticipant(m) => {
            let hosts = m.participants.iter().map(|host| Principal::Host(host.participant.clone()));
            hosts.chain(m.signing_keys.iter().flat_map(|keys| &keys.keys).map(key)).collect()
        }
        Mapping::MediatorSynchronizerState(m) => m.members().map(node).collect(),
        Mapping::SequencerSynchronizerState(m) => m.members().map(node).collect(),
        Mapping::PartyToKeyMapping(m) => m.keys.iter().map(key).collect(),
        Mapping::LsuSequencerConnectionSuccessor(m) => {
            [Principal::Node(Member { kind: MemberKind::Sequencer, uid: m.sequencer.clone() })].into()
        }
        // Limits, packages, parameters and upgrades let nobody new act.
        Mapping::PartyHostingLimits(_)
        | Mapping::VettedPackages(_)
        | Mapping::SynchronizerParametersState(_)
        | Mapping::DynamicSequencingParametersState(_)
        | Mapping::LsuAnnouncement(_) => BTreeSet::new(),
    }
}
