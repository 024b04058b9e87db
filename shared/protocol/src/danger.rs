//! Dangers: changes that are what the intent says and that people have come to regret. Shown, never a refusal; a rule
//! permits nothing that has one.

use canton_topology::{
    id::{Namespace, PartyId},
    mapping::Mapping,
    transaction::{Operation, Transaction},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Something to think about before signing.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "danger", rename_all = "kebab-case")]
pub enum Danger {
    /// More confirmations than hosts that can give them.
    #[error("{party} needs {threshold} confirmations and has {hosts} hosts that confirm: it could do nothing any more")]
    ConfirmationOutOfReach {
        /// The party.
        party: PartyId,
        /// The threshold.
        threshold: u32,
        /// How many hosts confirm.
        hosts: usize,
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
}

/// The dangers of these transactions, in their order.
pub fn dangers(transactions: &[Transaction]) -> Vec<Danger> {
    transactions.iter().flat_map(of_one).collect()
}

fn of_one(transaction: &Transaction) -> Vec<Danger> {
    let removes = transaction.operation() == Operation::Remove;
    let mut dangers = Vec::new();
    match transaction.mapping() {
        Mapping::DecentralizedNamespaceDefinition(m) if removes => {
            dangers.push(Danger::NamespaceLost { namespace: m.namespace.clone() });
        }
        Mapping::NamespaceDelegation(m) if removes => {
            dangers.push(Danger::DelegationLost { namespace: m.namespace.clone() });
        }
        Mapping::DecentralizedNamespaceDefinition(m) if m.owners.len() > 1 => {
            let (namespace, owners) = (m.namespace.clone(), m.owners.len());
            if m.threshold as usize >= owners {
                dangers.push(Danger::EveryOwnerNeeded { namespace, owners });
            } else if m.threshold == 1 {
                dangers.push(Danger::OneOwnerSuffices { namespace, owners });
            }
        }
        Mapping::PartyToParticipant(m) if !removes => {
            let (party, threshold, hosts) = (m.party.clone(), m.threshold, m.confirming_hosts());
            if threshold as usize > hosts {
                dangers.push(Danger::ConfirmationOutOfReach { party, threshold, hosts });
            }
            if let Some(keys) = m.signing_keys.as_ref().filter(|keys| keys.threshold as usize > keys.keys.len()) {
                let (party, threshold, keys) = (m.party.clone(), keys.threshold, keys.keys.len());
                dangers.push(Danger::SignaturesOutOfReach { party, threshold, keys });
            }
        }
        Mapping::NamespaceDelegation(_)
        | Mapping::DecentralizedNamespaceDefinition(_)
        | Mapping::PartyToParticipant(_)
        | Mapping::OwnerToKeyMapping(_)
        | Mapping::SynchronizerTrustCertificate(_)
        | Mapping::ParticipantSynchronizerPermission(_)
        | Mapping::PartyHostingLimits(_)
        | Mapping::VettedPackages(_)
        | Mapping::SynchronizerParametersState(_)
        | Mapping::MediatorSynchronizerState(_)
        | Mapping::SequencerSynchronizerState(_)
        | Mapping::DynamicSequencingParametersState(_)
        | Mapping::PartyToKeyMapping(_)
        | Mapping::LsuAnnouncement(_)
        | Mapping::LsuSequencerConnectionSuccessor(_) => {}
    }
    dangers
}
