//! Topology as it would stand had certain transactions not been accepted: a batch of which a part went through is judged
//! as it was when it was made.

use std::collections::BTreeSet;

use crate::{hash::TransactionHash, state::State};

impl State {
    /// This topology without those of the transactions that it has accepted. What they replaced stands again; what came
    /// after them stays as it is.
    #[must_use]
    pub fn without(&self, transactions: &BTreeSet<TransactionHash>) -> Self {
        if transactions.iter().all(|hash| self.effective_since(hash).is_none()) {
            return self.clone();
        }
        let mut before = Self::new(self.synchronizer().clone(), self.parameters().clone());
        before.set_rules(self.rules());
        for row in self.rows().filter(|row| !transactions.contains(&row.hash())) {
            let mut row = row.clone();
            row.valid_until = None;
            before.store(row);
        }
        before
    }
}
