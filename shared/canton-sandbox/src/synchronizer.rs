//! The synchronizer: one order of everything, and the topology that follows from it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use canton_topology::{
    Timestamp,
    id::PhysicalSynchronizerId,
    judge::{Time, Verifier, fold_batch},
    state::State,
    transaction::SignedTransaction,
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    clock::{micros, now},
    contract::{Contract, ContractId, NewContract},
    participant::ParticipantNode,
};

/// What was sequenced, in its place for ever.
#[derive(Debug)]
pub(crate) enum Event {
    /// Topology, to be judged by everybody.
    Topology {
        /// In their order.
        transactions: Vec<SignedTransaction>,
        /// When.
        time: Time,
    },
    /// Contracts came or went.
    Contracts {
        /// Those that came.
        created: Vec<Arc<Contract>>,
        /// Those that went, with whose they were.
        archived: Vec<Arc<Contract>>,
        /// When.
        time: Timestamp,
    },
}

/// What somebody wants to be sequenced.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Topology.
    Topology(Vec<SignedTransaction>),
    /// Contracts.
    Contracts {
        /// To create.
        create: Vec<NewContract>,
        /// To archive.
        archive: Vec<ContractId>,
    },
}

/// A wish on its way.
#[derive(Debug)]
pub(crate) struct Submission {
    /// The node that sends it; it waits while that node is not connected.
    pub from: Option<usize>,
    /// What.
    pub wish: Wish,
    /// Told the place that it gets.
    pub placed: oneshot::Sender<Placed>,
}

/// Where a wish went.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// How many events there are up to and with it.
    pub events: usize,
    /// The contracts that it made.
    pub created: Vec<ContractId>,
}

/// What all participants share.
pub(crate) struct Synchronizer {
    pub id: PhysicalSynchronizerId,
    order: Mutex<Order>,
    verifier: Mutex<Verifier>,
    queue: mpsc::UnboundedSender<Submission>,
    /// Added to the delay of whatever is sequenced, in microseconds.
    slowness: AtomicU64,
}

struct Order {
    log: Vec<Arc<Event>>,
    head: State,
    contracts: Vec<Arc<Contract>>,
}

/// A panic while a lock was held is a bug of the sandbox; what it holds is still whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Synchronizer {
    /// A synchronizer, and the end of its queue, to be handed to [`Self::run`].
    pub fn new(head: State, verifier: Verifier) -> (Self, mpsc::UnboundedReceiver<Submission>) {
        let (queue, submissions) = mpsc::unbounded_channel();
        let synchronizer = Self {
            id: head.synchronizer().clone(),
            order: Mutex::new(Order { log: Vec::new(), head, contracts: Vec::new() }),
            verifier: Mutex::new(verifier),
            queue,
            slowness: AtomicU64::new(0),
        };
        (synchronizer, submissions)
    }

    /// What is effective now.
    pub fn head(&self) -> State {
        locked(&self.order).head.clone()
    }

    /// Lets everything take longer from now on.
    pub fn slow_down(&self, by: Duration) {
        self.slowness.store(u64::try_from(micros(by)).unwrap_or_default(), Ordering::Relaxed);
    }

    /// The memory of which signatures verify.
    pub fn verifier(&self) -> MutexGuard<'_, Verifier> {
        locked(&self.verifier)
    }

    /// What was sequenced after the first `count` events.
    pub fn events_after(&self, count: usize) -> Vec<Arc<Event>> {
        locked(&self.order).log.iter().skip(count).cloned().collect()
    }

    /// Queues a wish, to be sequenced after all before it.
    pub fn submit(&self, from: Option<usize>, wish: Wish) -> oneshot::Receiver<Placed> {
        let (placed, place) = oneshot::channel();
        self.resubmit(Submission { from, wish, placed });
        place
    }

    /// Queues what had to wait.
    pub fn resubmit(&self, submission: Submission) {
        // The receiver lives as long as the network; after its end nobody asks.
        let _ = self.queue.send(submission);
    }

    /// Orders what comes, one after the other, until the network ends.
    pub async fn run(
        self: Arc<Self>,
        nodes: Vec<Arc<ParticipantNode>>,
        mut submissions: mpsc::UnboundedReceiver<Submission>,
        delay: Duration,
    ) {
        while let Some(submission) = submissions.recv().await {
            let from = submission.from.and_then(|index| nodes.get(index));
            let Some(Submission { wish, placed, .. }) = keep_back(from, submission) else { continue };
            let slowness = Duration::from_micros(self.slowness.load(Ordering::Relaxed));
            tokio::time::sleep(slowness).await;
            let sequenced = now();
            if matches!(wish, Wish::Topology(_)) {
                tokio::time::sleep(delay).await;
            }
            let place = self.append(wish, sequenced);
            if let Some(node) = from {
                node.sent();
            }
            for node in &nodes {
                node.catch_up_if_connected();
            }
            // Who does not wait has dropped the other end.
            let _ = placed.send(place);
        }
    }

    fn append(&self, wish: Wish, sequenced: Timestamp) -> Placed {
        let mut order = locked(&self.order);
        let (event, created) = match wish {
            Wish::Topology(transactions) => {
                let time = Time { sequenced, effective: now().max(sequenced.plus_micros(1)) };
                let verdicts = fold_batch(&mut order.head, &mut self.verifier(), &transactions, time);
                for (transaction, verdict) in transactions.iter().zip(verdicts) {
                    tracing::debug!(hash = %transaction.transaction.hash(), ?verdict, "sequenced");
                }
                (Event::Topology { transactions, time }, Vec::new())
            }
            Wish::Contracts { create, archive } => {
                let first = order.contracts.len() as u64;
                let create = create.into_iter().zip(first..);
                let created: Vec<Arc<Contract>> =
                    create.map(|(new, number)| Arc::new(Contract::create(new, number, sequenced))).collect();
                let archived = order.contracts.iter().filter(|contract| archive.contains(&contract.id));
                let archived = archived.cloned().collect();
                order.contracts.extend(created.iter().cloned());
                let ids = created.iter().map(|contract| contract.id.clone()).collect();
                (Event::Contracts { created, archived, time: sequenced }, ids)
            }
        };
        order.log.push(Arc::new(event));
        Placed { events: order.log.len(), created }
    }
}

/// Leaves with its node what a node that is not connected would send.
fn keep_back(from: Option<&Arc<ParticipantNode>>, submission: Submission) -> Option<Submission> {
    match from {
        Some(node) if !node.standing().connected => {
            node.keep(submission);
            None
        }
        Some(_) | None => Some(submission),
    }
}
