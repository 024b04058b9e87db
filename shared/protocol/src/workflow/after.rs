//! Cases that come after another one: whether that one's change stands.

use canton_topology::state::State;

use super::{error::PlanError, membership};
use crate::{
    hosts::host_of,
    intent::{Change, Former, Intent},
};

/// Whether what comes before an intent stands.
pub fn is_reached(intent: &Intent, state: &State) -> bool {
    match intent.after.as_ref().map(|after| &after.stands) {
        None => true,
        Some(Former::Membership(change)) => matches!(membership::plan(change, state), Err(PlanError::NoChange { .. })),
        Some(Former::Host { party, participant }) => {
            host_of(state, party, participant).is_some_and(|host| !host.onboarding)
        }
    }
}

/// What stands when a change is carried out, for the case that comes after it; `None` for changes that nothing waits for.
pub fn former(change: &Change) -> Option<Former> {
    match change {
        Change::Membership(change) => Some(Former::Membership(change.clone())),
        Change::HostParty(change) => {
            let (party, participant) = (change.party.clone(), change.target.participant.clone());
            Some(Former::Host { party, participant })
        }
        Change::CreateParty(_)
        | Change::CreatePartyWithKeyMapping(_)
        | Change::Delegate(_)
        | Change::Revoke(_)
        | Change::RotateOwnerKey(_)
        | Change::LeaveHost(_)
        | Change::MigrateKeys(_)
        | Change::Raw(_)
        | Change::Void(_)
        | Change::Adopt(_) => None,
    }
}
