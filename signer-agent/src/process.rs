//! The running agent: follows the coordinator's inbox and its own participant's topology, answers its owner's commands,
//! and lets what it signed be posted until the coordinator has it.

mod acting;
mod finishing;
mod hosting;
mod in_turn;

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context as _;
use canton_client::{
    access::{Access, AccessError},
    explain::is_redacted,
    ledger::Ledger,
    participant::{Options, Participant},
};
use canton_topology::{
    Timestamp,
    hash::TransactionHash,
    id::{Fingerprint, Namespace, ParticipantId, PhysicalSynchronizerId, SynchronizerId},
    judge::{Verdict, Verifier, replay},
    snapshot::{self, Item},
    state::{State, StaticParameters},
};
use custody::journal::Journal;
use protocol::{
    difference::DifferenceClass,
    identity::{IdentityCertificate, IdentityPublicKey},
    limits,
    reader::Me,
    statement::{SignStatements as _, Statement, StatementHash},
};
use tokio::{
    io::BufReader,
    net::UnixStream,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::{info, warn};

use crate::{
    actor::{Actor, Message, now},
    agent::Agent,
    backends::participant::Node,
    control::{self, Answer, Request},
    coordinator_link::Link,
    custodian::Custodian,
    finish::Finisher,
    folder::{Config, Enrolment, Folder, Seen},
    hosting::{Runner, Tools, follow::Follower},
    lines::Lines,
    offering::Offering,
    outgoing::Settled,
    posting::Posting,
    waiting::Waiting,
};

/// How long the participant may take to answer.
pub const PARTICIPANT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the participant's topology is looked at.
const TOPOLOGY_EVERY: Duration = Duration::from_millis(250);
/// How long an inbox request waits for something new.
const INBOX_WAIT: Duration = Duration::from_secs(20);
/// How long after a failure something is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How often a rule is asked whether it permits something that waits.
const RULES_EVERY: Duration = Duration::from_millis(500);
/// How long a command waits for the coordinator to take what it made.
const POST_WITHIN: Duration = Duration::from_secs(5);

/// What the running agent is made of.
pub struct Process {
    /// Its folder.
    pub folder: Folder,
    /// Its opened keys.
    pub custodian: Custodian,
    /// What rules permit.
    pub rules: Vec<DifferenceClass>,
    /// How long what the coordinator does is left to it, in microseconds.
    pub patience: i64,
}

/// Runs until the process is told to stop.
///
/// # Errors
/// Where it cannot begin: configuration, enrolment, journal, socket.
pub async fn run(process: Process) -> anyhow::Result<()> {
    let Process { folder, custodian, rules, patience } = process;
    let (config, enrolment) = (folder.config()?, folder.enrolment()?);
    let journal = Journal::open(&folder.journal())?;
    let link = Link::new(&enrolment)?;
    let node = participant(&config.participant, &config.participant_access)?;
    let owner = Namespace::from(folder.card()?.namespace_key.fingerprint());
    let Custodian { identity, parcel, keyring, .. } = custodian;
    let me = Me {
        owner,
        identity: identity.identity(),
        keys: keyring.active().map(|key| key.public.clone()).collect(),
        host: None,
        synchronizer: config.synchronizer.clone(),
    };
    let mut agent = Agent::new(me, Box::new(identity), enrolment.coordinator, folder.book()?, rules);
    for former in &enrolment.former {
        agent.succeed(*former);
    }
    for entry in directory(&link, &folder).await {
        agent.admit(entry.0, entry.1);
    }
    let (outgoing, said) = folder.outgoing()?;
    for statement in &said {
        agent.remember(statement)?;
    }
    let (lines, cursor) = restore(&mut agent, &folder, &enrolment)?;
    let host = folder.card()?.host.map(|id| (node.clone(), id));
    let listener = control::listen(&folder.socket())?;
    let (sender, inbox) = mpsc::channel(256);
    let ledger = config.ledger.as_ref().map(|address| ledger(address, &config.ledger_access)).transpose()?;
    let tools = Tools {
        node: node.clone(),
        ledger,
        link: link.clone(),
        folder: folder.clone(),
        parcel_key: parcel,
        backup_command: config.backup_command.clone(),
    };
    let actor = Actor {
        agent,
        journal,
        keyring,
        participant: host,
        coordinator_seen: None,
        patience,
        is_left_alone: false,
        finisher: Finisher::default(),
        offering: Offering::default(),
        submissions: folder.submissions()?,
        folder: folder.clone(),
        outgoing,
        drill_every_days: config.drill_every_days,
        missed_drills: Vec::new(),
        looked_at: BTreeSet::new(),
        waiting: Waiting::open(&folder)?,
        has_backup_command: !config.backup_command.is_empty(),
        runtime: tokio::runtime::Handle::current(),
    };
    let mut acting = acting::start(move || actor.run(inbox))?;
    info!(socket = %folder.socket().display(), "the agent runs");
    let posting = Posting::start(link.clone(), sender.clone());
    let follower = Follower { runner: Runner::new(tools), actor: sender.clone(), posting: posting.clone() };
    let coordinator = enrolment.coordinator;
    let synchronizer = config.synchronizer.clone();
    let shell = Shell { sender, link, posting, follower, folder, coordinator, node: node.clone(), synchronizer };
    tokio::spawn(shell.clone().follow_inbox(lines, cursor));
    tokio::spawn(shell.clone().follow_topology(node, config));
    tokio::spawn(shell.clone().follow_rules());
    tokio::spawn(shell.clone().follow_complete_cases());
    tokio::spawn(shell.follower.clone().follow());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tokio::spawn(shell.clone().serve(stream));
            }
            () = stopped() => break,
            // Without it nothing is decided and nothing signed, and whoever watches the process is to start it again.
            _ = &mut acting => anyhow::bail!("the thread that decides and signs has ended; the agent cannot go on"),
        }
    }
    info!("the agent stops");
    Ok(())
}

/// Reads what was seen before; how far the present coordinator was read.
fn restore(agent: &mut Agent, folder: &Folder, enrolment: &Enrolment) -> anyhow::Result<(Lines<Seen>, u64)> {
    let mut cursor = 0;
    let (lines, all) = folder.seen()?;
    for seen in all {
        agent.receive(Statement::parse(&seen.statement.0)?, seen.position)?;
        // Lines of before there was another coordinator do not say whose they are.
        let is_first = seen.coordinator.is_none() && enrolment.former.is_empty();
        if is_first || seen.coordinator == Some(enrolment.coordinator) {
            cursor = seen.sequence;
        }
    }
    Ok((lines, cursor))
}

async fn stopped() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Whoever is enrolled, or ever was, and whose certificate verifies. What was shown once is kept: what these people have
/// said is to be read without a coordinator too.
async fn directory(link: &Link, folder: &Folder) -> Vec<(IdentityPublicKey, Namespace)> {
    let mut certificates = folder.directory().unwrap_or_else(|error| {
        warn!(%error, "the directory of owners that was kept does not read");
        Vec::new()
    });
    match link.directory().await {
        Ok(shown) => {
            let known = certificates.len();
            for entry in shown.owners {
                let has_room = certificates.len() < limits::DIRECTORY_OWNERS_MAX;
                if has_room && !certificates.contains(&entry.certificate) {
                    certificates.push(entry.certificate);
                }
            }
            if certificates.len() != known
                && let Err(error) = folder.set_directory(&certificates)
            {
                warn!(%error, "the directory of owners is not kept");
            }
        }
        Err(error) => warn!(%error, "the directory of owners was not read"),
    }
    let read = certificates.iter().filter_map(|certificate| IdentityCertificate::parse(&certificate.0).ok());
    read.map(|certificate| (certificate.identity(), certificate.owner())).collect()
}

#[derive(Clone)]
struct Shell {
    sender: mpsc::Sender<Message>,
    link: Link,
    posting: Posting,
    follower: Follower,
    folder: Folder,
    coordinator: IdentityPublicKey,
    node: Participant,
    synchronizer: SynchronizerId,
}

impl Shell {
    async fn tell(&self, message: Message) {
        // Where the thread has ended, so does the process.
        let _ = self.sender.send(message).await;
    }

    async fn follow_inbox(self, mut lines: Lines<Seen>, mut cursor: u64) {
        // The first answer does not wait for news, so that the owner soon knows that there is one.
        let mut wait = Duration::ZERO;
        loop {
            match self.link.inbox(cursor, wait).await {
                Ok(inbox) => {
                    self.tell(Message::Heard { at: now(), reads_topology: inbox.reads_topology }).await;
                    wait = INBOX_WAIT;
                    for entry in inbox.entries {
                        let seen = Seen {
                            sequence: entry.sequence,
                            position: entry.position,
                            statement: entry.statement,
                            coordinator: Some(self.coordinator),
                        };
                        if !self.take(&seen, &mut lines).await {
                            break;
                        }
                        cursor = seen.sequence;
                    }
                }
                Err(error) => {
                    warn!(%error, "the inbox was not read");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    /// Takes one statement; `false` where it must come again.
    async fn take(&self, seen: &Seen, lines: &mut Lines<Seen>) -> bool {
        let statement = match Statement::parse(&seen.statement.0) {
            Ok(statement) => statement,
            Err(error) => {
                warn!(%error, sequence = seen.sequence, "ALARM: the coordinator sent something that is no statement");
                return true;
            }
        };
        for attempt in 0..2 {
            let (reply, answer) = oneshot::channel();
            let message = Message::Statement { statement: statement.clone(), position: seen.position, reply };
            self.tell(message).await;
            match answer.await {
                Ok(Ok(())) => break,
                // A speaker who enrolled after we did: look the directory up, once.
                Ok(Err(_)) if attempt == 0 => {
                    self.tell(Message::Directory(directory(&self.link, &self.folder).await)).await
                }
                Ok(Err(error)) => {
                    warn!(%error, sequence = seen.sequence, "ALARM: a statement does not belong where it was put");
                    return true;
                }
                Err(_) => return false,
            }
        }
        if let Err(error) = lines.append(seen) {
            warn!(%error, "a statement was not kept; it will be asked for again");
            tokio::time::sleep(RETRY_AFTER).await;
            return false;
        }
        true
    }

    async fn follow_topology(self, node: Participant, config: Config) {
        let mut verifier = Verifier::default();
        let (mut last, mut failed) = (None, None);
        match remembered(&self.folder, &mut verifier) {
            Ok(Some((state, at))) => self.tell(Message::Topology(Box::new(state), at)).await,
            Ok(None) => {}
            Err(error) => warn!(%error, "the topology that was remembered does not read"),
        }
        loop {
            let asked = now();
            match read_topology(&node, &config, &mut verifier, &mut last).await {
                Ok(Some(state)) => {
                    failed = None;
                    self.tell(Message::Topology(Box::new(state), asked)).await;
                }
                Ok(None) => {
                    failed = None;
                    self.tell(Message::Confirmed(asked)).await;
                }
                // Said once, for as long as it stays so: a node may be away for hours on purpose.
                Err(error) if failed.as_ref() == Some(&error.to_string()) => {}
                Err(error) => {
                    warn!(%error, "topology was not read");
                    failed = Some(error.to_string());
                }
            }
            tokio::time::sleep(TOPOLOGY_EVERY).await;
        }
    }

    async fn follow_rules(self) {
        loop {
            tokio::time::sleep(RULES_EVERY).await;
            let (reply, answer) = oneshot::channel();
            self.tell(Message::Rules(reply)).await;
            if answer.await.is_ok_and(|waiting| waiting > 0) {
                self.posting.wake();
            }
        }
    }

    async fn serve(self, stream: UnixStream) {
        let mut stream = BufReader::new(stream);
        match control::receive(&mut stream).await {
            Ok(Some(request)) => {
                let answer = self.answer(request).await;
                let _ = control::send(&mut stream, &answer).await;
            }
            Ok(None) => {}
            Err(error) => {
                let _ = control::send(&mut stream, &Answer::failed("Request", error)).await;
            }
        }
    }

    async fn answer(&self, request: Request) -> Answer {
        let case = request.case().cloned();
        let answer = self.obey(request).await;
        let (Answer::Failed { reason, .. } | Answer::NotYet { reason, .. }) = &answer else { return answer };
        // What Canton hides, our own rules tell of the case.
        let meaning = match case.filter(|_| is_redacted(reason)) {
            Some(case) => self.follower.explain(&case, reason).await,
            None => None,
        };
        answer.meaning(meaning)
    }

    async fn obey(&self, request: Request) -> Answer {
        match request {
            Request::Submit { case } => self.submit_case(case).await,
            Request::HandOver { case } => self.hand_over(case).await,
            Request::WorkflowRun { .. }
            | Request::Workflow { .. }
            | Request::Status
            | Request::Propose { .. }
            | Request::Approve { .. }
            | Request::Hash { .. }
            | Request::Contribute { .. } => self.hosted(request).await,
            other => self.decide(other).await,
        }
    }

    async fn decide(&self, request: Request) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.settled(Message::Request { request, reply }, answer).await
    }

    /// What comes back of a message, when the coordinator has what it made, or a while has passed.
    async fn settled(&self, message: Message, answer: oneshot::Receiver<(Answer, Option<StatementHash>)>) -> Answer {
        let mut ear = self.posting.listen();
        self.tell(message).await;
        let Ok((answer, statement)) = answer.await else {
            return Answer::failed("Stopped", "the agent is stopping");
        };
        let Some(hash) = statement else { return answer };
        self.posting.wake();
        match timeout(POST_WITHIN, ear.of(hash)).await {
            Ok(Some(Settled::Taken)) => answer,
            Ok(Some(Settled::Refused(refused))) => Answer::failed(&refused.name, refused.reason),
            Ok(None) | Err(_) => waits(answer),
        }
    }
}

/// The answer to a command whose statement the coordinator does not have yet.
fn waits(answer: Answer) -> Answer {
    let reason = "it is signed and kept, and is posted as soon as the coordinator can be reached; do not say it again, `list` shows what waits";
    match answer {
        Answer::Done { value } => Answer::Waits { value, reason: reason.to_owned() },
        other @ (Answer::NotYet { .. } | Answer::Waits { .. } | Answer::Failed { .. }) => other,
    }
}

/// What the participant showed before it was disconnected, judged again.
fn remembered(folder: &Folder, verifier: &mut Verifier) -> anyhow::Result<Option<(State, Timestamp)>> {
    let Some(remembered) = folder.topology()? else { return Ok(None) };
    let (_, items) = snapshot::read(&remembered.rows.0)?;
    Ok(Some((judged(remembered.synchronizer, verifier, &items)?, remembered.at)))
}

/// A state made of signed rows, each of which Canton would accept.
fn judged(synchronizer: PhysicalSynchronizerId, verifier: &mut Verifier, items: &[Item]) -> anyhow::Result<State> {
    let mut state = State::new(synchronizer, StaticParameters::default());
    for (index, verdict) in replay(&mut state, verifier, items).iter().enumerate() {
        if let Verdict::Rejected(rejection) = verdict {
            anyhow::bail!("ALARM: row {index} of the participant is not one that Canton accepts: {rejection}");
        }
    }
    Ok(state)
}

/// What was read last: how many rows and the last one's hash, and the open proposals with their signers.
type Mark = (usize, Option<TransactionHash>, Vec<(TransactionHash, BTreeSet<Fingerprint>)>);

/// The agent's own replay of its participant's signed rows; `None` where nothing changed.
async fn read_topology(
    node: &Participant,
    config: &Config,
    verifier: &mut Verifier,
    last: &mut Option<Mark>,
) -> anyhow::Result<Option<State>> {
    let items = node.topology(&config.synchronizer).await?;
    let open = node.open_proposals(&config.synchronizer).await?;
    let hash = |item: &Item| item.transaction.transaction.hash();
    let signed = open.iter().map(|item| (hash(item), item.transaction.signers())).collect();
    let mark = (items.len(), items.last().map(hash), signed);
    if last.as_ref() == Some(&mark) {
        return Ok(None);
    }
    let synchronizer = node.synchronizer(&config.synchronizer).await?;
    if last.is_none() {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        verifier.merge(Verifier::ahead(&items, threads));
    }
    let mut state = judged(synchronizer, verifier, &items)?;
    for item in &open {
        state.keep_open(item);
    }
    *last = Some(mark);
    Ok(Some(state))
}

/// The owner's participant, for the backend whose keys live in it.
///
/// # Errors
/// Where the address is none, or the files of its access are missing.
pub fn node(address: &str, access: &Access, synchronizer: &SynchronizerId) -> Result<Node, AccessError> {
    Ok(Node { participant: participant(address, access)?, synchronizer: synchronizer.clone() })
}

fn participant(address: &str, access: &Access) -> Result<Participant, AccessError> {
    let (address, access) = (address.to_owned(), access.clone());
    Participant::new(&Options { address, timeout: PARTICIPANT_TIMEOUT, access })
}

fn ledger(address: &str, access: &Access) -> Result<Ledger, AccessError> {
    let (address, access) = (address.to_owned(), access.clone());
    Ledger::new(&Options { address, timeout: Duration::from_secs(10), access })
}

/// Who a participant is, for the owner's card.
///
/// # Errors
/// Where it cannot be asked, and where it is not connected to the synchronizer that the keys are to be pinned to.
pub async fn connected_participant(
    address: &str,
    access: &Access,
    synchronizer: &SynchronizerId,
) -> anyhow::Result<ParticipantId> {
    let node = participant(address, access)?;
    let id = node.id().await?;
    node.synchronizer(synchronizer).await.with_context(|| format!("--synchronizer {synchronizer}"))?;
    Ok(id)
}
