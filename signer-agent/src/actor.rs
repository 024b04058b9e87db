//! The thread that owns the agent, its journal and its keys. Everything that decides or signs happens here, one thing
//! after the other; sockets live elsewhere.

mod carried;
mod drill;
mod elsewhere;
mod ending;
mod explaining;
mod finishing;
mod hosting;
mod message;
mod proposing;
mod showing;
mod waiting;
mod workflow;

use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};

use canton_client::participant::Participant;
use canton_topology::{
    Timestamp, id::ParticipantId, key::SigningPublicKey, state::State, transaction::SignedTransaction,
};
use custody::{
    journal::Journal,
    keys::{KeyError, KeyState, keyring::Keyring},
    ladder::Permission,
};
use protocol::{
    case::Case,
    intent::{CaseId, Change, Void},
    refusal::Refusal,
    registry::Kind,
    statement::{Statement, StatementHash},
};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tracing::warn;

pub use self::{
    message::{History, Message, Word},
    proposing::Proposal,
    workflow::ToVerify,
};
use self::{proposing::accepted, showing::outgoing_entry};
use crate::{
    agent::{Agent, AgentError, Custody},
    control::{Answer, Request, parse_offer, resolve_case},
    finish::{Finisher, Record},
    folder::Folder,
    lines::Lines,
    offering::Offering,
    outgoing::Outgoing,
    waiting::Waiting,
    wanted,
};

/// The thread's belongings.
pub struct Actor {
    /// The agent.
    pub agent: Agent,
    /// Its journal.
    pub journal: Journal,
    /// Its keys.
    pub keyring: Keyring,
    /// Its participant, and who that is.
    pub participant: Option<(Participant, ParticipantId)>,
    /// When the coordinator answered last.
    pub coordinator_seen: Option<Timestamp>,
    /// How long what the coordinator does is left to it, in microseconds.
    pub patience: i64,
    /// Whether the coordinator says that it reads no topology: it does not offer, and hands nothing in.
    pub is_left_alone: bool,
    /// What it knows of cases that it could finish.
    pub finisher: Finisher,
    /// What it knows of cases that lack an offer.
    pub offering: Offering,
    /// What it handed in itself.
    pub submissions: (Lines<Record>, Vec<Record>),
    /// Where its book stands.
    pub folder: Folder,
    /// What it has said.
    pub outgoing: Outgoing,
    /// How often the owner wants each key tried, in days.
    pub drill_every_days: Option<u32>,
    /// The keys whose drills were missed, as it was said last.
    pub missed_drills: Vec<String>,
    /// Offers that are effective and of which there is nothing to be vouched for any more.
    pub looked_at: BTreeSet<StatementHash>,
    /// What it has approved and a key has not signed yet.
    pub waiting: Waiting,
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
                Message::Heard { at, reads_topology } => {
                    self.coordinator_seen = Some(at);
                    self.is_left_alone = !reads_topology;
                }
                Message::Directory(entries) => {
                    for (identity, owner) in entries {
                        self.agent.admit(identity, owner);
                    }
                }
                Message::Topology(state, seen) => self.topology(*state, seen),
                Message::Confirmed(seen) => self.agent.topology_confirmed(seen),
                Message::Due(reply) => {
                    let _ = reply.send(self.finisher.due(&self.agent, self.patience(), now()));
                }
                Message::Complete { case, reply } => {
                    let _ = reply.send(self.complete(&case));
                }
                Message::HandedIn(record) => self.handed_in(record),
                Message::Explain { case, text, reply } => {
                    let id = self.case(&case).ok();
                    let _ = reply.send(self.explain(id.as_ref(), &text));
                }
                Message::Histories { case, reply } => {
                    let _ = reply.send(self.histories(case.as_deref()));
                }
                Message::Request { request, reply } => {
                    if let Err(error) = self.reload_book() {
                        let _ = reply.send((Answer::failed("Book", error), None));
                        continue;
                    }
                    let _ = reply
                        .send(self.answer_and_say(&request).unwrap_or_else(|answer| (self.with_names(answer), None)));
                }
                Message::Rules(reply) => {
                    self.make_offers();
                    self.rules();
                    let _ = reply.send(self.outgoing.waiting().count());
                }
                Message::Waiting(reply) => {
                    let _ = reply.send(self.outgoing.waiting().cloned().collect());
                }
                Message::Duties(reply) => {
                    let _ = reply.send(self.duties());
                }
                Message::InTurn { of, change, accepts, reply } => {
                    let parts = self.reload_book().map_err(|error| Answer::failed("Book", error));
                    let _ = reply.send(parts.and_then(|()| self.in_turn(&of, &change, &accepts)));
                }
                Message::Open { proposal, reply } => {
                    let opened = self.propose(*proposal).and_then(|(answer, statement)| self.said(answer, statement));
                    let _ = reply.send(opened.unwrap_or_else(|answer| (self.with_names(answer), None)));
                }
                Message::ToVerify { case, reply } => {
                    let _ = reply.send(self.verification_due(&case));
                }
                Message::View { case, reply } => {
                    let view = self.reload_book().ok().and_then(|()| self.view(&case));
                    let _ = reply.send(view.map(Box::new));
                }
                Message::Hosts { party, reply } => {
                    let _ = reply.send(self.agent.state().map(|_| self.hosts(&party)));
                }
                Message::MustBeUnused { case, reply } => {
                    let _ = reply.send(self.must_be_unused(&case));
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

    /// What commands beside this process have written: the book, and which keys sign.
    fn reload_book(&mut self) -> Result<(), crate::folder::FolderError> {
        self.agent.set_book(self.folder.book()?);
        self.keyring.set_keys(self.folder.pinned_keys()?);
        self.agent.set_keys(self.keyring.active().map(|key| key.public.clone()).collect());
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
        self.agent.remember(statement).map_err(|error| Answer::failed("Outgoing", error))?;
        if statement.kind() == Kind::Approval
            && let Ok(case) = statement.case()
            && let Err(error) = self.waiting.settle(&case)
        {
            warn!(%case, %error, "that a signature is waited for no more was not kept");
        }
        Ok(())
    }

    /// How long the coordinator is waited for.
    fn patience(&self) -> i64 {
        if self.is_left_alone { 0 } else { self.patience }
    }

    /// Offers what the owner's own intents come to, where the coordinator does not.
    fn make_offers(&mut self) {
        for offer in self.offering.due(&self.agent, self.patience(), now()) {
            if let Err(answer) = self.say(&offer) {
                warn!(?answer, "an offer was not kept; it will be made again");
            }
        }
    }

    /// Asks for what waits, and approves whatever a rule permits. The book may have changed since it was read.
    fn rules(&mut self) {
        if let Err(error) = self.reload_book() {
            warn!(%error, "the book does not read; no rule is asked");
            return;
        }
        self.alarm_missed_drills();
        self.ask_waiting(None, false);
        for (id, permission) in self.agent.permitted_by_rule(now()) {
            if self.rule_has_asked(&id) {
                continue;
            }
            match self.approve_or_wait(&id, permission) {
                Ok(statement) => {
                    if let Err(answer) = self.say(&statement) {
                        warn!(case = %id, ?answer, "an approval by rule was not kept; it will be made again");
                    }
                }
                Err(answer) => warn!(case = %id, ?answer, "a rule permits this, and it was not signed"),
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
        let mut custody = Custody { journal: &self.journal, keyring: &mut self.keyring, participant: &mut ask };
        let approved = self.agent.approve(id, permission, &mut custody, &now);
        approved.map_err(|error| self.not_a_stranger(error))
    }

    /// A key that the owner retired is no stranger, and the book does not help.
    fn not_a_stranger(&self, error: AgentError) -> AgentError {
        let AgentError::Refused(Refusal::UnknownPrincipal { id, .. }) = &error else { return error };
        let retired = self.keyring.keys().iter().find(|key| key.fingerprint().as_str() == id);
        match retired.map(|key| (key.fingerprint().clone(), key.state)) {
            Some((key, KeyState::Retired(at))) => KeyError::Retired { key, at }.into(),
            Some((_, KeyState::Active)) | None => error,
        }
    }

    fn case(&self, reference: &str) -> Result<CaseId, Answer> {
        resolve_case(reference, self.agent.cases().map(Case::id)).map_err(|reason| {
            let own = self.outgoing.waiting().filter_map(|statement| statement.case().ok());
            match resolve_case(reference, own) {
                Ok(id) => Answer::not_yet(format!("case {id} is made and waits to be posted; see `list`")),
                Err(_) => Answer::failed("UnknownCase", reason),
            }
        })
    }

    fn answer_and_say(&mut self, request: &Request) -> Result<(Answer, Option<StatementHash>), Answer> {
        let (answer, statement) = self.answer(request)?;
        self.said(answer, statement)
    }

    /// The answer to a command, when what it made is kept.
    fn said(
        &mut self,
        answer: Answer,
        statement: Option<Statement>,
    ) -> Result<(Answer, Option<StatementHash>), Answer> {
        if let Some(statement) = &statement {
            self.say(statement)?;
        }
        Ok((answer, statement.map(|statement| statement.hash())))
    }

    fn answer(&mut self, request: &Request) -> Result<(Answer, Option<Statement>), Answer> {
        let done = |value| Ok((Answer::Done { value }, None));
        match request {
            Request::Status => done(self.status()),
            Request::Drill { keys } => {
                let value = self.drill(keys)?;
                self.reload_book().map_err(|error| Answer::failed("Book", error))?;
                done(value)
            }
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
                self.propose(Proposal::new(change, reason, *deadline_s, accepted(accepts)?))
            }
            Request::Wake { case } => {
                let id = case.as_deref().map(|case| self.case(case)).transpose()?;
                Ok((self.wake(id.as_ref()), None))
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
                let void = Change::Void(Void { case: id, slots });
                self.propose(Proposal::new(void, reason, *deadline_s, Vec::new()))
            }
            Request::Approve { case, offer, release } => {
                let id = self.case(case)?;
                let shown = parse_offer(offer).map_err(|reason| Answer::failed("Offer", reason))?;
                let permission = Permission::Human { shown, release: *release };
                let statement = self.approve_or_wait(&id, permission)?;
                Ok((Answer::Done { value: json!({ "case": id.to_string(), "approved": offer }) }, Some(statement)))
            }
            Request::Decline { case, reason } => {
                let id = self.case(case)?;
                let declined = self.decline(&id, reason)?;
                self.drop_wait(&id, "Declined", "the owner declined it");
                Ok(declined)
            }
            Request::Withdraw { case, reason } => {
                let id = self.case(case)?;
                self.withdraw(&id, reason)
            }
        }
    }
}

fn error_name(error: &AgentError) -> String {
    match error {
        AgentError::Refused(refusal) => refusal.name(),
        AgentError::NotYet(_) | AgentError::NoTopology | AgentError::Pending { .. } => "NotYet",
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
        AgentError::NotYet(_) | AgentError::NoTopology | AgentError::Pending { .. } => Answer::not_yet(error),
        other => Answer::failed(&error_name(&other), other),
    }
}
