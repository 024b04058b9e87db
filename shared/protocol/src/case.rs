//! A case: an intent and every statement about it, in one hash-chained list. Everything else is a fold over it.

use std::collections::BTreeMap;

use canton_topology::{
    hash::TransactionHash,
    id::{Fingerprint, Namespace},
    signature::Signature,
    transaction::Transaction,
};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    directory::Directory,
    intent::{CaseId, Intent},
    limits,
    registry::Kind,
    statement::{
        Approval, Checkpoint, Contribution, Decline, EncodedSignature, Offer, Outcome, Statement, StatementError,
        StatementHash, Withdrawal,
    },
};

/// Why a statement does not enter a case.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CaseError {
    /// The statement itself is bad.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// It is about another case.
    #[error("the statement is about case {found}, not {expected}")]
    OtherCase {
        /// This case.
        expected: CaseId,
        /// The one that the statement names.
        found: CaseId,
    },
    /// A case has one intent, and it comes first.
    #[error("case {0} has an intent already, another one")]
    SecondIntent(CaseId),
    /// The signer may not say this.
    #[error("{kind}: signed by {signer}, who may not say this: {why}", kind = kind.name())]
    Speaker {
        /// What was said.
        kind: Kind,
        /// By whom.
        signer: String,
        /// Who may.
        why: &'static str,
    },
    /// It is about an offer that this case does not have.
    #[error("{kind}: about offer {offer}, which this case does not have", kind = kind.name())]
    UnknownOffer {
        /// What was said.
        kind: Kind,
        /// About which offer.
        offer: StatementHash,
    },
    /// A field is not what the case says.
    #[error("{kind}: field {field}: {reason}", kind = kind.name())]
    Field {
        /// What was said.
        kind: Kind,
        /// Which field.
        field: &'static str,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// The case is full.
    #[error("case {case} has {max} statements, the most that a case may have")]
    Full {
        /// The case.
        case: CaseId,
        /// The limit.
        max: usize,
    },
}

/// Whether a statement was new to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is its newest statement now.
    New,
    /// It stood there already.
    AlreadyThere,
}

/// An offer and its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The statement's hash.
    pub hash: StatementHash,
    /// Its body.
    pub offer: Offer,
    /// Its transactions, parsed.
    pub transactions: Vec<Transaction>,
}

/// A case. Equal statements make equal cases, wherever they are folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    intent: Intent,
    statements: Vec<Statement>,
    head: [u8; 32],
    offers: Vec<Offered>,
    approvals: Vec<Approval>,
    declines: Vec<Decline>,
    withdrawal: Option<Withdrawal>,
    outcomes: Vec<Outcome>,
    signatures: BTreeMap<TransactionHash, BTreeMap<Fingerprint, Vec<Signature>>>,
}

/// The head of a chain over one statement more.
fn chained(head: [u8; 32], statement: StatementHash) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"countersign/chain/v1\n");
    hasher.update(head);
    hasher.update(statement.as_bytes());
    hasher.finalize().into()
}

impl Case {
    /// Opens a case with its intent.
    ///
    /// # Errors
    /// Where the statement is no intent of an owner whom the directory knows, or a field is beyond its limit.
    pub fn open(statement: Statement, directory: &Directory) -> Result<Self, CaseError> {
        let intent: Intent = statement.open()?;
        if directory.owner(&statement.signer()) != Some(&intent.proposer) {
            return Err(speaker(&statement, "the proposer that it names must sign it"));
        }
        check_intent(&intent)?;
        let head = chained([0; 32], statement.hash());
        Ok(Self {
            intent,
            statements: vec![statement],
            head,
            offers: Vec::new(),
            approvals: Vec::new(),
            declines: Vec::new(),
            withdrawal: None,
            outcomes: Vec::new(),
            signatures: BTreeMap::new(),
        })
    }

    /// Appends a statement, where its signer may make it.
    ///
    /// # Errors
    /// Where not: see [`CaseError`]. The case is unchanged then.
    pub fn append(&mut self, statement: Statement, directory: &Directory) -> Result<Appended, CaseError> {
        if self.statements.iter().any(|known| known.hash() == statement.hash()) {
            return Ok(Appended::AlreadyThere);
        }
        let found = statement.case()?;
        if found != self.id() {
            return Err(CaseError::OtherCase { expected: self.id(), found });
        }
        if self.statements.len() >= limits::STATEMENTS_PER_CASE_MAX {
            return Err(CaseError::Full { case: self.id(), max: limits::STATEMENTS_PER_CASE_MAX });
        }
        match statement.kind() {
            Kind::Intent | Kind::Identity | Kind::Card => return Err(CaseError::SecondIntent(self.id())),
            Kind::Offer => self.append_offer(&statement, directory)?,
            Kind::Approval => self.append_approval(&statement, directory)?,
            Kind::Contribution => self.append_contribution(&statement, directory)?,
            Kind::Decline => self.append_decline(&statement, directory)?,
            Kind::Withdrawal => self.append_withdrawal(&statement)?,
            Kind::Outcome => self.append_outcome(&statement, directory)?,
        }
        self.head = chained(self.head, statement.hash());
        self.statements.push(statement);
        Ok(Appended::New)
    }

    fn append_offer(&mut self, statement: &Statement, directory: &Directory) -> Result<(), CaseError> {
        if statement.signer() != directory.coordinator() {
            return Err(speaker(statement, "only the coordinator makes offers"));
        }
        let offer: Offer = statement.open()?;
        let field = |field, reason: String| CaseError::Field { kind: Kind::Offer, field, reason };
        if offer.intent != self.intent_hash() {
            return Err(field("intent", format!("{}; this case's is {}", offer.intent, self.intent_hash())));
        }
        if offer.round as usize != self.offers.len() {
            return Err(field("round", format!("{}; the next one is {}", offer.round, self.offers.len())));
        }
        let max = limits::TRANSACTIONS_PER_PROPOSAL_MAX;
        if offer.transactions.is_empty() || offer.transactions.len() > max {
            return Err(field("transactions", format!("{}; from 1 to {max} are taken", offer.transactions.len())));
        }
        let mut transactions = Vec::new();
        for (index, bytes) in offer.transactions.iter().enumerate() {
            let parsed = Transaction::parse(bytes);
            transactions.push(parsed.map_err(|error| field("transactions", format!("number {index}: {error}")))?);
        }
        self.offers.push(Offered { hash: statement.hash(), offer, transactions });
        Ok(())
    }

    fn append_approval(&mut self, statement: &Statement, directory: &Directory) -> Result<(), CaseError> {
        let approval: Approval = statement.open()?;
        if directory.owner(&statement.signer()) != Some(&approval.owner) {
            return Err(speaker(statement, "the owner that it names must sign it"));
        }
        let offered = self.offered_by(approval.offer, Kind::Approval)?;
        let field = |field, reason: String| CaseError::Field { kind: Kind::Approval, field, reason };
        let hashes: Vec<TransactionHash> = offered.transactions.iter().map(Transaction::hash).collect();
        if approval.transactions != hashes {
            return Err(field("transactions", "not the hashes of the offer's transactions".to_owned()));
        }
        if approval.base != offered.offer.base {
            return Err(field("base", "not the base of the offer".to_owned()));
        }
        if approval.synchronizer != self.intent.synchronizer {
            let expected = &self.intent.synchronizer;
            return Err(field("synchronizer", format!("{}; the intent's is {expected}", approval.synchronizer)));
        }
        let received = decode_signatures(Kind::Approval, &approval.signatures, &hashes)?;
        self.receive(received);
        self.approvals.push(approval);
        Ok(())
    }

    fn append_contribution(&mut self, statement: &Statement, directory: &Directory) -> Result<(), CaseError> {
        let contribution: Contribution = statement.open()?;
        if directory.owner(&statement.signer()).is_none() {
            return Err(speaker(statement, "an enrolled owner must carry it"));
        }
        let offered = self.offered_by(contribution.offer, Kind::Contribution)?;
        let hashes: Vec<TransactionHash> = offered.transactions.iter().map(Transaction::hash).collect();
        let received = decode_signatures(Kind::Contribution, &contribution.signatures, &hashes)?;
        self.receive(received);
        Ok(())
    }

    fn append_decline(&mut self, statement: &Statement, directory: &Directory) -> Result<(), CaseError> {
        let decline: Decline = statement.open()?;
        if directory.owner(&statement.signer()) != Some(&decline.owner) {
            return Err(speaker(statement, "the owner that it names must sign it"));
        }
        self.offered_by(decline.offer, Kind::Decline)?;
        check_reason(Kind::Decline, &decline.reason)?;
        self.declines.push(decline);
        Ok(())
    }

    fn append_withdrawal(&mut self, statement: &Statement) -> Result<(), CaseError> {
        let withdrawal: Withdrawal = statement.open()?;
        if self.statements.first().is_none_or(|intent| intent.signer() != statement.signer()) {
            return Err(speaker(statement, "only the proposer withdraws"));
        }
        if withdrawal.intent != self.intent_hash() {
            let reason = format!("{}; this case's is {}", withdrawal.intent, self.intent_hash());
            return Err(CaseError::Field { kind: Kind::Withdrawal, field: "intent", reason });
        }
        check_reason(Kind::Withdrawal, &withdrawal.reason)?;
        self.withdrawal.get_or_insert(withdrawal);
        Ok(())
    }

    fn append_outcome(&mut self, statement: &Statement, directory: &Directory) -> Result<(), CaseError> {
        if statement.signer() != directory.coordinator() {
            return Err(speaker(statement, "only the coordinator reports outcomes"));
        }
        let outcome: Outcome = statement.open()?;
        self.offered_by(outcome.offer, Kind::Outcome)?;
        self.outcomes.push(outcome);
        Ok(())
    }

    fn offered_by(&self, offer: StatementHash, kind: Kind) -> Result<&Offered, CaseError> {
        self.offers.iter().find(|offered| offered.hash == offer).ok_or(CaseError::UnknownOffer { kind, offer })
    }

    /// Nothing that was received is forgotten: a second, other signature of a key stays beside the first, because the
    /// first may turn out not to verify.
    fn receive(&mut self, received: Vec<(TransactionHash, Signature)>) {
        for (transaction, signature) in received {
            let of_key =
                self.signatures.entry(transaction).or_default().entry(signature.signed_by().clone()).or_default();
            if !of_key.contains(&signature) {
                of_key.push(signature);
            }
        }
    }

    /// Its id.
    pub fn id(&self) -> CaseId {
        self.intent.case
    }

    /// What is wanted.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// The name of the intent's statement.
    pub fn intent_hash(&self) -> StatementHash {
        self.intent_statement().hash()
    }

    /// The intent's statement.
    pub fn intent_statement(&self) -> &Statement {
        self.statements.first().expect("a case is opened with its intent")
    }

    /// Every statement, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// How much of the case there is.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { statements: self.statements.len() as u64, head: self.head }
    }

    /// The head that the chain had after its first `statements` statements.
    pub fn head_at(&self, statements: u64) -> Option<[u8; 32]> {
        let wanted = usize::try_from(statements).ok().filter(|wanted| *wanted <= self.statements.len())?;
        Some(self.statements[..wanted].iter().fold([0; 32], |head, statement| chained(head, statement.hash())))
    }

    /// Every offer, oldest first.
    pub fn offers(&self) -> &[Offered] {
        &self.offers
    }

    /// The newest offer.
    pub fn offer(&self) -> Option<&Offered> {
        self.offers.last()
    }

    /// Every approval.
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// Every decline.
    pub fn declines(&self) -> &[Decline] {
        &self.declines
    }

    /// Whether, and why, the proposer took it back.
    pub fn withdrawal(&self) -> Option<&Withdrawal> {
        self.withdrawal.as_ref()
    }

    /// What the coordinator reported.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Every signature that was received for a transaction, verified or not.
    pub fn signatures(&self, transaction: &TransactionHash) -> impl Iterator<Item = &Signature> {
        self.signatures.get(transaction).into_iter().flat_map(BTreeMap::values).flatten()
    }

    /// Whether this owner has approved the newest offer.
    pub fn is_approved_by(&self, owner: &Namespace) -> bool {
        let newest = self.offer().map(|offered| offered.hash);
        self.approvals.iter().any(|approval| Some(approval.offer) == newest && approval.owner == *owner)
    }
}

fn speaker(statement: &Statement, why: &'static str) -> CaseError {
    CaseError::Speaker { kind: statement.kind(), signer: statement.signer().to_string(), why }
}

fn check_reason(kind: Kind, reason: &str) -> Result<(), CaseError> {
    let max = limits::REASON_BYTES_MAX;
    if reason.len() <= max {
        return Ok(());
    }
    Err(CaseError::Field { kind, field: "reason", reason: format!("{} bytes; at most {max} are taken", reason.len()) })
}

fn check_intent(intent: &Intent) -> Result<(), CaseError> {
    check_reason(Kind::Intent, &intent.reason)?;
    let span = intent.deadline.micros().saturating_sub(intent.created_at.micros());
    if !(1..=limits::DEADLINE_MICROS_MAX).contains(&span) {
        let days = limits::DEADLINE_MICROS_MAX / 86_400_000_000;
        let reason = format!("must lie after created_at, and within {days} days of it");
        return Err(CaseError::Field { kind: Kind::Intent, field: "deadline", reason });
    }
    Ok(())
}

fn decode_signatures(
    kind: Kind,
    encoded: &[EncodedSignature],
    transactions: &[TransactionHash],
) -> Result<Vec<(TransactionHash, Signature)>, CaseError> {
    let field = |reason: String| CaseError::Field { kind, field: "signatures", reason };
    let max = limits::SIGNATURES_PER_STATEMENT_MAX;
    if encoded.len() > max {
        return Err(field(format!("{}; at most {max} are taken", encoded.len())));
    }
    let mut signatures = Vec::new();
    for (index, one) in encoded.iter().enumerate() {
        if !transactions.contains(&one.transaction) {
            return Err(field(format!("number {index} is for {}, which the offer does not have", one.transaction)));
        }
        let signature = Signature::parse(&one.signature).map_err(|error| field(format!("number {index}: {error}")))?;
        signatures.push((one.transaction, signature));
    }
    Ok(signatures)
}
