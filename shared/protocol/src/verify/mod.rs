//! An agent's own judgement of an offer, before any policy or human is asked: read it, check where it comes from, plan the
//! intent again on the agent's own topology, hold the change against the intent a second way, look up everybody new in
//! the book, and find out which of the agent's keys have something to sign.

mod base;
mod frame;
mod introductions;
mod replan;

use std::collections::BTreeSet;

use canton_topology::{
    Timestamp,
    hash::{TransactionHash, UniqueKey},
    id::{Fingerprint, Namespace, ParticipantId, SynchronizerId},
    key::SigningPublicKey,
    planner,
    state::State,
    transaction::{Serial, Transaction},
};
use serde::{Deserialize, Serialize};

pub use self::{base::Wait, frame::is_named};
use crate::{
    book::Book,
    case::{Case, Offered},
    difference::{Difference, DifferenceClass},
    intent::{Change, Intent},
    limits,
    refusal::Refusal,
    statement::{BaseRow, StatementHash},
};

/// Who verifies.
#[derive(Clone, Debug)]
pub struct Me {
    /// The owner.
    pub owner: Namespace,
    /// The owner's identity key.
    pub identity: crate::identity::IdentityPublicKey,
    /// The keys that the agent holds itself.
    pub keys: Vec<SigningPublicKey>,
    /// The owner's participant and the namespace key that it holds.
    pub host: Option<(ParticipantId, SigningPublicKey)>,
    /// The synchronizer that all these keys are pinned to.
    pub synchronizer: SynchronizerId,
}

/// What the agent knows when it verifies.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Who verifies.
    pub me: &'a Me,
    /// The owner's book.
    pub book: &'a Book,
    /// The agent's own topology.
    pub state: &'a State,
    /// The time.
    pub now: Timestamp,
    /// Whether the owner has frozen the agent.
    pub frozen: bool,
}

/// What comes out.
#[derive(Clone, Debug)]
pub enum Verification {
    /// The offer is what the intent means; these keys have something to sign.
    Verified(Verified),
    /// The agent does not sign, and says why.
    Refused(Refusal),
    /// The agent's participant has not seen the base yet.
    NotYet(Wait),
}

/// Who holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// The agent itself.
    Agent,
    /// The owner's participant.
    Participant,
}

/// One signature to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignRequest {
    /// Which transaction of the offer.
    pub index: usize,
    /// Its hash: what is signed.
    pub transaction: TransactionHash,
    /// The chain.
    pub unique_key: UniqueKey,
    /// The serial in the chain.
    pub serial: Serial,
    /// The key.
    pub key: Fingerprint,
    /// Who holds it.
    pub holder: Holder,
}

/// A verified offer. Only this module makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    intent: Intent,
    offer: StatementHash,
    base: Vec<BaseRow>,
    transactions: Vec<Transaction>,
    requests: Vec<SignRequest>,
    differences: Vec<Difference>,
}

impl Verified {
    /// What is wanted.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// The offer.
    pub fn offer(&self) -> StatementHash {
        self.offer
    }

    /// What it builds on.
    pub fn base(&self) -> &[BaseRow] {
        &self.base
    }

    /// Its transactions.
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// What is to be signed, by which key.
    pub fn requests(&self) -> &[SignRequest] {
        &self.requests
    }

    /// What would change, transaction by transaction.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// The class of the change, for rules. Whatever came as raw bytes is for humans alone.
    pub fn class(&self) -> DifferenceClass {
        match self.intent.change {
            Change::Raw(_) => DifferenceClass::Other,
            Change::CreateParty(_) | Change::AddOwner(_) | Change::ChangeThresholds(_) | Change::Void(_) => {
                DifferenceClass::of(&self.differences)
            }
        }
    }
}

/// Verifies the newest offer of a case.
pub fn verify(case: &Case, context: &Context<'_>) -> Verification {
    match check(case, context) {
        Ok(verified) => Verification::Verified(verified),
        Err(Stop::Refused(refusal)) => Verification::Refused(refusal),
        Err(Stop::NotYet(wait)) => Verification::NotYet(wait),
    }
}

enum Stop {
    Refused(Refusal),
    NotYet(Wait),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn check(case: &Case, context: &Context<'_>) -> Result<Verified, Stop> {
    still_wanted(case, context)?;
    proposer(case, context)?;
    let offered = case.offer().ok_or(Refusal::NoOffer)?;
    everything_is_shown(offered)?;
    base::check(offered, context.state)?;
    replan::check(case.intent(), offered, context.state)?;
    let differences = frame::check(case.intent(), offered, context.state)?;
    introductions::check(&differences, context)?;
    let requests = requests(offered, context);
    if requests.is_empty() {
        return Err(Refusal::NothingToSign.into());
    }
    Ok(Verified {
        intent: case.intent().clone(),
        offer: offered.hash,
        base: offered.offer.base.clone(),
        transactions: offered.transactions.clone(),
        requests,
        differences,
    })
}

/// What can change while a human thinks: asked again right before anything leaves.
///
/// # Errors
/// The refusal.
pub fn still_wanted(case: &Case, context: &Context<'_>) -> Result<(), Refusal> {
    let intent = case.intent();
    if context.frozen {
        return Err(Refusal::Frozen);
    }
    if intent.synchronizer != context.me.synchronizer {
        let pinned = context.me.synchronizer.clone();
        return Err(Refusal::OtherSynchronizer { found: intent.synchronizer.clone(), pinned });
    }
    if case.withdrawal().is_some() {
        return Err(Refusal::Withdrawn);
    }
    if context.now > intent.deadline {
        return Err(Refusal::DeadlinePassed);
    }
    if intent.created_at > context.now.plus_micros(limits::CLOCK_SKEW_MICROS_MAX) {
        return Err(Refusal::FromTheFuture);
    }
    Ok(())
}

/// The coordinator vouches for nobody: only the own book says whose identity key this is.
fn proposer(case: &Case, context: &Context<'_>) -> Result<(), Refusal> {
    let (intent, signer) = (case.intent(), case.intent_statement().signer());
    let is_me = signer == context.me.identity && intent.proposer == context.me.owner;
    let is_known = context.book.by_identity(&signer).is_some_and(|entry| entry.card.owner() == intent.proposer);
    if is_me || is_known {
        return Ok(());
    }
    Err(Refusal::UnknownProposer { proposer: intent.proposer.clone(), identity: signer.to_string() })
}

fn everything_is_shown(offered: &Offered) -> Result<(), Refusal> {
    for (index, transaction) in offered.transactions.iter().enumerate() {
        if let Some(unshown) = transaction.unshown().first() {
            let (place, reason) = (unshown.place.to_string(), unshown.reason.to_string());
            return Err(Refusal::NotShown { index, place, reason });
        }
    }
    Ok(())
}

/// Which of this agent's keys count for which transaction, with the earlier ones of the batch taken for accepted.
fn requests(offered: &Offered, context: &Context<'_>) -> Vec<SignRequest> {
    let me = context.me;
    let own: BTreeSet<Fingerprint> = me.keys.iter().map(SigningPublicKey::fingerprint).collect();
    let hosted: BTreeSet<Fingerprint> = me.host.iter().map(|(_, key)| key.fingerprint()).collect();
    let candidates: BTreeSet<Fingerprint> = own.union(&hosted).cloned().collect();
    let mut scratch = context.state.clone();
    let mut requests = Vec::new();
    for (index, transaction) in offered.transactions.iter().enumerate() {
        if context.state.effective_since(&transaction.hash()).is_some() {
            continue;
        }
        for key in planner::permissible(&scratch, transaction, &candidates).into_keys() {
            let holder = if own.contains(&key) { Holder::Agent } else { Holder::Participant };
            requests.push(SignRequest {
                index,
                transaction: transaction.hash(),
                unique_key: transaction.unique_key(),
                serial: transaction.serial(),
                key,
                holder,
            });
        }
        scratch.assume(transaction);
    }
    // The agent's own signatures first: a participant signs only what carries one already.
    requests.sort_by_key(|request| (request.index, request.holder == Holder::Participant));
    requests
}
