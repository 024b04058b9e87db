//! The intent planned again on this agent's own topology, and compared with the offer by what it says.

use canton_topology::{show, state::State, transaction::Transaction};

use crate::{case::Offered, intent::Intent, plan, refusal::Refusal};

pub(super) fn check(intent: &Intent, offered: &Offered, state: &State) -> Result<(), Refusal> {
    // Transactions of the offer that are effective already no longer come out of a plan.
    let open: Vec<(usize, &Transaction)> = offered
        .transactions
        .iter()
        .enumerate()
        .filter(|(_, transaction)| state.effective_since(&transaction.hash()).is_none())
        .collect();
    let planned = plan::plan(intent, state).map_err(Refusal::Unplannable)?;
    if planned.transactions.len() != open.len() {
        return Err(Refusal::PlanLength { expected: planned.transactions.len(), found: open.len() });
    }
    for ((index, found), expected) in open.into_iter().zip(&planned.transactions) {
        compare(index, found, expected)?;
    }
    Ok(())
}

fn compare(index: usize, found: &Transaction, expected: &Transaction) -> Result<(), Refusal> {
    let same = found.operation() == expected.operation()
        && found.serial() == expected.serial()
        && found.mapping() == expected.mapping();
    if same {
        return Ok(());
    }
    let (found, expected) = (show::transaction(found), show::transaction(expected));
    let length = found.len().max(expected.len());
    let differing = (0..length).find(|line| found.get(*line) != expected.get(*line)).unwrap_or(0);
    let value = |lines: &[show::Line]| {
        lines.get(differing).map_or_else(|| "nothing".to_owned(), |line| format!("{} = {}", line.path, line.value))
    };
    let field = expected.get(differing).or_else(|| found.get(differing));
    Err(Refusal::PlanMismatch {
        index,
        field: field.map(|line| line.path.clone()).unwrap_or_default(),
        expected: value(&expected),
        found: value(&found),
    })
}
