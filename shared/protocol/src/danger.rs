//! Dangers: changes that Canton accepts, that are what the intent says, and that people have come to regret. An agent
//! refuses each that the intent does not accept by name, and a rule permits nothing that has one.

use std::{fmt, str::FromStr};

use canton_topology::{
    awakening::{Awakened, Awakening, awakened_by},
    hash::TransactionHash,
    id::{Fingerprint, Namespace, PartyId},
    judge::Verifier,
    mapping::{Code, HostingParticipant, Mapping, Permission},
    state::State,
    transaction::{Operation, SignedTransaction, Transaction},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Something to think about before signing.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "danger", rename_all = "kebab-case")]
pub enum Danger {
    /// More confirmations than hosts that can give them.
    #[error("{party} needs {threshold} confirmations and has {hosts} hosts that confirm: it could do nothing any more")]
    ConfirmationOutOfReach {
        /// The party.
        party: PartyId,
        /// The threshold.
        threshold: u32,
        /// How many hosts confirm.
        hosts: usize,
    },
    /// More signatures than keys that can give them.
    #[error("{party} needs {threshold} signatures and has {keys} keys: it could sign nothing any more")]
    SignaturesOutOfReach {
        /// The party.
        party: PartyId,
        /// The threshold.
        threshold: u32,
        /// How many keys there are.
        keys: usize,
    },
    /// Every owner is needed.
    #[error("all {owners} owners of {namespace} must sign every change: one lost key locks it for ever")]
    EveryOwnerNeeded {
        /// The namespace.
        namespace: Namespace,
        /// How many owners there are.
        owners: usize,
    },
    /// Any owner suffices.
    #[error("each of the {owners} owners of {namespace} can change everything alone")]
    OneOwnerSuffices {
        /// The namespace.
        namespace: Namespace,
        /// How many owners there are.
        owners: usize,
    },
    /// Nobody can bring a removed namespace back.
    #[error("{namespace} would be removed: nobody can ever act for it again")]
    NamespaceLost {
        /// The namespace.
        namespace: Namespace,
    },
    /// A revoked key never comes back.
    #[error("the delegation of {namespace} would be revoked for good: the same key can never be delegated again")]
    DelegationLost {
        /// The namespace.
        namespace: Namespace,
    },
    /// A root delegation that another key than the root's signs is none any more.
    #[error(
        "key {key} is not the root key of {namespace}: with its signature the delegation is no root any more, and the namespace can sign nothing until the root key publishes it again alone"
    )]
    DelegateOnRoot {
        /// The namespace.
        namespace: Namespace,
        /// The key that would sign.
        key: Fingerprint,
    },
    /// A namespace with an owner who has no root can be changed no more.
    #[error("owner {owner} of {namespace} would have no root delegation: the namespace could not be changed any more")]
    OwnerWithoutRoot {
        /// The namespace.
        namespace: Namespace,
        /// The owner.
        owner: Namespace,
    },
    /// Signatures that were too few before would be enough, or nearly.
    #[error(
        "signatures given for {transaction} would come alive: {more}; void it first",
        more = if *more == 0 { "anybody could make it effective".to_owned() } else { format!("{more} owners could complete it") }
    )]
    Awakens {
        /// What was signed.
        transaction: TransactionHash,
        /// How many owners it would take still; 0 for none.
        more: usize,
    },
}

/// A danger that an intent accepts, as it stands in the intent and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Accepted {
    ConfirmationOutOfReach,
    SignaturesOutOfReach,
    EveryOwnerNeeded,
    OneOwnerSuffices,
    NamespaceLost,
    DelegationLost,
    DelegateOnRoot,
    OwnerWithoutRoot,
    /// This transaction comes alive.
    Awakens(TransactionHash),
}

/// The text names no danger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no danger: expected the name that the refusal gave, such as every-owner-needed or awakens:1220…")]
pub struct NotADanger(String);

impl Accepted {
    /// Every danger whose name says all of it, with the name.
    pub const PLAIN: [(Self, &'static str); 8] = [
        (Self::ConfirmationOutOfReach, "confirmation-out-of-reach"),
        (Self::SignaturesOutOfReach, "signatures-out-of-reach"),
        (Self::EveryOwnerNeeded, "every-owner-needed"),
        (Self::OneOwnerSuffices, "one-owner-suffices"),
        (Self::NamespaceLost, "namespace-lost"),
        (Self::DelegationLost, "delegation-lost"),
        (Self::DelegateOnRoot, "delegate-on-root"),
        (Self::OwnerWithoutRoot, "owner-without-root"),
    ];
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Awakens(transaction) => write!(f, "awakens:{transaction}"),
            plain => Self::PLAIN.iter().filter(|(one, _)| one == plain).try_for_each(|(_, name)| f.write_str(name)),
        }
    }
}

impl FromStr for Accepted {
    type Err = NotADanger;

    fn from_str(text: &str) -> Result<Self, NotADanger> {
        if let Some(hash) = text.strip_prefix("awakens:") {
            return hash.parse().map(Self::Awakens).map_err(|_| NotADanger(text.to_owned()));
        }
        let plain = Self::PLAIN.iter().find(|(_, name)| *name == text);
        plain.map(|(one, _)| *one).ok_or_else(|| NotADanger(text.to_owned()))
    }
}

impl Danger {
    /// What an intent must accept for it.
    pub fn accepted_as(&self) -> Accepted {
        match self {
            Self::ConfirmationOutOfReach { .. } => Accepted::ConfirmationOutOfReach,
            Self::SignaturesOutOfReach { .. } => Accepted::SignaturesOutOfReach,
            Self::EveryOwnerNeeded { .. } => Accepted::EveryOwnerNeeded,
            Self::OneOwnerSuffices { .. } => Accepted::OneOwnerSuffices,
            Self::NamespaceLost { .. } => Accepted::NamespaceLost,
            Self::DelegationLost { .. } => Accepted::DelegationLost,
            Self::DelegateOnRoot { .. } => Accepted::DelegateOnRoot,
            Self::OwnerWithoutRoot { .. } => Accepted::OwnerWithoutRoot,
            Self::Awakens { transaction, .. } => Accepted::Awakens(*transaction),
        }
    }
}

/// The dangers of these transactions, taken together, on a topology. `live` are the signatures that the caller knows of
/// beside the open proposals of the topology.
pub fn dangers(transactions: &[Transaction], state: &State, live: &[SignedTransaction]) -> Vec<Danger> {
    let mut after = state.clone();
    let mut dangers = Vec::new();
    for transaction in transactions {
        let active = after.active(&transaction.unique_key()).map(|row| row.transaction.as_ref());
        let says_the_same = |active: &Transaction| {
            active.operation() == transaction.operation() && active.mapping() == transaction.mapping()
        };
        // What is said once more makes nothing worse.
        if !active.is_some_and(says_the_same) {
            dangers.extend(of_one(transaction));
        }
        after.assume(transaction);
    }
    dangers.extend(rootless(state, &after));
    // Any change can wake something: it moves its own chain on, to the serial that a proposal waits for.
    let awakened = awakened_by(state, transactions, live, &mut Verifier::default());
    dangers.extend(awakened.iter().map(awakens));
    dangers
}

fn awakens(awakened: &Awakened) -> Danger {
    let more = match &awakened.how {
        Awakening::AlreadyComplete | Awakening::Completed => 0,
        Awakening::WithinReach(lacking) => lacking.values().sum(),
    };
    Danger::Awakens { transaction: awakened.transaction, more }
}

/// Owners who lose the root that they had, or are taken in without one.
fn rootless(before: &State, after: &State) -> Vec<Danger> {
    let mut dangers = Vec::new();
    for row in after.of_kind(Code::DecentralizedNamespaceDefinition) {
        let Mapping::DecentralizedNamespaceDefinition(definition) = row.transaction.mapping() else { continue };
        let known = before.definition(&definition.namespace);
        let is_owner = |owner: &Namespace| known.is_some_and(|known| known.owners.contains(owner));
        for owner in definition.owners.iter().filter(|owner| !after.has_root(owner)) {
            if before.has_root(owner) || !is_owner(owner) {
                let (namespace, owner) = (definition.namespace.clone(), owner.clone());
                dangers.push(Danger::OwnerWithoutRoot { namespace, owner });
            }
        }
    }
    dangers
}

fn of_one(transaction: &Transaction) -> Vec<Danger> {
    let removes = transaction.operation() == Operation::Remove;
    let mut dangers = Vec::new();
    match transaction.mapping() {
        Mapping::DecentralizedNamespaceDefinition(m) if removes => {
            dangers.push(Danger::NamespaceLost { namespace: m.namespace.clone() });
        }
        Mapping::NamespaceDelegation(m) if removes => {
            dangers.push(Danger::DelegationLost { namespace: m.namespace.clone() });
        }
        Mapping::DecentralizedNamespaceDefinition(m) => {
            let (namespace, owners) = (m.namespace.clone(), m.owners.len());
            if m.threshold as usize >= owners {
                dangers.push(Danger::EveryOwnerNeeded { namespace, owners });
            } else if m.threshold == 1 {
                dangers.push(Danger::OneOwnerSuffices { namespace, owners });
            }
        }
        Mapping::PartyToParticipant(m) if !removes => {
            let (party, threshold, hosts) = (m.party.clone(), m.threshold, m.confirming_hosts());
            // Where all hosts only observe, the party confirms nothing and its threshold does not count.
            let only_observes = |host: &HostingParticipant| host.permission == Permission::Observation;
            let observes = !m.participants.is_empty() && m.participants.iter().all(only_observes);
            if threshold as usize > hosts && !observes {
                dangers.push(Danger::ConfirmationOutOfReach { party, threshold, hosts });
            }
            if let Some(keys) = &m.signing_keys {
                dangers.extend(signatures_out_of_reach(&m.party, keys.threshold, keys.keys.len()));
            }
        }
        Mapping::PartyToKeyMapping(m) if !removes => {
            dangers.extend(signatures_out_of_reach(&m.party, m.threshold, m.keys.len()));
        }
        Mapping::NamespaceDelegation(_)
        | Mapping::PartyToParticipant(_)
        | Mapping::OwnerToKeyMapping(_)
        | Mapping::SynchronizerTrustCertificate(_)
        | Mapping::ParticipantSynchronizerPermission(_)
        | Mapping::PartyHostingLimits(_)
        | Mapping::VettedPackages(_)
        | Mapping::SynchronizerParametersState(_)
        | Mapping::MediatorSynchronizerState(_)
        | Mapping::SequencerSynchronizerState(_)
        | Mapping::DynamicSequencingParametersState(_)
        | Mapping::PartyToKeyMapping(_)
        | Mapping::LsuAnnouncement(_)
        | Mapping::LsuSequencerConnectionSuccessor(_) => {}
    }
    dangers
}

fn signatures_out_of_reach(party: &PartyId, threshold: u32, keys: usize) -> Option<Danger> {
    (threshold as usize > keys).then(|| Danger::SignaturesOutOfReach { party: party.clone(), threshold, keys })
}
