//! Hosts that a change adds from one moment to the next, as if the party had no contracts to bring along.

use canton_topology::{
    id::{ParticipantId, PartyId},
    mapping::Mapping,
    state::State,
    transaction::{Operation, Transaction},
};

use crate::intent::{Change, Membership};

/// The new hosts, each with its party. A hosting is none of these: it has gates of its own. What was made elsewhere passes
/// no gate, whether its new host would still be onboarding or not.
pub fn newcomers(change: &Change, state: &State) -> Vec<(PartyId, ParticipantId)> {
    match change {
        Change::Membership(Membership { party: Some(change), .. }) => {
            let hosts = change.add_hosts.iter().map(|host| host.participant.clone());
            hosts.map(|host| (change.party.clone(), host)).collect()
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

/// What does not read is not planned either.
fn of_bytes(transactions: &[Vec<u8>], state: &State) -> Vec<(PartyId, ParticipantId)> {
    let mut new = Vec::new();
    for transaction in transactions.iter().filter_map(|bytes| Transaction::parse(bytes).ok()) {
        // A party that nobody hosts yet begins with these hosts. Its former hosts count, though all of them left.
        let standing = state.active(&transaction.unique_key()).map(|row| row.transaction.mapping());
        if transaction.operation() == Operation::AddReplace
            && let (Some(Mapping::PartyToParticipant(before)), Mapping::PartyToParticipant(after)) =
                (standing, transaction.mapping())
        {
            let hosts = after.participants.iter().map(|host| &host.participant);
            let comes = hosts.filter(|participant| before.host(participant).is_none());
            new.extend(comes.map(|participant| (after.party.clone(), participant.clone())));
        }
    }
    new
}
