//! The intent planned again on this agent's own topology, and compared with the offer field by field, as it is shown.

use canton_topology::{show, state::State, transaction::Transaction};

use crate::{intent::Intent, plan::Planner, refusal::Refusal};

pub(super) fn check(intent: &Intent, offered: &[Transaction], state: &State, planner: Planner) -> Result<(), Refusal> {
    let planned = planner(intent, state).map_err(Refusal::Unplannable)?;
    for (index, (found, expected)) in offered.iter().zip(&planned.transactions).enumerate() {
        compare(index, found, expected)?;
    }
    if planned.transactions.len() != offered.len() {
        return Err(Refusal::PlanLength { expected: planned.transactions.len(), found: offered.len() });
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
