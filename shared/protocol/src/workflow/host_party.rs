//! One more host of a party: the same mapping with the host at its end, flagged as onboarding where contracts have to be
//! carried over first.

use std::collections::BTreeSet;

use canton_topology::{
    id::Namespace,
    mapping::{Code, HostingParticipant, Mapping, PackageId, PartyToParticipant, Permission},
    state::{Row, State},
    transaction::{Operation, Transaction},
};

use crate::{
    intent::{HostParty, HostingPath, Seat},
    limits,
    workflow::{
        building::{in_range, next, party},
        error::PlanError,
    },
};

/// Plans it.
///
/// # Errors
/// Names the field of the intent and the fix.
pub fn plan(change: &HostParty, state: &State) -> Result<Vec<Transaction>, PlanError> {
    let before = party(state, &change.party)?;
    check_seats(change, before)?;
    check_permission(change, before, state)?;
    let onboarding = match &change.path {
        HostingPath::Simple { packages } => {
            check_packages(packages)?;
            false
        }
        HostingPath::Replicated { second, ahead } => {
            check_second(change, before, second.as_ref())?;
            check_ahead(change, state, ahead)?;
            true
        }
    };
    let mut after = before.clone();
    let participant = change.target.participant.clone();
    after.participants.push(HostingParticipant { participant, permission: change.permission, onboarding });
    if let Some(threshold) = change.confirmation_threshold {
        // A host that is still onboarding confirms nothing; it will.
        let confirms = |host: &&HostingParticipant| host.permission != Permission::Observation;
        let confirming = after.participants.iter().filter(confirms).count() as u64;
        let hint = " (the number of confirming hosts: above it, the party could never act)";
        in_range("confirmation_threshold", u64::from(threshold), 1, confirming.max(1), hint)?;
        after.threshold = threshold;
    }
    Ok(vec![next(state, Mapping::PartyToParticipant(after))?])
}

fn field(name: &str, reason: String) -> PlanError {
    PlanError::Field { field: name.to_owned(), reason }
}

fn check_seats(change: &HostParty, before: &PartyToParticipant) -> Result<(), PlanError> {
    let target = &change.target.participant;
    if before.participants.iter().any(|host| host.participant == *target) {
        return Err(PlanError::AlreadyThere { what: format!("host {target} of {}", change.party) });
    }
    hosts("source", &change.source, before)
}

/// A host whose contracts are whole: not one that is still onboarding itself.
fn hosts(name: &str, seat: &Seat, before: &PartyToParticipant) -> Result<(), PlanError> {
    let host = before.participants.iter().find(|host| host.participant == seat.participant);
    match host {
        Some(host) if !host.onboarding => Ok(()),
        Some(_) => Err(field(name, format!("{} is still onboarding; name another host", seat.participant))),
        None => Err(field(name, format!("{} does not host {}; name one that does", seat.participant, before.party))),
    }
}

/// What an external party's own keys sign, no host may submit in its name.
fn check_permission(change: &HostParty, before: &PartyToParticipant, state: &State) -> Result<(), PlanError> {
    let is_of_party =
        |row: &Row| matches!(row.transaction.mapping(), Mapping::PartyToKeyMapping(keys) if keys.party == change.party);
    let has_old_keys = || state.of_kind_and(Code::PartyToKeyMapping, Operation::AddReplace).any(is_of_party);
    if change.permission == Permission::Submission && (before.signing_keys.is_some() || has_old_keys()) {
        let reason =
            "an external party signs for itself, so no host may submit for it; use confirmation or observation";
        return Err(field("permission", reason.to_owned()));
    }
    Ok(())
}

fn check_packages(packages: &[String]) -> Result<(), PlanError> {
    in_range("packages", packages.len() as u64, 0, limits::PACKAGES_MAX as u64, "")?;
    match packages.iter().find(|package| package.parse::<PackageId>().is_err()) {
        Some(package) => Err(field("packages", format!("{package:?} is no package id"))),
        None => Ok(()),
    }
}

/// Where there is another host that could count the contracts, it does.
fn check_second(change: &HostParty, before: &PartyToParticipant, second: Option<&Seat>) -> Result<(), PlanError> {
    let mut others = before.participants.iter().filter(|host| !host.onboarding);
    match second {
        Some(second) if second.participant == change.source.participant => {
            Err(field("second", "it is the source itself; name another host".to_owned()))
        }
        Some(second) => hosts("second", second, before),
        None => match others.find(|host| host.participant != change.source.participant) {
            Some(other) => Err(field("second", format!("missing; {} can count the contracts too", other.participant))),
            None => Ok(()),
        },
    }
}

/// Those who sign ahead, and the new host's owner who signs before all others, must not suffice together.
fn check_ahead(change: &HostParty, state: &State, ahead: &[Namespace]) -> Result<(), PlanError> {
    if ahead.is_empty() {
        return Ok(());
    }
    let namespace = change.party.namespace();
    let Some(definition) = state.definition(namespace) else {
        return Err(field("ahead", format!("{namespace} has one owner, whose signature completes; leave it empty")));
    };
    if let Some(stranger) = ahead.iter().find(|owner| !definition.owners.contains(owner)) {
        return Err(field("ahead", format!("{stranger} is no owner of {namespace}")));
    }
    let early: BTreeSet<&Namespace> = ahead.iter().chain([&change.target.owner]).collect();
    let early = early.into_iter().filter(|owner| definition.owners.contains(owner)).count() as u64;
    let hint =
        " (fewer than the threshold, counting the new host's own owner: the signature that completes comes last)";
    in_range("ahead", early, 0, u64::from(definition.threshold).saturating_sub(1), hint)
}
