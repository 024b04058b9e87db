//! The frame of a new host: it stands at the end with the permission and the flag of the intent, and everything before
//! it is as it was.

use canton_topology::mapping::{HostingParticipant, Mapping};

use super::{Done, Step};
use crate::{
    intent::{HostParty, HostingPath},
    refusal::Refusal,
};

pub(super) fn check(wanted: &HostParty, step: &Step<'_>, done: &mut Done) -> Result<(), Refusal> {
    let (Some(Mapping::PartyToParticipant(before)), Mapping::PartyToParticipant(after)) =
        (step.before(), step.transaction.mapping())
    else {
        return Err(step.untouched());
    };
    step.sets()?;
    step.once(&mut done.party)?;
    step.same("party", &wanted.party, &after.party)?;
    step.same("number of hosts", &(before.participants.len() + 1), &after.participants.len())?;
    for (stood, stands) in before.participants.iter().zip(&after.participants) {
        let name = &stood.participant;
        step.same(&format!("host {name}"), words(stood).as_str(), words(stands).as_str())?;
    }
    let named = HostingParticipant {
        participant: wanted.target.participant.clone(),
        permission: wanted.permission,
        onboarding: match wanted.path {
            HostingPath::Simple { .. } => false,
            HostingPath::Replicated { .. } => true,
        },
    };
    let newest = after.participants.last().map_or_else(|| "nothing".to_owned(), words);
    step.same("new host", words(&named).as_str(), newest.as_str())?;
    step.same("confirmation threshold", &wanted.confirmation_threshold.unwrap_or(before.threshold), &after.threshold)?;
    let keys = before.signing_keys.as_ref().map(|keys| (keys.keys.as_slice(), keys.threshold));
    step.keys(keys, after.signing_keys.as_ref())
}

fn words(host: &HostingParticipant) -> String {
    let onboarding = if host.onboarding { ", onboarding" } else { "" };
    format!("{} ({}{onboarding})", host.participant, host.permission.name())
}
