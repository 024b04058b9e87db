//! A running participant: what it keeps, its place in the synchronizer's order, and those who wait for it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use canton_topology::{
    id::ParticipantId,
    judge::{Time, Verdict, fold_batch},
    transaction::SignedTransaction,
};
use tokio::sync::{oneshot, watch};

use crate::{
    clock::now,
    faults::Faults,
    genesis::Node,
    options::Options,
    standing::Standing,
    synchronizer::{Placed, Submission, Synchronizer, Wish, locked},
};

/// A running participant.
pub(crate) struct ParticipantNode {
    /// Which of the network.
    pub index: usize,
    /// Its keys.
    pub identity: Node,
    /// What it is part of.
    pub synchronizer: Arc<Synchronizer>,
    /// What kind of node it is.
    pub options: Options,
    /// What is to go wrong.
    pub faults: Faults,
    /// When it started.
    pub started: Instant,
    standing: Mutex<Standing>,
    unsent: AtomicU32,
    kept: Mutex<Vec<Submission>>,
    changes: watch::Sender<u64>,
    running: AtomicBool,
    starts: AtomicU64,
}

impl ParticipantNode {
    /// A node that is connected.
    pub fn new(
        index: usize,
        identity: Node,
        synchronizer: Arc<Synchronizer>,
        options: Options,
        standing: Standing,
    ) -> Self {
        Self {
            index,
            identity,
            synchronizer,
            options,
            faults: Faults::default(),
            started: Instant::now(),
            standing: Mutex::new(standing),
            unsent: AtomicU32::new(0),
            kept: Mutex::new(Vec::new()),
            changes: watch::Sender::new(0),
            running: AtomicBool::new(true),
            starts: AtomicU64::new(0),
        }
    }

    /// Its id.
    pub fn id(&self) -> ParticipantId {
        self.identity.participant()
    }

    /// All that it keeps. Never held across an await.
    pub fn standing(&self) -> MutexGuard<'_, Standing> {
        locked(&self.standing)
    }

    /// Those who wait for a change look again.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Follows what changes.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How many of its transactions are not sequenced yet.
    pub fn unsent(&self) -> u32 {
        self.unsent.load(Ordering::Relaxed)
    }

    /// One of its submissions was sequenced.
    pub fn sent(&self) {
        self.unsent.fetch_sub(1, Ordering::Relaxed);
    }

    /// Keeps what it cannot send now.
    pub fn keep(&self, submission: Submission) {
        locked(&self.kept).push(submission);
    }

    /// Sends topology.
    pub fn submit(&self, transactions: Vec<SignedTransaction>) -> oneshot::Receiver<Placed> {
        self.unsent.fetch_add(1, Ordering::Relaxed);
        self.synchronizer.submit(Some(self.index), Wish::Topology(transactions))
    }

    /// Judges transactions as the next batch would be, and changes nothing.
    pub fn try_batch(&self, transactions: &[SignedTransaction]) -> Vec<Verdict> {
        let mut topology = self.standing().topology.clone();
        let time = Time { sequenced: now(), effective: now() };
        fold_batch(&mut topology, &mut self.synchronizer.verifier(), transactions, time)
    }

    /// Takes in what was sequenced, where it is connected.
    pub fn catch_up_if_connected(&self) {
        let mut standing = self.standing();
        if standing.connected {
            self.catch_up(&mut standing);
        }
        drop(standing);
        self.changed();
    }

    fn catch_up(&self, standing: &mut Standing) {
        let own = self.id();
        for event in self.synchronizer.events_after(standing.seen) {
            standing.apply(&event, &mut self.synchronizer.verifier(), &own);
        }
    }

    /// Connects, takes in what it missed, and sends what it could not.
    pub fn connect(&self) {
        let mut standing = self.standing();
        standing.connected = true;
        self.catch_up(&mut standing);
        drop(standing);
        for submission in std::mem::take(&mut *locked(&self.kept)) {
            self.synchronizer.resubmit(submission);
        }
        self.changed();
    }

    /// Disconnects. Its view of everything stands still.
    pub fn disconnect(&self) {
        self.standing().connected = false;
        self.changed();
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::SeqCst)
    }

    /// How often it was started again: what was under way before is lost.
    pub fn starts(&self) -> u64 {
        self.starts.load(Ordering::SeqCst)
    }

    /// Stops: every call fails, and it takes nothing in.
    pub fn stop(&self) {
        self.running.store(false, Ordering::SeqCst);
        self.starts.fetch_add(1, Ordering::SeqCst);
        self.disconnect();
    }

    /// Starts with what it kept. Connects by itself, unless it is not to.
    pub fn start(&self) {
        self.running.store(true, Ordering::SeqCst);
        let manual = self.standing().config.manual_connect;
        if !manual {
            self.connect();
        }
    }

    /// Puts an earlier state in the place of the present one, as from a backup. Does not connect.
    pub fn restore(&self, standing: Standing) {
        *self.standing() = Standing { connected: false, ..standing };
        self.changed();
    }

    /// Waits for something to be found in what it keeps; `None` where it is not found in time.
    pub async fn wait_for<T>(
        &self,
        timeout: Duration,
        mut find: impl FnMut(&Standing) -> Option<T> + Send,
    ) -> Option<T> {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut changes = self.watch();
        loop {
            if let Some(found) = find(&self.standing()) {
                return Some(found);
            }
            // The sender is this node's own, so it is there.
            let changed = tokio::time::timeout_at(deadline, changes.changed()).await;
            if changed.is_err() {
                return None;
            }
        }
    }
}
