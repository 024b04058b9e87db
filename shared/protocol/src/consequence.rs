//! What a change means for whoever reads it, and what it makes fragile. Shown before signing; nothing is refused for it,
//! because only the reader can weigh it.

use canton_topology::{
    id::{Fingerprint, Namespace, PartyId},
    mapping::{DecentralizedNamespaceDefinition, Mapping, PartyToParticipant},
    state::State,
    transaction::{Operation, Transaction},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{cascade, naming::subject, reader::Me};

/// Something that follows from a change.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "consequence", rename_all = "kebab-case")]
pub enum Consequence {
    /// The reader is an owner no more.
    #[error("YOU lose your own seat in {namespace}: only its other owners could give it back")]
    OwnSeatLost {
        /// The namespace.
        namespace: Namespace,
    },
    /// The reader's participant hosts the party no more.
    #[error("YOUR participant hosts {party} no more")]
    OwnHostLeaves {
        /// The party.
        party: PartyId,
    },
    /// A key of the reader signs for the party no more.
    #[error("YOUR key {key} signs for {party} no more")]
    OwnKeyLeaves {
        /// The party.
        party: PartyId,
        /// The key.
        key: Fingerprint,
    },
    /// A key of the reader signs for a namespace no more.
    #[error("YOUR key {key} signs for {namespace} no more")]
    OwnKeyRevoked {
        /// The namespace.
        namespace: Namespace,
        /// The key.
        key: Fingerprint,
    },
    /// Nobody of a set can be spared.
    #[error("{subject}: {threshold} of {count} {what}: if any one of them is lost, the threshold cannot be met")]
    NoneCanBeLost {
        /// What it is about.
        subject: String,
        /// Owners, hosts or keys.
        what: String,
        /// How many are needed.
        threshold: u32,
        /// How many there are.
        count: usize,
    },
    /// Canton never lets it return.
    #[error("{subject} is removed for good: it can never be published again")]
    Irreversible {
        /// What.
        subject: String,
    },
}

/// What follows from these transactions, taken together, for the reader.
pub fn consequences(transactions: &[Transaction], state: &State, me: &Me) -> Vec<Consequence> {
    let mut scratch = state.clone();
    let mut all = Vec::new();
    for transaction in transactions {
        let row = scratch.active(&transaction.unique_key());
        let before = row.filter(|row| row.transaction.operation() == Operation::AddReplace);
        let before = before.map(|row| row.transaction.mapping());
        let removes = transaction.operation() == Operation::Remove;
        if let Mapping::DecentralizedNamespaceDefinition(after) = transaction.mapping() {
            let before = before.and_then(|before| match before {
                Mapping::DecentralizedNamespaceDefinition(before) => Some(before),
                _ => None,
            });
            all.extend(of_owners(before, (!removes).then_some(after), me));
        }
        if let Mapping::PartyToParticipant(after) = transaction.mapping() {
            let before = before.and_then(|before| match before {
                Mapping::PartyToParticipant(before) => Some(before),
                _ => None,
            });
            all.extend(of_party(before, (!removes).then_some(after), me));
        }
        if cascade::is_for_ever(transaction) {
            let mapping = transaction.mapping();
            all.push(Consequence::Irreversible { subject: format!("{} {}", mapping.code().name(), subject(mapping)) });
        }
        scratch.assume(transaction);
    }
    for lost in cascade::lost_keys(transactions, state, &scratch) {
        if me.keys.iter().any(|key| *key.fingerprint_ref() == lost.key) {
            all.push(Consequence::OwnKeyRevoked { namespace: lost.namespace, key: lost.key });
        }
    }
    all
}

fn of_owners(
    before: Option<&DecentralizedNamespaceDefinition>,
    after: Option<&DecentralizedNamespaceDefinition>,
    me: &Me,
) -> Vec<Consequence> {
    let mut all = Vec::new();
    let is_mine = |definition: &DecentralizedNamespaceDefinition| definition.owners.contains(&me.owner);
    if let Some(before) = before.filter(|before| is_mine(before) && !after.is_some_and(is_mine)) {
        all.push(Consequence::OwnSeatLost { namespace: before.namespace.clone() });
    }
    all.extend(
        after.and_then(|after| fragile(&after.namespace.to_string(), "owners", after.threshold, after.owners.len())),
    );
    all
}

fn of_party(before: Option<&PartyToParticipant>, after: Option<&PartyToParticipant>, me: &Me) -> Vec<Consequence> {
    let mut all = Vec::new();
    if let Some(before) = before {
        let party = || before.party.clone();
        if let Some((own, _)) = &me.host
            && before.host(own).is_some()
            && after.is_none_or(|after| after.host(own).is_none())
        {
            all.push(Consequence::OwnHostLeaves { party: party() });
        }
        for key in me.keys.iter().filter(|key| has_key(before, key.fingerprint_ref())) {
            if after.is_none_or(|after| !has_key(after, key.fingerprint_ref())) {
                all.push(Consequence::OwnKeyLeaves { party: party(), key: key.fingerprint() });
            }
        }
    }
    if let Some(after) = after {
        let subject = after.party.to_string();
        all.extend(fragile(&subject, "confirming hosts", after.threshold, after.confirming_hosts()));
        let keys = after.signing_keys.as_ref();
        all.extend(keys.and_then(|keys| fragile(&subject, "signing keys", keys.threshold, keys.keys.len())));
    }
    all
}

fn has_key(party: &PartyToParticipant, key: &Fingerprint) -> bool {
    party.signing_keys.iter().flat_map(|keys| &keys.keys).any(|one| one.fingerprint_ref() == key)
}

fn fragile(subject: &str, what: &str, threshold: u32, count: usize) -> Option<Consequence> {
    let (subject, what) = (subject.to_owned(), what.to_owned());
    (threshold as usize >= count).then_some(Consequence::NoneCanBeLost { subject, what, threshold, count })
}
