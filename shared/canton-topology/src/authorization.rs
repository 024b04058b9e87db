//! Who must sign: the requirement of a transaction as a formula over namespaces and keys.
//!
//! Source: `topology-protocol` 4.1 to 4.3, corrected by the recorded verdicts.

use std::collections::BTreeSet;

use crate::{
    id::{Fingerprint, Namespace, ParticipantId},
    key::SigningPublicKey,
    mapping::{HostingParticipant, Mapping, PartyToParticipant},
    transaction::{Operation, Transaction},
};

/// Which rules decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Those of today.
    Today,
    /// Those for the rows with which a network is born: Canton forgives there what older releases did not ask for. Keys of
    /// members need not prove themselves, a party alone may raise a host's permission, sequencers and mediators may be
    /// named before their keys are, and a delegation that was revoked may return.
    InitialSnapshot,
}

impl Rules {
    /// Whether keys that did not prove themselves are forgiven to this mapping. Those that did are verified all the same.
    pub(crate) fn forgive_keys_of(self, mapping: &Mapping) -> bool {
        self == Self::InitialSnapshot && matches!(mapping, Mapping::OwnerToKeyMapping(_))
    }
}

/// A set of namespaces that must be authorized and of keys that must have signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// Each of these namespaces.
    pub namespaces: BTreeSet<Namespace>,
    /// Each of these keys itself.
    pub keys: BTreeSet<Fingerprint>,
}

impl Needed {
    /// Whether nothing is needed.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty() && self.keys.is_empty()
    }
}

/// What a transaction requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// All of these.
    All(Needed),
    /// One or the other; where neither is met, the second one names what is missing.
    Either(Box<Self>, Box<Self>),
    /// Every one of these, in the order in which Canton asks.
    Both(Vec<Self>),
}

impl Requirement {
    fn namespaces<'a>(namespaces: impl IntoIterator<Item = &'a Namespace>) -> Self {
        Self::All(Needed { namespaces: namespaces.into_iter().cloned().collect(), keys: BTreeSet::new() })
    }

    /// Everything that the formula mentions.
    pub fn mentioned(&self) -> Needed {
        match self {
            Self::All(needed) => needed.clone(),
            Self::Either(a, b) => joined([a.mentioned(), b.mentioned()]),
            Self::Both(all) => joined(all.iter().map(Self::mentioned)),
        }
    }

    /// What is missing where `namespaces` are authorized and `keys` have signed; empty where the formula is met. Of two
    /// ways the first: whose mapping it is, rather than the synchronizer, which nobody waits for.
    pub fn missing(&self, namespaces: &BTreeSet<Namespace>, keys: &BTreeSet<Fingerprint>) -> Needed {
        match self {
            Self::All(needed) => Needed {
                namespaces: needed.namespaces.difference(namespaces).cloned().collect(),
                keys: needed.keys.difference(keys).cloned().collect(),
            },
            Self::Either(a, b) => {
                let second = b.missing(namespaces, keys);
                if second.is_empty() { second } else { a.missing(namespaces, keys) }
            }
            Self::Both(all) => joined(all.iter().map(|part| part.missing(namespaces, keys))),
        }
    }
}

impl Requirement {
    /// What Canton says is missing: of several parts only the first that is not met, where the plain parts that stand in
    /// front are one. Empty where the formula is met.
    pub fn missing_first(&self, namespaces: &BTreeSet<Namespace>, keys: &BTreeSet<Fingerprint>) -> Needed {
        match self {
            Self::All(_) => self.missing(namespaces, keys),
            Self::Either(a, b) => {
                let first = a.missing_first(namespaces, keys);
                if first.is_empty() { first } else { b.missing_first(namespaces, keys) }
            }
            Self::Both(all) => {
                let plain = all.iter().take_while(|part| matches!(part, Self::All(_))).count();
                let (front, rest) = all.split_at(plain);
                let front = joined(front.iter().map(|part| part.missing(namespaces, keys)));
                let rest = rest.iter().map(|part| part.missing_first(namespaces, keys));
                std::iter::once(front).chain(rest).find(|missing| !missing.is_empty()).unwrap_or_default()
            }
        }
    }
}

fn joined(all: impl IntoIterator<Item = Needed>) -> Needed {
    all.into_iter().fold(Needed::default(), |mut sum, needed| {
        sum.namespaces.extend(needed.namespaces);
        sum.keys.extend(needed.keys);
        sum
    })
}

/// What `transaction` requires, where `previous` is the active transaction of its unique key and `synchronizer` the
/// namespace of the synchronizer, which may remove anything.
pub fn requirement(
    transaction: &Transaction,
    previous: Option<&Transaction>,
    synchronizer: &Namespace,
    rules: Rules,
) -> Requirement {
    let own = of_mapping(transaction.mapping(), previous, rules);
    match transaction.operation() {
        Operation::AddReplace => own,
        Operation::Remove => Requirement::Either(Box::new(own), Box::new(Requirement::namespaces([synchronizer]))),
    }
}

fn of_mapping(mapping: &Mapping, previous: Option<&Transaction>, rules: Rules) -> Requirement {
    // What was removed counts as not there, but for a namespace definition, which is never free again.
    let live = previous.filter(|previous| previous.operation() == Operation::AddReplace).map(Transaction::mapping);
    match mapping {
        Mapping::DecentralizedNamespaceDefinition(new) => match previous.map(Transaction::mapping) {
            Some(Mapping::DecentralizedNamespaceDefinition(old)) => {
                let added = new.owners.iter().filter(|owner| !old.owners.contains(owner));
                Requirement::namespaces(added.chain([&new.namespace]))
            }
            _ => Requirement::namespaces(&new.owners),
        },
        Mapping::OwnerToKeyMapping(new) => {
            let old: Vec<&SigningPublicKey> = match live {
                Some(Mapping::OwnerToKeyMapping(old)) => old.signing_keys().collect(),
                _ => Vec::new(),
            };
            namespace_and_new_keys(mapping.namespace(), new.signing_keys().collect(), &old)
        }
        Mapping::PartyToKeyMapping(new) => {
            let old: Vec<&SigningPublicKey> = match live {
                Some(Mapping::PartyToKeyMapping(old)) => old.keys.iter().collect(),
                _ => Vec::new(),
            };
            namespace_and_new_keys(mapping.namespace(), new.keys.iter().collect(), &old)
        }
        Mapping::PartyToParticipant(new) => match live {
            Some(Mapping::PartyToParticipant(old)) => of_party(new, Some(old), rules),
            _ => of_party(new, None, rules),
        },
        Mapping::ParticipantSynchronizerPermission(new) => Requirement::namespaces([new.synchronizer.namespace()]),
        Mapping::PartyHostingLimits(new) => Requirement::namespaces([new.synchronizer.namespace()]),
        Mapping::NamespaceDelegation(_)
        | Mapping::SynchronizerTrustCertificate(_)
        | Mapping::VettedPackages(_)
        | Mapping::SynchronizerParametersState(_)
        | Mapping::MediatorSynchronizerState(_)
        | Mapping::SequencerSynchronizerState(_)
        | Mapping::DynamicSequencingParametersState(_)
        | Mapping::LsuAnnouncement(_)
        | Mapping::LsuSequencerConnectionSuccessor(_) => Requirement::namespaces([mapping.namespace()]),
    }
}

/// "New" is by the whole key here: the same key with another usage counts.
fn namespace_and_new_keys(
    namespace: &Namespace,
    new: Vec<&SigningPublicKey>,
    old: &[&SigningPublicKey],
) -> Requirement {
    let keys = new.into_iter().filter(|key| !old.contains(key)).map(SigningPublicKey::fingerprint).collect();
    Requirement::All(Needed { namespaces: BTreeSet::from([namespace.clone()]), keys })
}

fn of_party(new: &PartyToParticipant, old: Option<&PartyToParticipant>, rules: Rules) -> Requirement {
    let party = new.party.namespace();
    let mut all = Vec::new();
    if old.is_none_or(|old| old.threshold != new.threshold) {
        all.push(Requirement::namespaces([party]));
    }
    let added_keys = added_keys(new, old);
    if new.signing_keys != old.and_then(|old| old.signing_keys.clone()) {
        let namespaces = BTreeSet::from([party.clone()]);
        all.push(Requirement::All(Needed { namespaces, keys: added_keys.clone() }));
    }
    let is_new = |host: &&HostingParticipant| old.is_none_or(|old| old.host(&host.participant).is_none());
    let added: Vec<&ParticipantId> = new.participants.iter().filter(is_new).map(|host| &host.participant).collect();
    if !added.is_empty() {
        all.push(Requirement::namespaces(added.iter().map(|host| host.namespace()).chain([party])));
    }
    let before: Vec<&HostingParticipant> = old.iter().flat_map(|old| &old.participants).collect();
    let stayed = |now: &HostingParticipant| before.iter().find(|host| host.participant == now.participant).copied();
    let stayed: Vec<(&HostingParticipant, &HostingParticipant)> =
        new.participants.iter().filter_map(|now| Some((stayed(now)?, now))).collect();
    all.extend(stayed.iter().filter_map(|(before, now)| of_onboarding(before, now, party)));
    let left = before.iter().filter(|host| new.host(&host.participant).is_none());
    all.extend(left.map(|host| party_or(party, host.participant.namespace())));
    all.extend(stayed.iter().filter_map(|(before, now)| of_permission(before, now, party, rules)));
    if all.is_empty() {
        // Nothing differs, as when the mapping is removed.
        return Requirement::All(Needed { namespaces: BTreeSet::from([party.clone()]), keys: added_keys });
    }
    Requirement::Both(all)
}

fn added_keys(new: &PartyToParticipant, old: Option<&PartyToParticipant>) -> BTreeSet<Fingerprint> {
    let of = |party: &PartyToParticipant| -> BTreeSet<Fingerprint> {
        party.signing_keys.iter().flat_map(|keys| &keys.keys).map(SigningPublicKey::fingerprint).collect()
    };
    let before = old.map(of).unwrap_or_default();
    of(new).difference(&before).cloned().collect()
}

fn party_or(party: &Namespace, host: &Namespace) -> Requirement {
    Requirement::Either(Box::new(Requirement::namespaces([party])), Box::new(Requirement::namespaces([host])))
}

/// What a change of one host's onboarding marker requires.
fn of_onboarding(before: &HostingParticipant, now: &HostingParticipant, party: &Namespace) -> Option<Requirement> {
    match (before.onboarding, now.onboarding) {
        (true, false) => Some(Requirement::namespaces([now.participant.namespace()])),
        (false, true) => Some(Requirement::namespaces([party])),
        (true, true) | (false, false) => None,
    }
}

/// What a change of one host's permission requires.
fn of_permission(
    before: &HostingParticipant,
    now: &HostingParticipant,
    party: &Namespace,
    rules: Rules,
) -> Option<Requirement> {
    let host = now.participant.namespace();
    match now.permission.cmp(&before.permission) {
        // Older releases asked the party alone.
        std::cmp::Ordering::Less if rules == Rules::InitialSnapshot => Some(Requirement::namespaces([party])),
        std::cmp::Ordering::Less => Some(Requirement::namespaces([party, host])),
        std::cmp::Ordering::Greater => Some(party_or(party, host)),
        std::cmp::Ordering::Equal => None,
    }
}
