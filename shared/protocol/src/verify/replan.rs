//! The intent planned again on this agent's own topology, and compared with the offer field by field, as it is shown.

use canton_topology::{judge::next_serial, show, state::State, transaction::Transaction};

use super::stop::{Behind, Stop, Wait};
use crate::{
    intent::Intent,
    plan::{Plan, Planner},
    refusal::Refusal,
    workflow::error::PlanError,
};

/// The plan, where the offer is what it means.
pub(super) fn check(intent: &Intent, offered: &[Transaction], state: &State, planner: Planner) -> Result<Plan, Stop> {
    let planned = planner(intent, state).map_err(|error| match error {
        PlanError::ComesAfter { case } => Stop::NotYet(Wait::After(case)),
        other => Refusal::Unplannable(other).into(),
    })?;
    match same(offered, &planned.transactions) {
        Ok(()) => Ok(planned),
        Err(refusal) => match is_ahead(offered, &planned, state) {
            Some(wait) => Err(Stop::NotYet(wait)),
            None => Err(refusal.into()),
        },
    }
}

/// An offer of a later stage than the one that this agent's topology lacks still: its participant lags behind.
fn is_ahead(offered: &[Transaction], planned: &Plan, state: &State) -> Option<Wait> {
    let first = planned.transactions.first()?;
    let is_later = planned.later.iter().any(|stage| same(offered, stage).is_ok());
    let active = state.active(&first.unique_key()).map_or(0, |row| row.serial().get());
    let expected = next_serial(state, &first.unique_key()).map_or(0, |serial| serial.get());
    is_later.then_some(Wait::Base(Behind { index: 0, expected, seen: active }))
}

fn same(offered: &[Transaction], planned: &[Transaction]) -> Result<(), Refusal> {
    for (index, (found, expected)) in offered.iter().zip(planned).enumerate() {
        compare(index, found, expected)?;
    }
    if planned.len() != offered.len() {
        return Err(Refusal::PlanLength { expected: planned.len(), found: offered.len() });
    }
    Ok(())
}

/// What is shown of two transactions is the same exactly where their fields are, down to how a key is written: nodes
/// are known that disagree about a key under another label.
fn compare(index: usize, found: &Transaction, expected: &Transaction) -> Result<(), Refusal> {
    let (found_lines, expected_lines) = (show::transaction(found), show::transaction(expected));
    if found_lines == expected_lines && found.mapping() == expected.mapping() {
        return Ok(());
    }
    let length = found_lines.len().max(expected_lines.len());
    let differing = (0..length).find(|line| found_lines.get(*line) != expected_lines.get(*line)).unwrap_or(0);
    let value = |lines: &[show::Line]| {
        lines.get(differing).map_or_else(|| "nothing".to_owned(), |line| format!("{} = {}", line.path, line.value))
    };
    let field = expected_lines.get(differing).or_else(|| found_lines.get(differing));
    Err(Refusal::PlanMismatch {
        index,
        field: field.map(|line| line.path.clone()).unwrap_or_default(),
        expected: value(&expected_lines),
        found: value(&found_lines),
    })
}
