//! What an agent sees that no coordinator told it: proposals made elsewhere, rivals, and cases that it can finish itself.

use std::borrow::Cow;

use canton_topology::{
    Timestamp, hash::TransactionHash, id::Namespace, judge::Verifier, state::State, transaction::SignedTransaction,
};
use protocol::{
    book::Card,
    case::Case,
    foreign::{self, Foreign, Quarantine},
    intent::CaseId,
    life::{Standing, standing},
    rival::Contest,
    verify::is_fresh,
};

use super::Agent;

impl Agent {
    /// Proposals that stand open on the synchronizer and belong to no case.
    pub fn quarantine(&self) -> Option<Quarantine> {
        let (state, known) = (self.state.as_ref()?, foreign::offered(self.cases()));
        Some(foreign::quarantine(state, &known, &|one| self.knows(one), &mut Verifier::default()))
    }

    /// Whether a namespace is an owner's of the book, or of such an owner's participant.
    fn knows(&self, namespace: &Namespace) -> bool {
        let is_of = |card: &Card| {
            card.owner() == *namespace || card.host.as_ref().is_some_and(|host| host.namespace() == namespace)
        };
        let is_mine =
            self.me.owner == *namespace || self.me.host.as_ref().is_some_and(|(host, _)| host.namespace() == namespace);
        is_mine || self.book.entries().iter().any(|entry| is_of(&entry.card))
    }

    /// One of them.
    pub fn foreign(&self, hash: &TransactionHash) -> Option<Foreign> {
        let known = foreign::offered(self.cases());
        foreign::find(self.state.as_ref()?, &known, hash, &mut Verifier::default())
    }

    /// Who waits for which serial.
    pub fn contest(&self, now: Timestamp) -> Contest {
        let Some(state) = self.state.as_ref() else { return Contest::default() };
        let shown = self.quarantine().unwrap_or_default().shown;
        let offered = self.cases().flat_map(Case::offers).flat_map(|offered| &offered.transactions);
        let all = offered.chain(shown.iter().map(Foreign::transaction));
        let slots = all.map(|one| (one.unique_key(), one.serial())).collect();
        let (known, mut verifier) = (foreign::offered(self.cases()), Verifier::default());
        let rivals = foreign::waiting_for(&slots, state, &known, &|one| self.knows(one), &mut verifier);
        Contest::of(self.cases(), &rivals, state, &mut verifier, now)
    }

    /// Every signature that the agent has seen in any case.
    pub fn signed_anywhere(&self) -> Vec<SignedTransaction> {
        self.signed_but_in(None)
    }

    /// A case with what the agent itself has said in it and the coordinator has not shown yet.
    pub fn whole_case(&self, id: &CaseId) -> Option<Cow<'_, Case>> {
        let case = self.case(id)?;
        let Some(unshown) = self.unshown.get(id).filter(|unshown| !unshown.is_empty()) else {
            return Some(Cow::Borrowed(case));
        };
        let mut whole = case.clone();
        for statement in unshown {
            // What the case does not take any more does not count.
            let _ = whole.append(statement.clone(), &self.directory);
        }
        Some(Cow::Owned(whole))
    }

    /// Where a case stands for an agent that has to finish it: with all it knows, on topology of today; `None` where the agent
    /// is frozen or its topology is stale.
    pub fn standing_to_finish(&self, case: &Case, verifier: &mut Verifier, now: Timestamp) -> Option<Standing> {
        let state: &State = self.state.as_ref().filter(|_| !self.frozen && is_fresh(self.seen, now))?;
        Some(standing(case, Some(state), verifier, now))
    }

    /// When the participant said last how topology stands.
    pub fn topology_seen(&self) -> Timestamp {
        self.seen
    }
}
