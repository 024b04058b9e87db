//! What the owner has said, as the agent itself remembers it: a coordinator may be slow to show it in the case, or never
//! do so.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    intent::CaseId,
    refusal::Refusal,
    registry::Kind,
    statement::{Approval, Decline, Statement, StatementError, StatementHash, Withdrawal},
};

/// The owner's own words.
#[derive(Debug, Default)]
pub struct Said {
    approved: BTreeSet<(CaseId, StatementHash)>,
    declined: BTreeMap<CaseId, String>,
    withdrawn: BTreeSet<CaseId>,
}

impl Said {
    /// Remembers a statement that the owner's identity key made.
    ///
    /// # Errors
    /// Where its payload does not decode.
    pub fn remember(&mut self, statement: &Statement) -> Result<(), StatementError> {
        match statement.kind() {
            Kind::Approval => {
                let approval: Approval = statement.open()?;
                self.approved.insert((approval.case, approval.offer));
            }
            Kind::Decline => {
                let decline: Decline = statement.open()?;
                self.declined.insert(decline.case, decline.reason);
            }
            Kind::Withdrawal => {
                self.withdrawn.insert(statement.open::<Withdrawal>()?.case);
            }
            Kind::Identity
            | Kind::Card
            | Kind::Possession
            | Kind::Drill
            | Kind::Intent
            | Kind::Offer
            | Kind::Contribution
            | Kind::Outcome
            | Kind::Attestation
            | Kind::Question => {}
        }
        Ok(())
    }

    /// Whether the owner has approved that offer.
    pub fn is_approved(&self, case: &CaseId, offer: StatementHash) -> bool {
        self.approved.contains(&(*case, offer))
    }

    /// Nothing is signed for a case that the owner took back.
    ///
    /// # Errors
    /// [`Refusal::Withdrawn`].
    pub fn may_sign(&self, case: &CaseId) -> Result<(), Refusal> {
        if self.withdrawn.contains(case) { Err(Refusal::Withdrawn) } else { Ok(()) }
    }

    /// A rule does not say yes where the owner has said no.
    ///
    /// # Errors
    /// [`Refusal::DeclinedHere`].
    pub fn rule_may_decide(&self, case: &CaseId) -> Result<(), Refusal> {
        match self.declined.get(case) {
            Some(reason) => Err(Refusal::DeclinedHere { reason: reason.clone() }),
            None => Ok(()),
        }
    }
}
