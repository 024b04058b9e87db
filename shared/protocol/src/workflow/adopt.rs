//! A transaction that was proposed elsewhere, taken up as it is: its bytes, at the serial that is still the next one.

use canton_topology::{judge::next_serial, state::State, transaction::Transaction};

use crate::{
    intent::Adopt,
    workflow::{building::decode_error, error::PlanError},
};

/// Plans it.
///
/// # Errors
/// Where the bytes do not read, say what is not shown, or wait for a serial that is not the next one any more.
pub fn plan(change: &Adopt, state: &State) -> Result<Vec<Transaction>, PlanError> {
    let field = "transaction";
    let transaction = Transaction::parse(&change.transaction).map_err(|error| decode_error(field, &error))?;
    let cannot = |reason: String| PlanError::Field { field: field.to_owned(), reason };
    if let Some(unshown) = transaction.unshown().first() {
        return Err(cannot(format!("{unshown}; nobody adopts what is not shown")));
    }
    let next = next_serial(state, &transaction.unique_key());
    if next != Some(transaction.serial()) {
        let next = next.map_or_else(|| "none".to_owned(), |serial| serial.to_string());
        let found = transaction.serial();
        return Err(cannot(format!("it waits for serial {found}, and the next one there is {next}")));
    }
    Ok(vec![transaction])
}
