//! A coordinator that plans honestly and then takes something for itself. Lives in the demo alone.

use canton_topology::{
    mapping::{Mapping, Permission},
    state::State,
    transaction::Transaction,
};
use protocol::{
    intent::Intent,
    plan::{Plan, plan},
    workflow::error::PlanError,
};

/// Plans the intent, and raises a host's permission beside it: well formed, and not what anybody wanted.
///
/// # Errors
/// Those of the honest planner.
pub fn planner(intent: &Intent, state: &State) -> Result<Plan, PlanError> {
    let mut plan = plan(intent, state)?;
    for transaction in &mut plan.transactions {
        if let Mapping::PartyToParticipant(party) = transaction.mapping() {
            let mut party = party.clone();
            if let Some(host) = party.participants.first_mut() {
                host.permission = Permission::Submission;
            }
            let mapping = Mapping::PartyToParticipant(party);
            *transaction = Transaction::build(transaction.operation(), transaction.serial(), &mapping);
        }
    }
    Ok(plan)
}
