//! Dangers by name: what an intent accepts.

use std::{fmt, str::FromStr};

use canton_topology::hash::TransactionHash;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::part_name::PartName;

/// A danger that an intent accepts, as it stands in the intent and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Accepted {
    ConfirmationOutOfReach,
    SignaturesOutOfReach,
    EveryOwnerNeeded,
    OneOwnerSuffices,
    NamespaceLost,
    DelegationLost,
    DelegateOnRoot,
    OwnerWithoutRoot,
    /// This transaction comes alive.
    Awakens(TransactionHash),
    /// This part of the offer stands alone.
    Part(PartName),
    AnyPart,
    KeysDangle,
    UnlimitedDelegate,
    HostWithoutContracts,
    PartyKeysGone,
    /// A host without contracts, for as long as the party was never used: whoever signs and hosts it looks once more.
    HostOfUnusedParty,
}

/// The text names no danger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no danger: expected the name that the refusal gave, such as every-owner-needed or awakens:1220…")]
pub struct NotADanger(String);

/// The name of the danger that is accepted under a condition.
const HOST_OF_UNUSED_PARTY: &str = "host-of-unused-party";

impl Accepted {
    /// Every danger whose name says all of it and that is accepted whatever comes, with the name.
    pub const PLAIN: [(Self, &'static str); 13] = [
        (Self::ConfirmationOutOfReach, "confirmation-out-of-reach"),
        (Self::SignaturesOutOfReach, "signatures-out-of-reach"),
        (Self::EveryOwnerNeeded, "every-owner-needed"),
        (Self::OneOwnerSuffices, "one-owner-suffices"),
        (Self::NamespaceLost, "namespace-lost"),
        (Self::DelegationLost, "delegation-lost"),
        (Self::DelegateOnRoot, "delegate-on-root"),
        (Self::OwnerWithoutRoot, "owner-without-root"),
        (Self::AnyPart, "any-part"),
        (Self::KeysDangle, "keys-dangle"),
        (Self::UnlimitedDelegate, "unlimited-delegate"),
        (Self::HostWithoutContracts, "host-without-contracts"),
        (Self::PartyKeysGone, "party-keys-gone"),
    ];
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Awakens(transaction) => write!(f, "awakens:{transaction}"),
            Self::Part(name) => write!(f, "part:{name}"),
            Self::HostOfUnusedParty => f.write_str(HOST_OF_UNUSED_PARTY),
            plain => Self::PLAIN.iter().filter(|(one, _)| one == plain).try_for_each(|(_, name)| f.write_str(name)),
        }
    }
}

impl FromStr for Accepted {
    type Err = NotADanger;

    fn from_str(text: &str) -> Result<Self, NotADanger> {
        if let Some(hash) = text.strip_prefix("awakens:") {
            return hash.parse().map(Self::Awakens).map_err(|_| NotADanger(text.to_owned()));
        }
        if let Some(name) = text.strip_prefix("part:") {
            return name.parse().map(Self::Part).map_err(|_| NotADanger(text.to_owned()));
        }
        if text == HOST_OF_UNUSED_PARTY {
            return Ok(Self::HostOfUnusedParty);
        }
        let plain = Self::PLAIN.iter().find(|(_, name)| *name == text);
        plain.map(|(one, _)| *one).ok_or_else(|| NotADanger(text.to_owned()))
    }
}
