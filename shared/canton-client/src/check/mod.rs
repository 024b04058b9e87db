//! Looks step by step at how a participant is reached, and names what is wrong, why, and what to do. It changes nothing
//! on the node.

mod certificate;
mod greeting;
mod rights;
mod services;
mod socket;
mod synchronizer;
mod tls;
mod token;

use std::{fmt, time::SystemTime};

use canton_topology::id::SynchronizerId;
use serde::Serialize;

pub use self::{rights::least_rights, services::Use};
use crate::{connection::Connection, error::NodeError, participant::Options};

/// Which of a participant's two addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// The Admin API.
    Admin,
    /// The Ledger API.
    Ledger,
}

impl Api {
    /// Its name in sentences.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "Admin API",
            Self::Ledger => "Ledger API",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Admin => Self::Ledger,
            Self::Ledger => Self::Admin,
        }
    }
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Right,
    /// It cannot be known yet.
    Unknown,
    /// Something is wrong.
    Wrong,
}

/// One step: what was tried, what came, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What was tried.
    pub tried: String,
    /// What came.
    pub found: String,
    /// How that is.
    pub verdict: Verdict,
    /// What to do, where something is to be done.
    pub advice: Option<String>,
}

impl Line {
    /// As it should be.
    pub fn right(tried: impl Into<String>, found: impl Into<String>) -> Self {
        Self { tried: tried.into(), found: found.into(), verdict: Verdict::Right, advice: None }
    }

    /// Something is wrong; what to do.
    pub fn wrong(tried: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        let (tried, found, advice) = (tried.into(), found.into(), Some(advice.into()));
        Self { tried, found, verdict: Verdict::Wrong, advice }
    }

    /// It cannot be known, for a node's refusal: with its cause, and what mends it.
    pub fn unknown_of(tried: impl Into<String>, error: &NodeError) -> Self {
        match error.explanation() {
            Some(line) => Self::unknown(tried, format!("{error}: {}", line.cause), line.fix),
            None => Self::unknown(tried, error.to_string(), "try again; then see the node's log"),
        }
    }

    /// It cannot be known yet; what to do.
    pub fn unknown(tried: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        let (tried, found, advice) = (tried.into(), found.into(), Some(advice.into()));
        Self { tried, found, verdict: Verdict::Unknown, advice }
    }
}

/// For people. What a node said is escaped: no text of its can move the cursor or pass for ours.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Right => "right  ",
            Verdict::Unknown => "unknown",
            Verdict::Wrong => "WRONG  ",
        };
        write!(f, "{verdict} {}: {}", plain(&self.tried), plain(&self.found))?;
        match &self.advice {
            Some(advice) => write!(f, "\n        what to do: {}", plain(advice)),
            None => Ok(()),
        }
    }
}

/// Text with everything escaped that is no visible character; quotes stay as they are.
fn plain(text: &str) -> String {
    let visible = |c: char| matches!(c, '\'' | '"' | '\\');
    text.chars().fold(String::new(), |mut plain, c| {
        if visible(c) {
            plain.push(c)
        } else {
            plain.extend(c.escape_debug())
        }
        plain
    })
}

/// The worst of some steps: what a command's exit code says.
#[must_use]
pub fn worst(lines: &[Line]) -> Verdict {
    lines.iter().map(|line| line.verdict).max().unwrap_or(Verdict::Right)
}

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// How it is reached.
    pub options: &'a Options,
    /// Which API it is meant to be.
    pub api: Api,
    /// What it is used for.
    pub uses: &'a [Use],
    /// The synchronizer that it must be connected to.
    pub synchronizer: &'a SynchronizerId,
    /// Now, by this machine's clock.
    pub now: SystemTime,
}

/// Looks at one address of a participant. Stops where a later step can only repeat what an earlier one found.
pub async fn check(subject: &Subject<'_>) -> Vec<Line> {
    let mut lines = socket::look(subject).await;
    if worst(&lines) != Verdict::Right {
        return lines;
    }
    let access = &subject.options.access;
    let tokens = match access.tokens(subject.options.timeout) {
        Ok(tokens) => tokens,
        Err(error) => {
            lines.push(Line::wrong("the token", error.to_string(), "mend the configuration"));
            return lines;
        }
    };
    match token::look(&tokens, subject.api, subject.now).await {
        Ok(line) => lines.extend(line),
        Err(line) => {
            lines.push(line);
            return lines;
        }
    }
    let connection = match Connection::new(subject.options) {
        Ok(connection) => connection,
        Err(error) => {
            lines.push(Line::wrong("the configuration", error.to_string(), "mend it"));
            return lines;
        }
    };
    let (found, goes_on) = services::look(&connection, subject, &tokens).await;
    lines.extend(found);
    if goes_on && subject.api == Api::Admin {
        lines.extend(synchronizer::look(subject).await);
    }
    lines
}
