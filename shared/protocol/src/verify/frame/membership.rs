//! The frame of a change set: who is named comes or goes, the named numbers change, and nothing beside them. In stages, the
//! owners change only where the party has nothing left to lose.

use std::collections::BTreeSet;

use canton_topology::{
    id::Namespace,
    key::SigningPublicKey,
    mapping::{HostingParticipant, Mapping, PartyToParticipant, Permission, definition_key},
    state::State,
};

use super::{Done, Step};
use crate::{
    intent::{Membership, Order, OwnersChange, PartyChange},
    refusal::Refusal,
};

pub(super) fn check(wanted: &Membership, step: &Step<'_>, done: &mut Done) -> Result<(), Refusal> {
    step.sets()?;
    match (step.before(), step.transaction.mapping(), &wanted.owners, &wanted.party) {
        (_, Mapping::NamespaceDelegation(delegation), Some(owners), _) if !done.definition => {
            step.root(delegation, &owners.add)
        }
        (
            Some(Mapping::DecentralizedNamespaceDefinition(before)),
            Mapping::DecentralizedNamespaceDefinition(after),
            Some(owners),
            _,
        ) if after.namespace == owners.namespace => {
            step.once(&mut done.definition)?;
            alone(wanted, done.party, step)?;
            nothing_left_to_lose(wanted, step)?;
            step.same("threshold", &owners.threshold.unwrap_or(before.threshold), &after.threshold)?;
            let all: Vec<Namespace> = named_owners(owners, &before.owners).into_iter().collect();
            step.owners(&all, after)
        }
        (Some(Mapping::PartyToParticipant(before)), Mapping::PartyToParticipant(after), _, Some(party))
            if after.party == party.party =>
        {
            step.once(&mut done.party)?;
            alone(wanted, done.definition, step)?;
            // What is taken away may come first, by itself; otherwise it is all of it.
            let is_stage = wanted.order == Order::Staged && wanted.owners.is_some();
            let owners_wait = wanted.owners.as_ref().is_some_and(|owners| !owners_stand(owners, step.state));
            if is_stage && owners_wait {
                nothing_given_too_early(party, before, after, step)?;
            }
            match (of_party(party, before, after, Part::Whole, step), is_stage) {
                (Ok(()), _) => Ok(()),
                (Err(refusal), false) => Err(refusal),
                (Err(refusal), true) => of_party(party, before, after, Part::Taken, step).map_err(|_| refusal),
            }
        }
        _ => Err(step.untouched()),
    }
}

/// A stage touches one mapping that stands.
fn alone(wanted: &Membership, other: bool, step: &Step<'_>) -> Result<(), Refusal> {
    match (wanted.order, other) {
        (Order::Staged, true) => Err(step.untouched()),
        (Order::Staged, false) | (Order::Together, _) => Ok(()),
    }
}

fn named_owners(change: &OwnersChange, before: &[Namespace]) -> BTreeSet<Namespace> {
    let added = change.add.iter().map(|key| Namespace::from(key.fingerprint()));
    before.iter().filter(|owner| !change.remove.contains(owner)).cloned().chain(added).collect()
}

/// Hosts, keys and permissions that go are gone before the owners change.
fn nothing_left_to_lose(wanted: &Membership, step: &Step<'_>) -> Result<(), Refusal> {
    let Some(party) = wanted.party.as_ref().filter(|_| wanted.order == Order::Staged) else { return Ok(()) };
    let Some(stands) = step.state.hosting(&party.party) else { return Ok(()) };
    let host = party.remove_hosts.iter().find(|host| stands.host(host).is_some()).map(|host| format!("host {host}"));
    let named = |key: &SigningPublicKey| party.remove_keys.contains(key.fingerprint_ref());
    let keys = || stands.signing_keys.iter().flat_map(|keys| &keys.keys).find(|key| named(key));
    let permission = || {
        let mut named = party.permissions.iter();
        named.find(|host| stands.host(&host.participant).is_some_and(|there| there.permission < host.permission))
    };
    let left = host
        .or_else(|| keys().map(|key| format!("key {}", key.fingerprint_ref())))
        .or_else(|| permission().map(|host| format!("a permission of {}", host.participant)));
    match left {
        Some(left) => Err(Refusal::FrameNotFilled { what: format!("that {left} goes before the owners change") }),
        None => Ok(()),
    }
}

/// Hosts, keys and permissions that come do so after the owners have changed, unless the party cannot do without them.
fn nothing_given_too_early(
    change: &PartyChange,
    before: &PartyToParticipant,
    after: &PartyToParticipant,
    step: &Step<'_>,
) -> Result<(), Refusal> {
    let is_host_given = after
        .participants
        .iter()
        .any(|host| before.host(&host.participant).is_none_or(|there| host.permission < there.permission));
    let has = |party: &PartyToParticipant, key: &SigningPublicKey| {
        party.signing_keys.iter().any(|keys| keys.keys.contains(key))
    };
    let is_key_given = after.signing_keys.iter().flat_map(|keys| &keys.keys).any(|key| !has(before, key));
    let left = |host: &&HostingParticipant| {
        let lowered = change
            .permissions
            .iter()
            .any(|named| named.participant == host.participant && named.permission == Permission::Observation);
        let confirms = host.permission != Permission::Observation && !host.onboarding && !lowered;
        confirms && !change.remove_hosts.contains(&host.participant)
    };
    let hosts_left = before.participants.iter().filter(left).count();
    let keys_left = named_keys(change, before, Part::Taken).len();
    let keys_needed = before.signing_keys.as_ref().map_or(0, |keys| keys.threshold as usize);
    let takes = named_hosts(change, before, Part::Taken)
        != named_hosts(&PartyChange::of(change.party.clone()), before, Part::Taken)
        || keys_left < before.signing_keys.as_ref().map_or(0, |keys| keys.keys.len());
    let can_wait = !takes || (hosts_left >= before.threshold as usize && keys_left >= keys_needed);
    if (is_host_given || is_key_given) && can_wait {
        let what = format!("that the owners change before {} gains hosts or keys", step_party(step));
        return Err(Refusal::FrameNotFilled { what });
    }
    Ok(())
}

fn step_party(step: &Step<'_>) -> String {
    crate::naming::subject(step.transaction.mapping())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Taken,
}

fn of_party(
    change: &PartyChange,
    before: &PartyToParticipant,
    after: &PartyToParticipant,
    part: Part,
    step: &Step<'_>,
) -> Result<(), Refusal> {
    let number = |named: Option<u32>, before: u32| match part {
        Part::Whole => named.unwrap_or(before),
        Part::Taken => before,
    };
    let threshold = number(change.confirmation_threshold, before.threshold);
    step.same("confirmation threshold", &threshold, &after.threshold)?;
    let found = after.participants.iter().map(|host| {
        let onboarding = if host.onboarding { ", onboarding" } else { "" };
        format!("{} ({}{onboarding})", host.participant, host.permission.name())
    });
    let found: Vec<String> = found.collect();
    step.same("hosts", named_hosts(change, before, part).join(", ").as_str(), found.join(", ").as_str())?;
    let keys = named_keys(change, before, part);
    let key_threshold = before.signing_keys.as_ref().map_or(0, |keys| keys.threshold);
    let key_threshold = number(change.signing_threshold, key_threshold);
    let expected = (!keys.is_empty()).then_some((keys.as_slice(), key_threshold));
    step.keys(expected, after.signing_keys.as_ref())
}

/// The hosts in their order, those who are new behind the others.
fn named_hosts(change: &PartyChange, before: &PartyToParticipant, part: Part) -> Vec<String> {
    let mut all = Vec::new();
    for host in before.participants.iter().filter(|host| !change.remove_hosts.contains(&host.participant)) {
        let named = change.permissions.iter().find(|named| named.participant == host.participant);
        let permission: Permission = match (named, part) {
            (Some(named), Part::Whole) => named.permission,
            (Some(named), Part::Taken) => named.permission.max(host.permission),
            (None, _) => host.permission,
        };
        let onboarding = if host.onboarding { ", onboarding" } else { "" };
        all.push(format!("{} ({}{onboarding})", host.participant, permission.name()));
    }
    let new = change.add_hosts.iter().filter(|host| part == Part::Whole && before.host(&host.participant).is_none());
    all.extend(new.map(|host| format!("{} ({})", host.participant, host.permission.name())));
    all
}

fn named_keys(change: &PartyChange, before: &PartyToParticipant, part: Part) -> Vec<SigningPublicKey> {
    let stays = |key: &&SigningPublicKey| !change.remove_keys.contains(key.fingerprint_ref());
    let mut keys: Vec<SigningPublicKey> =
        before.signing_keys.iter().flat_map(|keys| &keys.keys).filter(stays).cloned().collect();
    for key in change.add_keys.iter().filter(|_| part == Part::Whole) {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    keys
}

/// All of what still lacks is done, or one mapping's part of it where it goes in stages.
pub(super) fn filled(wanted: &Membership, state: &State, done: &Done) -> Result<(), Refusal> {
    match wanted.order {
        Order::Staged => done.filled("the next stage", done.definition || done.party),
        Order::Together => {
            let owners_stand = wanted.owners.as_ref().is_none_or(|owners| owners_stand(owners, state));
            let party_stands = wanted.party.as_ref().is_none_or(|party| party_stands(party, state));
            done.filled("the owners", done.definition || owners_stand)?;
            done.filled("the party", done.party || party_stands)
        }
    }
}

fn owners_stand(change: &OwnersChange, state: &State) -> bool {
    let row = state.active(&definition_key(&change.namespace));
    match row.map(|row| row.transaction.mapping()) {
        Some(Mapping::DecentralizedNamespaceDefinition(stands)) => {
            let named = named_owners(change, &stands.owners);
            let as_it_is = stands.owners.iter().cloned().collect::<BTreeSet<_>>() == named;
            as_it_is && change.threshold.is_none_or(|threshold| threshold == stands.threshold)
        }
        _ => false,
    }
}

fn party_stands(change: &PartyChange, state: &State) -> bool {
    let Some(stands) = state.hosting(&change.party) else { return false };
    let hosts = |part| named_hosts(change, stands, part);
    let unchanged = PartyChange::of(change.party.clone());
    let keys = stands.signing_keys.iter().map(|keys| keys.threshold).next();
    hosts(Part::Whole) == named_hosts(&unchanged, stands, Part::Whole)
        && named_keys(change, stands, Part::Whole) == named_keys(&unchanged, stands, Part::Whole)
        && change.confirmation_threshold.is_none_or(|threshold| threshold == stands.threshold)
        && change.signing_threshold.is_none_or(|threshold| Some(threshold) == keys)
}
