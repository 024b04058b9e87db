//! The serials that live signatures wait for are consumed, by what is active today said once more.

use canton_topology::{
    state::State,
    transaction::{Operation, Transaction},
};

use crate::{
    intent::{Slot, Void},
    plan::PlanError,
};

/// Plans it.
///
/// # Errors
/// Names the slot that cannot be consumed this way, and why.
pub fn plan(change: &Void, state: &State) -> Result<Vec<Transaction>, PlanError> {
    change.slots.iter().map(|slot| consume(slot, state)).collect()
}

fn consume(slot: &Slot, state: &State) -> Result<Transaction, PlanError> {
    let cannot = |reason: &str| PlanError::CannotVoid {
        unique_key: slot.unique_key.to_string(),
        serial: slot.serial.get(),
        reason: reason.to_owned(),
    };
    let row = state.active(&slot.unique_key).ok_or_else(|| {
        cannot("nothing is active there that could be said again; create it another way, which takes serial 1")
    })?;
    if row.transaction.operation() == Operation::Remove {
        return Err(cannot("what was there is removed; a removal cannot be said again"));
    }
    if row.serial().next() != Some(slot.serial) {
        return Err(cannot("the serial is not the next one; nothing there is alive"));
    }
    Ok(Transaction::build(Operation::AddReplace, slot.serial, row.transaction.mapping()))
}
