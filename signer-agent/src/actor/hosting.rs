//! What the thread that owns the agent says about a hosting, and vouches for in the owner's name.

use std::collections::BTreeMap;

use canton_topology::{
    id::{Namespace, PartyId},
    judge::Verifier,
    transaction::Transaction,
};
use protocol::{
    case::Case,
    hosting::{
        HostingStep,
        checklist::{checklist, open_questions},
        gate::seats_are_known,
        must_be_unused,
        onboarding::Onboarding,
        record::Record,
        touched::Touched,
    },
    hosts::hosts_of,
    identity::IdentityPublicKey,
    intent::{CaseId, Change, HostParty, Seat},
    life::standing,
    reader::Context,
    statement::{Attestation, Claim, Question, Statement, StatementHash},
    verify::is_fresh,
    witness::witnesses,
};
use tracing::warn;

use super::{Actor, Word, now};
use crate::hosting::view::View;

impl Actor {
    /// Every case in which something may be to be done or seen on the owner's node, and how many statements it has.
    pub(super) fn duties(&mut self) -> BTreeMap<CaseId, u64> {
        let is_hosting = |case: &&Case| matches!(case.intent().change, Change::HostParty(_));
        let hostings: Vec<CaseId> = self.agent.cases().filter(is_hosting).map(Case::id).collect();
        let all = [hostings, self.cases_to_verify()].concat().into_iter();
        all.filter_map(|id| Some((id, self.agent.case(&id)?.checkpoint().statements))).collect()
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
        let items = checklist(&record, &standing, &witnesses(case, &context), self.touched(id), at);
        let is_witness = items.iter().any(|item| item.step == HostingStep::Verify && item.is_due_for(&me.owner));
        let is_proposed = record.transaction().is_some_and(|one| self.is_proposed(one, &change.target));
        Some(View {
            case: *id,
            synchronizer: me.synchronizer.clone(),
            me: me.owner.clone(),
            untrusted: self.untrusted(case, record.change, &context),
            missing_packages: record.missing_packages(at),
            complete: standing.complete.filter(|_| standing.status.is_open() && is_fresh(context.seen, at)),
            answered: record.answered(&me.identity, at),
            open_questions: open_questions(&record, &items, at),
            is_proposed,
            activated: record.activated(),
            onboarding: Onboarding::of(&record, state),
            snapshot: record.exported().map(|(_, snapshot)| snapshot.clone()),
            counted: record.counted().map(|(_, contents)| *contents),
            is_hosted: record.host().is_some_and(|host| !host.onboarding),
            verdict: is_witness.then(|| self.to_vouch_for(case, state)),
            addressee: self.agent.book().addressee(&change.target.owner),
            has_backup_command: self.has_backup_command,
            items,
            change,
        })
    }

    /// Where it does not read how the node was, something is to be put back, and the attempt says what is wrong.
    fn touched(&self, id: &CaseId) -> Touched {
        self.folder.held(id).map(|held| held.touched()).unwrap_or_else(|error| {
            warn!(case = %id, %error, "what was done to the node is not known");
            Touched { pruning: true, connections: true, gives_up: false }
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

    /// Whether the owner's own node hosts a party.
    pub(super) fn hosts(&self, party: &PartyId) -> bool {
        let Some((host, _)) = &self.agent.me().host else { return false };
        self.agent.state().is_some_and(|state| hosts_of(state, party).contains(host))
    }

    /// The parties that must not have been used when an open case is signed, where the owner's own node can tell.
    pub(super) fn must_be_unused(&self, reference: &str) -> Vec<PartyId> {
        let Ok(id) = self.case(reference) else { return Vec::new() };
        let Some((case, state)) = self.agent.case(&id).zip(self.agent.state()) else { return Vec::new() };
        if !self.standing(&id).is_some_and(|standing| standing.status.is_open()) {
            return Vec::new();
        }
        let parties = must_be_unused(case.intent(), state).into_iter();
        parties.filter(|party| self.hosts(party)).collect()
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
}
