//! Dangers: changes that Canton accepts, that are what the intent says, and that people have come to regret. An agent
//! refuses each that the intent does not accept by name, and a rule permits nothing that has one.

mod found;

use canton_topology::{
    hash::TransactionHash,
    id::{Fingerprint, Namespace, ParticipantId, PartyId},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::found::{dangers, dangers_of_plan};
use crate::{accepted::Accepted, part_name::PartName};

/// Something to think about before signing.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "danger", rename_all = "kebab-case")]
pub enum Danger {
    /// More confirmations than hosts that can give them.
    #[error(
        "{party} needs {threshold} confirmations and has {hosts} hosts that confirm: {until}",
        until = if *hosts + *onboarding < *threshold as usize {
            "it could do nothing any more".to_owned()
        } else {
            format!("it could do nothing until {onboarding} more are through with their onboarding")
        }
    )]
    ConfirmationOutOfReach {
        /// The party.
        party: PartyId,
        /// The threshold.
        threshold: u32,
        /// How many hosts confirm.
        hosts: usize,
        /// How many more will, once they are through with their onboarding.
        onboarding: usize,
    },
    /// More signatures than keys that can give them.
    #[error("{party} needs {threshold} signatures and has {keys} keys: it could sign nothing any more")]
    SignaturesOutOfReach {
        /// The party.
        party: PartyId,
        /// The threshold.
        threshold: u32,
        /// How many keys there are.
        keys: usize,
    },
    /// Every owner is needed.
    #[error("all {owners} owners of {namespace} must sign every change: one lost key locks it for ever")]
    EveryOwnerNeeded {
        /// The namespace.
        namespace: Namespace,
        /// How many owners there are.
        owners: usize,
    },
    /// Any owner suffices.
    #[error("each of the {owners} owners of {namespace} can change everything alone")]
    OneOwnerSuffices {
        /// The namespace.
        namespace: Namespace,
        /// How many owners there are.
        owners: usize,
    },
    /// Nobody can bring a removed namespace back.
    #[error("{namespace} would be removed: nobody can ever act for it again")]
    NamespaceLost {
        /// The namespace.
        namespace: Namespace,
    },
    /// A revoked key never comes back.
    #[error("the delegation of {namespace} would be revoked for good: the same key can never be delegated again")]
    DelegationLost {
        /// The namespace.
        namespace: Namespace,
    },
    /// A root delegation that another key than the root's signs is none any more.
    #[error(
        "key {key} is not the root key of {namespace}: with its signature the delegation is no root any more, and the namespace can sign nothing until the root key publishes it again alone"
    )]
    DelegateOnRoot {
        /// The namespace.
        namespace: Namespace,
        /// The key that would sign.
        key: Fingerprint,
    },
    /// A namespace with an owner who has no root can be changed no more.
    #[error("owner {owner} of {namespace} would have no root delegation: the namespace could not be changed any more")]
    OwnerWithoutRoot {
        /// The namespace.
        namespace: Namespace,
        /// The owner.
        owner: Namespace,
    },
    /// Signatures that were too few before would be enough, or nearly.
    #[error(
        "signatures given for {transaction} would come alive: {more}; void it first",
        more = if *more == 0 { "anybody could make it effective".to_owned() } else { format!("{more} owners could complete it") }
    )]
    Awakens {
        /// What was signed.
        transaction: TransactionHash,
        /// How many owners it would take still; 0 for none.
        more: usize,
    },
    /// A part of the offer makes a state of its own.
    #[error(
        "whoever holds the signatures could make {} effective and leave out {}; propose it in stages, or accept that state",
        stands.join(", "),
        lacks.join(", ")
    )]
    Part {
        /// The state.
        name: PartName,
        /// What would stand.
        stands: Vec<String>,
        /// What would be as before.
        lacks: Vec<String>,
    },
    /// Any part of the offer makes a state of its own, and there are too many to be named.
    #[error(
        "whoever holds the signatures could make any of {parts} parts effective without the others; propose fewer at once"
    )]
    AnyPart {
        /// How many transactions could be left out.
        parts: usize,
    },
    /// Keys that are not named lose their authority with the one that is.
    #[error("{} of {namespace} would sign nothing any more: what let them was signed by the key that goes", list(keys))]
    KeysDangle {
        /// The namespace.
        namespace: Namespace,
        /// The keys.
        keys: Vec<Fingerprint>,
    },
    /// A delegate who can do everything that the root key can.
    #[error("key {key} could delegate further, replace and revoke every delegation of {namespace}, the root's own too")]
    UnlimitedDelegate {
        /// The namespace.
        namespace: Namespace,
        /// The key.
        key: Fingerprint,
    },
    /// A host is added as if the party had no contracts.
    #[error(
        "{participant} would host {party} from one moment to the next: only a party without contracts takes that; for any other use `propose host`"
    )]
    HostWithoutContracts {
        /// The party.
        party: PartyId,
        /// The new host.
        participant: ParticipantId,
    },
    /// A party that signed by keys of its own has none any more.
    #[error("{party} would have no signing key any more: its hosts would act for it without anybody's signature")]
    PartyKeysGone {
        /// The party.
        party: PartyId,
    },
}

fn list(keys: &[Fingerprint]) -> String {
    keys.iter().map(|key| format!("key {key}")).collect::<Vec<_>>().join(", ")
}

impl Danger {
    /// What an intent must accept for it.
    pub fn accepted_as(&self) -> Accepted {
        match self {
            Self::ConfirmationOutOfReach { .. } => Accepted::ConfirmationOutOfReach,
            Self::SignaturesOutOfReach { .. } => Accepted::SignaturesOutOfReach,
            Self::EveryOwnerNeeded { .. } => Accepted::EveryOwnerNeeded,
            Self::OneOwnerSuffices { .. } => Accepted::OneOwnerSuffices,
            Self::NamespaceLost { .. } => Accepted::NamespaceLost,
            Self::DelegationLost { .. } => Accepted::DelegationLost,
            Self::DelegateOnRoot { .. } => Accepted::DelegateOnRoot,
            Self::OwnerWithoutRoot { .. } => Accepted::OwnerWithoutRoot,
            Self::Awakens { transaction, .. } => Accepted::Awakens(*transaction),
            Self::Part { name, .. } => Accepted::Part(*name),
            Self::AnyPart { .. } => Accepted::AnyPart,
            Self::KeysDangle { .. } => Accepted::KeysDangle,
            Self::UnlimitedDelegate { .. } => Accepted::UnlimitedDelegate,
            Self::HostWithoutContracts { .. } => Accepted::HostWithoutContracts,
            Self::PartyKeysGone { .. } => Accepted::PartyKeysGone,
        }
    }

    /// Whether an intent that accepts these accepts it.
    pub fn is_accepted(&self, accepts: &[Accepted]) -> bool {
        let is_host = matches!(self, Self::HostWithoutContracts { .. });
        accepts.contains(&self.accepted_as()) || is_host && accepts.contains(&Accepted::HostOfUnusedParty)
    }
}
