//! The hosts of a party as topology has them.

use std::collections::BTreeSet;

use canton_topology::{
    Timestamp,
    id::{ParticipantId, PartyId},
    mapping::{Code, HostingParticipant, Mapping},
    state::State,
    transaction::Operation,
};

/// A party's host as topology has it.
pub fn host_of<'a>(state: &'a State, party: &PartyId, participant: &ParticipantId) -> Option<&'a HostingParticipant> {
    state.hosting(party)?.host(participant)
}

/// The participants that host a party, without those that are still onboarding.
pub fn hosts_of(state: &State, party: &PartyId) -> Vec<ParticipantId> {
    let hosts = state.hosting(party).map_or(&[][..], |hosting| &hosting.participants);
    hosts.iter().filter(|host| !host.onboarding).map(|host| host.participant.clone()).collect()
}

/// The packages that a participant has vetted, valid at a time.
pub fn vetted<'a>(state: &'a State, participant: &ParticipantId, now: Timestamp) -> BTreeSet<&'a str> {
    let rows = state.of_kind_and(Code::VettedPackages, Operation::AddReplace);
    let mappings = rows.filter_map(|row| {
        let Mapping::VettedPackages(mapping) = row.transaction.mapping() else { return None };
        Some(mapping).filter(|mapping| mapping.participant == *participant)
    });
    mappings
        .flat_map(|mapping| &mapping.packages)
        .filter(|package| package.valid_from.is_none_or(|from| from <= now))
        .filter(|package| package.valid_until.is_none_or(|until| now < until))
        .map(|package| package.package.as_str())
        .collect()
}
