//! Rivals: transactions that wait for the same serial of the same chain. One of them can win.

use std::collections::BTreeMap;

use canton_topology::{
    Timestamp,
    hash::UniqueKey,
    id::Fingerprint,
    judge::Verifier,
    state::State,
    transaction::{Serial, Transaction},
};

use crate::{
    case::{Case, Offered},
    foreign::Foreign,
    intent::{CaseId, Slot},
    life::winner,
    merge::{self, Merged},
};

/// Where a transaction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A case.
    Case(CaseId),
    /// Somewhere else: see [`crate::foreign`].
    Elsewhere,
}

/// A transaction that waits for a serial which is still free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Where it comes from.
    pub origin: Origin,
    /// What it waits for.
    pub slot: Slot,
    /// The keys that signed it.
    pub signers: Vec<Fingerprint>,
    /// How many owners and keys it lacks; 0 for none.
    pub lacks: usize,
}

/// Everything that waits, by what it waits for.
#[derive(Clone, Debug, Default)]
pub struct Contest(BTreeMap<(UniqueKey, Serial), Vec<Contender>>);

impl Contest {
    /// Of these cases and proposals made elsewhere. What nobody signed counts only while its case is open.
    pub fn of<'a>(
        cases: impl Iterator<Item = &'a Case>,
        foreign: &[Foreign],
        state: &State,
        verifier: &mut Verifier,
        now: Timestamp,
    ) -> Self {
        let mut contest = Self::default();
        for case in cases {
            for offered in case.offers() {
                let is_wanted = is_wanted(case, offered, now);
                for one in merge::merge(case, offered, state, verifier) {
                    if !one.effective && (is_wanted || !one.signed.signers().is_empty()) {
                        contest.enter(Origin::Case(case.id()), &one, state);
                    }
                }
            }
        }
        for one in foreign {
            contest.enter(Origin::Elsewhere, &one.merged, state);
        }
        contest
    }

    fn enter(&mut self, origin: Origin, one: &Merged, state: &State) {
        let transaction = &one.signed.transaction;
        if winner(state, transaction).is_some() {
            return;
        }
        let slot = slot(transaction);
        let lacking = one.missing.namespaces.iter().map(|namespace| namespace.more).sum::<usize>();
        let contender = Contender {
            origin,
            slot,
            signers: one.signed.signers().into_iter().collect(),
            lacks: lacking + one.missing.keys.len(),
        };
        let waiting = self.0.entry((contender.slot.unique_key, contender.slot.serial)).or_default();
        if !waiting.iter().any(|other| other.origin == origin && other.slot == contender.slot) {
            waiting.push(contender);
        }
    }

    /// Whoever waits for the serial of this transaction with another one, the nearest first.
    pub fn against(&self, transaction: &Transaction) -> Vec<&Contender> {
        let slot = slot(transaction);
        let waiting = self.0.get(&(slot.unique_key, slot.serial));
        let mut rivals: Vec<&Contender> =
            waiting.into_iter().flatten().filter(|one| one.slot.transaction != slot.transaction).collect();
        rivals.sort_by_key(|one| (one.lacks, one.slot.transaction, one.origin));
        rivals
    }

    /// The rivals of a case's newest offer.
    pub fn against_case(&self, case: &Case) -> Vec<&Contender> {
        let transactions = case.offer().map_or(&[][..], |offered| &offered.transactions);
        transactions.iter().flat_map(|transaction| self.against(transaction)).collect()
    }
}

fn is_wanted(case: &Case, offered: &Offered, now: Timestamp) -> bool {
    let is_newest = case.offer().is_some_and(|newest| newest.hash == offered.hash);
    is_newest && case.withdrawal().is_none() && now <= case.intent().deadline
}

fn slot(transaction: &Transaction) -> Slot {
    Slot { unique_key: transaction.unique_key(), serial: transaction.serial(), transaction: transaction.hash() }
}
