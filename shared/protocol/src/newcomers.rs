//! Hosts that a change adds from one moment to the next, as if the party had no contracts to bring along.

use std::collections::BTreeMap;

use canton_topology::{
    hash::UniqueKey,
    id::{ParticipantId, PartyId},
    mapping::Mapping,
    state::State,
    transaction::{Operation, Transaction},
};

use crate::{
    hosts::host_of,
    intent::{Change, Membership},
};

/// The new hosts, each with its party. A hosting is none of these: it has gates of its own. What was made elsewhere passes
/// no gate, whether its new host would still be onboarding or not.
pub fn newcomers(change: &Change, state: &State) -> Vec<(PartyId, ParticipantId)> {
    match change {
        Change::Membership(Membership { party: Some(change), .. }) => {
            let hosts = change.add_hosts.iter().map(|host| host.participant.clone());
            let comes = hosts.filter(|host| host_of(state, &change.party, host).is_none());
            comes.map(|host| (change.party.clone(), host)).collect()
        }
        Change::Raw(raw) => of_bytes(&raw.transactions, state),
        Change::Adopt(adopt) => of_bytes(std::slice::from_ref(&adopt.transaction), state),
        Change::Membership(_)
        | Change::CreateParty(_)
        | Change::CreatePartyWithKeyMapping(_)
        | Change::Delegate(_)
        | Change::Revoke(_)
        | Change::RotateOwnerKey(_)
        | Change::LeaveHost(_)
        | Change::MigrateKeys(_)
        | Change::Void(_)
        | Change::HostParty(_) => Vec::new(),
    }
}

/// What does not read is not planned either. Each transaction follows those before it: a host that one takes away and the
/// next one brings back has missed what happened in between.
fn of_bytes(transactions: &[Vec<u8>], state: &State) -> Vec<(PartyId, ParticipantId)> {
    let mut new = Vec::new();
    let mut before: BTreeMap<UniqueKey, Mapping> = BTreeMap::new();
    for transaction in transactions.iter().filter_map(|bytes| Transaction::parse(bytes).ok()) {
        // A party that nobody hosts yet begins with these hosts. Its former hosts count, though all of them left.
        let key = transaction.unique_key();
        let standing = before.get(&key).or_else(|| state.active(&key).map(|row| row.transaction.mapping()));
        let is_over = state.effective_since(&transaction.hash()).is_some();
        if transaction.operation() == Operation::AddReplace
            && !is_over
            && let (Some(Mapping::PartyToParticipant(before)), Mapping::PartyToParticipant(after)) =
                (standing, transaction.mapping())
        {
            let hosts = after.participants.iter().map(|host| &host.participant);
            let comes = hosts.filter(|participant| before.host(participant).is_none());
            new.extend(comes.map(|participant| (after.party.clone(), participant.clone())));
        }
        before.insert(key, transaction.mapping().clone());
    }
    new
}
