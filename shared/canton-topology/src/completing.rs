//! Every smallest way to complete a transaction: who would have to sign, besides those who have.

use std::collections::BTreeSet;

use crate::{
    authorization::{Needed, Requirement},
    id::{Fingerprint, Namespace},
    judge::speakers,
    planner::{first_root, is_root_alone, lacking_owners, required},
    state::{State, root_delegation},
    transaction::Transaction,
};

/// Most sets that are listed: 13 of 25 owners alone would make five million.
pub const SETS_MAX: usize = 256;

/// Somebody whose signature would help.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Helper {
    /// An owner: any key that may sign this mapping for that plain namespace.
    Owner(Namespace),
    /// The key itself.
    Key(Fingerprint),
}

/// The smallest sets that complete a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completing {
    /// The sets, each without a superfluous member; one empty set where nothing is missing, none where nobody can help.
    pub sets: BTreeSet<BTreeSet<Helper>>,
    /// Whether there are more than [`SETS_MAX`].
    pub more: bool,
}

/// Every smallest set of helpers that completes `transaction` beside `signers`.
pub fn completing_sets(state: &State, transaction: &Transaction, signers: &BTreeSet<Fingerprint>) -> Completing {
    if let Some(root) = first_root(state, transaction) {
        let fingerprint = root.fingerprint();
        let set = if signers.contains(&fingerprint) { BTreeSet::new() } else { [Helper::Key(fingerprint)].into() };
        return Completing { sets: [set].into(), more: false };
    }
    if is_root_alone(transaction, signers) {
        return Completing { sets: [BTreeSet::new()].into(), more: false };
    }
    let mut search = Search { state, transaction, signers, more: false };
    let mut sets = search.formula(&required(state, transaction));
    // Where nobody has signed, the root key alone may publish its root again, even one that was broken.
    if let Some(root) = root_delegation(transaction).filter(|_| signers.is_empty()) {
        let key = root.target.fingerprint();
        if !state.keys_of(&root.namespace, transaction.mapping().code()).contains_key(&key) {
            sets.insert([Helper::Key(key)].into());
        }
    }
    Completing { sets, more: search.more }
}

struct Search<'a> {
    state: &'a State,
    transaction: &'a Transaction,
    signers: &'a BTreeSet<Fingerprint>,
    more: bool,
}

type Sets = BTreeSet<BTreeSet<Helper>>;

impl Search<'_> {
    fn formula(&mut self, requirement: &Requirement) -> Sets {
        let sets = match requirement {
            Requirement::All(needed) => self.all(needed),
            Requirement::Either(a, b) => self.formula(a).union(&self.formula(b)).cloned().collect(),
            Requirement::Both(parts) => parts.iter().fold([BTreeSet::new()].into(), |sums: Sets, part| {
                let more = self.formula(part);
                self.product(&sums, &more)
            }),
        };
        self.minimal(sets)
    }

    fn all(&mut self, needed: &Needed) -> Sets {
        let mut sums: Sets = [BTreeSet::new()].into();
        for namespace in &needed.namespaces {
            let ways = self.namespace(namespace);
            sums = self.product(&sums, &ways);
        }
        let forgiven = self.state.rules().forgive_keys_of(self.transaction.mapping());
        let keys = needed.keys.iter().filter(|key| !forgiven && !self.signers.contains(*key));
        let keys: BTreeSet<Helper> = keys.cloned().map(Helper::Key).collect();
        self.product(&sums, &[keys].into())
    }

    /// The ways to make a namespace agree: any of its silent owners, as many as it still takes.
    fn namespace(&mut self, namespace: &Namespace) -> Sets {
        let code = self.transaction.mapping().code();
        if speakers(self.state, namespace, self.signers, code).0 || self.signs_for_itself(namespace, self.signers) {
            return [BTreeSet::new()].into();
        }
        let mut ways = Sets::new();
        if let Some(key) = self.own_key(namespace) {
            ways.insert([Helper::Key(key)].into());
        }
        let (more, silent) = lacking_owners(self.state, namespace, self.signers, self.transaction);
        let able = |owner: &Namespace| !self.state.keys_of(owner, code).is_empty();
        let able: Vec<Namespace> = silent.into_iter().filter(|owner| able(owner)).collect();
        self.choose(&able, more, &mut BTreeSet::new(), &mut ways);
        ways
    }

    /// A party's own inline key that is its namespace's key speaks for the namespace.
    fn own_key(&self, namespace: &Namespace) -> Option<Fingerprint> {
        let crate::mapping::Mapping::PartyToParticipant(party) = self.transaction.mapping() else { return None };
        party.self_signing_key().map(|key| key.fingerprint()).filter(|key| key == namespace.fingerprint())
    }

    fn signs_for_itself(&self, namespace: &Namespace, signers: &BTreeSet<Fingerprint>) -> bool {
        self.own_key(namespace).is_some_and(|key| signers.contains(&key))
    }

    fn choose(&mut self, from: &[Namespace], count: usize, chosen: &mut BTreeSet<Helper>, ways: &mut Sets) {
        if count == 0 {
            ways.insert(chosen.clone());
            return;
        }
        for (index, owner) in from.iter().enumerate() {
            if ways.len() >= SETS_MAX {
                self.more = true;
                return;
            }
            if from.len() - index < count {
                return;
            }
            let helper = Helper::Owner(owner.clone());
            chosen.insert(helper.clone());
            self.choose(&from[index + 1..], count - 1, chosen, ways);
            chosen.remove(&helper);
        }
    }

    fn product(&mut self, a: &Sets, b: &Sets) -> Sets {
        let mut sets = Sets::new();
        for one in a {
            for other in b {
                if sets.len() >= SETS_MAX {
                    self.more = true;
                    return sets;
                }
                sets.insert(one.union(other).cloned().collect());
            }
        }
        self.minimal(sets)
    }

    fn minimal(&self, sets: Sets) -> Sets {
        let is_minimal = |set: &BTreeSet<Helper>| !sets.iter().any(|other| other != set && other.is_subset(set));
        sets.iter().filter(|set| is_minimal(set)).cloned().collect()
    }
}
