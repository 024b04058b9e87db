//! The running agent: follows the coordinator's inbox and its own participant's topology, answers its owner's commands,
//! and lets what it signed be posted until the coordinator has it.

use std::{collections::BTreeSet, time::Duration};

use canton_client::{
    access::{Access, AccessError},
    ledger::Ledger,
    participant::{Options, Participant},
};
use canton_topology::{
    hash::TransactionHash,
    id::{Fingerprint, Namespace, ParticipantId},
    judge::{Verdict, Verifier, replay},
    snapshot::Item,
    state::{State, StaticParameters},
};
use custody::{
    journal::Journal,
    keys::{KeyBackend as _, Purpose, encrypted_file::EncryptedFile},
};
use protocol::{
    difference::DifferenceClass,
    hosting::HostingStep,
    identity::{IdentityCertificate, IdentityPublicKey},
    statement::{SignStatements as _, Statement},
    verify::Me,
};
use tokio::{
    io::BufReader,
    net::UnixStream,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::{info, warn};

use crate::{
    actor::{Actor, Message},
    agent::Agent,
    control::{self, Answer, Request, Wanted},
    coordinator_link::Link,
    folder::{Config, Folder, Seen},
    hosting::{self, Runner, Tools, follow::Follower},
    lines::Lines,
    outgoing::Settled,
    posting::Posting,
};

/// How often the participant's topology is looked at.
const TOPOLOGY_EVERY: Duration = Duration::from_millis(250);
/// How long an inbox request waits for something new.
const INBOX_WAIT: Duration = Duration::from_secs(20);
/// How long after a failure something is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How often a rule is asked whether it permits something that waits.
const RULES_EVERY: Duration = Duration::from_millis(500);
/// How many times an approval is made again while a new host's answer is awaited.
const APPROVE_LOOKS: usize = 20;
/// How long a command waits for the coordinator to take what it made.
const POST_WITHIN: Duration = Duration::from_secs(5);

/// What the running agent is made of.
pub struct Process {
    /// Its folder.
    pub folder: Folder,
    /// Its opened keys.
    pub keys: EncryptedFile,
    /// What rules permit.
    pub rules: Vec<DifferenceClass>,
}

/// Runs until the process is told to stop.
///
/// # Errors
/// Where it cannot begin: configuration, enrolment, journal, socket.
pub async fn run(process: Process) -> anyhow::Result<()> {
    let Process { folder, keys, rules } = process;
    let (config, enrolment) = (folder.config()?, folder.enrolment()?);
    let journal = Journal::open(&folder.journal())?;
    let link = Link::new(&enrolment)?;
    let node = participant(&config.participant, &config.participant_access)?;
    let identity = keys.identity();
    let me = Me {
        owner: Namespace::from(keys.namespace_key().fingerprint()),
        identity: identity.identity(),
        keys: keys
            .keys()
            .into_iter()
            .filter(|info| info.purpose != Purpose::Identity)
            .map(|info| info.public)
            .collect(),
        host: None,
        synchronizer: config.synchronizer.clone(),
    };
    let mut agent = Agent::new(me, Box::new(identity), enrolment.coordinator, folder.book()?, rules);
    for entry in directory(&link).await {
        agent.admit(entry.0, entry.1);
    }
    let (outgoing, said) = folder.outgoing()?;
    for statement in &said {
        agent.remember(statement)?;
    }
    let mut cursor = 0;
    let (lines, all) = folder.seen()?;
    for seen in all {
        agent.receive(Statement::parse(&seen.statement.0)?, seen.position)?;
        cursor = seen.sequence;
    }
    let host = folder.card()?.host.map(|id| (node.clone(), id));
    let listener = control::listen(&folder.socket())?;
    let (sender, inbox) = mpsc::channel(256);
    let ledger = config.ledger.as_ref().map(|address| ledger(address, &config.ledger_access)).transpose()?;
    let tools = Tools {
        node: node.clone(),
        ledger,
        link: link.clone(),
        folder: folder.clone(),
        parcel_key: keys.parcel_key().clone(),
        backup_command: config.backup_command.clone(),
    };
    let actor = Actor {
        agent,
        journal,
        backends: vec![Box::new(keys)],
        participant: host,
        folder: folder.clone(),
        outgoing,
        has_backup_command: !config.backup_command.is_empty(),
        runtime: tokio::runtime::Handle::current(),
    };
    std::thread::Builder::new().name("agent".to_owned()).spawn(move || actor.run(inbox))?;
    info!(socket = %folder.socket().display(), "the agent runs");
    let posting = Posting::start(link.clone(), sender.clone());
    let follower = Follower { runner: Runner::new(tools), actor: sender.clone(), posting: posting.clone() };
    let shell = Shell { sender, link, posting, follower };
    tokio::spawn(shell.clone().follow_inbox(lines, cursor));
    tokio::spawn(shell.clone().follow_topology(node, config));
    tokio::spawn(shell.clone().follow_rules());
    tokio::spawn(shell.follower.clone().follow());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tokio::spawn(shell.clone().serve(stream));
            }
            () = stopped() => break,
        }
    }
    info!("the agent stops");
    Ok(())
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

/// Whoever is enrolled and whose certificate verifies.
async fn directory(link: &Link) -> Vec<(IdentityPublicKey, Namespace)> {
    match link.directory().await {
        Ok(directory) => directory
            .owners
            .iter()
            .filter_map(|entry| IdentityCertificate::parse(&entry.certificate.0).ok())
            .map(|certificate| (certificate.identity(), certificate.owner()))
            .collect(),
        Err(error) => {
            warn!(%error, "the directory of owners was not read");
            Vec::new()
        }
    }
}

#[derive(Clone)]
struct Shell {
    sender: mpsc::Sender<Message>,
    link: Link,
    posting: Posting,
    follower: Follower,
}

impl Shell {
    async fn tell(&self, message: Message) {
        // The thread ends with the process alone.
        let _ = self.sender.send(message).await;
    }

    async fn follow_inbox(self, mut lines: Lines<Seen>, mut cursor: u64) {
        loop {
            match self.link.inbox(cursor, INBOX_WAIT).await {
                Ok(inbox) => {
                    for entry in inbox.entries {
                        let seen =
                            Seen { sequence: entry.sequence, position: entry.position, statement: entry.statement };
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
                Ok(Err(_)) if attempt == 0 => self.tell(Message::Directory(directory(&self.link).await)).await,
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
        let mut last = None;
        loop {
            match read_topology(&node, &config, &mut verifier, &mut last).await {
                Ok(Some(state)) => self.tell(Message::Topology(Box::new(state))).await,
                Ok(None) => {}
                Err(error) => warn!(%error, "topology was not read"),
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
        match request {
            Request::WorkflowRun { case, confirm, backup, archives, sealed } => {
                let confirmed = match hosting::command::confirmed(confirm, backup, archives, sealed) {
                    Ok(confirmed) => confirmed,
                    Err(reason) => return Answer::failed("Confirm", reason),
                };
                hosting::command::run(&self.follower, &case, confirmed).await
            }
            Request::Workflow { case } => hosting::command::show(&self.follower, &case).await,
            Request::Propose { change: Wanted::Host(host), reason, deadline_s, accepts } => {
                let (host, advice) = match hosting::command::advised(&self.follower, host).await {
                    Ok(advised) => advised,
                    Err(answer) => return answer,
                };
                let request = Request::Propose { change: Wanted::Host(host), reason, deadline_s, accepts };
                hosting::command::with_advice(self.said(request).await, advice)
            }
            Request::Approve { .. } => self.approved(request).await,
            other => self.said(other).await,
        }
    }

    /// Where a fresh answer of a new host is all that is missing, it is asked for, and the approval is made again.
    async fn approved(&self, request: Request) -> Answer {
        let mut answer = self.said(request.clone()).await;
        let Answer::NotYet { reason } = &answer else { return answer };
        let Request::Approve { case, .. } = &request else { return answer };
        if !reason.contains(HostingStep::Disconnect.name()) || !self.follower.asked_for(case).await {
            return answer;
        }
        for _ in 0..APPROVE_LOOKS {
            tokio::time::sleep(RETRY_AFTER).await;
            answer = self.said(request.clone()).await;
            if !matches!(answer, Answer::NotYet { .. }) {
                break;
            }
        }
        answer
    }

    async fn said(&self, request: Request) -> Answer {
        let (reply, answer) = oneshot::channel();
        let mut ear = self.posting.listen();
        self.tell(Message::Request { request, reply }).await;
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
    let mut state = State::new(synchronizer, StaticParameters::default());
    for (index, verdict) in replay(&mut state, verifier, &items).iter().enumerate() {
        if let Verdict::Rejected(rejection) = verdict {
            anyhow::bail!("ALARM: row {index} of the participant is not one that Canton accepts: {rejection}");
        }
    }
    for item in &open {
        state.keep_open(item);
    }
    *last = Some(mark);
    Ok(Some(state))
}

fn participant(address: &str, access: &Access) -> Result<Participant, AccessError> {
    let (address, access) = (address.to_owned(), access.clone());
    Participant::new(&Options { address, timeout: Duration::from_secs(10), access })
}

fn ledger(address: &str, access: &Access) -> Result<Ledger, AccessError> {
    let (address, access) = (address.to_owned(), access.clone());
    Ledger::new(&Options { address, timeout: Duration::from_secs(10), access })
}

/// Who a participant is, for the owner's card.
///
/// # Errors
/// Where it cannot be asked.
pub async fn participant_id(address: &str, access: &Access) -> anyhow::Result<ParticipantId> {
    Ok(participant(address, access)?.id().await?)
}
