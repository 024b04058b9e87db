//! The thread that owns the agent, its journal and its keys. Everything that decides or signs happens here, one thing
//! after the other; sockets live elsewhere.

mod carried;
mod elsewhere;
mod ending;
mod finishing;
mod hosting;
mod message;
mod showing;

use std::time::{SystemTime, UNIX_EPOCH};

use canton_client::participant::Participant;
use canton_topology::{
    Timestamp, id::ParticipantId, key::SigningPublicKey, state::State, transaction::SignedTransaction,
};
use custody::{journal::Journal, keys::KeyBackend, ladder::Permission};
use protocol::{
    cascade::cascade,
    case::Case,
    consequence::consequences,
    danger::{Accepted, NotADanger, dangers_of_change, dangers_of_plan},
    intent::{CaseId, Change, Intent, Void},
    refusal::Refusal,
    statement::{Statement, StatementHash},
    workflow::membership::done_already,
};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tracing::warn;

pub use self::message::{History, Message, Word};
use self::showing::outgoing_entry;
use crate::{
    agent::{Agent, AgentError, Custody},
    control::{Answer, Request, parse_offer, resolve_case},
    finish::{Finisher, Record},
    folder::Folder,
    lines::Lines,
    outgoing::Outgoing,
    wanted,
};

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
    /// What it knows of cases that it could finish.
    pub finisher: Finisher,
    /// What it handed in itself.
    pub submissions: (Lines<Record>, Vec<Record>),
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
                Message::Topology(state, seen) => self.topology(*state, seen),
                Message::Confirmed(seen) => self.agent.topology_confirmed(seen),
                Message::Due(reply) => {
                    let _ = reply.send(self.finisher.due(&self.agent, now()));
                }
                Message::Complete { case, reply } => {
                    let _ = reply.send(self.complete(&case));
                }
                Message::HandedIn(record) => self.handed_in(record),
                Message::Histories { case, reply } => {
                    let _ = reply.send(self.histories(case.as_deref()));
                }
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

    fn topology(&mut self, state: State, seen: Timestamp) {
        if let Some((_, id)) = &self.participant
            && let Some(key) = state.signing_key(id.namespace().fingerprint(), &[])
        {
            self.agent.set_host(id.clone(), key);
        }
        self.agent.topology_changed(state, seen);
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
            Request::Hash { case, key } => {
                let id = self.case(case)?;
                done(self.hashes(&id, key.as_ref())?)
            }
            Request::Contribute { case, key, signature } => {
                let id = self.case(case)?;
                self.contribute(&id, key.as_ref(), &signature.0)
            }
            Request::List => {
                let contest = self.agent.contest(now());
                let glance = |case: &Case| {
                    let mut value = self.glance(case, self.standing(&case.id()).as_ref());
                    value["rivals"] = contest.against_case(case).len().into();
                    value
                };
                let cases: Vec<Value> = self.agent.cases().map(glance).collect();
                let outgoing: Vec<Value> = self.outgoing.entries().iter().map(outgoing_entry).collect();
                let foreign = self.agent.quarantine().map(|all| all.total());
                done(json!({ "cases": cases, "outgoing": outgoing, "foreign": foreign }))
            }
            Request::Show { case } => {
                let id = self.case(case)?;
                done(self.show(&id))
            }
            Request::Propose { change, reason, deadline_s, accepts } => {
                let refused = |reason| Answer::failed("Propose", reason);
                let change = wanted::resolve(change, &self.agent, &self.folder).map_err(refused)?;
                self.propose(change, reason, *deadline_s, accepted(accepts)?)
            }
            Request::Foreign => done(self.foreign_list()?),
            Request::ForeignShow { transaction } => done(self.foreign_show(transaction)?),
            Request::Adopt { transaction, reason, deadline_s, accepts } => {
                self.adopt(transaction, reason, *deadline_s, accepts)
            }
            Request::Rebase { case, reason, deadline_s, accepts } => {
                let id = self.case(case)?;
                self.rebase(&id, reason.as_deref(), *deadline_s, accepts)
            }
            // What reaches this thread of these are their parts.
            Request::WorkflowRun { .. } | Request::Submit { .. } | Request::HandOver { .. } => {
                Err(Answer::failed("Request", "this is carried out by the shell around the agent"))
            }
            Request::Void { case, reason, deadline_s } => {
                ending::check_reason(reason)?;
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
                self.decline(&id, reason)
            }
            Request::Withdraw { case, reason } => {
                let id = self.case(case)?;
                self.withdraw(&id, reason)
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
        if let Change::Membership(change) = &intent.change
            && let Some(already) = done_already(change, state).first()
        {
            return Err(Answer::failed("Propose", format!("{already} as it is; leave that out, or look at the name")));
        }
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
}

fn accepted(names: &[String]) -> Result<Vec<Accepted>, Answer> {
    let parsed = names.iter().map(|name| name.parse().map_err(|error: NotADanger| Answer::failed("Propose", error)));
    parsed.collect()
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
