//! The mailbox of introductions: one of each owner, carried and not vouched for. What is checked here keeps junk out; whoever
//! reads one verifies all of it again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use canton_topology::{
    Timestamp,
    id::{Namespace, SynchronizerId},
};
use protocol::{
    api::{Base64, Nonce},
    identity::IdentityPublicKey,
    introduction::{Expected, Introduction, IntroductionError},
    limits,
};
use rand_core::{OsRng, RngCore as _};
use thiserror::Error;

use crate::{
    register::Member,
    store::{self, Batch, Store, StoreError, Write},
};

/// Gives nonces and takes introductions. Its calls wait for the disk.
pub struct Mailbox {
    store: Arc<dyn Store>,
    expected: Expected,
    /// What was given out and not answered. In memory alone: after a restart a new one is asked for.
    nonces: Mutex<BTreeMap<Namespace, VecDeque<Given>>>,
    /// Held while an introduction is compared with the one that is there, and takes its place.
    posting: Mutex<()>,
}

struct Given {
    nonce: [u8; 32],
    expires_at: Timestamp,
}

/// Why an introduction is not taken.
#[derive(Debug, Error)]
pub enum MailboxError {
    /// It is not one, or a proof in it is none.
    #[error(transparent)]
    Introduction(#[from] IntroductionError),
    /// It is another owner's.
    #[error("introduction: field card: of owner {found}; you are enrolled for {expected}: everybody introduces itself")]
    OtherOwner {
        /// Whose it is.
        found: Namespace,
        /// Who hands it in.
        expected: Namespace,
    },
    /// It is of an identity key that is not enrolled for this owner.
    #[error("introduction: field card.identity: {found}; your enrolment is for {expected}: enroll again first")]
    OtherIdentity {
        /// What the card says.
        found: IdentityPublicKey,
        /// What was enrolled.
        expected: IdentityPublicKey,
    },
    /// The nonce was never given to this owner, was answered already, or has expired.
    #[error(
        "introduction: field nonce: it was not given to you, was answered already or has expired; run `keys prove` again"
    )]
    Nonce,
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Mailbox {
    /// One over a store.
    pub fn new(store: Arc<dyn Store>, coordinator: IdentityPublicKey, synchronizer: Option<SynchronizerId>) -> Self {
        let expected = Expected { coordinator, synchronizer };
        Self { store, expected, nonces: Mutex::default(), posting: Mutex::default() }
    }

    /// A nonce for an owner. The oldest of too many is forgotten.
    pub fn nonce(&self, owner: &Namespace, now: Timestamp) -> Nonce {
        let mut nonce = [0u8; 32];
        OsRng.fill_bytes(&mut nonce);
        let expires_at = now.plus_micros(limits::NONCE_MICROS_MAX);
        let mut nonces = lock(&self.nonces);
        let given = nonces.entry(owner.clone()).or_default();
        if given.len() >= limits::NONCES_PER_OWNER_MAX {
            given.pop_front();
        }
        given.push_back(Given { nonce, expires_at });
        Nonce { nonce: Base64(nonce.to_vec()), expires_at: expires_at.0 }
    }

    /// Takes an introduction, in the place of the owner's earlier one. The same bytes again get the same answer.
    ///
    /// # Errors
    /// See [`MailboxError`]. A nonce that was answered rightly is used up, even where the store fails then.
    pub fn post(&self, caller: &Member, bytes: Vec<u8>, now: Timestamp) -> Result<(), MailboxError> {
        let introduction = Introduction::open(&bytes)?;
        let owner = introduction.owner();
        if owner != caller.owner {
            return Err(MailboxError::OtherOwner { found: owner, expected: caller.owner.clone() });
        }
        let (found, expected) = (introduction.card.identity, caller.identity);
        if found != expected {
            return Err(MailboxError::OtherIdentity { found, expected });
        }
        let _one_at_a_time = lock(&self.posting);
        if self.store.introduction(&owner)?.is_some_and(|there| there.bytes == bytes) {
            return Ok(());
        }
        // Before the proofs: to look a nonce up costs less than to verify them.
        self.check_nonce(&owner, &introduction.nonce, now)?;
        introduction.check(&self.expected)?;
        self.use_up(&owner, &introduction.nonce);
        let introduction = store::Introduction { owner, bytes };
        self.store.append(Batch(vec![Write::Introduction(introduction)])).wait()?;
        Ok(())
    }

    /// Whether the nonce waits for this owner's answer.
    fn check_nonce(&self, owner: &Namespace, nonce: &[u8; 32], now: Timestamp) -> Result<(), MailboxError> {
        let mut nonces = lock(&self.nonces);
        let given = nonces.get_mut(owner).ok_or(MailboxError::Nonce)?;
        given.retain(|one| one.expires_at > now);
        if given.iter().any(|one| one.nonce == *nonce) { Ok(()) } else { Err(MailboxError::Nonce) }
    }

    fn use_up(&self, owner: &Namespace, nonce: &[u8; 32]) {
        if let Some(given) = lock(&self.nonces).get_mut(owner) {
            given.retain(|one| one.nonce != *nonce);
        }
    }

    /// Up to so many as one answer carries, after an owner's.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn list(&self, after: Option<&Namespace>) -> Result<Vec<store::Introduction>, StoreError> {
        self.store.introductions(after, limits::INTRODUCTIONS_PER_ANSWER_MAX)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one insertion or removal, so a panic in between leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
