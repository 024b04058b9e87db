//! Whether an offer builds on the topology that this agent sees.

use canton_topology::{
    hash::TransactionHash,
    judge::next_serial,
    state::State,
    transaction::{Serial, Transaction},
};

use super::stop::{Behind, Stop, Wait};
use crate::{case::Offered, plan, refusal::Refusal, statement::BaseRow};

pub(super) fn check(offered: &Offered, state: &State) -> Result<(), Stop> {
    let touched = plan::base_of(&offered.transactions, state);
    covers(&offered.offer.base, &touched)?;
    // A stale row is a no, whatever the others say: waiting would not help.
    let mut wait = None;
    for (claimed, seen) in offered.offer.base.iter().zip(&touched) {
        let index = first_on(&offered.transactions, seen);
        match compare(claimed.active, seen.active) {
            Base::Same => {}
            Base::Ahead(expected, seen) => {
                wait.get_or_insert(Wait::Base(Behind { index, expected, seen }));
            }
            Base::Gone => {
                let (claimed, seen) = (words(claimed.active), words(seen.active));
                return Err(Refusal::StaleBase { index, claimed, seen }.into());
            }
        }
    }
    match wait {
        Some(wait) => Err(Stop::NotYet(wait)),
        None => serials(&offered.transactions, state).map_err(Stop::Refused),
    }
}

enum Base {
    Same,
    Ahead(u32, u32),
    Gone,
}

type Active = Option<(Serial, TransactionHash)>;

fn compare(claimed: Active, seen: Active) -> Base {
    let number = |active: Active| active.map_or(0, |(serial, _)| serial.get());
    if claimed == seen {
        return Base::Same;
    }
    let (expected, here) = (number(claimed), number(seen));
    if expected > here { Base::Ahead(expected, here) } else { Base::Gone }
}

fn words(active: Active) -> String {
    active.map_or_else(|| "nothing".to_owned(), |(serial, hash)| format!("serial {serial} ({hash})"))
}

/// Every chain that is touched has its row, in the order of the transactions, and no other has one: the approval will
/// name the base, and so says that its owner saw all of it.
fn covers(base: &[BaseRow], touched: &[BaseRow]) -> Result<(), Refusal> {
    let key = |rows: &[BaseRow], row: usize| {
        rows.get(row).map_or_else(|| "nothing".to_owned(), |row| row.unique_key.to_string())
    };
    for row in 0..base.len().max(touched.len()) {
        let (expected, found) = (key(touched, row), key(base, row));
        if expected != found {
            return Err(Refusal::BaseMismatch { row, expected, found });
        }
    }
    Ok(())
}

/// Active serial + 1 only; a first serial is exactly 1.
fn serials(transactions: &[Transaction], state: &State) -> Result<(), Refusal> {
    let mut scratch = state.clone();
    for (index, transaction) in transactions.iter().enumerate() {
        let expected = next_serial(&scratch, &transaction.unique_key());
        if expected != Some(transaction.serial()) {
            let expected = expected.map_or(0, Serial::get);
            return Err(Refusal::SerialNotNext { index, expected, found: transaction.serial().get() });
        }
        scratch.assume(transaction);
    }
    Ok(())
}

fn first_on(transactions: &[Transaction], row: &BaseRow) -> usize {
    transactions.iter().position(|transaction| transaction.unique_key() == row.unique_key).unwrap_or(0)
}
