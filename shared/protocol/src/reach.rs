//! Which states an offer can lead to. Canton knows no batch that is done as a whole: whoever holds the signatures hands in
//! whichever of the transactions they like.

use std::collections::BTreeSet;

use canton_topology::{mapping::Mapping, state::State, transaction::Transaction};

use crate::{limits, naming::subject, part_name::PartName};

/// A state in which a part of an offer took effect and the rest did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: PartName,
    /// The transactions that took effect, in the offer's order, with the roots that they stand on.
    pub transactions: Vec<Transaction>,
    /// What stands then, in words.
    pub stands: Vec<String>,
    /// What is as before, in words.
    pub lacks: Vec<String>,
}

/// The states between nothing and all of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parts {
    /// There is none that changes what stands.
    Whole,
    /// Each of these.
    Each(Vec<Part>),
    /// Any choice of so many transactions.
    TooMany(usize),
}

/// Which parts of these transactions would leave a state that neither stands today nor is what all of them want.
///
/// A root that is published changes nothing for anybody, and neither does what is said once more. Where nothing that
/// stands is touched, as by a new party, the parts found something unfinished and take nothing from anybody.
pub fn parts(transactions: &[Transaction], state: &State) -> Parts {
    let mut scratch = state.clone();
    let mut movable: Vec<usize> = Vec::new();
    for (index, transaction) in transactions.iter().enumerate() {
        if changes_what_stands(transaction, &scratch) {
            movable.push(index);
        }
        scratch.assume(transaction);
    }
    let touches = movable.iter().any(|index| state.active(&transactions[*index].unique_key()).is_some());
    if movable.len() < 2 || !touches {
        return Parts::Whole;
    }
    if movable.len() > limits::PARTS_MAX {
        return Parts::TooMany(movable.len());
    }
    let all = (1..(1_u32 << movable.len()) - 1).map(|bits| {
        let chosen = movable.iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1);
        chosen.map(|(_, index)| *index).collect::<BTreeSet<usize>>()
    });
    let parts = all.filter(|chosen| is_chain_whole(transactions, &movable, chosen));
    Parts::Each(parts.map(|chosen| part(transactions, &movable, &chosen)).collect())
}

fn changes_what_stands(transaction: &Transaction, state: &State) -> bool {
    match state.active(&transaction.unique_key()) {
        None => !matches!(transaction.mapping(), Mapping::NamespaceDelegation(delegation) if delegation.is_root()),
        Some(row) => {
            let active = &row.transaction;
            active.operation() != transaction.operation() || active.mapping() != transaction.mapping()
        }
    }
}

/// A serial is taken only after the one before it.
fn is_chain_whole(transactions: &[Transaction], movable: &[usize], chosen: &BTreeSet<usize>) -> bool {
    let same_chain = |a: usize, b: usize| transactions[a].unique_key() == transactions[b].unique_key();
    chosen.iter().all(|later| {
        let mut before = movable.iter().filter(|earlier| *earlier < later && same_chain(**earlier, *later));
        before.all(|earlier| chosen.contains(earlier))
    })
}

fn part(transactions: &[Transaction], movable: &[usize], chosen: &BTreeSet<usize>) -> Part {
    let words = |index: &usize| {
        let mapping = transactions[*index].mapping();
        format!("{} {}", mapping.code().name(), subject(mapping))
    };
    let stays = |index: &usize| chosen.contains(index) || !movable.contains(index);
    Part {
        name: PartName::of(chosen.iter().map(|index| transactions[*index].unique_key())),
        transactions: (0..transactions.len()).filter(stays).map(|index| transactions[index].clone()).collect(),
        stands: chosen.iter().map(words).collect(),
        lacks: movable.iter().filter(|index| !chosen.contains(*index)).map(words).collect(),
    }
}
