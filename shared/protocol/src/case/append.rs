//! Who may say what in a case, kind by kind. Nothing here changes a case before everything was checked.

use canton_topology::{hash::TransactionHash, id::Namespace, transaction::Transaction};

use super::{Appended, Case, CaseError, Offered, Said};
use crate::{
    directory::Directory,
    intent::Intent,
    limits,
    registry::Kind,
    statement::{
        Approval, Attestation, Backup, Claim, Contribution, Decline, Offer, Outcome, OutcomeResult, Question,
        Statement, StatementHash, Withdrawal,
    },
};

impl Case {
    /// Appends a statement, where its signer may make it.
    ///
    /// # Errors
    /// Where not: see [`CaseError`]. The case is unchanged then.
    pub fn append(&mut self, statement: Statement, directory: &Directory) -> Result<Appended, CaseError> {
        if self.position(&statement.hash()).is_some() {
            return Ok(Appended::AlreadyThere);
        }
        let found = statement.case()?;
        if found != self.id() {
            return Err(CaseError::OtherCase { expected: self.id(), found });
        }
        if self.statements().len() >= limits::STATEMENTS_PER_CASE_MAX {
            return Err(CaseError::Full { case: self.id(), max: limits::STATEMENTS_PER_CASE_MAX });
        }
        let owner = directory.owner(&statement.signer());
        if let Some(owner) = owner {
            self.may_still_speak(owner)?;
        }
        match statement.kind() {
            Kind::Intent | Kind::Identity | Kind::Card | Kind::Possession | Kind::Drill => {
                return Err(CaseError::SecondIntent(self.id()));
            }
            Kind::Offer => self.append_offer(&statement, directory)?,
            Kind::Approval => self.append_approval(&statement, owner)?,
            Kind::Contribution => self.append_contribution(&statement, owner)?,
            Kind::Decline => self.append_decline(&statement, owner)?,
            Kind::Withdrawal => self.append_withdrawal(&statement)?,
            Kind::Outcome => self.append_outcome(&statement, directory)?,
            Kind::Attestation => self.append_attestation(&statement, owner)?,
            Kind::Question => self.append_question(&statement, owner)?,
        }
        if let Some(owner) = owner {
            *self.said.entry(owner.clone()).or_default() += 1;
        }
        self.chain.push(statement);
        Ok(Appended::New)
    }

    /// One owner alone cannot fill a case, so that the others could say nothing more.
    fn may_still_speak(&self, owner: &Namespace) -> Result<(), CaseError> {
        let max = limits::STATEMENTS_PER_OWNER_AND_CASE_MAX;
        if self.said.get(owner).is_some_and(|said| *said >= max) {
            return Err(CaseError::TooManyStatements { owner: owner.to_string(), max });
        }
        Ok(())
    }

    /// The coordinator speaks, or one before it whose successor has said nothing here yet.
    fn check_coordinator(
        &self,
        statement: &Statement,
        directory: &Directory,
        why: &'static str,
    ) -> Result<(), CaseError> {
        let (signer, current) = (statement.signer(), directory.coordinator());
        let is_replaced = || self.statements().iter().any(|earlier| earlier.signer() == current);
        if signer == current || directory.is_former(&signer) && !is_replaced() {
            return Ok(());
        }
        Err(speaker(statement, why))
    }

    fn append_offer(&mut self, statement: &Statement, directory: &Directory) -> Result<(), CaseError> {
        // Whoever wants the change may say what it comes to: every agent plans it again before it signs.
        if statement.signer() != self.intent_statement().signer() {
            let why = "only the coordinator makes offers, or the identity key that signed the intent";
            self.check_coordinator(statement, directory, why)?;
        }
        let offer: Offer = statement.open()?;
        let field = |field, reason: String| CaseError::Field { kind: Kind::Offer, field, reason };
        if offer.intent != self.intent_hash() {
            return Err(field("intent", format!("{}; this case's is {}", offer.intent, self.intent_hash())));
        }
        if offer.round as usize != self.offers.len() {
            return Err(field("round", format!("{}; the next one is {}", offer.round, self.offers.len())));
        }
        if self.offers.len() >= limits::OFFERS_PER_CASE_MAX {
            let max = limits::OFFERS_PER_CASE_MAX;
            return Err(field("round", format!("{}; a case has at most {max} offers", offer.round)));
        }
        let transactions = parse_transactions(&offer.transactions)?;
        self.offers.push(Offered { hash: statement.hash(), offer, transactions });
        Ok(())
    }

    fn append_approval(&mut self, statement: &Statement, owner: Option<&Namespace>) -> Result<(), CaseError> {
        let approval: Approval = statement.open()?;
        let owner = named_owner(statement, owner, &approval.owner)?;
        let offered = self.offered_by(approval.offer, Kind::Approval)?;
        let field = |field, reason: String| CaseError::Field { kind: Kind::Approval, field, reason };
        let hashes: Vec<TransactionHash> = offered.transactions.iter().map(Transaction::hash).collect();
        if approval.transactions != hashes {
            return Err(field("transactions", "not the hashes of the offer's transactions, in its order".to_owned()));
        }
        if approval.base != offered.offer.base {
            return Err(field("base", "not the base of the offer".to_owned()));
        }
        if approval.synchronizer != self.intent.synchronizer {
            let expected = &self.intent.synchronizer;
            return Err(field("synchronizer", format!("{}; the intent's is {expected}", approval.synchronizer)));
        }
        self.same_history(&approval)?;
        let received = self.received.read(Kind::Approval, owner, &approval.signatures, &hashes)?;
        self.received.add(owner, received);
        self.approvals.push(approval);
        Ok(())
    }

    /// Two stories told to two owners meet here: an approval names the head that its owner saw.
    fn same_history(&self, approval: &Approval) -> Result<(), CaseError> {
        let Some(seen) = approval.checkpoint else { return Ok(()) };
        let here = self.head_at(seen.statements);
        if here == Some(seen.head) {
            return Ok(());
        }
        Err(CaseError::Forked {
            statements: seen.statements,
            here: here.map_or_else(|| "none".to_owned(), hex::encode),
            found: hex::encode(seen.head),
        })
    }

    fn append_contribution(&mut self, statement: &Statement, owner: Option<&Namespace>) -> Result<(), CaseError> {
        let contribution: Contribution = statement.open()?;
        let owner = owner.ok_or_else(|| speaker(statement, "an enrolled owner must carry it"))?;
        let offered = self.offered_by(contribution.offer, Kind::Contribution)?;
        let hashes: Vec<TransactionHash> = offered.transactions.iter().map(Transaction::hash).collect();
        let received = self.received.read(Kind::Contribution, owner, &contribution.signatures, &hashes)?;
        self.received.add(owner, received);
        Ok(())
    }

    fn append_decline(&mut self, statement: &Statement, owner: Option<&Namespace>) -> Result<(), CaseError> {
        let decline: Decline = statement.open()?;
        named_owner(statement, owner, &decline.owner)?;
        self.offered_by(decline.offer, Kind::Decline)?;
        check_reason(Kind::Decline, &decline.reason)?;
        self.declines.push(decline);
        Ok(())
    }

    fn append_withdrawal(&mut self, statement: &Statement) -> Result<(), CaseError> {
        let withdrawal: Withdrawal = statement.open()?;
        if self.intent_statement().signer() != statement.signer() {
            return Err(speaker(statement, "only the identity key that signed the intent withdraws it"));
        }
        self.this_intent(Kind::Withdrawal, withdrawal.intent)?;
        check_reason(Kind::Withdrawal, &withdrawal.reason)?;
        self.withdrawal.get_or_insert(withdrawal);
        Ok(())
    }

    fn append_outcome(&mut self, statement: &Statement, directory: &Directory) -> Result<(), CaseError> {
        self.check_coordinator(statement, directory, "only the coordinator reports outcomes")?;
        let outcome: Outcome = statement.open()?;
        self.offered_by(outcome.offer, Kind::Outcome)?;
        if let OutcomeResult::Rejected { reason } = &outcome.result {
            check_reason(Kind::Outcome, reason)?;
        }
        self.outcomes.push(outcome);
        Ok(())
    }

    fn append_attestation(&mut self, statement: &Statement, owner: Option<&Namespace>) -> Result<(), CaseError> {
        let attestation: Attestation = statement.open()?;
        named_owner(statement, owner, &attestation.owner)?;
        self.this_intent(Kind::Attestation, attestation.intent)?;
        check_claim(&attestation.claim)?;
        self.attestations.push(Said {
            signer: statement.signer(),
            position: self.statements().len(),
            body: attestation,
        });
        Ok(())
    }

    fn append_question(&mut self, statement: &Statement, owner: Option<&Namespace>) -> Result<(), CaseError> {
        let question: Question = statement.open()?;
        named_owner(statement, owner, &question.owner)?;
        self.this_intent(Kind::Question, question.intent)?;
        self.questions.push(Said { signer: statement.signer(), position: self.statements().len(), body: question });
        Ok(())
    }

    fn this_intent(&self, kind: Kind, intent: StatementHash) -> Result<(), CaseError> {
        if intent == self.intent_hash() {
            return Ok(());
        }
        let reason = format!("{intent}; this case's is {}", self.intent_hash());
        Err(CaseError::Field { kind, field: "intent", reason })
    }

    fn offered_by(&self, offer: StatementHash, kind: Kind) -> Result<&Offered, CaseError> {
        self.offers.iter().find(|offered| offered.hash == offer).ok_or(CaseError::UnknownOffer { kind, offer })
    }
}

fn parse_transactions(all: &[Vec<u8>]) -> Result<Vec<Transaction>, CaseError> {
    let field = |reason: String| CaseError::Field { kind: Kind::Offer, field: "transactions", reason };
    let max = limits::TRANSACTIONS_PER_PROPOSAL_MAX;
    if all.is_empty() || all.len() > max {
        return Err(field(format!("{}; from 1 to {max} are taken", all.len())));
    }
    let mut transactions: Vec<Transaction> = Vec::new();
    for (index, bytes) in all.iter().enumerate() {
        let parsed = Transaction::parse(bytes).map_err(|error| field(format!("number {index}: {error}")))?;
        if let Some(same) = transactions.iter().position(|other| other.hash() == parsed.hash()) {
            return Err(field(format!("number {index} is number {same} once more")));
        }
        transactions.push(parsed);
    }
    Ok(transactions)
}

/// The owner whom a statement names, where it is the one whose identity key signed.
fn named_owner<'a>(
    statement: &Statement,
    owner: Option<&'a Namespace>,
    named: &Namespace,
) -> Result<&'a Namespace, CaseError> {
    owner
        .filter(|owner| *owner == named)
        .ok_or_else(|| speaker(statement, "an enrolled identity key of the owner that it names must sign it"))
}

pub(super) fn speaker(statement: &Statement, why: &'static str) -> CaseError {
    CaseError::Speaker { kind: statement.kind(), signer: statement.signer().to_string(), why }
}

/// What a claim may carry at most.
fn check_claim(claim: &Claim) -> Result<(), CaseError> {
    match claim {
        Claim::BackedUp(Backup::Human(words)) => check_reason(Kind::Attestation, words),
        Claim::Surveyed { packages, .. } if packages.len() > limits::PACKAGES_MAX => {
            let reason = format!("{} packages; at most {} are taken", packages.len(), limits::PACKAGES_MAX);
            Err(CaseError::Field { kind: Kind::Attestation, field: "packages", reason })
        }
        Claim::Unused { .. }
        | Claim::Surveyed { .. }
        | Claim::Prepared { .. }
        | Claim::Disconnected { .. }
        | Claim::Exported(_)
        | Claim::Counted(_)
        | Claim::PruningRestored
        | Claim::BackedUp(Backup::Command)
        | Claim::Imported { .. }
        | Claim::Reconnected
        | Claim::SeenHosted
        | Claim::PutBack
        | Claim::Verified { .. } => Ok(()),
    }
}

fn check_reason(kind: Kind, reason: &str) -> Result<(), CaseError> {
    let max = limits::REASON_BYTES_MAX;
    if reason.len() <= max {
        return Ok(());
    }
    Err(CaseError::Field { kind, field: "reason", reason: format!("{} bytes; at most {max} are taken", reason.len()) })
}

pub(super) fn check_intent(intent: &Intent) -> Result<(), CaseError> {
    check_reason(Kind::Intent, &intent.reason)?;
    let span = intent.deadline.micros().saturating_sub(intent.created_at.micros());
    if !(1..=limits::DEADLINE_MICROS_MAX).contains(&span) {
        let days = limits::DEADLINE_MICROS_MAX / 86_400_000_000;
        let reason = format!("must lie after created_at, and within {days} days of it");
        return Err(CaseError::Field { kind: Kind::Intent, field: "deadline", reason });
    }
    let (accepted, max) = (intent.accepts.len(), limits::ACCEPTED_DANGERS_MAX);
    if accepted > max {
        let reason = format!("{accepted} dangers; at most {max} are taken");
        return Err(CaseError::Field { kind: Kind::Intent, field: "accepts", reason });
    }
    Ok(())
}
