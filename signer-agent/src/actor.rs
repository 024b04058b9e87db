//! The thread that owns the agent, its journal and its keys. Everything that decides or signs happens here, one thing
//! after the other; sockets live elsewhere.

mod hosting;

use std::time::{SystemTime, UNIX_EPOCH};

use canton_client::participant::Participant;
use canton_topology::{
    Timestamp,
    id::{Namespace, ParticipantId, PartyId},
    judge::Verifier,
    key::SigningPublicKey,
    planner,
    show::moment,
    state::State,
    transaction::{SignedTransaction, Transaction},
};
use custody::{journal::Journal, keys::KeyBackend, ladder::Permission};
use protocol::{
    cascade::cascade,
    case::Case,
    consequence::consequences,
    danger::{Accepted, NotADanger, dangers_of_change, dangers_of_plan},
    difference::Difference,
    identity::IdentityPublicKey,
    intent::{CaseId, Change, Intent, Void},
    life::{Standing, Status, standing},
    refusal::Refusal,
    stage::Stage,
    statement::{Claim, Statement, StatementHash, Withdrawal},
};
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::oneshot};
use tracing::warn;

use crate::{
    agent::{Agent, AgentError, Custody, Received},
    control::{Answer, Request, parse_offer, resolve_case},
    folder::Folder,
    hosting::view::View,
    outgoing::{Entry, Outgoing, Settled},
    wanted,
};

/// What the thread is told.
pub enum Message {
    /// A statement of the coordinator's inbox.
    Statement {
        /// The statement.
        statement: Statement,
        /// Its place in the case.
        position: u64,
        /// Whether it was taken.
        reply: oneshot::Sender<Result<(), Received>>,
    },
    /// Who else may speak.
    Directory(Vec<(IdentityPublicKey, Namespace)>),
    /// New topology.
    Topology(Box<State>),
    /// A command of the owner.
    Request {
        /// What is asked.
        request: Request,
        /// What comes back, and the statement that must be posted before it is true.
        reply: oneshot::Sender<(Answer, Option<StatementHash>)>,
    },
    /// Whether a rule permits anything that waits; how many statements wait to be posted now comes back.
    Rules(oneshot::Sender<usize>),
    /// What waits to be posted.
    Waiting(oneshot::Sender<Vec<Statement>>),
    /// Every case of hosting.
    Hostings(oneshot::Sender<Vec<CaseId>>),
    /// A case of hosting as a step needs it.
    View {
        /// Which.
        case: CaseId,
        /// It; nothing where it is none, or there is no topology.
        reply: oneshot::Sender<Option<Box<View>>>,
    },
    /// Whether the owner's own node hosts a party.
    Hosts {
        /// Which.
        party: PartyId,
        /// Whether it does; nothing where there is no topology.
        reply: oneshot::Sender<Option<bool>>,
    },
    /// The owner vouches for something, or asks another owner to.
    Vouch {
        /// The case.
        case: CaseId,
        /// What.
        word: Word,
        /// The statement, kept and about to be posted; nothing where there is no such case.
        reply: oneshot::Sender<Option<StatementHash>>,
    },
    /// Whether a statement stands in the agent's own copy of a case.
    Stands {
        /// The case.
        case: CaseId,
        /// The statement.
        hash: StatementHash,
        /// Whether it does.
        reply: oneshot::Sender<bool>,
    },
    /// What became of a posted statement.
    Settled {
        /// Which.
        hash: StatementHash,
        /// How it went.
        settled: Settled,
        /// Told when it is remembered.
        reply: oneshot::Sender<()>,
    },
}

/// What is said in a hosting.
pub enum Word {
    /// An attestation, and whether a human confirmed it.
    Claim(Box<Claim>, bool),
    /// A question with its nonce.
    Question([u8; 32]),
}

/// The thread's belongings.
pub struct Actor {
    /// The agent.
    pub agent: Agent,
    /// Its journal.
    pub journal: Journal,
    /// Its keys.
    pub backends: Vec<Box<dyn KeyBackend>>,
    /// Its participant, and who that is.
    pub participant: Option<(Participant, ParticipantId)>,
    /// Where its book stands.
    pub folder: Folder,
    /// What it has said.
    pub outgoing: Outgoing,
    /// Whether the owner configured a command that backs the node up.
    pub has_backup_command: bool,
    /// The runtime on which the participant is asked.
    pub runtime: Handle,
}

/// The time.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl Actor {
    /// Works until nobody sends any more.
    pub fn run(mut self, mut inbox: tokio::sync::mpsc::Receiver<Message>) {
        while let Some(message) = inbox.blocking_recv() {
            match message {
                Message::Statement { statement, position, reply } => {
                    let taken = self.agent.receive(statement, position).map(|_| ());
                    let _ = reply.send(taken);
                }
                Message::Directory(entries) => {
                    for (identity, owner) in entries {
                        self.agent.admit(identity, owner);
                    }
                }
                Message::Topology(state) => self.topology(*state),
                Message::Request { request, reply } => {
                    if let Err(error) = self.reload_book() {
                        let _ = reply.send((Answer::failed("Book", error), None));
                        continue;
                    }
                    let _ = reply.send(self.answer_and_say(&request).unwrap_or_else(|answer| (answer, None)));
                }
                Message::Rules(reply) => {
                    self.rules();
                    let _ = reply.send(self.outgoing.waiting().count());
                }
                Message::Waiting(reply) => {
                    let _ = reply.send(self.outgoing.waiting().cloned().collect());
                }
                Message::Hostings(reply) => {
                    let _ = reply.send(self.hostings());
                }
                Message::View { case, reply } => {
                    let view = self.reload_book().ok().and_then(|()| self.view(&case));
                    let _ = reply.send(view.map(Box::new));
                }
                Message::Hosts { party, reply } => {
                    let _ = reply.send(self.agent.state().map(|_| self.hosts(&party)));
                }
                Message::Vouch { case, word, reply } => {
                    let _ = reply.send(self.vouch(&case, word));
                }
                Message::Stands { case, hash, reply } => {
                    let stands = self.agent.case(&case).is_some_and(|case| case.position(&hash).is_some());
                    let _ = reply.send(stands);
                }
                Message::Settled { hash, settled, reply } => {
                    if let Err(error) = self.outgoing.settle(hash, settled) {
                        warn!(%error, "what became of a statement was not kept; it is posted again");
                    }
                    let _ = reply.send(());
                }
            }
        }
    }

    fn reload_book(&mut self) -> Result<(), crate::folder::FolderError> {
        self.agent.set_book(self.folder.book()?);
        Ok(())
    }

    fn topology(&mut self, state: State) {
        if let Some((_, id)) = &self.participant
            && let Some(key) = state.signing_key(id.namespace().fingerprint(), &[])
        {
            self.agent.set_host(id.clone(), key);
        }
        self.agent.topology_changed(state);
    }

    /// Keeps what the owner says, before anybody hears of it.
    fn say(&mut self, statement: &Statement) -> Result<(), Answer> {
        self.outgoing.keep(statement, now()).map_err(|error| Answer::failed("Outgoing", error))?;
        self.agent.remember(statement).map_err(|error| Answer::failed("Outgoing", error))
    }

    /// Approves whatever a rule permits. The book may have changed since it was read.
    fn rules(&mut self) {
        if let Err(error) = self.reload_book() {
            warn!(%error, "the book does not read; no rule is asked");
            return;
        }
        for (id, permission) in self.agent.permitted_by_rule(now()) {
            match self.approve(&id, permission) {
                Ok(statement) => {
                    if let Err(answer) = self.say(&statement) {
                        warn!(case = %id, ?answer, "an approval by rule was not kept; it will be made again");
                    }
                }
                Err(error) => warn!(case = %id, %error, "a rule permits this, and it was not signed"),
            }
        }
    }

    fn approve(&mut self, id: &CaseId, permission: Permission) -> Result<Statement, AgentError> {
        let synchronizer = self.agent.me().synchronizer.clone();
        let (participant, runtime) = (&self.participant, &self.runtime);
        let mut ask = |signed: &SignedTransaction, key: &SigningPublicKey| {
            let (node, _) = participant.as_ref().ok_or_else(|| "none is configured".to_owned())?;
            let signature = if signed.signatures.is_empty() {
                runtime.block_on(node.propose(&synchronizer, &signed.transaction, key))
            } else {
                runtime.block_on(node.sign(&synchronizer, signed, key))
            };
            signature.map_err(|error| error.to_string())
        };
        let mut custody = Custody { journal: &self.journal, backends: &mut self.backends, participant: &mut ask };
        self.agent.approve(id, permission, &mut custody, &now)
    }

    fn case(&self, reference: &str) -> Result<CaseId, Answer> {
        resolve_case(reference, self.agent.cases().map(Case::id)).map_err(|reason| {
            let own = self.outgoing.waiting().filter_map(|statement| statement.case().ok());
            match resolve_case(reference, own) {
                Ok(id) => Answer::NotYet { reason: format!("case {id} is made and waits to be posted; see `list`") },
                Err(_) => Answer::failed("UnknownCase", reason),
            }
        })
    }

    fn answer_and_say(&mut self, request: &Request) -> Result<(Answer, Option<StatementHash>), Answer> {
        let (answer, statement) = self.answer(request)?;
        if let Some(statement) = &statement {
            self.say(statement)?;
        }
        Ok((answer, statement.map(|statement| statement.hash())))
    }

    fn answer(&mut self, request: &Request) -> Result<(Answer, Option<Statement>), Answer> {
        let done = |value| Ok((Answer::Done { value }, None));
        match request {
            Request::Status => done(self.status()),
            Request::Workflow { case } => {
                let id = self.case(case)?;
                done(self.workflow(&id)?)
            }
            // The shell does these; what reaches this thread are their parts.
            Request::WorkflowRun { .. } => Err(Answer::failed("Request", "a run is the shell's")),
            Request::List => {
                let cases: Vec<Value> = self.agent.cases().map(|case| self.glance(case)).collect();
                let outgoing: Vec<Value> = self.outgoing.entries().iter().map(outgoing_entry).collect();
                done(json!({ "cases": cases, "outgoing": outgoing }))
            }
            Request::Show { case } => {
                let id = self.case(case)?;
                done(self.show(&id))
            }
            Request::Propose { change, reason, deadline_s, accepts } => {
                let refused = |reason| Answer::failed("Propose", reason);
                let change = wanted::resolve(change, &self.agent, &self.folder).map_err(refused)?;
                let accepts = accepts.iter().map(|name| name.parse().map_err(|error: NotADanger| error.to_string()));
                let accepts = accepts.collect::<Result<_, _>>().map_err(refused)?;
                self.propose(change, reason, *deadline_s, accepts)
            }
            Request::Void { case, reason, deadline_s } => {
                let id = self.case(case)?;
                let live = self.standing(&id).map(|standing| standing.live).unwrap_or_default();
                if live.is_empty() {
                    return Err(Answer::failed("NothingLive", "no given signature of this case is alive"));
                }
                let slots = live.into_iter().map(|live| live.slot).collect();
                self.propose(Change::Void(Void { case: id, slots }), reason, *deadline_s, Vec::new())
            }
            Request::Approve { case, offer, release } => {
                let id = self.case(case)?;
                let shown = parse_offer(offer).map_err(|reason| Answer::failed("Offer", reason))?;
                let permission = Permission::Human { shown, release: *release };
                let statement = self.approve(&id, permission).map_err(failure)?;
                Ok((Answer::Done { value: json!({ "case": id.to_string(), "approved": offer }) }, Some(statement)))
            }
            Request::Decline { case, reason } => {
                let id = self.case(case)?;
                let statement = self.agent.decline(&id, reason).map_err(failure)?;
                Ok((Answer::Done { value: json!({ "case": id.to_string(), "declined": reason }) }, Some(statement)))
            }
            Request::Withdraw { case, reason } => {
                let id = self.case(case)?;
                let Some(known) = self.agent.case(&id) else { return Err(Answer::failed("UnknownCase", id)) };
                if known.intent().proposer != self.agent.me().owner {
                    return Err(Answer::failed("NotTheProposer", "only the proposer withdraws; you may `decline`"));
                }
                let withdrawal = Withdrawal { case: id, intent: known.intent_hash(), reason: reason.clone() };
                let statement = Statement::sign(&withdrawal, self.agent.identity());
                let live = self.standing(&id).map_or(0, |standing| standing.live.len());
                let value = json!({ "case": id.to_string(), "withdrawn": reason, "live": live });
                Ok((Answer::Done { value }, Some(statement)))
            }
        }
    }

    fn propose(
        &self,
        change: Change,
        reason: &str,
        deadline_s: u64,
        accepts: Vec<Accepted>,
    ) -> Result<(Answer, Option<Statement>), Answer> {
        let created_at = now();
        let deadline = i64::try_from(deadline_s).unwrap_or(i64::MAX / 2_000_000).saturating_mul(1_000_000);
        let intent = Intent {
            case: wanted::new_case_id(created_at).map_err(|error| Answer::failed("Random", error))?,
            synchronizer: self.agent.me().synchronizer.clone(),
            proposer: self.agent.me().owner.clone(),
            created_at,
            deadline: created_at.plus_micros(deadline),
            reason: reason.to_owned(),
            change,
            accepts,
        };
        let Some(state) = self.agent.state() else {
            return Err(Answer::NotYet { reason: AgentError::NoTopology.to_string() });
        };
        let plan = protocol::plan::plan(&intent, state).map_err(|error| Answer::failed("Propose", error))?;
        let live = self.agent.signed_elsewhere(&intent.case);
        let mut dangers = dangers_of_plan(&plan, state, &live);
        dangers.extend(dangers_of_change(&intent.change));
        if let Some(danger) = dangers.into_iter().find(|danger| !intent.accepts.contains(&danger.accepted_as())) {
            let refusal = Refusal::Danger { danger };
            return Err(Answer::failed(refusal.name(), refusal));
        }
        let value = json!({
            "case": intent.case.to_string(),
            "workflow": intent.change.name(),
            "transactions": plan.transactions.iter().map(|one| one.hash().to_string()).collect::<Vec<_>>(),
            "subjects": plan.transactions.iter().map(|one| protocol::plan::subject(one.mapping())).collect::<Vec<_>>(),
            "stages": plan.later.len() + 1,
            "goes-with-it": cascade(&plan.transactions, state, &live).lines(),
            "consequences": consequences(&plan.transactions, state, self.agent.me())
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
        });
        Ok((Answer::Done { value }, Some(Statement::sign(&intent, self.agent.identity()))))
    }

    fn standing(&self, id: &CaseId) -> Option<Standing> {
        let case = self.agent.case(id)?;
        Some(standing(case, self.agent.state(), &mut Verifier::default(), now()))
    }

    fn status(&self) -> Value {
        let me = self.agent.me();
        json!({
            "owner": me.owner.to_string(),
            "identity": me.identity.to_string(),
            "synchronizer": me.synchronizer.to_string(),
            "participant": me.host.as_ref().map(|(id, _)| id.to_string()),
            "topology": self.agent.state().map(|state| state.rows().count()),
            "book": self.agent.book().entries().len(),
            "cases": self.agent.cases().count(),
            "waiting-to-be-posted": self.outgoing.waiting().count(),
        })
    }

    fn glance(&self, case: &Case) -> Value {
        let standing = self.standing(&case.id());
        json!({
            "case": case.id().to_string(),
            "workflow": case.intent().change.name(),
            "proposer": self.name_of(&case.intent().proposer),
            "reason": case.intent().reason,
            "status": standing.as_ref().map(|standing| standing.status.name()),
            "approved": case.is_approved_by(&self.agent.me().owner),
            "live": standing.map_or(0, |standing| standing.live.len()),
        })
    }

    /// The name in the book, with the whole fingerprint beside it.
    fn name_of(&self, owner: &Namespace) -> Value {
        let own = (*owner == self.agent.me().owner).then(|| "me".to_owned());
        let known = own.or_else(|| self.agent.book().by_namespace(owner).map(|entry| entry.name.clone()));
        json!({ "name": known, "namespace": owner.to_string() })
    }

    fn show(&self, id: &CaseId) -> Value {
        let Some(case) = self.agent.case(id) else { return Value::Null };
        let standing = self.standing(id);
        let verdict = match self.agent.verify(id, now()) {
            Ok(verified) => json!({
                "verified": true,
                "signs": verified.requests().len(),
                "dangers": verified.dangers().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "goes-with-it": verified.cascade().lines(),
                "consequences": verified.consequences().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "later": verified.later().iter().map(|stage| lines(stage)).collect::<Vec<_>>(),
            }),
            Err(error) => json!({ "verified": false, "name": error_name(&error), "reason": error.to_string() }),
        };
        let mut value = self.glance(case);
        let missing: Vec<Value> = standing
            .iter()
            .flat_map(Standing::missing)
            .map(|(transaction, missing)| self.missing(transaction, missing))
            .collect();
        value["stage"] = json!(standing.as_ref().and_then(|standing| standing.stage).map(stage_words));
        value["obstacle"] = json!(standing.as_ref().and_then(|standing| standing.obstacle.clone()));
        value["status-detail"] = json!(standing.as_ref().map(|standing| &standing.status));
        value["deadline"] = json!(case.intent().deadline);
        value["offer"] = json!(case.offer().map(|offered| offered.hash.to_string()));
        value["head"] = json!(hex::encode(case.checkpoint().head));
        value["verdict"] = verdict;
        value["approvals"] = case.approvals().iter().map(|approval| self.name_of(&approval.owner)).collect();
        value["declines"] = case
            .declines()
            .iter()
            .map(|decline| json!({ "by": self.name_of(&decline.owner), "reason": decline.reason }))
            .collect();
        value["missing"] = missing.into();
        value["alive"] = json!(standing.as_ref().map(|standing| &standing.live));
        value["differences"] = self.differences(case, standing.as_ref()).into();
        value
    }

    fn missing(&self, transaction: &Transaction, missing: &protocol::merge::Missing) -> Value {
        let namespaces: Vec<Value> = missing
            .namespaces
            .iter()
            .map(|one| {
                let owners: Vec<Value> = one.owners.iter().map(|owner| self.name_of(owner)).collect();
                json!({ "namespace": one.namespace.to_string(), "more": one.more, "of": owners })
            })
            .collect();
        json!({ "transaction": transaction.hash().to_string(), "namespaces": namespaces, "keys": missing.keys })
    }

    /// Before and after, as this agent's own topology has it.
    fn differences(&self, case: &Case, standing: Option<&Standing>) -> Vec<Value> {
        let open = standing.is_some_and(|standing| standing.status.is_open() || standing.status == Status::Withdrawn);
        let Some((offered, state)) = case.offer().zip(self.agent.state()).filter(|_| open) else {
            return Vec::new();
        };
        let mut scratch = state.clone();
        let mut all = Vec::new();
        for transaction in &offered.transactions {
            let difference = protocol::difference::difference(transaction, &scratch);
            let required = planner::required(&scratch, transaction).mentioned();
            all.push(describe(transaction, &difference, required.namespaces.len()));
            scratch.assume(transaction);
        }
        all
    }
}

fn outgoing_entry(entry: &Entry) -> Value {
    json!({
        "case": entry.statement.case().ok().map(|case| case.to_string()),
        "kind": entry.statement.kind().name(),
        "statement": entry.statement.hash().to_string(),
        "made": moment(entry.made_at),
        "state": if entry.refused.is_none() { "waits to be posted" } else { "refused by the coordinator" },
        "refused": entry.refused.as_ref().map(|refused| json!({ "name": refused.name, "reason": refused.reason })),
    })
}

fn describe(transaction: &Transaction, difference: &Difference, asked: usize) -> Value {
    json!({
        "transaction": transaction.hash().to_string(),
        "kind": difference.kind,
        "subject": difference.subject,
        "operation": difference.operation.name(),
        "serial": { "before": difference.serial_before, "after": difference.serial_after },
        "changes": difference.changes.iter().map(|change| json!({
            "what": change.fact.to_string(),
            "before": change.before,
            "after": change.after,
        })).collect::<Vec<_>>(),
        "unchanged": difference.unchanged.iter().map(|(fact, value)| format!("{fact}: {value}")).collect::<Vec<_>>(),
        "namespaces-asked": asked,
    })
}

fn lines(stage: &[Difference]) -> Vec<String> {
    stage.iter().flat_map(Difference::lines).collect()
}

fn stage_words(stage: Stage) -> String {
    format!("stage {} of {}", stage.number, stage.of)
}

fn error_name(error: &AgentError) -> String {
    match error {
        AgentError::Refused(refusal) => refusal.name(),
        AgentError::NotYet(_) | AgentError::NoTopology => "NotYet",
        AgentError::UnknownCase(_) => "UnknownCase",
        AgentError::NoRule => "NoRule",
        AgentError::Journal(_) => "Journal",
        AgentError::Key(_) => "Key",
        AgentError::Sign(_) => "Sign",
        AgentError::Participant(_) => "Participant",
    }
    .to_owned()
}

fn failure(error: AgentError) -> Answer {
    match error {
        AgentError::NotYet(_) | AgentError::NoTopology => Answer::NotYet { reason: error.to_string() },
        other => Answer::Failed { name: error_name(&other), reason: other.to_string() },
    }
}
