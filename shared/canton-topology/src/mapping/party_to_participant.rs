//! Who hosts a party, who must confirm for it, and the keys with which it signs its own transactions.

use serde::{Deserialize, Serialize};

use super::{KEYS_MAX, convert, identifier, positive, signing_keys, too_many_keys};
use crate::{
    id::{Fingerprint, ParticipantId, PartyId},
    key::SigningPublicKey,
    wire::{DecodeError, DecodeErrorKind, Node, Writer},
};

/// What a host may do for a party. Ordered from the most to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Permission {
    /// Submits, confirms and observes.
    Submission = 1,
    /// Confirms and observes.
    Confirmation = 2,
    /// Observes.
    Observation = 3,
}

impl Permission {
    /// Canton's word for it, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submission => "submission",
            Self::Confirmation => "confirmation",
            Self::Observation => "observation",
        }
    }

    pub(super) fn from_node(node: &Node<'_>, number: u32) -> Result<Self, DecodeError> {
        match node.int(number) {
            0 => Err(node.error(number, DecodeErrorKind::FieldNotSet)),
            1 => Ok(Self::Submission),
            2 => Ok(Self::Confirmation),
            3 => Ok(Self::Observation),
            other => Err(node.error(number, DecodeErrorKind::UnrecognizedEnum(other))),
        }
    }
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostingParticipant {
    /// The participant.
    pub participant: ParticipantId,
    /// What it may do.
    pub permission: Permission,
    /// Whether it is still being onboarded: it is listed and does not confirm yet.
    pub onboarding: bool,
}

/// Keys of which a threshold must sign. Equality does not look at their order, as Canton's does not.
#[derive(Clone, Debug)]
pub struct SigningKeysWithThreshold {
    /// The keys, 1 to 20, each fingerprint once, as they were written.
    pub keys: Vec<SigningPublicKey>,
    /// How many must sign.
    pub threshold: u32,
}

impl PartialEq for SigningKeysWithThreshold {
    fn eq(&self, other: &Self) -> bool {
        self.threshold == other.threshold
            && self.keys.len() == other.keys.len()
            && self.keys.iter().all(|key| other.keys.contains(key))
    }
}

impl Eq for SigningKeysWithThreshold {}

/// `PartyToParticipant`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyToParticipant {
    /// The party.
    pub party: PartyId,
    /// How many hosts must confirm.
    pub threshold: u32,
    /// The hosts, each once, in the order of their first mention.
    pub participants: Vec<HostingParticipant>,
    /// The party's own keys, where it has any.
    pub signing_keys: Option<SigningKeysWithThreshold>,
}

impl PartyToParticipant {
    /// The host of that name.
    pub fn host(&self, participant: &ParticipantId) -> Option<&HostingParticipant> {
        self.participants.iter().find(|host| host.participant == *participant)
    }

    /// How many hosts count when a transaction is confirmed.
    pub fn confirming_hosts(&self) -> usize {
        let confirms = |host: &&HostingParticipant| host.permission != Permission::Observation && !host.onboarding;
        self.participants.iter().filter(confirms).count()
    }

    /// The party's key that is its namespace's own, where it is among its signing keys.
    pub fn self_signing_key(&self) -> Option<&SigningPublicKey> {
        let namespace = self.party.namespace().fingerprint();
        self.signing_keys.iter().flat_map(|keys| &keys.keys).find(|key| key.fingerprint_ref() == namespace)
    }

    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let party = identifier(node, 1)?;
        let threshold = positive(node, 2)?;
        let mut participants: Vec<HostingParticipant> = Vec::new();
        for host in node.children(3) {
            let host = HostingParticipant {
                participant: convert(&host, 1, ParticipantId::parse_lenient(host.text(1)))?,
                permission: Permission::from_node(&host, 2)?,
                onboarding: host.has(3),
            };
            // A host that stands there twice keeps the higher permission; on equal ones the first entry stays.
            match participants.iter_mut().find(|other| other.participant == host.participant) {
                Some(other) if host.permission < other.permission => *other = host,
                Some(_) => {}
                None => participants.push(host),
            }
        }
        let signing_keys = node.child(6).map(|keys| SigningKeysWithThreshold::from_node(&keys)).transpose()?;
        Ok(Self { party, threshold, participants, signing_keys })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.party.to_string());
        writer.number(2, i64::from(self.threshold));
        for host in &self.participants {
            let mut inner = Writer::default();
            inner.text(1, &host.participant.to_string());
            inner.number(2, host.permission as i64);
            if host.onboarding {
                inner.bytes(3, &[]);
            }
            writer.bytes(3, &inner.finish());
        }
        if let Some(keys) = &self.signing_keys {
            let mut inner = Writer::default();
            for key in &keys.keys {
                inner.bytes(1, &key.encode());
            }
            inner.number(2, i64::from(keys.threshold));
            writer.bytes(6, &inner.finish());
        }
        writer.finish()
    }
}

impl SigningKeysWithThreshold {
    fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let keys = signing_keys(node, 1)?;
        let threshold = positive(node, 2)?;
        let distinct: std::collections::BTreeSet<&Fingerprint> =
            keys.iter().map(SigningPublicKey::fingerprint_ref).collect();
        if distinct.len() < keys.len() {
            let reason = "a key stands there twice; each may stand once".to_owned();
            return Err(node.error(1, DecodeErrorKind::Invariant(reason)));
        }
        if keys.len() > KEYS_MAX {
            return Err(too_many_keys(node, 1, keys.len()));
        }
        Ok(Self { keys, threshold })
    }
}
