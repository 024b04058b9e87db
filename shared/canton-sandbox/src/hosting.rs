//! Who hosts whom, and what a node's ledger says when that changes.

use std::collections::{BTreeMap, BTreeSet};

use canton_topology::{
    Timestamp,
    hash::UniqueKey,
    id::{ParticipantId, PartyId},
    mapping::{Code, HostingParticipant, Mapping, Permission},
    state::{Row, State},
    transaction::{Operation, SignedTransaction},
};

/// A change of one host of one party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostingEvent {
    /// The party.
    pub party: PartyId,
    /// The host.
    pub participant: ParticipantId,
    /// What changed.
    pub change: HostingChange,
}

/// How a host changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostingChange {
    /// It hosts the party now, or is through with its onboarding.
    Added(Permission),
    /// It is listed, and not yet through with its onboarding.
    Onboarding(Permission),
    /// It may do more or less than before.
    Changed(Permission),
    /// It hosts the party no more.
    Revoked,
}

type Hosts = BTreeMap<(PartyId, ParticipantId), (Permission, bool)>;

/// The hosts of everything that some transactions could change.
pub(crate) fn touched(state: &State, transactions: &[SignedTransaction]) -> (Vec<UniqueKey>, Hosts) {
    let changes_hosts = |code| matches!(code, Code::PartyToParticipant | Code::SynchronizerTrustCertificate);
    let mut keys: Vec<UniqueKey> = transactions
        .iter()
        .filter(|signed| changes_hosts(signed.transaction.mapping().code()))
        .map(|signed| signed.transaction.unique_key())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let hosts = hosts(state, &keys);
    (keys, hosts)
}

/// What changed since then.
pub(crate) fn changes(before: &Hosts, state: &State, keys: &[UniqueKey]) -> Vec<HostingEvent> {
    let after = hosts(state, keys);
    let changed = after.iter().filter_map(|(key, now)| {
        let (permission, onboarding) = *now;
        let change = match before.get(key) {
            Some(was) if was == now => return None,
            None | Some((_, false)) if onboarding => HostingChange::Onboarding(permission),
            None | Some((_, true)) => HostingChange::Added(permission),
            Some((_, false)) => HostingChange::Changed(permission),
        };
        Some((key, change))
    });
    let revoked = before.keys().filter(|key| !after.contains_key(key)).map(|key| (key, HostingChange::Revoked));
    let event = |((party, participant), change): (&(PartyId, ParticipantId), HostingChange)| HostingEvent {
        party: party.clone(),
        participant: participant.clone(),
        change,
    };
    changed.chain(revoked).map(event).collect()
}

fn hosts(state: &State, keys: &[UniqueKey]) -> Hosts {
    let active = keys.iter().filter_map(|key| state.active(key));
    active.filter(|row| row.transaction.operation() == Operation::AddReplace).flat_map(hosts_of_row).collect()
}

fn hosts_of_row(row: &Row) -> Vec<((PartyId, ParticipantId), (Permission, bool))> {
    match row.transaction.mapping() {
        Mapping::PartyToParticipant(party) => {
            let entry = |host: &HostingParticipant| {
                ((party.party.clone(), host.participant.clone()), (host.permission, host.onboarding))
            };
            party.participants.iter().map(entry).collect()
        }
        // A participant hosts a party of its own name.
        Mapping::SynchronizerTrustCertificate(certificate) => {
            let party = PartyId::from(certificate.participant.uid().clone());
            vec![((party, certificate.participant.clone()), (Permission::Submission, false))]
        }
        _ => Vec::new(),
    }
}

/// The party's host of that name.
pub(crate) fn host<'a>(
    state: &'a State,
    party: &PartyId,
    participant: &ParticipantId,
) -> Option<&'a HostingParticipant> {
    state.hosting(party)?.host(participant)
}

/// Whether the participant hosts the party, through with its onboarding or not.
pub(crate) fn is_hosted(state: &State, party: &PartyId, participant: &ParticipantId) -> bool {
    party.uid() == participant.uid() || host(state, party, participant).is_some()
}

/// Every party that the participant hosted at a time, but for its own.
pub(crate) fn parties_at(state: &State, participant: &ParticipantId, time: Timestamp) -> BTreeSet<PartyId> {
    let stood = |row: &&Row| {
        let began = !row.proposal && row.valid_from <= time;
        began
            && row.valid_until.is_none_or(|until| until > time)
            && row.transaction.operation() == Operation::AddReplace
    };
    let hosted = state.rows().filter(stood).filter_map(|row| match row.transaction.mapping() {
        Mapping::PartyToParticipant(party) if party.host(participant).is_some() => Some(party.party.clone()),
        _ => None,
    });
    hosted.collect()
}

/// What a node hears of a network that it joins: every participant's own party.
pub(crate) fn first(state: &State) -> Vec<(HostingEvent, Timestamp)> {
    let certificates = state.of_kind(Code::SynchronizerTrustCertificate);
    let event = |row: &Row| {
        let ((party, participant), (permission, _)) = hosts_of_row(row).into_iter().next()?;
        let change = HostingChange::Added(permission);
        Some((HostingEvent { party, participant, change }, row.valid_from))
    };
    certificates.filter_map(event).collect()
}

/// Every party that somebody hosts.
pub(crate) fn parties(state: &State) -> BTreeSet<PartyId> {
    let kinds = [Code::PartyToParticipant, Code::SynchronizerTrustCertificate];
    let hosts = kinds.into_iter().flat_map(|code| state.of_kind(code)).flat_map(hosts_of_row);
    hosts.map(|((party, _), _)| party).collect()
}
