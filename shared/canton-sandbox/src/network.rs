//! The synchronizer: one order of everything, one state that every participant sees, and the participants' sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use canton_topology::{
    authorization::Rules,
    id::{MemberKind, ParticipantId, PhysicalSynchronizerId},
    judge::{Time, Verdict, Verifier, fold_batch, replay},
    key::SigningPublicKey,
    rejection::Rejection,
    snapshot::{self, Format, Item},
    state::{Row, State, StaticParameters},
    transaction::SignedTransaction,
};
use thiserror::Error;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    clock::now,
    connection,
    contract::{Contract, ContractId, NewContract},
    faults::Faults,
    genesis::{self, Node},
    hosting, ledger,
    node::clearance,
    participant::ParticipantNode,
    serve,
    standing::Standing,
    synchronizer::{Placed, Synchronizer, Wish},
};

pub use crate::options::{NodeVersion, Options, Storage};

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

/// A participant of the sandbox, as others see it.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Its id.
    pub id: ParticipantId,
    /// Its namespace key, which it holds.
    pub namespace_key: SigningPublicKey,
    /// Where its admin API listens.
    pub address: SocketAddr,
    /// Where its Ledger API listens.
    pub ledger_address: SocketAddr,
}

/// A running synchronizer with its participants. Ends with the value.
pub struct Network {
    synchronizer: Arc<Synchronizer>,
    nodes: Vec<Arc<ParticipantNode>>,
    participants: Vec<Participant>,
    tasks: Vec<JoinHandle<()>>,
}

/// A participant's backup: all that it kept at one moment.
#[derive(Clone)]
pub struct Backup(Standing);

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

    /// Starts on rows of another network with nodes of it, such as recorded ones.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_with(
        options: &Options,
        synchronizer: PhysicalSynchronizerId,
        rows: &[Item],
        nodes: Vec<Node>,
    ) -> Result<Self, StartError> {
        let mut head = State::new(synchronizer, StaticParameters::default());
        let mut verifier = Verifier::default();
        refuse_first(&replay(&mut head, &mut verifier, rows))?;
        Self::run(options, head, verifier, nodes).await
    }

    async fn run(
        options: &Options,
        head: State,
        verifier: Verifier,
        identities: Vec<Node>,
    ) -> Result<Self, StartError> {
        let (synchronizer, submissions) = Synchronizer::new(head.clone(), verifier);
        let synchronizer = Arc::new(synchronizer);
        let mut network = Self { synchronizer, nodes: Vec::new(), participants: Vec::new(), tasks: Vec::new() };
        for (index, identity) in identities.into_iter().enumerate() {
            let standing = first_standing(&head, &identity, &network.synchronizer);
            let shared = Arc::clone(&network.synchronizer);
            let options = options.of(identity.member.uid.identifier());
            let node = Arc::new(ParticipantNode::new(index, identity, shared, options, standing));
            network.listen(node).await?;
        }
        let (nodes, delay) = (network.nodes.clone(), options.topology_change_delay);
        network.tasks.push(tokio::spawn(Arc::clone(&network.synchronizer).run(nodes, submissions, delay)));
        Ok(network)
    }

    async fn listen(&mut self, node: Arc<ParticipantNode>) -> Result<(), StartError> {
        let admin = TcpListener::bind("127.0.0.1:0").await?;
        let ledger = TcpListener::bind("127.0.0.1:0").await?;
        self.participants.push(Participant {
            id: node.id(),
            namespace_key: node.identity.namespace_key.public().clone(),
            address: admin.local_addr()?,
            ledger_address: ledger.local_addr()?,
        });
        self.tasks.push(tokio::spawn(serve::admin(admin, Arc::clone(&node))));
        self.tasks.push(tokio::spawn(serve::ledger(ledger, Arc::clone(&node))));
        self.tasks.push(tokio::spawn(clearance::run(Arc::clone(&node))));
        self.nodes.push(node);
        Ok(())
    }

    /// The synchronizer.
    pub fn synchronizer(&self) -> &PhysicalSynchronizerId {
        &self.synchronizer.id
    }

    /// The participants.
    pub fn participants(&self) -> &[Participant] {
        &self.participants
    }

    /// What is effective now.
    pub fn head(&self) -> State {
        self.synchronizer.head()
    }

    fn node(&self, participant: &ParticipantId) -> &ParticipantNode {
        let node = self.nodes.iter().find(|node| node.id() == *participant);
        node.expect("tests and demos ask for participants of their own network")
    }

    /// What is to go wrong at a participant.
    ///
    /// # Panics
    /// Here and below: where the participant is not one of this network.
    pub fn faults(&self, participant: &ParticipantId) -> &Faults {
        &self.node(participant).faults
    }

    /// Lets everything that is sequenced from now on take longer.
    pub fn slow_down(&self, by: Duration) {
        self.synchronizer.slow_down(by);
    }

    /// Creates and archives contracts in one transaction, and waits until every connected participant has it. Nobody's
    /// authorization is asked: contracts are rows here.
    pub async fn transact(&self, create: Vec<NewContract>, archive: Vec<ContractId>) -> Vec<ContractId> {
        let placed = self.synchronizer.submit(None, Wish::Contracts { create, archive }).await;
        let Placed { created, .. } = placed.expect("the synchronizer runs as long as its network");
        created
    }

    /// Sequences contracts that were made elsewhere, as they are.
    pub async fn take_over(&self, contracts: Vec<Contract>) {
        let placed = self.synchronizer.submit(None, Wish::Foreign(contracts)).await;
        placed.expect("the synchronizer runs as long as its network");
    }

    /// The contracts that are active at a participant.
    pub fn contracts(&self, participant: &ParticipantId) -> std::collections::BTreeSet<ContractId> {
        self.node(participant).standing().ledger.active_ids()
    }

    /// Why a participant no longer agrees with the others; `None` where it does.
    pub fn fork(&self, participant: &ParticipantId) -> Option<ledger::Fork> {
        self.node(participant).standing().ledger.fork().cloned()
    }

    /// The last offset of a participant.
    pub fn ledger_end(&self, participant: &ParticipantId) -> i64 {
        self.node(participant).standing().ledger.end()
    }

    /// Prunes a participant: what happened up to this offset can no longer be read there.
    pub fn prune(&self, participant: &ParticipantId, offset: i64) {
        self.node(participant).standing().ledger.prune(offset);
    }

    /// Stops a participant: every call fails, and what was under way is lost.
    pub fn stop(&self, participant: &ParticipantId) {
        self.node(participant).stop();
    }

    /// Starts a stopped participant. It connects by itself, unless its configuration says otherwise.
    pub fn restart(&self, participant: &ParticipantId) {
        self.node(participant).start();
    }

    /// A backup of all that a participant keeps.
    pub fn back_up(&self, participant: &ParticipantId) -> Backup {
        Backup(self.node(participant).standing().clone())
    }

    /// Puts a backup in the place of what the participant has: its ledger end may go back. It is not connected then.
    pub fn restore(&self, participant: &ParticipantId, backup: &Backup) {
        self.node(participant).restore(backup.0.clone());
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

/// What a node has once it has joined: every participant's own party is news to it.
fn first_standing(head: &State, identity: &Node, synchronizer: &Synchronizer) -> Standing {
    let mut authorized = State::new(synchronizer.id.clone(), StaticParameters::default());
    let is_own =
        |row: &&Row| !row.proposal && row.transaction.mapping().namespace() == &identity.namespace_key.namespace();
    let own: Vec<SignedTransaction> = head.rows().filter(is_own).map(Row::to_signed).collect();
    fold_batch(&mut authorized, &mut Verifier::default(), &own, Time { sequenced: now(), effective: now() });
    let mut standing = Standing::new(head.clone(), connection::config(&synchronizer.id), authorized, identity.keys());
    for (event, effective) in hosting::first(head) {
        standing.ledger.record_hosting(vec![event], effective);
    }
    standing
}

fn refuse_first(verdicts: &[Verdict]) -> Result<(), StartError> {
    let refused = verdicts.iter().enumerate().find_map(|(index, verdict)| match verdict {
        Verdict::Rejected(rejection) => Some(StartError::Refused { index, rejection: rejection.clone() }),
        Verdict::Active { .. } | Verdict::Proposal { .. } => None,
    });
    refused.map_or(Ok(()), Err)
}
