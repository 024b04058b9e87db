//! What must hold before a statement enters a case: the owner's limits, clocks that agree, Canton signatures that verify.

use canton_topology::{
    Timestamp, id::Namespace, judge::Verifier, signature::Signature, state::State, transaction::SignatureOver,
};
use protocol::{
    case::{Case, CaseError},
    intent::Intent,
    limits,
    registry::Kind,
    statement::{Approval, Contribution, EncodedSignature, Statement, StatementHash},
    workflow::error::PlanError,
};

use super::{Coordinator, Entry, Refused, Submission};

impl Coordinator {
    /// Opens a case with somebody's intent.
    pub(super) fn open(&mut self, statement: &Statement, now: Timestamp) -> Result<(), Refused> {
        let case = Case::open(statement.clone(), &self.directory)?;
        check_clock(case.intent(), now)?;
        self.check_count(case.intent())?;
        self.check_bytes(statement)?;
        if let Some(state) = &self.state {
            match (self.planner)(case.intent(), state) {
                // What comes after another case is planned when that stands.
                Ok(_) | Err(PlanError::ComesAfter { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.cases.insert(case.id(), Entry { case, submission: Submission::Idle });
        Ok(())
    }

    pub(super) fn check_count(&self, intent: &Intent) -> Result<(), Refused> {
        let max = limits::OPEN_CASES_PER_OWNER_MAX;
        let of_owner = self.cases.iter().filter(|(_, entry)| entry.case.intent().proposer == intent.proposer);
        if of_owner.filter(|(id, _)| !self.settled.contains(id)).count() >= max {
            return Err(Refused::TooManyCases { owner: intent.proposer.clone(), max });
        }
        Ok(())
    }

    pub(super) fn check_bytes(&self, statement: &Statement) -> Result<(), Refused> {
        // The case says who may not speak at all.
        let Some(owner) = self.directory.owner(&statement.signer()) else { return Ok(()) };
        self.check_more_bytes(owner, statement.bytes().len())
    }

    pub(super) fn check_more_bytes(&self, owner: &Namespace, more: usize) -> Result<(), Refused> {
        let max = limits::OPEN_BYTES_PER_OWNER_MAX;
        let found = self.bytes.get(owner).copied().unwrap_or_default() + more;
        if found > max {
            return Err(Refused::TooManyBytes { owner: owner.clone(), found, max });
        }
        Ok(())
    }

    pub(super) fn count(&mut self, statement: &Statement) {
        if let Some(owner) = self.directory.owner(&statement.signer()) {
            *self.bytes.entry(owner.clone()).or_default() += statement.bytes().len();
        }
    }

    pub(super) fn discount(&mut self, statement: &Statement) {
        let owner = self.directory.owner(&statement.signer());
        if let Some(bytes) = owner.and_then(|owner| self.bytes.get_mut(owner)) {
            *bytes = bytes.saturating_sub(statement.bytes().len());
        }
    }
}

/// A signature that does not verify tells that its sender is wrong, who should know at once. One of a key that topology
/// does not know yet is kept: it does not count until the key does.
pub(super) fn check_signatures(
    case: &Case,
    state: Option<&State>,
    verifier: &mut Verifier,
    statement: &Statement,
) -> Result<(), Refused> {
    let Some((offer, signatures)) = signatures(statement)? else { return Ok(()) };
    let offered = case.offers().iter().find(|offered| offered.hash == offer);
    // The case names the field that is wrong.
    let Some((offered, state)) = offered.zip(state) else { return Ok(()) };
    for (index, encoded) in signatures.iter().enumerate() {
        let Ok(signature) = Signature::parse(&encoded.signature) else { continue };
        let fingerprint = signature.signed_by().clone();
        let Some(key) = state.signing_key(&fingerprint, &offered.transactions) else { continue };
        let message = *encoded.transaction.as_bytes();
        let over = SignatureOver { signature, message, covers: Vec::new() };
        if verifier.verify(&over, &key).is_err() {
            return Err(Refused::CantonSignature { kind: statement.kind(), index, key: fingerprint });
        }
    }
    Ok(())
}

/// The Canton signatures that a statement carries, and the offer that they are for.
fn signatures(statement: &Statement) -> Result<Option<(StatementHash, Vec<EncodedSignature>)>, Refused> {
    Ok(match statement.kind() {
        Kind::Approval => {
            let approval: Approval = statement.open()?;
            Some((approval.offer, approval.signatures))
        }
        Kind::Contribution => {
            let contribution: Contribution = statement.open()?;
            Some((contribution.offer, contribution.signatures))
        }
        Kind::Identity
        | Kind::Intent
        | Kind::Offer
        | Kind::Decline
        | Kind::Withdrawal
        | Kind::Outcome
        | Kind::Card
        | Kind::Possession
        | Kind::Drill
        | Kind::Attestation
        | Kind::Question => None,
    })
}

/// Agents refuse what was made in the future, so nobody could sign it yet.
pub(super) fn check_clock(intent: &Intent, now: Timestamp) -> Result<(), CaseError> {
    if intent.created_at <= now.plus_micros(limits::CLOCK_SKEW_MICROS_MAX) {
        return Ok(());
    }
    let minutes = limits::CLOCK_SKEW_MICROS_MAX / 60_000_000;
    let reason = format!("more than {minutes} minutes ahead of this coordinator's clock; compare the clocks");
    Err(CaseError::Field { kind: Kind::Intent, field: "created_at", reason })
}
