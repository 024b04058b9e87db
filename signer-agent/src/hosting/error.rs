//! Why a step is not done.

use canton_client::{error::NodeError, parties::ImportError, snapshot_file::SnapshotError};
use protocol::{book::NoAddressee, witness::NotVerified};
use thiserror::Error;

use crate::{
    coordinator_link::LinkError,
    folder::FolderError,
    parcel::{
        courier::{FetchError, SendError},
        open::OpenError,
        patience::is_passing,
        seal::SealError,
    },
};

/// Why a step is not done. What was begun is gone on with at the next attempt.
#[derive(Debug, Error)]
pub enum StepError {
    /// Something else comes first, or time must pass.
    #[error("{0}")]
    NotYet(String),
    /// The node's Ledger API is not configured.
    #[error(
        "this step reads the node's ledger, and no Ledger API is configured: write its address as `ledger` into agent.toml, and start the agent again"
    )]
    NoLedger,
    /// The party was used, so that the simple way loses its contracts.
    #[error("{0}; propose it again with --replicate: the contracts must be carried over")]
    Used(String),
    /// What must hold right before the step does not.
    #[error("{0}")]
    Precondition(String),
    /// What the step should have brought about is not there.
    #[error("the node took it, and does not show it: {0}")]
    NotSeen(String),
    /// The contracts in a file or on a node are not those that were vouched for.
    #[error("OtherContracts: {0}")]
    OtherContracts(String),
    /// What is effective is not what the intent says.
    #[error(transparent)]
    NotVerified(#[from] NotVerified),
    /// The owner's backup command failed.
    #[error("the backup command {0}")]
    BackupCommand(String),
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// An import.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A file of contracts.
    #[error("the file of contracts: {0}")]
    Snapshot(#[from] SnapshotError),
    /// Nobody to seal for.
    #[error(transparent)]
    Addressee(#[from] NoAddressee),
    /// A file that does not seal.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A file that does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file that is not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The coordinator does not tell what it has.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A file that does not come.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The agent's folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Another file.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The agent is stopping.
    #[error("the agent is stopping")]
    Stopping,
}

impl StepError {
    /// Its name, stable: Canton's own for what a node refused.
    pub fn name(&self) -> &str {
        match self {
            Self::NotYet(_) => "NotYet",
            Self::NoLedger => "NoLedger",
            Self::Used(_) => "Used",
            Self::Precondition(_) => "Precondition",
            Self::NotSeen(_) => "NotSeen",
            Self::OtherContracts(_) => "OtherContracts",
            Self::NotVerified(_) => "NotVerified",
            Self::BackupCommand(_) => "BackupCommand",
            Self::Node(error) | Self::Import(ImportError::Node(error)) => error.name(),
            Self::Import(ImportError::Release(_) | ImportError::Read(_)) => "Import",
            Self::Snapshot(_) => "Snapshot",
            Self::Addressee(_) => "Addressee",
            Self::Seal(_) => "Seal",
            Self::Open(_) => "Open",
            Self::Send(_) | Self::Link(_) => "Send",
            Self::Fetch(_) => "Fetch",
            Self::Folder(_) => "Folder",
            Self::File { .. } => "File",
            Self::Stopping => "Stopping",
        }
    }

    /// Whether the same attempt may work later, without anybody mending anything.
    pub fn passes(&self) -> bool {
        match self {
            Self::NotYet(_)
            | Self::NotVerified(NotVerified::NotEffective)
            | Self::Node(NodeError::Retry(_) | NodeError::OutcomeUnknown(_))
            | Self::Import(ImportError::Node(NodeError::Retry(_) | NodeError::OutcomeUnknown(_)))
            | Self::Stopping => true,
            Self::Link(error) => is_passing(error),
            Self::NoLedger
            | Self::Used(_)
            | Self::Precondition(_)
            | Self::NotSeen(_)
            | Self::OtherContracts(_)
            | Self::NotVerified(NotVerified::NotAsWanted(_))
            | Self::BackupCommand(_)
            | Self::Node(NodeError::Rejected { .. } | NodeError::BadAnswer(_))
            | Self::Import(_)
            | Self::Snapshot(_)
            | Self::Addressee(_)
            | Self::Seal(_)
            | Self::Open(_)
            | Self::Send(_)
            | Self::Fetch(_)
            | Self::Folder(_)
            | Self::File { .. } => false,
        }
    }

    pub(super) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self::File { path, error }
    }
}
