//! Topology as it would stand had certain transactions not been accepted: a batch of which a part went through is judged
//! as it was when it was made. And as it stood at a time of the past.

use std::collections::BTreeSet;

use crate::{
    Timestamp,
    hash::TransactionHash,
    state::{Row, State},
};

impl State {
    /// This topology without those of the transactions that it has accepted. What they replaced stands again; what came
    /// after them stays as it is.
    #[must_use]
    pub fn without(&self, transactions: &BTreeSet<TransactionHash>) -> Self {
        if transactions.iter().all(|hash| self.effective_since(hash).is_none()) {
            return self.clone();
        }
        self.with_rows(|row| !transactions.contains(&row.hash()))
    }

    /// This topology as it stood at that time: with what was effective then, and nothing that came later.
    #[must_use]
    pub fn as_of(&self, time: Timestamp) -> Self {
        self.with_rows(|row| row.valid_from <= time)
    }

    fn with_rows(&self, is_kept: impl Fn(&Row) -> bool) -> Self {
        let mut kept = Self::new(self.synchronizer().clone(), self.parameters().clone());
        kept.set_rules(self.rules());
        for row in self.rows().filter(|row| is_kept(row)) {
            let mut row = row.clone();
            row.valid_until = None;
            kept.store(row);
        }
        kept
    }
}
