//! The synchronizer: one order of everything, one state that every participant sees, and the participants' sockets.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use canton_topology::{
    Timestamp,
    authorization::Rules,
    id::{MemberKind, ParticipantId, PhysicalSynchronizerId},
    judge::{Time, Verdict, Verifier, fold_batch, replay},
    key::SigningPublicKey,
    rejection::Rejection,
    snapshot::{self, Format, Item},
    state::{State, StaticParameters},
    transaction::SignedTransaction,
};
use thiserror::Error;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    genesis::{self, Node},
    node,
};

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The names of the participants.
    pub participants: Vec<String>,
    /// 34 or 35.
    pub protocol_version: u32,
    /// From being sequenced to being effective. Canton's default is 250 ms.
    pub topology_change_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let participants = ["participant1", "participant2", "participant3"].map(str::to_owned).to_vec();
        Self { participants, protocol_version: 34, topology_change_delay: Duration::from_millis(250) }
    }
}

/// Why the sandbox does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// No socket.
    #[error("no loopback socket: {0}")]
    Socket(#[from] std::io::Error),
    /// A first row is refused.
    #[error("row {index} of the beginning is refused: {rejection}")]
    Refused {
        /// Which.
        index: usize,
        /// Why.
        rejection: Rejection,
    },
}

/// What all participants share.
pub(crate) struct Shared {
    pub synchronizer: PhysicalSynchronizerId,
    topology: Mutex<Topology>,
    queue: mpsc::UnboundedSender<Vec<SignedTransaction>>,
}

struct Topology {
    /// What is effective.
    head: State,
    /// Rows that were refused when they were sequenced.
    verifier: Verifier,
}

impl Shared {
    fn topology(&self) -> MutexGuard<'_, Topology> {
        // A panic while the lock was held is a bug of the sandbox; what it holds is still whole.
        self.topology.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is effective now.
    pub fn head(&self) -> State {
        self.topology().head.clone()
    }

    /// Judges transactions as the next batch would, and changes nothing.
    pub fn try_batch(&self, transactions: &[SignedTransaction]) -> Vec<Verdict> {
        let mut topology = self.topology();
        let mut head = topology.head.clone();
        fold_batch(&mut head, &mut topology.verifier, transactions, Time { sequenced: now(), effective: now() })
    }

    /// Queues transactions, to be sequenced after all before them.
    pub fn sequence(&self, transactions: Vec<SignedTransaction>) {
        // The only receiver lives as long as the network.
        let _ = self.queue.send(transactions);
    }

    fn apply(&self, transactions: &[SignedTransaction], time: Time) {
        let mut topology = self.topology();
        let Topology { head, verifier } = &mut *topology;
        for (transaction, verdict) in transactions.iter().zip(fold_batch(head, verifier, transactions, time)) {
            tracing::debug!(hash = %transaction.transaction.hash(), ?verdict, "sequenced");
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A participant of the sandbox, as others see it.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Its id.
    pub id: ParticipantId,
    /// Its namespace key, which it holds.
    pub namespace_key: SigningPublicKey,
    /// Where its admin API listens.
    pub address: SocketAddr,
}

/// A running synchronizer with its participants. Ends with the value.
pub struct Network {
    shared: Arc<Shared>,
    participants: Vec<Participant>,
    tasks: Vec<JoinHandle<()>>,
}

impl Network {
    /// Starts a fresh synchronizer.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(options: &Options) -> Result<Self, StartError> {
        let (synchronizer, rows) = genesis::synchronizer("sandbox", options.protocol_version);
        let mut head = State::new(synchronizer.clone(), StaticParameters::default());
        let mut verifier = Verifier::default();
        let mut nodes = Vec::new();
        let mut batch = rows;
        for name in &options.participants {
            let node = Node::generate(MemberKind::Participant, name);
            batch.extend(node.onboarding(&synchronizer.logical));
            nodes.push(node);
        }
        let time = Time { sequenced: genesis::GENESIS, effective: genesis::GENESIS };
        refuse_first(&fold_batch(&mut head, &mut verifier, &batch, time))?;
        Self::run(options, head, verifier, nodes).await
    }

    /// Starts on rows of another network's initial snapshot, such as MainNet's, under the rules of initial snapshots. Its
    /// participants are not here, so one of ours is put beside them, which hosts nothing and hands in what others signed.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_on(
        options: &Options,
        synchronizer: PhysicalSynchronizerId,
        rows: &[Item],
    ) -> Result<Self, StartError> {
        let mut head = State::new(synchronizer, StaticParameters::default());
        head.set_rules(Rules::InitialSnapshot);
        let mut verifier = Verifier::default();
        refuse_first(&replay(&mut head, &mut verifier, rows))?;
        let nodes = vec![Node::generate(MemberKind::Participant, "submitter")];
        Self::run(options, head, verifier, nodes).await
    }

    async fn run(options: &Options, head: State, verifier: Verifier, nodes: Vec<Node>) -> Result<Self, StartError> {
        let (queue, mut batches) = mpsc::unbounded_channel::<Vec<SignedTransaction>>();
        let synchronizer = head.synchronizer().clone();
        let shared = Arc::new(Shared { synchronizer, topology: Mutex::new(Topology { head, verifier }), queue });
        let mut tasks = Vec::new();
        let (sequencer, delay) = (Arc::clone(&shared), options.topology_change_delay);
        tasks.push(tokio::spawn(async move {
            while let Some(batch) = batches.recv().await {
                let sequenced = now();
                tokio::time::sleep(delay).await;
                sequencer.apply(&batch, Time { sequenced, effective: now().max(sequenced.plus_micros(1)) });
            }
        }));
        let mut participants = Vec::new();
        for node in nodes {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            participants.push(Participant {
                id: node.participant(),
                namespace_key: node.namespace_key.public().clone(),
                address: listener.local_addr()?,
            });
            tasks.push(tokio::spawn(node::serve(listener, Arc::clone(&shared), node)));
        }
        Ok(Self { shared, participants, tasks })
    }

    /// The synchronizer.
    pub fn synchronizer(&self) -> &PhysicalSynchronizerId {
        &self.shared.synchronizer
    }

    /// The participants.
    pub fn participants(&self) -> &[Participant] {
        &self.participants
    }

    /// What is effective now.
    pub fn head(&self) -> State {
        self.shared.head()
    }

    /// The whole topology in Canton's V2 format: closed rows and open proposals too.
    pub fn export(&self) -> Vec<u8> {
        let items: Vec<Item> = self.head().rows().map(|row| row.to_item()).collect();
        snapshot::write(Format::V2, &items)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn refuse_first(verdicts: &[Verdict]) -> Result<(), StartError> {
    let refused = verdicts.iter().enumerate().find_map(|(index, verdict)| match verdict {
        Verdict::Rejected(rejection) => Some(StartError::Refused { index, rejection: rejection.clone() }),
        Verdict::Active { .. } | Verdict::Proposal { .. } => None,
    });
    refused.map_or(Ok(()), Err)
}
