//! The serials that live signatures wait for are consumed, by what is active today said once more.

use std::collections::BTreeSet;

use canton_topology::{
    state::State,
    transaction::{Operation, Transaction},
};

use crate::{
    intent::{Slot, Void},
    workflow::error::PlanError,
};

/// Plans it.
///
/// # Errors
/// Names the slot that cannot be consumed this way, and why.
pub fn plan(change: &Void, state: &State) -> Result<Vec<Transaction>, PlanError> {
    // Two signed transactions may wait for one slot; it is consumed once.
    let mut seen = BTreeSet::new();
    let distinct = change.slots.iter().filter(|slot| seen.insert((slot.unique_key, slot.serial)));
    distinct.map(|slot| consume(slot, state)).collect()
}

fn consume(slot: &Slot, state: &State) -> Result<Transaction, PlanError> {
    let cannot = |reason: &str| PlanError::CannotVoid {
        unique_key: slot.unique_key.to_string(),
        serial: slot.serial.get(),
        reason: reason.to_owned(),
    };
    let Some(row) = state.active(&slot.unique_key) else {
        return Err(cannot(
            "nothing is active there that could be said again; whatever is signed for it lives until something else \
             takes the first serial there: let its signers publish another mapping of the same name, then remove it",
        ));
    };
    if row.transaction.operation() == Operation::Remove {
        return Err(cannot(
            "what was there is removed, and a removal cannot be said again; publish another mapping there instead",
        ));
    }
    let next = row.serial().next();
    match next {
        Some(next) if next == slot.serial => {
            let repeated = Transaction::build(Operation::AddReplace, slot.serial, row.transaction.mapping());
            if repeated.hash() == slot.transaction {
                return Err(cannot("what waits there says what is active already; it would change nothing"));
            }
            Ok(repeated)
        }
        Some(next) if next < slot.serial => {
            Err(cannot(&format!("the next serial there is {next}; void it when its predecessor is there")))
        }
        Some(_) | None => Err(cannot("the serial is consumed; nothing that waits for it is alive")),
    }
}
