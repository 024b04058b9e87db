//! What the owner's rules permit. A rule speaks for an owner who has said nothing yet; the ladder asks again.

use canton_topology::Timestamp;
use custody::ladder::Permission;
use protocol::{case::Case, difference::DifferenceClass, intent::CaseId, verify::Verified};

use super::{Agent, AgentError};

impl Agent {
    /// The permission that a rule gives to a verified offer.
    ///
    /// # Errors
    /// [`AgentError::NoRule`] where only a human may; a refusal where the owner has said no or the case is over.
    pub fn rule_for(&self, verified: &Verified) -> Result<Permission, AgentError> {
        let class = verified.class();
        let permits = class != DifferenceClass::Other && self.rules.contains(&class);
        if !permits {
            return Err(AgentError::NoRule);
        }
        self.said.rule_may_decide(&verified.case())?;
        verified.rule_may_decide()?;
        Ok(Permission::Rule(class))
    }

    /// Every case whose newest offer a rule permits and that the owner has not answered.
    pub fn permitted_by_rule(&self, now: Timestamp) -> Vec<(CaseId, Permission)> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let unanswered = self.cases.values().filter(|case| self.is_unanswered(case)).map(Case::id);
        unanswered.filter_map(|id| Some((id, self.rule_for(&self.verify(&id, now).ok()?).ok()?))).collect()
    }

    fn is_unanswered(&self, case: &Case) -> bool {
        let is_approved = |offer| self.said.is_approved(&case.id(), offer) || case.is_approved_by(&self.me.owner);
        case.offer().is_some_and(|offered| !is_approved(offered.hash))
    }
}
