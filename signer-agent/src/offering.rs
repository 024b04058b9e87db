//! Offering without the coordinator: which of the cases that its owner opened lack an offer, and for how long already.

use std::collections::BTreeMap;

use canton_topology::{Timestamp, judge::Verifier};
use protocol::{case::Case, intent::CaseId, offering::next_offer, plan::plan, statement::Statement};

use crate::agent::Agent;

/// Since when cases lack an offer, and which one by its round. Rebuilt by looking: a restart only lets it wait anew.
#[derive(Debug, Default)]
pub struct Offering {
    lacking: BTreeMap<CaseId, (u32, Timestamp)>,
}

impl Offering {
    /// What this agent is to offer now, where the coordinator has had so many microseconds for it. Only whoever opened a
    /// case says what it comes to; the others plan it again.
    pub fn due(&mut self, agent: &Agent, patience: i64, now: Timestamp) -> Vec<Statement> {
        let identity = agent.identity().identity();
        let mine = agent.cases().filter(|case| case.intent_statement().signer() == identity).map(Case::id);
        let mine: Vec<CaseId> = mine.collect();
        let mut verifier = Verifier::default();
        mine.iter().filter_map(|id| self.due_of(agent, id, patience, &mut verifier, now)).collect()
    }

    fn due_of(
        &mut self,
        agent: &Agent,
        id: &CaseId,
        patience: i64,
        verifier: &mut Verifier,
        now: Timestamp,
    ) -> Option<Statement> {
        // With what was said and is not shown yet: nothing is offered twice.
        let case = agent.whole_case(id)?;
        let standing = agent.standing_to_finish(&case, verifier, now)?;
        let state = agent.state()?;
        let Some(offer) = next_offer(&case, &standing.status, state, agent.cases(), plan) else {
            self.lacking.remove(id);
            return None;
        };
        let known = self.lacking.entry(*id).or_insert((offer.round, now));
        if known.0 != offer.round {
            *known = (offer.round, now);
        }
        (known.1.plus_micros(patience) <= now).then(|| Statement::sign(&offer, agent.identity()))
    }
}
