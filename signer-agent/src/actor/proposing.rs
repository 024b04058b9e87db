//! Cases that the owner opens: planned first, so that nobody is asked for what means nothing or is dangerous.

use protocol::{
    accepted::{Accepted, NotADanger},
    cascade::cascade,
    consequence::consequences,
    danger::{Danger, dangers_of_plan},
    intent::{After, Change, Intent},
    naming::subject,
    plan::{Plan, plan},
    refusal::Refusal,
    statement::Statement,
    succession::in_turn,
    workflow::{error::PlanError, membership::done_already},
};
use serde_json::{Value, json};

use super::{Actor, now};
use crate::{
    agent::AgentError,
    control::{Answer, MembershipWanted, Wanted},
    wanted,
};

/// What a proposal is planned with before anybody has said how long it may be signed, in seconds.
const DAY_S: u64 = 24 * 3600;

/// A case that is to be opened.
pub struct Proposal {
    /// What is wanted.
    pub change: Change,
    /// What comes first.
    pub after: Option<After>,
    /// Why.
    pub reason: String,
    /// How long it may be signed, in seconds.
    pub deadline_s: u64,
    /// The dangers that are accepted.
    pub accepts: Vec<Accepted>,
}

impl Proposal {
    /// One that comes after nothing.
    pub fn new(change: Change, reason: &str, deadline_s: u64, accepts: Vec<Accepted>) -> Self {
        Self { change, after: None, reason: reason.to_owned(), deadline_s, accepts }
    }
}

impl Actor {
    /// The statement that opens a case, and what it would come to.
    pub(super) fn propose(&self, proposal: Proposal) -> Result<(Answer, Option<Statement>), Answer> {
        let intent = self.intent(proposal)?;
        let mut value = json!({ "case": intent.case.to_string(), "workflow": intent.change.name() });
        match self.planned(&intent)? {
            Some((plan, dangers)) => {
                not_accepted(dangers, &intent.accepts)?;
                self.describe(&intent, &plan, &mut value);
            }
            None => value["after"] = json!(intent.after.as_ref().map(|after| after.case.to_string())),
        }
        Ok((Answer::Done { value }, Some(Statement::sign(&intent, self.agent.identity()))))
    }

    fn intent(&self, proposal: Proposal) -> Result<Intent, Answer> {
        let Proposal { change, after, reason, deadline_s, accepts } = proposal;
        let created_at = now();
        let deadline = i64::try_from(deadline_s).unwrap_or(i64::MAX / 2_000_000).saturating_mul(1_000_000);
        Ok(Intent {
            case: wanted::new_case_id(created_at).map_err(|error| Answer::failed("Random", error))?,
            synchronizer: self.agent.me().synchronizer.clone(),
            proposer: self.agent.me().owner.clone(),
            created_at,
            deadline: created_at.plus_micros(deadline),
            reason,
            change,
            accepts,
            after,
        })
    }

    /// What an intent means now, with its dangers; `None` where something else comes first.
    fn planned(&self, intent: &Intent) -> Result<Option<(Plan, Vec<Danger>)>, Answer> {
        let Some(state) = self.agent.state() else {
            return Err(Answer::not_yet(AgentError::NoTopology));
        };
        let plan = match plan(intent, state) {
            Ok(plan) => plan,
            Err(PlanError::ComesAfter { .. }) => return Ok(None),
            Err(error) => return Err(Answer::failed("Propose", error)),
        };
        if let Change::Membership(change) = &intent.change
            && let Some(already) = done_already(change, state).first()
        {
            return Err(Answer::failed("Propose", format!("{already} as it is; leave that out, or look at the name")));
        }
        let dangers = dangers_of_plan(&intent.change, &plan, state, &self.agent.signed_elsewhere(&intent.case));
        Ok(Some((plan, dangers)))
    }

    fn describe(&self, intent: &Intent, plan: &Plan, value: &mut Value) {
        let Some(state) = self.agent.state() else { return };
        let live = self.agent.signed_elsewhere(&intent.case);
        let (all, me) = (&plan.transactions, self.agent.me());
        value["transactions"] = all.iter().map(|one| one.hash().to_string()).collect();
        value["subjects"] = all.iter().map(|one| subject(one.mapping())).collect();
        value["stages"] = (plan.later.len() + 1).into();
        value["goes-with-it"] = json!(cascade(all, state, &live).lines());
        value["consequences"] = consequences(all, state, me).iter().map(ToString::to_string).collect();
    }

    /// The cases, one after the other, in which a change set is carried out whose new hosts take contracts over.
    pub(super) fn in_turn(
        &self,
        of: &str,
        change: &MembershipWanted,
        accepts: &[String],
    ) -> Result<Vec<Change>, Answer> {
        let refused = |reason| Answer::failed("Propose", reason);
        let accepts = accepted(accepts)?;
        let Some(state) = self.agent.state() else {
            return Err(Answer::not_yet(AgentError::NoTopology));
        };
        let whole = Wanted::Membership { of: of.to_owned(), change: change.clone() };
        let whole = wanted::resolve(&whole, &self.agent, &self.folder).map_err(refused)?;
        let Change::Membership(set) = &whole else { return Ok(vec![whole]) };
        if let Some(already) = done_already(set, state).first() {
            return Err(refused(format!("{already} as it is; leave that out, or look at the name")));
        }
        let own = self.folder.card().map_err(|error| Answer::failed("Folder", error))?;
        let seating = wanted::Seating { agent: &self.agent, own: &own, party: of };
        let intent = self.intent(Proposal::new(whole.clone(), "", DAY_S, Vec::new()))?;
        let live = self.agent.signed_anywhere();
        let parts = in_turn(&intent, set, &|host, state| seating.of(host, state), state, &live);
        let parts = parts.map_err(|error| Answer::failed("Propose", error))?;
        parts.into_iter().map(|part| not_accepted(part.dangers, &accepts).map(|()| part.change)).collect()
    }
}

/// Refuses the first danger that is not accepted, as every agent would.
fn not_accepted(dangers: Vec<Danger>, accepts: &[Accepted]) -> Result<(), Answer> {
    match dangers.into_iter().find(|danger| !danger.is_accepted(accepts)) {
        None => Ok(()),
        Some(danger) => {
            let refusal = Refusal::Danger { danger };
            Err(Answer::failed(refusal.name(), refusal))
        }
    }
}

pub(super) fn accepted(names: &[String]) -> Result<Vec<Accepted>, Answer> {
    let parsed = names.iter().map(|name| name.parse().map_err(|error: NotADanger| Answer::failed("Propose", error)));
    parsed.collect()
}
