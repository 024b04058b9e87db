//! What the driver asks of a Canton participant.

use std::{future::Future, pin::Pin};

use canton_client::{error::NodeError, participant::Participant};
use canton_topology::{
    id::{PhysicalSynchronizerId, SynchronizerId},
    snapshot::Item,
    transaction::SignedTransaction,
};

/// An answer that takes a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, NodeError>> + Send + 'a>>;

/// Topology as a participant has it: signed rows, to be judged by us.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The synchronizer whose rows these are.
    pub synchronizer: PhysicalSynchronizerId,
    /// Every row that is or was effective, in the order in which they were sequenced.
    pub items: Vec<Item>,
    /// Every proposal that is open, with the signatures that it has.
    pub open: Vec<Item>,
}

/// Reads topology.
pub trait ReadTopology: Send + Sync {
    /// All of it.
    fn read(&self) -> Answer<'_, Rows>;
}

/// Submits topology transactions.
pub trait SubmitTopology: Send + Sync {
    /// Hands in complete transactions, together.
    fn submit<'a>(&'a self, transactions: &'a [SignedTransaction]) -> Answer<'a, ()>;
}

/// A participant that can do both.
pub trait Node: ReadTopology + SubmitTopology {}

impl<T: ReadTopology + SubmitTopology> Node for T {}

/// A real participant, on one synchronizer.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The participant.
    pub participant: Participant,
    /// The synchronizer.
    pub synchronizer: SynchronizerId,
}

impl ReadTopology for Connected {
    fn read(&self) -> Answer<'_, Rows> {
        Box::pin(async move {
            let synchronizer = self.participant.synchronizer(&self.synchronizer).await?;
            let items = self.participant.topology(&self.synchronizer).await?;
            let open = self.participant.open_proposals(&self.synchronizer).await?;
            Ok(Rows { synchronizer, items, open })
        })
    }
}

impl SubmitTopology for Connected {
    fn submit<'a>(&'a self, transactions: &'a [SignedTransaction]) -> Answer<'a, ()> {
        Box::pin(self.participant.add(&self.synchronizer, transactions))
    }
}
