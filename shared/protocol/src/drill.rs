//! Drills: inert signatures that prove a key still works. Nothing acts on one; whoever gets hold of it can do nothing.
//! Before a key is touched, what it may sign on the synchronizer is looked up: a key that works and that nobody lets sign
//! is as useless as one that is lost.

use std::collections::BTreeSet;

use canton_topology::{
    Timestamp,
    id::{Fingerprint, Namespace, PartyId, SynchronizerId},
    key::{KeyUsage, SigningPublicKey},
    mapping::{Code, Mapping},
    state::State,
    transaction::Operation,
};
use serde::{Deserialize, Serialize};

use crate::{encoding, registry::Kind};

/// What stands in every drill, for whoever is shown what a device signs.
pub const WORDS: &str = "This is a drill. It approves nothing, changes nothing and moves nothing.";

/// What a key signs in a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// [`WORDS`].
    pub words: String,
    /// The key that is tried.
    pub key: Fingerprint,
    /// Whose it is.
    pub owner: Namespace,
    /// The synchronizer that it is pinned to.
    pub synchronizer: SynchronizerId,
    /// When, by the owner's clock.
    pub at: Timestamp,
    /// 32 random bytes: no two drills are alike.
    pub nonce: [u8; 32],
}

/// How long a drill that nobody has signed yet is asked for, in microseconds: a day. Whoever takes hours answers the same
/// question, not a new one each time.
const OPEN_MICROS: i64 = 24 * 3600 * 1_000_000;

impl Drill {
    /// Whether it is still asked for.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.at <= now && now < self.at.plus_micros(OPEN_MICROS)
    }

    /// The bytes that the key signs.
    ///
    /// # Panics
    /// Never: the words alone are longer than one of Canton's messages.
    pub fn message(&self) -> Vec<u8> {
        Kind::Drill.message(&encoding::encode(self)).expect("a drill is longer than 34 bytes")
    }
}

/// Where a key stands on the synchronizer, as the owner's own node shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It signs for the owner's namespace.
    Namespace {
        /// Whether it is the namespace's own key, rather than one to which that key delegates.
        is_root: bool,
        /// The kinds of mappings that it may sign.
        signs: BTreeSet<Code>,
    },
    /// It signs for these parties.
    Parties(BTreeSet<PartyId>),
    /// Nobody on the synchronizer knows it yet, which is right for a key that is not used yet.
    Unknown,
    /// It was known, and its authority was taken away.
    Revoked,
    /// Canton would not take it for this: its usages lack one.
    LacksUsage(KeyUsage),
}

impl Standing {
    /// Whether the key would be of use.
    pub fn is_well(&self) -> bool {
        match self {
            Self::Namespace { .. } | Self::Parties(_) | Self::Unknown => true,
            Self::Revoked | Self::LacksUsage(_) => false,
        }
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Namespace { is_root, signs } if signs.len() == Code::ALL.len() => f.write_str(if *is_root {
                "the namespace's own key; signs everything"
            } else {
                "delegated; signs everything"
            }),
            Self::Namespace { signs, .. } => {
                let names: Vec<String> = signs.iter().map(ToString::to_string).collect();
                write!(f, "delegated; signs {} alone", names.join(", "))
            }
            Self::Parties(parties) => {
                let names: Vec<String> = parties.iter().map(ToString::to_string).collect();
                write!(f, "signs for {}", names.join(", "))
            }
            Self::Unknown => f.write_str("not on the synchronizer yet"),
            Self::Revoked => f.write_str("REVOKED on the synchronizer; it signs nothing there, ever again"),
            Self::LacksUsage(usage) => write!(f, "Canton would refuse it: it lacks the usage {usage}"),
        }
    }
}

/// Where a key of the owner's namespace stands.
pub fn standing_of_namespace_key(key: &SigningPublicKey, owner: &Namespace, state: &State) -> Standing {
    if !key.usage().contains(&KeyUsage::Namespace) {
        return Standing::LacksUsage(KeyUsage::Namespace);
    }
    let fingerprint = key.fingerprint_ref();
    let may_sign = |code: &Code| state.keys_of(owner, *code).contains_key(fingerprint);
    let signs: BTreeSet<Code> = Code::ALL.into_iter().filter(may_sign).collect();
    if !signs.is_empty() {
        return Standing::Namespace { is_root: owner.fingerprint() == fingerprint, signs };
    }
    let was_delegated = state.of_kind_and(Code::NamespaceDelegation, Operation::Remove).any(|row| {
        matches!(row.transaction.mapping(), Mapping::NamespaceDelegation(one)
            if one.namespace == *owner && one.target.fingerprint_ref() == fingerprint)
    });
    if was_delegated { Standing::Revoked } else { Standing::Unknown }
}

/// Where a key for parties stands.
pub fn standing_of_party_key(key: &SigningPublicKey, state: &State) -> Standing {
    for usage in [KeyUsage::Protocol, KeyUsage::ProofOfOwnership] {
        if !key.usage().contains(&usage) {
            return Standing::LacksUsage(usage);
        }
    }
    let is_it = |one: &SigningPublicKey| one.fingerprint_ref() == key.fingerprint_ref();
    let parties: BTreeSet<PartyId> = state
        .actives()
        .filter(|row| row.transaction.operation() == Operation::AddReplace)
        .filter_map(|row| match row.transaction.mapping() {
            Mapping::PartyToParticipant(mapping) => {
                let mut keys = mapping.signing_keys.iter().flat_map(|keys| &keys.keys);
                keys.any(is_it).then(|| mapping.party.clone())
            }
            Mapping::PartyToKeyMapping(mapping) => mapping.keys.iter().any(is_it).then(|| mapping.party.clone()),
            _ => None,
        })
        .collect();
    if parties.is_empty() { Standing::Unknown } else { Standing::Parties(parties) }
}

/// How a key stands in its owner's schedule of drills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The next one is due then.
    At(Timestamp),
    /// One was due then, and was not made.
    Missed(Timestamp),
}

/// When the next drill of a key is due. `every` is in microseconds; `since` is when the last one was, or when the key was
/// pinned.
pub fn due(every: i64, since: Timestamp, now: Timestamp) -> Due {
    let at = since.plus_micros(every);
    if at < now { Due::Missed(at) } else { Due::At(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_is_missed_from_the_moment_after_it_was_due() {
        let since = Timestamp(1_000);
        assert_eq!(due(500, since, Timestamp(1_500)), Due::At(Timestamp(1_500)));
        assert_eq!(due(500, since, Timestamp(1_501)), Due::Missed(Timestamp(1_500)));
    }
}
