//! Where statements, enrolments and invitations stay: the trait that every store fulfils, and what goes in and out.
//!
//! A store knows bytes, case ids and sequence numbers. It must not know what a statement says, nor judge it.

pub mod row;
pub mod sled;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use canton_topology::{Timestamp, id::Namespace};
use protocol::intent::CaseId;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{oneshot, watch};

/// A durable, ordered memory. Reads block for as long as a disk takes; they see only what is durable.
pub trait Store: Send + Sync {
    /// Stores everything in the batch, or nothing of it. Batches become durable in the order of these calls.
    fn append(&self, batch: Batch) -> Appending;

    /// The sequence number of the newest durable statement, 0 where there is none. Changes wake waiting inboxes.
    fn durable(&self) -> watch::Receiver<u64>;

    /// The statements of a case, in order; none where there is no such case.
    fn load(&self, case: CaseId) -> Result<Vec<Stored>, StoreError>;

    /// Cases that have not settled: the only ones that are read at start.
    fn open_cases(&self) -> Result<Vec<CaseId>, StoreError>;

    /// Case ids in falling order, which is newest first; those below `before` where it is given.
    fn cases(&self, before: Option<CaseId>, limit: usize) -> Result<Vec<CaseId>, StoreError>;

    /// Up to `limit` statements that come after a sequence number.
    fn since(&self, sequence: u64, limit: usize) -> Result<Vec<Stored>, StoreError>;

    /// The sequence number of a case's statement.
    fn sequence_of(&self, case: CaseId, position: u64) -> Result<Option<u64>, StoreError>;

    /// The enrolment of a TLS key, by the SHA-256 of its SubjectPublicKeyInfo.
    fn enrolment(&self, tls_key_hash: &[u8; 32]) -> Result<Option<Enrolment>, StoreError>;

    /// Reads the statements up to a sequence number, for as long as `goes_on`, and holds them against everything that
    /// points to them; says how many it read. What is damaged without being read would otherwise be found too late.
    fn check(&self, last: u64, goes_on: &dyn Fn() -> bool) -> Result<u64, StoreError>;

    /// Every enrolment that ever was.
    fn enrolments(&self) -> Result<Vec<Enrolment>, StoreError>;

    /// The invitation whose token has this hash.
    fn invitation(&self, token_hash: &[u8; 32]) -> Result<Option<Invitation>, StoreError>;

    /// The introduction of an owner.
    fn introduction(&self, owner: &Namespace) -> Result<Option<Introduction>, StoreError>;

    /// Up to `limit` introductions, in an order of the store's own; those that come after an owner's where it is given.
    fn introductions(&self, after: Option<&Namespace>, limit: usize) -> Result<Vec<Introduction>, StoreError>;
}

/// Writes that stand or fall together.
#[derive(Clone, Debug, Default)]
pub struct Batch(pub Vec<Write>);

/// One thing to be stored.
#[derive(Clone, Debug)]
pub enum Write {
    /// The next statement of a case, which is open from then on.
    Statement {
        /// The case.
        case: CaseId,
        /// Its place in the case, from 0.
        position: u64,
        /// The statement as received.
        bytes: Vec<u8>,
    },
    /// Nothing can happen to the case any more, unless somebody makes another statement about it.
    Settle(CaseId),
    /// A new or a used invitation.
    Invitation(Invitation),
    /// A new or a replaced enrolment.
    Enrolment(Enrolment),
    /// An introduction, in the place of the owner's earlier one.
    Introduction(Introduction),
}

/// A statement that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place among all statements, from 1.
    pub sequence: u64,
    /// Its case.
    pub case: CaseId,
    /// Its place in the case, from 0.
    pub position: u64,
    /// Its bytes, as they came.
    pub bytes: Vec<u8>,
}

/// An invitation: a name, and the hash of a token that nobody but its receiver knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Whom it was made for.
    pub name: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// What it was used for: the SHA-256 of the TLS key that was enrolled.
    pub used: Option<[u8; 32]>,
}

/// A TLS key, the owner that it speaks for on the wire, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// SHA-256 of the TLS key's SubjectPublicKeyInfo.
    pub tls_key_hash: [u8; 32],
    /// The name that the invitation was made for.
    pub name: String,
    /// The owner's identity certificate.
    pub certificate: Vec<u8>,
    /// The TLS client certificate, PEM: a retry gets the same one.
    pub client_certificate_pem: String,
    /// Since when.
    pub enrolled_at: Timestamp,
    /// Whether a newer enrolment of the same name took its place. What its identity key has signed stays good.
    pub replaced: bool,
}

/// What an owner has put into the mailbox for the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// Whose it is.
    pub owner: Namespace,
    /// The statement as received.
    pub bytes: Vec<u8>,
}

/// The sequence number up to which everything is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Durable(pub u64);

/// An append that is under way. Dropping it does not take the append back.
pub struct Appending(oneshot::Receiver<Result<Durable, StoreError>>);

impl Appending {
    /// An append, and where its end is told.
    pub fn new() -> (oneshot::Sender<Result<Durable, StoreError>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// Waits on a thread that may block.
    ///
    /// # Errors
    /// Where the batch is not stored, or may not be.
    pub fn wait(self) -> Result<Durable, StoreError> {
        self.0.blocking_recv().unwrap_or_else(|_| Err(StoreError::stopped("its writer has ended")))
    }
}

impl Future for Appending {
    type Output = Result<Durable, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let received = Pin::new(&mut self.0).poll(context);
        received.map(|end| end.unwrap_or_else(|_| Err(StoreError::stopped("its writer has ended"))))
    }
}

/// Why a store does not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the store {path} is open in another process; is a coordinator running on this data folder?")]
    InUse {
        /// The store's folder.
        path: String,
    },
    /// It does not open.
    #[error("the store {path} cannot be opened: {reason}")]
    Open {
        /// The store's folder.
        path: String,
        /// What was said.
        reason: String,
    },
    /// A row is not what was written, or is gone.
    #[error(
        "the store is damaged: {row}: {reason}; restore the data folder from a backup, or let the owners post their statements to a new coordinator"
    )]
    Damaged {
        /// Which row.
        row: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer release wrote the row.
    #[error("{row}: format {found}; this release reads format {known}: run the release that wrote it")]
    UnknownFormat {
        /// Which row.
        row: String,
        /// Its format.
        found: u8,
        /// The one that this release knows.
        known: u8,
    },
    /// The place in the case is not the next one: a bug of the caller, found before anything was written.
    #[error("case {case} has {expected} statements; position {found} is not the next")]
    NotNext {
        /// The case.
        case: CaseId,
        /// The next position.
        expected: u64,
        /// The one that was asked for.
        found: u64,
    },
    /// The disk failed. After that nothing is known of what is on it, so nothing more is written.
    #[error("the store has stopped: {reason}; look at the disk, then start the coordinator again")]
    Stopped {
        /// What was said.
        reason: String,
    },
}

impl StoreError {
    pub(crate) fn stopped(reason: impl Into<String>) -> Self {
        Self::Stopped { reason: reason.into() }
    }
}
