//! What a command asks of the running agent: one JSON line over a Unix socket in the data folder, one JSON line back.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use canton_topology::{hash::TransactionHash, mapping::Permission as HostPermission};
use protocol::{intent::CaseId, statement::StatementHash};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
};

/// Longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the agent is.
    Status,
    /// Every case at a glance.
    List,
    /// One case with everything.
    Show {
        /// Which.
        case: CaseRef,
    },
    /// A new intent.
    Propose {
        /// What.
        change: Wanted,
        /// Why.
        reason: String,
        /// How long it may be signed, in seconds.
        deadline_s: u64,
        /// The dangers that are accepted, by name.
        accepts: Vec<String>,
    },
    /// The owner's yes.
    Approve {
        /// Which case.
        case: CaseRef,
        /// The offer that the owner saw.
        offer: String,
        /// A transaction to be released.
        release: Option<TransactionHash>,
    },
    /// The owner's no.
    Decline {
        /// Which case.
        case: CaseRef,
        /// Why.
        reason: String,
    },
    /// The proposer takes it back.
    Withdraw {
        /// Which case.
        case: CaseRef,
        /// Why.
        reason: String,
    },
    /// Proposals made elsewhere.
    Foreign,
    /// One of them with everything.
    ForeignShow {
        /// Which.
        transaction: TransactionHash,
    },
    /// One of them is to become a case.
    Adopt {
        /// Which.
        transaction: TransactionHash,
        /// Why.
        reason: String,
        /// How long it may be signed, in seconds.
        deadline_s: u64,
        /// The dangers that are accepted, by name.
        accepts: Vec<String>,
    },
    /// What lost its serial is wanted again.
    Rebase {
        /// Which case.
        case: CaseRef,
        /// Why; the old case's reason where absent.
        reason: Option<String>,
        /// How long it may be signed, in seconds.
        deadline_s: u64,
        /// The dangers that are accepted, by name.
        accepts: Vec<String>,
    },
    /// A complete case goes to the owner's participant, without the coordinator.
    Submit {
        /// Which.
        case: CaseRef,
    },
    /// Cases go to the coordinator, where it took over from another one.
    HandOver {
        /// Which; all that are not over where absent.
        case: Option<CaseRef>,
    },
    /// What is alive of a case is to die.
    Void {
        /// Which case.
        case: CaseRef,
        /// Why.
        reason: String,
        /// How long it may be signed, in seconds.
        deadline_s: u64,
    },
}

/// A case by its id, or by any unambiguous beginning or end of it.
pub type CaseRef = String;

/// An intent in names of the book.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wanted {
    /// A new party.
    CreateParty {
        /// The part of its id before `::`.
        hint: String,
        /// Names of owners; `me` is the agent's own.
        owners: Vec<String>,
        /// Owners that must sign.
        threshold: u32,
        /// Hosts: a name of the book or `me`, and what its participant may do.
        hosts: Vec<(String, HostPermission)>,
        /// Hosts that must confirm.
        confirmations: u32,
        /// Names whose party key signs for the party.
        keys: Vec<String>,
        /// Keys that must sign.
        key_threshold: u32,
    },
    /// One more owner.
    AddOwner {
        /// The party, or the namespace.
        of: String,
        /// Its name in the book.
        owner: String,
        /// Owners that must sign from then on.
        threshold: u32,
    },
    /// Other thresholds.
    ChangeThresholds {
        /// The party.
        of: String,
        /// Owners that must sign.
        owners: Option<u32>,
        /// Hosts that must confirm.
        confirmations: Option<u32>,
        /// Keys that must sign.
        keys: Option<u32>,
    },
    /// Transactions as they are, hex.
    Raw {
        /// The wrapped transactions.
        transactions: Vec<String>,
    },
}

/// What comes back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// It is done; here is what there is to say.
    Done {
        /// What.
        value: serde_json::Value,
    },
    /// It cannot be done yet; nothing is lost.
    NotYet {
        /// Why.
        reason: String,
    },
    /// It is not done.
    Failed {
        /// The stable name of what is wrong.
        name: String,
        /// What is wrong, and how to fix it.
        reason: String,
    },
}

impl Answer {
    /// A failure.
    pub fn failed(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::Failed { name: name.to_owned(), reason: reason.to_string() }
    }
}

/// Finds the one case that a reference means.
///
/// # Errors
/// Where none or several are meant.
pub fn resolve_case(reference: &str, known: impl Iterator<Item = CaseId>) -> Result<CaseId, String> {
    let matching: Vec<CaseId> = known
        .filter(|id| {
            let text = id.to_string();
            text.starts_with(reference) || text.ends_with(reference)
        })
        .collect();
    match matching.as_slice() {
        [one] if !reference.is_empty() => Ok(*one),
        [] => Err(format!("no case is called {reference}; `list` shows those that are known")),
        _ => Err(format!("{reference} means {} cases; write more of the id", matching.len())),
    }
}

/// Finds an offer by its whole hash.
///
/// # Errors
/// Where the text is no hash.
pub fn parse_offer(text: &str) -> Result<StatementHash, String> {
    text.parse().map_err(|error| format!("--offer: {error}; `show` prints it"))
}

/// Why a command does not reach the agent.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("the agent is not running: nobody listens at {0}; start it with `signer-agent run`")]
    NotRunning(String),
    /// The connection broke.
    #[error("the agent did not answer: {0}")]
    Broken(#[from] std::io::Error),
    /// What came does not read.
    #[error("the agent's answer does not read: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Asks the running agent.
///
/// # Errors
/// See [`ControlError`].
pub async fn ask(socket: &Path, request: &Request) -> Result<Answer, ControlError> {
    let stream =
        UnixStream::connect(socket).await.map_err(|_| ControlError::NotRunning(socket.display().to_string()))?;
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(read).take(LINE_BYTES_MAX).read_line(&mut answer).await?;
    Ok(serde_json::from_str(&answer)?)
}

/// Opens the socket, for its owner alone. One that a dead process left behind gives way; the journal's own lock keeps a
/// second living agent out before this.
///
/// # Errors
/// Where the socket cannot be made.
pub fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Reads one request of a connection whose other end is our own user.
///
/// # Errors
/// Where the line does not read, or the other end is somebody else.
pub async fn receive(stream: &mut BufReader<UnixStream>) -> std::io::Result<Option<Request>> {
    let peer = stream.get_ref().peer_cred()?;
    if peer.uid() != rustix::process::geteuid().as_raw() {
        return Err(std::io::Error::other("another user's command"));
    }
    let mut line = String::new();
    if stream.take(LINE_BYTES_MAX).read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}

/// Sends the answer.
///
/// # Errors
/// Where the connection is gone.
pub async fn send(stream: &mut BufReader<UnixStream>, answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    stream.get_mut().write_all(&line).await
}
