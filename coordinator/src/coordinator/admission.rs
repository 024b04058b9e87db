//! What must hold before a statement enters a case: the owner's limits, clocks that agree, Canton signatures that verify.

use canton_topology::{
    Timestamp,
    signature::Signature,
    transaction::{SignatureOver, Transaction},
};
use protocol::{
    case::{Case, CaseError},
    intent::{CaseId, Intent},
    limits,
    registry::Kind,
    statement::{Approval, Contribution, EncodedSignature, Statement, StatementHash},
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
            (self.planner)(case.intent(), state)?;
        }
        self.cases.insert(case.id(), Entry { case, submission: Submission::Idle });
        Ok(())
    }

    fn check_count(&self, intent: &Intent) -> Result<(), Refused> {
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
        let max = limits::OPEN_BYTES_PER_OWNER_MAX;
        let found = self.bytes.get(owner).copied().unwrap_or_default() + statement.bytes().len();
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

    /// A signature that does not verify tells that its sender is wrong, who should know at once. One of a key that
    /// topology does not know yet is kept: it does not count until the key does.
    pub(super) fn check_signatures(&mut self, id: CaseId, statement: &Statement) -> Result<(), Refused> {
        let Some((offer, signatures)) = signatures(statement)? else { return Ok(()) };
        let offered = self.case(&id).and_then(|case| case.offers().iter().find(|offered| offered.hash == offer));
        // The case names the field that is wrong.
        let Some((offered, state)) = offered.zip(self.state.as_ref()) else { return Ok(()) };
        let known: Vec<Transaction> = offered.transactions.clone();
        for (index, encoded) in signatures.iter().enumerate() {
            let Ok(signature) = Signature::parse(&encoded.signature) else { continue };
            let fingerprint = signature.signed_by().clone();
            let Some(key) = state.signing_key(&fingerprint, &known) else { continue };
            let message = *encoded.transaction.as_bytes();
            let over = SignatureOver { signature, message, covers: Vec::new() };
            if self.verifier.verify(&over, &key).is_err() {
                return Err(Refused::CantonSignature { kind: statement.kind(), index, key: fingerprint });
            }
        }
        Ok(())
    }
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
        | Kind::Attestation
        | Kind::Question => None,
    })
}

/// Agents refuse what was made in the future, so nobody could sign it yet.
fn check_clock(intent: &Intent, now: Timestamp) -> Result<(), CaseError> {
    if intent.created_at <= now.plus_micros(limits::CLOCK_SKEW_MICROS_MAX) {
        return Ok(());
    }
    let minutes = limits::CLOCK_SKEW_MICROS_MAX / 60_000_000;
    let reason = format!("more than {minutes} minutes ahead of this coordinator's clock; compare the clocks");
    Err(CaseError::Field { kind: Kind::Intent, field: "created_at", reason })
}
