//! The running agent: follows the coordinator's inbox and its own participant's topology, answers its owner's commands,
//! and posts what it signed until the coordinator has it.

mod finishing;

use std::{collections::BTreeSet, time::Duration};

use canton_client::{
    access::{Access, AccessError},
    participant::{Options, Participant},
};
use canton_topology::{
    hash::TransactionHash,
    id::{Fingerprint, Namespace, ParticipantId, SynchronizerId},
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
    identity::{IdentityCertificate, IdentityPublicKey},
    limits,
    statement::{SignStatements as _, Statement},
    verify::Me,
};
use tokio::{
    io::BufReader,
    net::UnixStream,
    sync::{mpsc, oneshot},
};
use tracing::{info, warn};

use crate::{
    actor::{Actor, Message, now},
    agent::Agent,
    control::{self, Answer, Request},
    coordinator_link::{Link, LinkError},
    finish::Finisher,
    folder::{Config, Enrolment, Folder, Seen},
};

/// How often the participant's topology is looked at.
const TOPOLOGY_EVERY: Duration = Duration::from_millis(250);
/// How long an inbox request waits for something new.
const INBOX_WAIT: Duration = Duration::from_secs(20);
/// How long after a failure something is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How often a rule is asked whether it permits something that waits.
const RULES_EVERY: Duration = Duration::from_millis(500);
/// How long a command waits for the coordinator to take what it made.
const POST_WITHIN: Duration = Duration::from_secs(20);

/// What the running agent is made of.
pub struct Process {
    /// Its folder.
    pub folder: Folder,
    /// Its opened keys.
    pub keys: EncryptedFile,
    /// What rules permit.
    pub rules: Vec<DifferenceClass>,
    /// How long a complete case is left to the coordinator, in microseconds.
    pub patience: i64,
}

/// Runs until the process is told to stop.
///
/// # Errors
/// Where it cannot begin: configuration, enrolment, journal, socket.
pub async fn run(process: Process) -> anyhow::Result<()> {
    let Process { folder, keys, rules, patience } = process;
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
    for former in &enrolment.former {
        agent.succeed(*former);
    }
    for entry in directory(&link, &folder).await {
        agent.admit(entry.0, entry.1);
    }
    let cursor = restore(&mut agent, &folder, &enrolment)?;
    let host = folder.card()?.host.map(|id| (node.clone(), id));
    let listener = control::listen(&folder.socket())?;
    let (sender, inbox) = mpsc::channel(256);
    let actor = Actor {
        agent,
        journal,
        backends: vec![Box::new(keys)],
        participant: host,
        finisher: Finisher::new(patience),
        submissions: folder.submissions()?,
        folder: folder.clone(),
        runtime: tokio::runtime::Handle::current(),
    };
    std::thread::Builder::new().name("agent".to_owned()).spawn(move || actor.run(inbox))?;
    info!(socket = %folder.socket().display(), "the agent runs");
    let coordinator = enrolment.coordinator;
    let shell =
        Shell { sender, link, folder, coordinator, node: node.clone(), synchronizer: config.synchronizer.clone() };
    tokio::spawn(shell.clone().follow_inbox(cursor));
    tokio::spawn(shell.clone().follow_topology(node, config));
    tokio::spawn(shell.clone().follow_rules());
    tokio::spawn(shell.clone().follow_complete_cases());
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

/// Reads what was seen before; how far the present coordinator was read.
fn restore(agent: &mut Agent, folder: &Folder, enrolment: &Enrolment) -> anyhow::Result<u64> {
    let mut cursor = 0;
    for seen in folder.seen()? {
        agent.receive(Statement::parse(&seen.statement.0)?, seen.position)?;
        // Lines of before there was another coordinator do not say whose they are.
        let is_first = seen.coordinator.is_none() && enrolment.former.is_empty();
        if is_first || seen.coordinator == Some(enrolment.coordinator) {
            cursor = seen.sequence;
        }
    }
    Ok(cursor)
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
    folder: Folder,
    coordinator: IdentityPublicKey,
    node: Participant,
    synchronizer: SynchronizerId,
}

impl Shell {
    async fn tell(&self, message: Message) {
        // The thread ends with the process alone.
        let _ = self.sender.send(message).await;
    }

    async fn follow_inbox(self, mut cursor: u64) {
        loop {
            match self.link.inbox(cursor, INBOX_WAIT).await {
                Ok(inbox) => {
                    for entry in inbox.entries {
                        let seen = Seen {
                            sequence: entry.sequence,
                            position: entry.position,
                            statement: entry.statement,
                            coordinator: Some(self.coordinator),
                        };
                        if !self.take(&seen).await {
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
    async fn take(&self, seen: &Seen) -> bool {
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
        if let Err(error) = self.folder.keep_seen(seen) {
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
            let asked = now();
            match read_topology(&node, &config, &mut verifier, &mut last).await {
                Ok(Some(state)) => self.tell(Message::Topology(Box::new(state), asked)).await,
                Ok(None) => self.tell(Message::Confirmed(asked)).await,
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
            for statement in answer.await.unwrap_or_default() {
                if let Err(error) = self.post(&statement).await {
                    warn!(%error, "an approval was not posted; it will be made again");
                }
            }
        }
    }

    /// Posts a statement, again and again while the coordinator cannot be reached, and waits until it stands in the
    /// agent's own copy of the case.
    async fn post(&self, statement: &Statement) -> Result<(), LinkError> {
        let until = tokio::time::Instant::now() + POST_WITHIN;
        loop {
            match self.link.post_statement(statement).await {
                Ok(_) => return Ok(()),
                Err(error @ (LinkError::Refused(_) | LinkError::Tls(_))) => return Err(error),
                Err(error) if tokio::time::Instant::now() > until => return Err(error),
                Err(error) => {
                    warn!(%error, "not posted yet");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
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
            Request::Submit { case } => self.submit_case(case).await,
            Request::HandOver { case } => self.hand_over(case).await,
            other => self.decide(other).await,
        }
    }

    async fn decide(&self, request: Request) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.tell(Message::Request { request, reply }).await;
        let Ok((answer, statement)) = answer.await else {
            return Answer::failed("Stopped", "the agent is stopping");
        };
        let Some(statement) = statement else { return answer };
        match self.post(&statement).await {
            Ok(()) => answer,
            Err(LinkError::Refused(problem)) => Answer::failed(&problem.kind, problem.detail),
            Err(error) => Answer::NotYet {
                reason: format!("it is made and recorded, but not posted: {error}; say it again later"),
            },
        }
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

/// Who a participant is, for the owner's card.
///
/// # Errors
/// Where it cannot be asked.
pub async fn participant_id(address: &str, access: &Access) -> anyhow::Result<ParticipantId> {
    Ok(participant(address, access)?.id().await?)
}
