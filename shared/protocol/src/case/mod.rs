//! A case: an intent and every statement about it, in one hash-chained list. Everything else is a fold over it.

mod append;
mod chain;
mod error;
mod received;

use std::collections::BTreeMap;

use canton_topology::{hash::TransactionHash, id::Namespace, signature::Signature, transaction::Transaction};

pub use self::error::CaseError;
use self::{
    append::{check_intent, speaker},
    chain::Chain,
    received::Received,
};
use crate::{
    directory::Directory,
    identity::IdentityPublicKey,
    intent::{CaseId, Intent},
    statement::{
        Approval, Attestation, Checkpoint, Decline, Offer, Outcome, Question, Statement, StatementHash, Withdrawal,
    },
};

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

/// A body, and the identity key that signed it: whose key that is, each reader looks up in its own book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said<T> {
    /// The identity key.
    pub signer: IdentityPublicKey,
    /// The statement's place in the case, counted from 0.
    pub position: usize,
    /// What was said.
    pub body: T,
}

/// A case. Equal statements make equal cases, wherever they are folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    intent: Intent,
    chain: Chain,
    offers: Vec<Offered>,
    approvals: Vec<Approval>,
    declines: Vec<Decline>,
    withdrawal: Option<Withdrawal>,
    outcomes: Vec<Outcome>,
    attestations: Vec<Said<Attestation>>,
    questions: Vec<Said<Question>>,
    received: Received,
    said: BTreeMap<Namespace, usize>,
}

impl Case {
    /// Opens a case with its intent.
    ///
    /// # Errors
    /// Where the statement is no intent of an owner whom the directory knows, or a field is beyond its limit.
    pub fn open(statement: Statement, directory: &Directory) -> Result<Self, CaseError> {
        let intent: Intent = statement.open()?;
        if directory.owner(&statement.signer()) != Some(&intent.proposer) {
            return Err(speaker(&statement, "an enrolled identity key of the proposer that it names must sign it"));
        }
        check_intent(&intent)?;
        let mut chain = Chain::default();
        chain.push(statement);
        Ok(Self {
            said: BTreeMap::from([(intent.proposer.clone(), 1)]),
            intent,
            chain,
            offers: Vec::new(),
            approvals: Vec::new(),
            declines: Vec::new(),
            withdrawal: None,
            outcomes: Vec::new(),
            attestations: Vec::new(),
            questions: Vec::new(),
            received: Received::default(),
        })
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
        self.statements().first().expect("a case is opened with its intent")
    }

    /// Every statement, in order.
    pub fn statements(&self) -> &[Statement] {
        self.chain.statements()
    }

    /// The place of a statement in the case, counted from 0.
    pub fn position(&self, statement: &StatementHash) -> Option<usize> {
        self.chain.position(statement)
    }

    /// How much of the case there is.
    pub fn checkpoint(&self) -> Checkpoint {
        self.chain.checkpoint()
    }

    /// The head that the chain had after its first `statements` statements.
    pub fn head_at(&self, statements: u64) -> Option<[u8; 32]> {
        self.chain.head_at(statements)
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

    /// What owners vouched for, oldest first.
    pub fn attestations(&self) -> &[Said<Attestation>] {
        &self.attestations
    }

    /// What owners asked, oldest first.
    pub fn questions(&self) -> &[Said<Question>] {
        &self.questions
    }

    /// Every signature that was received for a transaction, verified or not.
    pub fn signatures(&self, transaction: &TransactionHash) -> impl Iterator<Item = &Signature> {
        self.received.of(transaction)
    }

    /// Whether this owner has approved the newest offer.
    pub fn is_approved_by(&self, owner: &Namespace) -> bool {
        let newest = self.offer().map(|offered| offered.hash);
        self.approvals.iter().any(|approval| Some(approval.offer) == newest && approval.owner == *owner)
    }
}
