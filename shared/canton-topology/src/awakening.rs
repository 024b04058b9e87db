//! Sleepers: given signatures that are too few today, and what a change of owners, thresholds or delegations does for
//! them. Canton keeps a proposal until its serial is consumed and judges its signatures by the topology of the day, so a
//! change can complete what was signed long before, and then a stranger's resubmission is enough to make it effective.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    authorization::Requirement,
    hash::{TransactionHash, UniqueKey},
    id::{Fingerprint, Namespace},
    judge::Verifier,
    planner::{assess, lacking_owners, permissible, required},
    state::State,
    transaction::{Serial, SignatureOver, SignedTransaction, Transaction},
};

/// A sleeper that a change wakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awakened {
    /// What was signed.
    pub transaction: TransactionHash,
    /// The chain that it waits in.
    pub unique_key: UniqueKey,
    /// The serial that it waits for.
    pub serial: Serial,
    /// The keys whose signatures count after the change.
    pub signers: BTreeSet<Fingerprint>,
    /// How far it wakes.
    pub how: Awakening,
}

/// How far a sleeper wakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awakening {
    /// Nothing is missing even before the change, in a chain that the change would move on: whoever sends it again first
    /// decides which of the two becomes effective.
    AlreadyComplete,
    /// Nothing is missing after the change: whoever holds the signatures can make it effective, and so can anybody who
    /// sends it again where it is an open proposal.
    Completed,
    /// Fewer owners than the threshold can complete it: for each decentralized namespace, how many of them it takes.
    WithinReach(BTreeMap<Namespace, usize>),
}

/// Every live transaction that the changes, taken together, would complete or bring within reach of fewer hostile owners
/// than the threshold of its namespace, and that was not there before; and every rival of the changes that is complete
/// already. A serial that is not the next one cannot be reached until the chain has come so far. Looks at the open proposals of `state` and at
/// `live`, the signatures that the caller knows of. Hosts, plain namespaces and keys count as hostile: they can sign at
/// any time.
pub fn awakened_by(
    state: &State,
    changes: &[Transaction],
    live: &[SignedTransaction],
    verifier: &mut Verifier,
) -> Vec<Awakened> {
    let mut after = state.clone();
    for change in changes {
        after.assume(change);
    }
    let changed: BTreeSet<TransactionHash> = changes.iter().map(Transaction::hash).collect();
    let mut sleepers: BTreeMap<TransactionHash, Sleeper> = BTreeMap::new();
    let open = state.proposals().map(|row| row.to_signed());
    for signed in open.chain(live.iter().cloned()) {
        let hash = signed.transaction.hash();
        if !changed.contains(&hash) {
            let signatures = signed.distinct_signatures();
            let transaction = signed.transaction;
            let sleeper = sleepers.entry(hash).or_insert_with(|| Sleeper { transaction, signatures: Vec::new() });
            sleeper.signatures.extend(signatures);
        }
    }
    let moved_on: BTreeSet<UniqueKey> =
        changes.iter().filter(|change| is_new(state, change)).map(Transaction::unique_key).collect();
    let awakened = |sleeper: &Sleeper| {
        let is_rival = moved_on.contains(&sleeper.transaction.unique_key());
        sleeper.awakened(state, &after, is_rival, verifier)
    };
    sleepers.values().filter_map(awakened).collect()
}

/// Whether the change says something else than what stands: saying the same again only consumes a serial, which is how
/// sleepers are voided.
fn is_new(state: &State, change: &Transaction) -> bool {
    let active = state.active(&change.unique_key()).map(|row| &row.transaction);
    active.is_none_or(|active| active.operation() != change.operation() || active.mapping() != change.mapping())
}

/// A transaction with everything that was signed for it.
struct Sleeper {
    transaction: Transaction,
    signatures: Vec<SignatureOver>,
}

/// Where a sleeper stands in one topology.
struct Standing {
    signers: BTreeSet<Fingerprint>,
    satisfied: bool,
    distance: Distance,
}

/// How many owners a formula takes still.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Distance {
    /// No decentralized namespace has anything to say.
    NoOwners,
    /// Not fewer than a namespace's threshold: as if nobody had signed.
    Far,
    /// So many of each decentralized namespace, always fewer than its threshold.
    Near(BTreeMap<Namespace, usize>),
}

impl Distance {
    fn owners(&self) -> Option<usize> {
        match self {
            Self::Near(lacking) => Some(lacking.values().sum()),
            Self::NoOwners | Self::Far => None,
        }
    }

    /// What it takes to meet both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Far, _) | (_, Self::Far) => Self::Far,
            (Self::NoOwners, one) | (one, Self::NoOwners) => one,
            (Self::Near(mut one), Self::Near(other)) => {
                for (namespace, more) in other {
                    let most = one.entry(namespace).or_default();
                    *most = more.max(*most);
                }
                Self::Near(one)
            }
        }
    }

    /// What it takes to meet either.
    fn or(self, other: Self) -> Self {
        match (self.owners(), other.owners()) {
            (Some(one), Some(two)) if two < one => other,
            (Some(_), _) => self,
            (None, Some(_)) => other,
            (None, None) if self == Self::NoOwners => other,
            (None, None) => self,
        }
    }
}

impl Sleeper {
    fn awakened(&self, before: &State, after: &State, is_rival: bool, verifier: &mut Verifier) -> Option<Awakened> {
        let was = self.standing(before, verifier);
        if let Some(was) = was.as_ref().filter(|was| was.satisfied) {
            return is_rival.then(|| self.told(was.signers.clone(), Awakening::AlreadyComplete));
        }
        let now = self.standing(after, verifier)?;
        let how = if now.satisfied {
            Awakening::Completed
        } else {
            let owners = now.distance.owners()?;
            let was_as_near = |was: &Standing| was.distance.owners().is_some_and(|before| before <= owners);
            if was.as_ref().is_some_and(was_as_near) {
                return None;
            }
            let Distance::Near(lacking) = now.distance else { return None };
            Awakening::WithinReach(lacking.into_iter().filter(|(_, more)| *more > 0).collect())
        };
        Some(self.told(now.signers, how))
    }

    fn told(&self, signers: BTreeSet<Fingerprint>, how: Awakening) -> Awakened {
        Awakened {
            transaction: self.transaction.hash(),
            unique_key: self.transaction.unique_key(),
            serial: self.transaction.serial(),
            signers,
            how,
        }
    }

    /// `None` where the serial is consumed, or not the next one. Any serial may be the first of a chain.
    fn standing(&self, state: &State, verifier: &mut Verifier) -> Option<Standing> {
        let transaction = &self.transaction;
        let active = state.active(&transaction.unique_key());
        if active.is_some_and(|row| row.serial().next() != Some(transaction.serial())) {
            return None;
        }
        let named = self.signatures.iter().map(|over| over.signature.signed_by().clone()).collect();
        let keys = permissible(state, transaction, &named);
        let mut is_valid = |over: &&SignatureOver| {
            keys.get(over.signature.signed_by()).is_some_and(|key| verifier.verify(over, key).is_ok())
        };
        let valid = self.signatures.iter().filter(&mut is_valid);
        let signers: BTreeSet<Fingerprint> = valid.map(|over| over.signature.signed_by().clone()).collect();
        let satisfied = assess(state, transaction, &signers).satisfied;
        let distance = self.distance(state, &signers, &required(state, transaction));
        Some(Standing { signers, satisfied, distance })
    }

    fn distance(&self, state: &State, signers: &BTreeSet<Fingerprint>, formula: &Requirement) -> Distance {
        match formula {
            Requirement::All(needed) => needed.namespaces.iter().fold(Distance::NoOwners, |distance, namespace| {
                let Some(definition) = state.definition(namespace) else { return distance };
                let (more, _) = lacking_owners(state, namespace, signers, &self.transaction);
                let is_near = more < definition.threshold as usize;
                distance.and(if is_near { Distance::Near([(namespace.clone(), more)].into()) } else { Distance::Far })
            }),
            Requirement::Either(one, other) => {
                self.distance(state, signers, one).or(self.distance(state, signers, other))
            }
            Requirement::Both(all) => {
                let distances = all.iter().map(|part| self.distance(state, signers, part));
                distances.fold(Distance::NoOwners, Distance::and)
            }
        }
    }
}
