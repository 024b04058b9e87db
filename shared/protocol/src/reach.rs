//! Which states an offer can lead to. Canton knows no batch that is done as a whole: whoever holds the signatures hands in
//! whichever of the transactions they like.

use std::{collections::BTreeSet, fmt, str::FromStr};

use canton_topology::{mapping::Mapping, state::State, transaction::Transaction};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{limits, plan::subject};

/// The name of a state in which only a part of an offer took effect: SHA-256 over the chains that the part touches. The
/// same whatever the serials, so that it holds when the offer is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartName([u8; 32]);

/// The text is no name of a part.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no name of a part: expected 64 hex digits")]
pub struct NotAPartName(String);

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for PartName {
    type Err = NotAPartName;

    fn from_str(text: &str) -> Result<Self, NotAPartName> {
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| NotAPartName(text.to_owned()))
    }
}

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
    let mut chains: Vec<[u8; 34]> = chosen.iter().map(|index| *transactions[*index].unique_key().as_bytes()).collect();
    chains.sort_unstable();
    let mut hasher = Sha256::new();
    hasher.update(b"countersign/part-name/v1\n");
    chains.iter().for_each(|chain| hasher.update(chain));
    let stays = |index: &usize| chosen.contains(index) || !movable.contains(index);
    Part {
        name: PartName(hasher.finalize().into()),
        transactions: (0..transactions.len()).filter(stays).map(|index| transactions[index].clone()).collect(),
        stands: chosen.iter().map(words).collect(),
        lacks: movable.iter().filter(|index| !chosen.contains(*index)).map(words).collect(),
    }
}
