//! What a command asks of the running agent: one JSON line over a Unix socket in the data folder, one JSON line back.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use canton_topology::{hash::TransactionHash, mapping::Permission as HostPermission};
use protocol::{
    intent::{CaseId, Scope},
    statement::StatementHash,
};
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
        /// Whether the keys stand in a mapping of their own, as releases before 3.5 want it.
        key_mapping: bool,
    },
    /// Other owners, hosts, keys and thresholds.
    Membership {
        /// The party, or the namespace where nothing of a party is named.
        of: String,
        /// What changes.
        change: MembershipWanted,
    },
    /// A key that may sign for the agent's own namespace, or for the one named.
    Delegate {
        /// The namespace; the owner's own where absent.
        namespace: Option<String>,
        /// The name in the book of who holds the key, or `me`.
        to: String,
        /// What the key may sign.
        scope: Scope,
    },
    /// A key that may sign for a namespace no more.
    Revoke {
        /// The namespace; the owner's own where absent.
        namespace: Option<String>,
        /// The key's fingerprint, or the name in the book of who holds it.
        key: String,
    },
    /// One owner under another key.
    RotateOwnerKey {
        /// The party, or the namespace.
        of: String,
        /// The owner as it is: a name of the book, or `me`.
        old: String,
        /// The name in the book of the card with the new key.
        new: String,
        /// Whether the old root stays.
        keep_old: bool,
    },
    /// The agent's own participant, or another one, hosts a party no more.
    LeaveHost {
        /// The party.
        party: String,
        /// Whose participant: a name of the book, or `me`.
        host: String,
    },
    /// A party's keys move into its mapping.
    MigrateKeys {
        /// The party.
        party: String,
    },
    /// One more host of a party.
    Host(Host),
    /// Transactions as they are, hex.
    Raw {
        /// The wrapped transactions.
        transactions: Vec<String>,
    },
}

/// A change set in names of the book. What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct MembershipWanted {
    /// Names of new owners.
    pub add_owners: Vec<String>,
    /// Names, or namespaces, of owners who go.
    pub remove_owners: Vec<String>,
    /// Owners that must sign.
    pub owners: Option<u32>,
    /// New hosts: a name of the book, or `me`, and what its participant may do.
    pub add_hosts: Vec<(String, HostPermission)>,
    /// Names, or participant ids, of hosts that go.
    pub remove_hosts: Vec<String>,
    /// Hosts that stay, and what each may do from then on.
    pub permissions: Vec<(String, HostPermission)>,
    /// Hosts that must confirm.
    pub confirmations: Option<u32>,
    /// Names whose party key signs from then on.
    pub add_keys: Vec<String>,
    /// Names, or fingerprints, whose key signs no more.
    pub remove_keys: Vec<String>,
    /// Keys that must sign.
    pub keys: Option<u32>,
    /// Everything in one offer, where each state in between was accepted.
    pub together: bool,
}

/// One more host of a party, in names of the book.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Host {
    /// The party.
    pub party: String,
    /// Whose participant is to host it.
    pub on: String,
    /// Whose participant knows its contracts; one that hosts it, where not named.
    pub from: Option<String>,
    /// Whose participant counts the contracts beside it; another one that hosts the party, where not named.
    pub second: Option<String>,
    /// What the new host may do.
    pub permission: HostPermission,
    /// How many hosts must confirm from then on.
    pub confirmations: Option<u32>,
    /// Owners who may sign before the new host is disconnected.
    pub ahead: Vec<String>,
    /// Packages that the new host must have vetted.
    pub packages: Vec<String>,
    /// The way; the agent looks and picks it, where none is named.
    pub way: Option<Way>,
}

/// How a new host learns of a party's contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// There are none: the party was never used.
    Simple,
    /// They are carried over.
    Replicate,
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
    /// It is made and kept, and the coordinator does not have it yet.
    Waits {
        /// What there is to say when it has.
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
