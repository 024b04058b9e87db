//! What the owner has said and the coordinator may not have yet. Kept before anything else happens to it, posted as the
//! same bytes until it is taken or refused for good.

use std::path::{Path, PathBuf};

use canton_topology::Timestamp;
use protocol::{
    api::{Base64, Problem},
    statement::{Statement, StatementHash},
};
use serde::{Deserialize, Serialize};

use crate::{folder::FolderError, lines::Lines};

/// One line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    /// It was signed.
    Made {
        /// When.
        at: Timestamp,
        /// Its bytes.
        statement: Base64,
    },
    /// The coordinator has it.
    Taken {
        /// Its name.
        hash: String,
    },
    /// The coordinator will never take it.
    Refused {
        /// Its name.
        hash: String,
        /// Why, by its stable name and in words.
        refused: Refused,
    },
}

/// Why the coordinator does not take a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The problem's stable name.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

/// How it went with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The coordinator has it.
    Taken,
    /// The coordinator refused it for good.
    Refused(Refused),
}

/// A statement that the coordinator does not have.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The statement.
    pub statement: Statement,
    /// When it was made.
    pub made_at: Timestamp,
    /// Why it was refused for good; `None` while it waits.
    pub refused: Option<Refused>,
}

/// Everything that the owner has said, and what became of it.
#[derive(Debug)]
pub struct Outgoing {
    path: PathBuf,
    lines: Lines<Line>,
    entries: Vec<Entry>,
}

impl Outgoing {
    /// Opens the file, or makes it; everything that was ever said comes beside it, oldest first.
    ///
    /// # Errors
    /// Where the disk refuses, or a line does not read.
    pub fn open(path: &Path) -> Result<(Self, Vec<Statement>), FolderError> {
        let (lines, all) = Lines::open(path)?;
        let mut outgoing = Self { path: path.to_owned(), lines, entries: Vec::new() };
        let mut said = Vec::new();
        for (index, line) in all.into_iter().enumerate() {
            match line {
                Line::Made { at, statement } => {
                    let statement =
                        Statement::parse(&statement.0).map_err(|error| outgoing.malformed(index, &error))?;
                    said.push(statement.clone());
                    outgoing.entries.push(Entry { statement, made_at: at, refused: None });
                }
                Line::Taken { hash } => {
                    let hash = hash.parse().map_err(|error| outgoing.malformed(index, &error))?;
                    outgoing.apply(hash, Settled::Taken);
                }
                Line::Refused { hash, refused } => {
                    let hash = hash.parse().map_err(|error| outgoing.malformed(index, &error))?;
                    outgoing.apply(hash, Settled::Refused(refused));
                }
            }
        }
        Ok((outgoing, said))
    }

    /// Keeps a statement, durably; what waits already is kept once.
    ///
    /// # Errors
    /// Where the disk refuses. Nothing is kept then, and nothing may be posted.
    pub fn keep(&mut self, statement: &Statement, now: Timestamp) -> Result<(), FolderError> {
        if self.waiting().any(|waiting| waiting.hash() == statement.hash()) {
            return Ok(());
        }
        self.lines.append(&Line::Made { at: now, statement: Base64(statement.bytes().to_vec()) })?;
        self.entries.push(Entry { statement: statement.clone(), made_at: now, refused: None });
        Ok(())
    }

    /// What waits to be posted, oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Statement> {
        self.entries.iter().filter(|entry| entry.refused.is_none()).map(|entry| &entry.statement)
    }

    /// What the coordinator does not have: what waits, and what it refused for good.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Remembers how it went with a statement, durably.
    ///
    /// # Errors
    /// Where the disk refuses. The statement is posted again then, which does no harm.
    pub fn settle(&mut self, hash: StatementHash, settled: Settled) -> Result<(), FolderError> {
        self.lines.append(&match &settled {
            Settled::Taken => Line::Taken { hash: hash.to_string() },
            Settled::Refused(refused) => Line::Refused { hash: hash.to_string(), refused: refused.clone() },
        })?;
        self.apply(hash, settled);
        Ok(())
    }

    fn apply(&mut self, hash: StatementHash, settled: Settled) {
        match settled {
            Settled::Taken => self.entries.retain(|entry| entry.statement.hash() != hash),
            Settled::Refused(refused) => {
                let entries = self.entries.iter_mut().filter(|entry| entry.statement.hash() == hash);
                entries.for_each(|entry| entry.refused = Some(refused.clone()));
            }
        }
    }

    fn malformed(&self, index: usize, error: &dyn std::fmt::Display) -> FolderError {
        FolderError::Malformed { path: self.path.clone(), reason: format!("line {}: {error}", index + 1) }
    }
}

/// Whether the same bytes could never be taken later. What lies at the coordinator's side, or at an enrolment that can be
/// renewed, passes.
pub fn is_final(problem: &Problem) -> bool {
    let passes = ["certificate-missing", "not-enrolled", "body-too-slow"];
    let slug = problem.kind.rsplit(':').next().unwrap_or_default();
    (400..500).contains(&problem.status) && !passes.contains(&slug)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::SigningKey;
    use protocol::{
        intent::CaseId,
        statement::{Statement, Withdrawal},
    };

    use super::*;

    const NOW: Timestamp = Timestamp(7);

    fn statement(reason: &str) -> Statement {
        let intent = StatementHash::from_bytes([3; 32]);
        let withdrawal = Withdrawal { case: CaseId::from_bytes([9; 16]), intent, reason: reason.to_owned() };
        Statement::sign(&withdrawal, &SigningKey::from_bytes(&[1; 32]))
    }

    fn waiting(outgoing: &Outgoing) -> Vec<Vec<u8>> {
        outgoing.waiting().map(|statement| statement.bytes().to_vec()).collect()
    }

    #[test]
    fn what_was_not_taken_waits_over_a_restart_as_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outgoing.jsonl");
        let (taken, lost, refused) = (statement("taken"), statement("lost"), statement("refused"));
        let (mut outgoing, _) = Outgoing::open(&path).unwrap();
        for one in [&taken, &lost, &refused, &lost] {
            outgoing.keep(one, NOW).unwrap();
        }
        outgoing.settle(taken.hash(), Settled::Taken).unwrap();
        let reason = Refused { name: "statement-refused".to_owned(), reason: "because".to_owned() };
        outgoing.settle(refused.hash(), Settled::Refused(reason.clone())).unwrap();

        let (again, said) = Outgoing::open(&path).unwrap();

        assert_eq!(waiting(&again), [lost.bytes()]);
        assert_eq!(said.len(), 3, "what was said stays said");
        assert_eq!(again.entries()[1].refused, Some(reason));
        assert_eq!(again.entries()[0].made_at, NOW);
    }

    #[test]
    fn a_problem_that_passes_is_no_reason_to_drop_a_statement() {
        let problem = |slug: &str, status| Problem {
            kind: format!("urn:countersign:problem:{slug}"),
            title: String::new(),
            status,
            detail: String::new(),
        };
        for (slug, status) in [("busy", 503), ("store-failed", 500), ("not-enrolled", 403), ("body-too-slow", 408)] {
            assert!(!is_final(&problem(slug, status)), "{slug}");
        }
        for (slug, status) in [("statement-refused", 422), ("speaker-refused", 403), ("history-forked", 409)] {
            assert!(is_final(&problem(slug, status)), "{slug}");
        }
    }
}
