//! The frames of a party's mapping: one host leaves, or the keys move in, and all else is as before.

use canton_topology::mapping::{Code, HostingParticipant, Mapping, PartyToKeyMapping, PartyToParticipant};

use super::{Done, Step};
use crate::{
    intent::{LeaveHost, MigrateKeys},
    refusal::Refusal,
};

pub(super) fn leave(wanted: &LeaveHost, step: &Step<'_>, done: &mut Done) -> Result<(), Refusal> {
    step.sets()?;
    let (Some(Mapping::PartyToParticipant(before)), Mapping::PartyToParticipant(after)) =
        (step.before(), step.transaction.mapping())
    else {
        return Err(step.untouched());
    };
    step.once(&mut done.party)?;
    step.same("party", &wanted.party, &after.party)?;
    let stays = |host: &&HostingParticipant| host.participant != wanted.participant;
    let expected: Vec<&HostingParticipant> = before.participants.iter().filter(stays).collect();
    if expected.len() == before.participants.len() {
        return Err(Refusal::FrameNotFilled { what: format!("the leaving of {}", wanted.participant) });
    }
    hosts(&expected, after, step)?;
    step.same("confirmation threshold", &before.threshold, &after.threshold)?;
    keys_as_before(before, after, step)?;
    if (after.threshold as usize) > after.confirming_hosts() {
        let found = after.confirming_hosts();
        return Err(step.outside("hosts that confirm", &format!("at least {}", after.threshold), &found));
    }
    Ok(())
}

/// First the keys stand in both mappings, then the old one goes.
pub(super) fn migrate(wanted: &MigrateKeys, step: &Step<'_>, done: &mut Done) -> Result<(), Refusal> {
    if done.party || done.keys {
        return Err(step.untouched());
    }
    let old = old_keys(wanted, step).ok_or_else(|| step.untouched())?;
    let expected = Some((old.keys.as_slice(), old.threshold));
    match (step.before(), step.transaction.mapping()) {
        (Some(Mapping::PartyToParticipant(before)), Mapping::PartyToParticipant(after)) => {
            step.sets()?;
            step.once(&mut done.party)?;
            step.same("party", &wanted.party, &after.party)?;
            step.same("confirmation threshold", &before.threshold, &after.threshold)?;
            hosts(&before.participants.iter().collect::<Vec<_>>(), after, step)?;
            if before.signing_keys.is_some() {
                return Err(step.outside("signing keys", "as they are", "others"));
            }
            step.keys(expected, after.signing_keys.as_ref())
        }
        (Some(Mapping::PartyToKeyMapping(_)), Mapping::PartyToKeyMapping(gone)) => {
            step.removes()?;
            step.once(&mut done.keys)?;
            step.same("party", &wanted.party, &gone.party)?;
            let hosting = step.state.hosting(&wanted.party);
            step.keys(expected, hosting.and_then(|hosting| hosting.signing_keys.as_ref()))
        }
        _ => Err(step.untouched()),
    }
}

fn old_keys<'a>(wanted: &MigrateKeys, step: &Step<'a>) -> Option<&'a PartyToKeyMapping> {
    step.state.of_kind(Code::PartyToKeyMapping).find_map(|row| match row.transaction.mapping() {
        Mapping::PartyToKeyMapping(mapping) if mapping.party == wanted.party => Some(mapping),
        _ => None,
    })
}

fn hosts(expected: &[&HostingParticipant], after: &PartyToParticipant, step: &Step<'_>) -> Result<(), Refusal> {
    let words = |host: &HostingParticipant| {
        let onboarding = if host.onboarding { ", onboarding" } else { "" };
        format!("{} ({}{onboarding})", host.participant, host.permission.name())
    };
    let expected: Vec<String> = expected.iter().map(|host| words(host)).collect();
    let found: Vec<String> = after.participants.iter().map(words).collect();
    step.same("hosts", expected.join(", ").as_str(), found.join(", ").as_str())
}

fn keys_as_before(before: &PartyToParticipant, after: &PartyToParticipant, step: &Step<'_>) -> Result<(), Refusal> {
    let expected = before.signing_keys.as_ref().map(|keys| (keys.keys.as_slice(), keys.threshold));
    step.keys(expected, after.signing_keys.as_ref())
}
