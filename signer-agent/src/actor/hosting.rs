//! What the thread that owns the agent says about a hosting, and vouches for in the owner's name.

use canton_topology::{
    id::{Namespace, PartyId},
    judge::Verifier,
    transaction::Transaction,
};
use protocol::{
    case::Case,
    hosting::{
        checklist::{Actor as By, Alarm, Item, Progress, checklist},
        gate::seats_are_known,
        record::{Record, hosts_of},
    },
    identity::IdentityPublicKey,
    intent::{CaseId, Change, HostParty, Seat},
    life::{Standing, standing},
    merge,
    statement::{Attestation, Claim, Question, Statement, StatementHash},
    verify::{Context, still_wanted},
};
use serde_json::{Value, json};
use tracing::warn;

use super::{Actor, Word, now};
use crate::{control::Answer, hosting::view::View};

impl Actor {
    /// Every case of hosting.
    pub(super) fn hostings(&self) -> Vec<CaseId> {
        let is_hosting = |case: &&Case| matches!(case.intent().change, Change::HostParty(_));
        self.agent.cases().filter(is_hosting).map(Case::id).collect()
    }

    /// A case of hosting as a step needs it; `None` where it is none, or there is no topology.
    pub(super) fn view(&self, id: &CaseId) -> Option<View> {
        let (case, state) = self.agent.case(id).zip(self.agent.state())?;
        let me = self.agent.me();
        let context = self.agent.context(state, &[], now());
        let speaks = |signer: &IdentityPublicKey, owner: &Namespace| context.speaks(signer, owner);
        let record = Record::of(case, state, &speaks)?;
        let at = now();
        let standing = standing(case, Some(state), &mut Verifier::default(), at);
        let change = record.change.clone();
        let is_proposed = record.transaction().is_some_and(|one| self.is_proposed(one, &change.target));
        let addressee = self.agent.book().addressee(&change.target.owner);
        Some(View {
            case: *id,
            synchronizer: me.synchronizer.clone(),
            me: me.owner.clone(),
            untrusted: self.untrusted(case, record.change, &context),
            items: checklist(&record, &standing, at),
            missing_packages: record.missing_packages(at),
            complete: self.complete(case),
            answered: record.answered(&me.identity, at),
            open_questions: record.open_questions(at),
            is_proposed,
            activated: record.activated(),
            snapshot: record.exported().map(|(_, snapshot)| snapshot.clone()),
            counted: record.counted().map(|(_, contents)| *contents),
            is_hosted: record.host().is_some_and(|host| !host.onboarding),
            addressee,
            has_backup_command: self.has_backup_command,
            change,
        })
    }

    /// Nothing is done on the owner's node for somebody who does not stand in the owner's book.
    fn untrusted(&self, case: &Case, change: &HostParty, context: &Context<'_>) -> Option<String> {
        let proposer = &case.intent().proposer;
        if !context.speaks(&case.intent_statement().signer(), proposer) {
            return Some(format!("UnknownProposer: the proposer {proposer} is not in the book"));
        }
        let refused = seats_are_known(change, |seat| context.holds(seat)).err()?;
        Some(format!("{}: {refused}", refused.name()))
    }

    fn is_proposed(&self, transaction: &Transaction, target: &Seat) -> bool {
        let Some(state) = self.agent.state() else { return false };
        let row = state.proposal(&transaction.unique_key(), &transaction.hash());
        row.is_some_and(|row| row.signatures.contains_key(target.participant.namespace().fingerprint()))
    }

    /// What may be submitted: complete, and still wanted.
    fn complete(&self, case: &Case) -> Option<Vec<canton_topology::transaction::SignedTransaction>> {
        let (state, at) = (self.agent.state()?, now());
        still_wanted(case, &self.agent.context(state, &[], at)).ok()?;
        let mut verifier = Verifier::default();
        let merged = merge::merge(case, case.offer()?, state, &mut verifier);
        merge::complete(&merged, state, &mut verifier, at)
    }

    /// Whether the owner's own node hosts a party.
    pub(super) fn hosts(&self, party: &PartyId) -> bool {
        let Some((host, _)) = &self.agent.me().host else { return false };
        self.agent.state().is_some_and(|state| hosts_of(state, party).contains(host))
    }

    /// Keeps what the owner says in a hosting, to be posted.
    pub(super) fn vouch(&mut self, id: &CaseId, word: Word) -> Option<StatementHash> {
        let statement = match word {
            Word::Claim(claim, human) => self.attest(id, *claim, human)?,
            Word::Question(nonce) => self.question(id, nonce)?,
        };
        if let Err(answer) = self.say(&statement) {
            warn!(case = %id, ?answer, "what was vouched for was not kept; it will be said again");
            return None;
        }
        Some(statement.hash())
    }

    /// The agent vouches for what was done on the owner's node.
    fn attest(&self, id: &CaseId, claim: Claim, human: bool) -> Option<Statement> {
        let case = self.agent.case(id)?;
        let me = self.agent.me();
        let attestation = Attestation {
            case: *id,
            intent: case.intent_hash(),
            owner: me.owner.clone(),
            participant: me.host.as_ref().map(|(host, _)| host.clone())?,
            at: now(),
            human,
            claim,
        };
        Some(Statement::sign(&attestation, self.agent.identity()))
    }

    /// The agent asks the new host's owner whether its node is disconnected now.
    fn question(&self, id: &CaseId, nonce: [u8; 32]) -> Option<Statement> {
        let case = self.agent.case(id)?;
        let owner = self.agent.me().owner.clone();
        let question = Question { case: *id, intent: case.intent_hash(), owner, nonce, at: now() };
        Some(Statement::sign(&question, self.agent.identity()))
    }

    /// The checklist of a case for people: who does what, how far it is, and what to do now.
    pub(super) fn workflow(&self, id: &CaseId) -> Result<Value, Answer> {
        let case = self.agent.case(id).ok_or_else(|| Answer::failed("UnknownCase", id))?;
        let standing = self.standing(id);
        let steps: Vec<Value> = match self.view(id) {
            Some(view) => view.items.iter().enumerate().map(|(index, item)| self.step(index, item)).collect(),
            None => self.plain_steps(case, standing.as_ref()),
        };
        let untrusted = self.view(id).and_then(|view| view.untrusted);
        Ok(json!({
            "case": id.to_string(),
            "workflow": case.intent().change.name(),
            "status": standing.map(|standing| standing.status.name()),
            "refused": untrusted,
            "steps": steps,
        }))
    }

    fn step(&self, index: usize, item: &Item) -> Value {
        let mine = item.is_due_for(&self.agent.me().owner);
        let (state, since, waits) = match &item.progress {
            Progress::Done(at) => ("done", Some(*at), Vec::new()),
            Progress::Due => ("due", None, Vec::new()),
            Progress::Waiting(steps) => ("waiting", None, steps.iter().map(|step| step.name()).collect()),
            Progress::Stopped(_) => ("stopped", None, Vec::new()),
        };
        let why = match &item.progress {
            Progress::Stopped(Alarm::OtherContracts { exported, counted }) => {
                Some(format!("OtherContracts: the source exported {exported}, the second host counted {counted}"))
            }
            Progress::Stopped(Alarm::SignaturesAlive) => {
                Some("SignaturesAlive: whoever holds the signatures can still add the host; void them first".to_owned())
            }
            Progress::Done(_) | Progress::Due | Progress::Waiting(_) => None,
        };
        json!({
            "number": index + 1,
            "step": item.step.name(),
            "what": item.step.words(),
            "by": self.by(&item.by),
            "state": state,
            "since": since,
            "waits-for": waits,
            "why": why,
            "takes-a-human": item.step.takes_a_human(),
            "mine": mine,
        })
    }

    fn by(&self, by: &By) -> Value {
        match by {
            By::Owner(owner, participant) => {
                let mut value = self.name_of(owner);
                value["participant"] = participant.to_string().into();
                value
            }
            By::Owners(owners) => owners.iter().map(|owner| self.name_of(owner)).collect(),
            By::Coordinator => "coordinator".into(),
        }
    }

    /// The steps of a case that is signatures alone.
    fn plain_steps(&self, case: &Case, standing: Option<&Standing>) -> Vec<Value> {
        let missing = standing.into_iter().flat_map(Standing::missing).flat_map(|(_, missing)| &missing.namespaces);
        let owners: Vec<Value> = missing.flat_map(|one| &one.owners).map(|owner| self.name_of(owner)).collect();
        let status = standing.map_or("waiting", |standing| standing.status.name());
        let is = |done: bool, due: bool| {
            if done {
                "done"
            } else if due {
                "due"
            } else {
                "waiting"
            }
        };
        let offered = case.offer().is_some();
        let signed = matches!(status, "ready" | "submitted" | "effective");
        let effective = status == "effective";
        let mine = offered && !case.is_approved_by(&self.agent.me().owner) && status == "collecting";
        vec![
            json!({ "number": 1, "step": "offer", "what": "say what the intent means", "by": "coordinator",
                "state": is(offered, true), "mine": false }),
            json!({ "number": 2, "step": "sign", "what": "sign as owners", "by": owners,
                "state": is(signed, offered), "takes-a-human": true, "mine": mine }),
            json!({ "number": 3, "step": "submit", "what": "hand the complete transaction to the synchronizer",
                "by": "coordinator", "state": is(effective, signed), "mine": false }),
        ]
    }
}
