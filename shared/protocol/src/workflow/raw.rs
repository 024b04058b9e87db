//! Transactions as they are. They are read, and nothing else is done to them.

use canton_topology::transaction::Transaction;

use crate::{
    intent::Raw,
    workflow::{building::decode_error, error::PlanError},
};

/// Plans it.
///
/// # Errors
/// Names the transaction, the byte and the field that do not read.
pub fn plan(change: &Raw) -> Result<Vec<Transaction>, PlanError> {
    let mut transactions = Vec::new();
    for (index, bytes) in change.transactions.iter().enumerate() {
        let parsed = Transaction::parse(bytes);
        transactions.push(parsed.map_err(|error| decode_error(&format!("transactions[{index}]"), &error))?);
    }
    Ok(transactions)
}
