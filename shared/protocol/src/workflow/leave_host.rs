//! A host leaves a party by itself. Nothing else may change, or Canton would ask the owners too; and the hosts that stay
//! must still be enough to confirm.

use canton_topology::{mapping::Mapping, state::State, transaction::Transaction};

use crate::{
    intent::LeaveHost,
    workflow::{
        building::{in_range, next, party},
        error::PlanError,
    },
};

/// Plans it.
///
/// # Errors
/// [`PlanError::NotFound`] where it does not host the party; [`PlanError::OutOfRange`] where those who stay are too few.
pub fn plan(change: &LeaveHost, state: &State) -> Result<Vec<Transaction>, PlanError> {
    let mut after = party(state, &change.party)?.clone();
    if after.host(&change.participant).is_none() {
        return Err(PlanError::NotFound { what: format!("host {} of {}", change.participant, change.party) });
    }
    after.participants.retain(|host| host.participant != change.participant);
    let hint = " (the confirming hosts that stay; the owners must lower it first, with `propose change-thresholds`)";
    let (threshold, stay) = (u64::from(after.threshold), after.confirming_hosts() as u64);
    in_range("confirmation_threshold", threshold, 1, stay, hint)?;
    Ok(vec![next(state, Mapping::PartyToParticipant(after))?])
}
