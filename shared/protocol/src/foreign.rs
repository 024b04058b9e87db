//! Proposals made elsewhere: what stands open on the synchronizer and belongs to no case that is known here, such as
//! the work of a Canton console.
//!
//! They are in quarantine: shown and counted, within bounds that no stranger can fill for another, and nothing here makes
//! one signable. That takes an owner who [adopts](crate::intent::Adopt) one, and a case like any other.

use std::collections::{BTreeMap, BTreeSet};

use canton_topology::{
    Timestamp,
    hash::{TransactionHash, UniqueKey},
    id::{Fingerprint, Namespace},
    judge::Verifier,
    planner,
    state::{Row, State},
    transaction::{Serial, Transaction},
};

use crate::{
    case::Case,
    limits,
    merge::{self, Merged},
};

/// A proposal made elsewhere.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The transaction with the signatures that verify and count today, and what it lacks.
    pub merged: Merged,
    /// When it was sequenced, with the signatures that it has.
    pub sequenced: Timestamp,
    /// For whom these signatures are given.
    pub namespaces: BTreeSet<Namespace>,
}

impl Foreign {
    /// What was proposed.
    pub fn transaction(&self) -> &Transaction {
        &self.merged.signed.transaction
    }

    /// The keys that signed.
    pub fn signers(&self) -> BTreeSet<Fingerprint> {
        self.merged.signed.signers()
    }
}

/// Everything that was made elsewhere, within bounds.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    /// What is shown, oldest first.
    pub shown: Vec<Foreign>,
    /// What is not, because it is too much: how many for each namespace that signed.
    pub hidden: BTreeMap<Namespace, usize>,
    /// How many are not shown. One that two namespaces signed is one.
    pub hidden_total: usize,
}

impl Quarantine {
    /// How many there are, shown or not.
    pub fn total(&self) -> usize {
        self.shown.len() + self.hidden_total
    }
}

/// The hashes of all transactions that were ever offered in these cases.
pub fn offered<'a>(cases: impl Iterator<Item = &'a Case>) -> BTreeSet<TransactionHash> {
    cases.flat_map(Case::offers).flat_map(|offered| &offered.transactions).map(Transaction::hash).collect()
}

/// Whom a reader knows: owners of the own book and their participants.
pub type Knows<'a> = &'a dyn Fn(&Namespace) -> bool;

/// The open proposals of a topology that are not among the known ones.
///
/// A proposal is hidden only where every namespace that signed it has as many before it: who floods the synchronizer
/// hides what it signed itself, and nobody's else. Where there is not room for all, those go first that somebody signed
/// whom the reader knows: namespaces cost nothing, and a stranger can have any number of them.
pub fn quarantine(
    state: &State,
    known: &BTreeSet<TransactionHash>,
    knows: Knows<'_>,
    verifier: &mut Verifier,
) -> Quarantine {
    let mut seen: BTreeMap<Namespace, usize> = BTreeMap::new();
    let mut quarantine = Quarantine::default();
    for (row, namespaces) in strangers(state, known, knows, |_| true) {
        let has_room = |namespace: &Namespace| {
            seen.get(namespace).copied().unwrap_or_default() < limits::FOREIGN_PER_NAMESPACE_MAX
        };
        let is_shown = quarantine.shown.len() < limits::FOREIGN_SHOWN_MAX && namespaces.iter().any(has_room);
        for namespace in &namespaces {
            *seen.entry(namespace.clone()).or_default() += 1;
        }
        if is_shown {
            quarantine.shown.push(look(row, namespaces, state, verifier));
        } else {
            quarantine.hidden_total += 1;
            for namespace in namespaces {
                *quarantine.hidden.entry(namespace).or_default() += 1;
            }
        }
    }
    quarantine.shown.sort_by_key(|one| (one.sequenced, one.transaction().hash()));
    quarantine
}

/// The open proposals that wait for any of these serials, shown in the list of all or hidden there; as many as are ever
/// shown.
pub fn waiting_for(
    slots: &BTreeSet<(UniqueKey, Serial)>,
    state: &State,
    known: &BTreeSet<TransactionHash>,
    knows: Knows<'_>,
    verifier: &mut Verifier,
) -> Vec<Foreign> {
    let waits = |row: &Row| slots.contains(&(row.transaction.unique_key(), row.serial()));
    let all = strangers(state, known, knows, waits).into_iter().take(limits::FOREIGN_SHOWN_MAX);
    all.map(|(row, namespaces)| look(row, namespaces, state, verifier)).collect()
}

/// What nobody here has offered, with who signed it: what somebody known signed first, then the oldest.
fn strangers<'a>(
    state: &'a State,
    known: &BTreeSet<TransactionHash>,
    knows: Knows<'_>,
    fits: impl Fn(&Row) -> bool,
) -> Vec<(&'a Row, BTreeSet<Namespace>)> {
    let rows = state.proposals().filter(|row| !known.contains(&row.hash()) && fits(row));
    let mut all: Vec<_> = rows.map(|row| (row, signed_for(row, state))).collect();
    all.sort_by_cached_key(|(row, namespaces)| {
        let is_strange = !namespaces.iter().any(knows);
        (is_strange, row.sequenced, row.hash())
    });
    all
}

/// One open proposal by its hash, hidden or not; `None` where it is not open, or a case has it.
pub fn find(
    state: &State,
    known: &BTreeSet<TransactionHash>,
    hash: &TransactionHash,
    verifier: &mut Verifier,
) -> Option<Foreign> {
    let row = state.proposals().find(|row| row.hash() == *hash && !known.contains(hash))?;
    Some(look(row, signed_for(row, state), state, verifier))
}

fn look(row: &Row, namespaces: BTreeSet<Namespace>, state: &State, verifier: &mut Verifier) -> Foreign {
    let merged = merge::merge_one(&row.transaction, Vec::new(), Some(row), state, verifier);
    Foreign { merged, sequenced: row.sequenced, namespaces }
}

/// The plain namespaces for which a proposal's keys speak. A key that speaks for none that is asked stands for itself.
fn signed_for(row: &Row, state: &State) -> BTreeSet<Namespace> {
    let code = row.transaction.mapping().code();
    let asked = planner::required(state, &row.transaction).mentioned().namespaces;
    let mut owners: BTreeSet<Namespace> = BTreeSet::new();
    for namespace in asked {
        match state.definition(&namespace) {
            Some(definition) => owners.extend(definition.owners.iter().cloned()),
            None => {
                owners.insert(namespace);
            }
        }
    }
    let mut found = BTreeSet::new();
    let mut silent = row.signers();
    for owner in owners {
        let keys = state.keys_of(&owner, code);
        if row.signatures.keys().any(|key| keys.contains_key(key)) {
            silent.retain(|key| !keys.contains_key(key));
            found.insert(owner);
        }
    }
    found.extend(silent.into_iter().map(Namespace::from));
    found
}
