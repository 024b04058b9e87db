//! What a command asks of the running agent: one JSON line over a Unix socket in the data folder, one JSON line back.

mod wanted;

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use canton_topology::{hash::TransactionHash, id::Fingerprint};
use protocol::{api::Base64, intent::CaseId, statement::StatementHash};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
};

pub use self::wanted::{Host, MembershipWanted, Wanted, Way};
use crate::explained::Explained;

/// Longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the agent is.
    Status,
    /// Tries keys.
    Drill {
        /// Their names or fingerprints; all active ones where empty.
        keys: Vec<String>,
    },
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
    /// The steps of a case: who does what, how far it is, what to do now.
    Workflow {
        /// Which case.
        case: CaseRef,
    },
    /// The owner's part of a case.
    WorkflowRun {
        /// Which case.
        case: CaseRef,
        /// The steps that the human confirms, by name.
        confirm: Vec<String>,
        /// How the node was backed up.
        backup: Option<String>,
        /// Archives of packages to be uploaded.
        archives: Vec<std::path::PathBuf>,
        /// A sealed snapshot that came by hand.
        sealed: Option<std::path::PathBuf>,
    },
    /// What a key that lives elsewhere has to sign.
    Hash {
        /// Which case.
        case: CaseRef,
        /// The key; the one that is missing, where not named.
        key: Option<Fingerprint>,
    },
    /// The signature of a key that lives elsewhere.
    Contribute {
        /// Which case.
        case: CaseRef,
        /// The key; the one that is missing, where not named.
        key: Option<Fingerprint>,
        /// The signature's bytes.
        signature: Base64,
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
    /// Whoever holds a key and has not signed yet is asked now.
    Wake {
        /// In which case; in all where absent.
        case: Option<CaseRef>,
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
    /// What lost its serial is wanted again, on what stands now.
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

impl Request {
    /// The case that it names.
    pub fn case(&self) -> Option<&CaseRef> {
        match self {
            Self::Show { case }
            | Self::Workflow { case }
            | Self::WorkflowRun { case, .. }
            | Self::Hash { case, .. }
            | Self::Contribute { case, .. }
            | Self::Approve { case, .. }
            | Self::Decline { case, .. }
            | Self::Withdraw { case, .. }
            | Self::Rebase { case, .. }
            | Self::Submit { case }
            | Self::Void { case, .. } => Some(case),
            Self::HandOver { case } | Self::Wake { case } => case.as_ref(),
            Self::Status
            | Self::Drill { .. }
            | Self::List
            | Self::Propose { .. }
            | Self::Foreign
            | Self::ForeignShow { .. }
            | Self::Adopt { .. } => None,
        }
    }
}

/// A case by its id, or by any unambiguous beginning or end of it.
pub type CaseRef = String;

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
        /// What that means, where anybody knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        explained: Option<Explained>,
    },
    /// It is made and kept, and others have yet to take it: the coordinator, or whoever holds a key.
    Waits {
        /// What there is to say already.
        value: serde_json::Value,
        /// Why it waits.
        reason: String,
    },
    /// It is not done.
    Failed {
        /// The stable name of what is wrong.
        name: String,
        /// What is wrong, and how to fix it.
        reason: String,
        /// What that means, where it comes from a node.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        explained: Option<Explained>,
    },
}

impl Answer {
    /// A failure.
    pub fn failed(name: &str, reason: impl std::fmt::Display) -> Self {
        let reason = reason.to_string();
        let explained = Explained::of_text(&reason);
        Self::Failed { name: name.to_owned(), reason, explained }
    }

    /// Something that cannot be done yet.
    pub fn not_yet(reason: impl std::fmt::Display) -> Self {
        let reason = reason.to_string();
        let explained = Explained::of_text(&reason);
        Self::NotYet { reason, explained }
    }

    /// The same with the meaning that another found in its words.
    #[must_use]
    pub fn meaning(self, meaning: Option<Explained>) -> Self {
        match self {
            Self::Failed { name, reason, explained } => Self::Failed { name, reason, explained: meaning.or(explained) },
            Self::NotYet { reason, explained } => Self::NotYet { reason, explained: meaning.or(explained) },
            other @ (Self::Done { .. } | Self::Waits { .. }) => other,
        }
    }
}

/// Finds the one case that a reference means.
///
/// # Errors
/// Where none or several are meant.
pub fn resolve_case(reference: &str, known: impl Iterator<Item = CaseId>) -> Result<CaseId, String> {
    if reference.is_empty() {
        return Err("no case is named; write its id, or enough of its beginning or end; `list` shows them".to_owned());
    }
    let matching: Vec<CaseId> = known
        .filter(|id| {
            let text = id.to_string();
            text.starts_with(reference) || text.ends_with(reference)
        })
        .collect();
    match matching.as_slice() {
        [one] => Ok(*one),
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

impl ControlError {
    /// Its name, stable.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotRunning(_) => "NotRunning",
            Self::Broken(_) => "Broken",
            Self::Malformed(_) => "Malformed",
        }
    }
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
