//! The statements of a case in one hash-chained list: who holds a head holds everything before it.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::statement::{Checkpoint, Statement, StatementHash};

/// Statements and the head after each of them. Only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    statements: Vec<Statement>,
    heads: Vec<[u8; 32]>,
    positions: BTreeMap<StatementHash, usize>,
}

impl Chain {
    pub(super) fn push(&mut self, statement: Statement) {
        let head = chained(self.head_at(self.statements.len() as u64).unwrap_or([0; 32]), statement.hash());
        self.positions.insert(statement.hash(), self.statements.len());
        self.heads.push(head);
        self.statements.push(statement);
    }

    pub(super) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    pub(super) fn position(&self, hash: &StatementHash) -> Option<usize> {
        self.positions.get(hash).copied()
    }

    /// The head after the first `statements` statements; 32 zero bytes after none.
    pub(super) fn head_at(&self, statements: u64) -> Option<[u8; 32]> {
        match usize::try_from(statements).ok()?.checked_sub(1) {
            None => Some([0; 32]),
            Some(last) => self.heads.get(last).copied(),
        }
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        let statements = self.statements.len() as u64;
        Checkpoint { statements, head: self.heads.last().copied().unwrap_or([0; 32]) }
    }
}

/// The head of a chain over one statement more.
fn chained(head: [u8; 32], statement: StatementHash) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"countersign/chain/v1\n");
    hasher.update(head);
    hasher.update(statement.as_bytes());
    hasher.finalize().into()
}
