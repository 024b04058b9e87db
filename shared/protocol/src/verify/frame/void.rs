//! The frame of a void: at each slot's serial stands what stands today, so that nothing changes but who can still change
//! it. And whether a void names what is alive in the case that it is to kill.

use canton_topology::{show, transaction::Transaction};

use super::Step;
use crate::{case::Case, intent::Void, refusal::Refusal};

pub(super) fn check(wanted: &Void, step: &Step<'_>) -> Result<(), Refusal> {
    step.sets()?;
    let transaction = step.transaction;
    let (key, serial) = (transaction.unique_key(), transaction.serial());
    let is_named = wanted.slots.iter().any(|slot| slot.unique_key == key && slot.serial == serial);
    let before = step.before().filter(|_| is_named).ok_or_else(|| step.untouched())?;
    let (expected, found) = (show::mapping(before), show::mapping(transaction.mapping()));
    if before != transaction.mapping() || expected != found {
        return Err(step.untouched());
    }
    // The same bytes would be the live transaction itself: signing them would complete it.
    match wanted.slots.iter().find(|slot| slot.transaction == transaction.hash()) {
        None => Ok(()),
        Some(slot) => Err(step.outside("transaction", "another one than what is voided", &slot.transaction)),
    }
}

pub(super) fn filled(wanted: &Void, transactions: &[Transaction]) -> Result<(), Refusal> {
    for slot in &wanted.slots {
        let consumed = transactions
            .iter()
            .filter(|one| one.unique_key() == slot.unique_key && one.serial() == slot.serial)
            .count();
        if consumed != 1 {
            let what = format!("serial {} of {} once, found {consumed} times", slot.serial, slot.unique_key);
            return Err(Refusal::FrameNotFilled { what });
        }
    }
    Ok(())
}

/// Whether a void names transactions of the case that it is to kill, at the serials that they wait for. For an agent
/// that knows that case; a void is harmless to everything else, because it changes nothing that stands.
///
/// # Errors
/// [`Refusal::VoidMismatch`].
pub fn names_what_is_alive(void: &Void, other: &Case) -> Result<(), Refusal> {
    let mismatch = |reason: String| Err(Refusal::VoidMismatch { reason });
    if void.case != other.id() {
        return mismatch(format!("it is for case {}, this is {}", void.case, other.id()));
    }
    let offered = || other.offers().iter().flat_map(|offered| &offered.transactions);
    for slot in &void.slots {
        match offered().find(|transaction| transaction.hash() == slot.transaction) {
            None => return mismatch(format!("transaction {} was never offered there", slot.transaction)),
            Some(signed) if signed.unique_key() != slot.unique_key || signed.serial() != slot.serial => {
                let (key, serial) = (signed.unique_key(), signed.serial());
                return mismatch(format!("transaction {} waits for serial {serial} of {key}", slot.transaction));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
