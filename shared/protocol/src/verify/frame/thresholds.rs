//! The frame of other thresholds: the named numbers change, and nothing beside them.

use canton_topology::mapping::{Mapping, PartyToParticipant};

use super::{Done, Step};
use crate::{intent::ChangeThresholds, refusal::Refusal};

pub(super) fn check(wanted: &ChangeThresholds, step: &Step<'_>, done: &mut Done) -> Result<(), Refusal> {
    match (step.before(), step.transaction.mapping()) {
        (Some(Mapping::DecentralizedNamespaceDefinition(before)), Mapping::DecentralizedNamespaceDefinition(after)) => {
            let named = wanted.namespace.as_ref().filter(|(namespace, _)| *namespace == after.namespace);
            let (_, threshold) = named.ok_or_else(|| step.untouched())?;
            step.once(&mut done.definition)?;
            step.same("threshold", threshold, &after.threshold)?;
            step.owners(&before.owners, after)
        }
        (Some(Mapping::PartyToParticipant(before)), Mapping::PartyToParticipant(after)) => {
            step.once(&mut done.party)?;
            party(wanted, before, after, step)
        }
        _ => Err(step.untouched()),
    }
}

fn party(
    wanted: &ChangeThresholds,
    before: &PartyToParticipant,
    after: &PartyToParticipant,
    step: &Step<'_>,
) -> Result<(), Refusal> {
    let named = |field: &Option<_>| -> Option<u32> {
        field.as_ref().filter(|(party, _)| *party == after.party).map(|(_, threshold)| *threshold)
    };
    let (confirmation, signing) = (named(&wanted.confirmation), named(&wanted.signing));
    if confirmation.is_none() && signing.is_none() {
        return Err(step.untouched());
    }
    step.same("confirmation threshold", &confirmation.unwrap_or(before.threshold), &after.threshold)?;
    step.same("hosts", hosts(before).as_str(), hosts(after).as_str())?;
    let keys = before.signing_keys.as_ref();
    let expected = keys.map(|keys| (keys.keys.as_slice(), signing.unwrap_or(keys.threshold)));
    step.keys(expected, after.signing_keys.as_ref())
}

/// The hosts in their order, with all that stands about each.
fn hosts(party: &PartyToParticipant) -> String {
    let words = party.participants.iter().map(|host| {
        let onboarding = if host.onboarding { ", onboarding" } else { "" };
        format!("{} ({}{onboarding})", host.participant, host.permission.name())
    });
    words.collect::<Vec<_>>().join(", ")
}

pub(super) fn filled(wanted: &ChangeThresholds, done: &Done) -> Result<(), Refusal> {
    done.filled("the namespace's threshold", done.definition || wanted.namespace.is_none())?;
    done.filled("the party's thresholds", done.party || (wanted.confirmation.is_none() && wanted.signing.is_none()))
}
