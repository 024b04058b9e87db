//! Who reads a case, and what the reader knows.

use canton_topology::{
    Timestamp,
    id::{Namespace, ParticipantId, SynchronizerId},
    key::SigningPublicKey,
    state::State,
    transaction::SignedTransaction,
};

use crate::{book::Book, identity::IdentityPublicKey, intent::Seat};

/// Who verifies.
#[derive(Clone, Debug)]
pub struct Me {
    /// The owner.
    pub owner: Namespace,
    /// The owner's identity key.
    pub identity: IdentityPublicKey,
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
    /// When the agent's participant said last that this is how it stands.
    pub seen: Timestamp,
    /// Signatures that the agent knows of from other cases.
    pub live: &'a [SignedTransaction],
    /// The time.
    pub now: Timestamp,
    /// Whether the owner has frozen the agent.
    pub frozen: bool,
}

impl Context<'_> {
    /// Whether an identity key speaks for an owner, by the reader's own knowledge alone.
    pub fn speaks(&self, signer: &IdentityPublicKey, owner: &Namespace) -> bool {
        let is_me = *signer == self.me.identity && *owner == self.me.owner;
        is_me || self.book.by_identity(signer).is_some_and(|entry| entry.card.owner() == *owner)
    }

    /// Whether an owner has a participant, by the reader's own knowledge alone.
    pub fn holds(&self, seat: &Seat) -> bool {
        self.participant_of(&seat.owner) == Some(&seat.participant)
    }

    /// The participant of an owner, by the reader's own knowledge alone.
    pub fn participant_of(&self, owner: &Namespace) -> Option<&ParticipantId> {
        if *owner == self.me.owner {
            return self.me.host.as_ref().map(|(host, _)| host);
        }
        self.book.by_namespace(owner).and_then(|entry| entry.card.host.as_ref())
    }

    /// The owner of the participant with that namespace, by the reader's own knowledge alone.
    pub fn owner_of_node(&self, namespace: &Namespace) -> Option<Namespace> {
        let is_it = |host: &ParticipantId| host.namespace() == namespace;
        if self.me.host.as_ref().is_some_and(|(host, _)| is_it(host)) {
            return Some(self.me.owner.clone());
        }
        let mut entries = self.book.entries().iter();
        entries.find(|entry| entry.card.host.as_ref().is_some_and(is_it)).map(|entry| entry.card.owner())
    }

    /// The owner of a participant, by the reader's own knowledge alone.
    pub fn owner_of(&self, participant: &ParticipantId) -> Option<Namespace> {
        if self.participant_of(&self.me.owner) == Some(participant) {
            return Some(self.me.owner.clone());
        }
        self.book.by_host(participant).map(|entry| entry.card.owner())
    }
}
