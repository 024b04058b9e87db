//! The ladder from a verified offer to a released signature. Each rung is consumed by the next and is built here only.
//!
//! `Verified` (by `protocol`) → [`Permitted`] → [`Recorded`] (durable) → [`Signed`] (self-verified) → [`Released`].

use canton_topology::{hash::TransactionHash, id::Fingerprint, key::SigningPublicKey, signature::Signature};
use protocol::{
    difference::DifferenceClass, refusal::Refusal, request::SignRequest, statement::StatementHash, verify::Verified,
};
use thiserror::Error;

use crate::journal::{Journal, JournalError, JournalSlot};

/// Who permitted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// A human who saw the offer with this hash.
    Human {
        /// The offer that was shown.
        shown: StatementHash,
        /// A transaction that the human released, knowing that both stay usable.
        release: Option<TransactionHash>,
    },
    /// A rule for one class of differences.
    Rule(DifferenceClass),
}

/// Why an offer is not permitted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotPermitted {
    /// The human saw another offer; or a rule may not decide here, whatever the change is.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The rule is for another class.
    #[error("the change is not of the class that the rule permits")]
    OtherClass,
}

/// An offer that is verified and permitted.
#[derive(Clone, Debug)]
pub struct Permitted {
    verified: Verified,
    release: Option<TransactionHash>,
}

impl Permitted {
    /// Climbs from verified to permitted.
    ///
    /// # Errors
    /// See [`NotPermitted`].
    pub fn new(verified: Verified, permission: Permission) -> Result<Self, NotPermitted> {
        let release = match permission {
            Permission::Human { shown, .. } if shown != verified.offer() => {
                return Err(Refusal::OtherOffer { decided: shown, newest: verified.offer() }.into());
            }
            Permission::Human { release, .. } => release,
            // A rule releases nothing, ever, and never permits what only a human may.
            Permission::Rule(class) if class != verified.class() || class == DifferenceClass::Other => {
                return Err(NotPermitted::OtherClass);
            }
            Permission::Rule(_) => {
                verified.rule_may_decide()?;
                None
            }
        };
        Ok(Self { verified, release })
    }

    /// What was verified.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Records one request of the offer.
    ///
    /// # Errors
    /// See [`JournalError`]. Nothing was signed then.
    pub fn record(
        &self,
        journal: &Journal,
        request: &SignRequest,
        now: canton_topology::Timestamp,
    ) -> Result<Recorded, JournalError> {
        let slot = JournalSlot {
            key: request.key.clone(),
            synchronizer: self.verified.intent().synchronizer.clone(),
            unique_key: request.unique_key,
            serial: request.serial,
        };
        journal.reserve(&slot, request.transaction, self.release, now)
    }
}

/// A request that the journal has recorded durably. The only thing that a key backend takes.
#[derive(Debug)]
pub struct Recorded {
    slot: JournalSlot,
    transaction: TransactionHash,
    given: Option<Signature>,
}

impl Recorded {
    pub(crate) fn new(slot: JournalSlot, transaction: TransactionHash, given: Option<Signature>) -> Self {
        Self { slot, transaction, given }
    }

    /// The key that is to sign.
    pub fn key(&self) -> &Fingerprint {
        &self.slot.key
    }

    /// The slot.
    pub fn slot(&self) -> &JournalSlot {
        &self.slot
    }

    /// What is to be signed.
    pub fn transaction(&self) -> TransactionHash {
        self.transaction
    }

    /// The signature that was given before, where this is a retry.
    pub fn given(&self) -> Option<&Signature> {
        self.given.as_ref()
    }

    /// Takes a signature from whoever holds the key, verifies it against the pinned public key and records it.
    ///
    /// # Errors
    /// See [`SignError`]. The signature goes nowhere then.
    pub fn signed(
        self,
        journal: &Journal,
        signature: Signature,
        pinned: &SigningPublicKey,
    ) -> Result<Signed, SignError> {
        let is_pinned = pinned.fingerprint_ref() == self.key();
        if !is_pinned || signature.verify(pinned, self.transaction.as_bytes()).is_err() {
            return Err(SignError::NotThePinnedKey { key: self.slot.key });
        }
        journal.record_outcome(&self, &signature)?;
        Ok(Signed { transaction: self.transaction, signature })
    }
}

/// Why a signature goes nowhere.
#[derive(Debug, Error)]
pub enum SignError {
    /// Whoever signed did not sign with the pinned key.
    #[error("what came back is not a signature of key {key}; nothing was released")]
    NotThePinnedKey {
        /// The pinned key.
        key: Fingerprint,
    },
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A verified and recorded signature that has not left yet.
#[derive(Debug)]
pub struct Signed {
    transaction: TransactionHash,
    signature: Signature,
}

/// A signature that may leave.
#[derive(Clone, Debug)]
pub struct Released {
    /// What was signed.
    pub transaction: TransactionHash,
    /// The signature.
    pub signature: Signature,
}

impl Signed {
    /// Lets the signature go, where what was wanted is wanted still: deadline, withdrawal and freeze are looked at again,
    /// because a human or a slow device may have taken long.
    ///
    /// # Errors
    /// The refusal. The journal keeps the signature.
    pub fn release(self, still_wanted: Result<(), Refusal>) -> Result<Released, Refusal> {
        still_wanted.map(|()| Released { transaction: self.transaction, signature: self.signature })
    }
}
