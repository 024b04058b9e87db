//! Other owners, hosts, keys and thresholds: one transaction for the namespace, one or two for the party.
//!
//! Each mapping swaps in one transaction wherever it can, so that no state in between has a threshold that nobody named.
//! Power is taken before it is given: the party loses keys and hosts, then the owners change, then the party gains.

use std::collections::BTreeSet;

use canton_topology::{
    id::Namespace,
    key::{KeyUsage, SigningPublicKey},
    mapping::{
        DecentralizedNamespaceDefinition, HostingParticipant, Mapping, PartyToParticipant, SigningKeysWithThreshold,
    },
    state::State,
    transaction::Transaction,
};

use crate::{
    intent::{Host, Membership, Order, OwnersChange, PartyChange},
    limits,
    workflow::{
        building::{definition, in_range, next, party, root_of},
        error::PlanError,
    },
};

/// Plans its next part; all of it, where it is not staged.
///
/// # Errors
/// Names the field of the intent and the fix; [`PlanError::NoChange`] where all of it is done.
pub fn plan(change: &Membership, state: &State) -> Result<Vec<Transaction>, PlanError> {
    check(change)?;
    let owners = change.owners.as_ref().map(|owners| of_owners(owners, state)).transpose()?.flatten();
    let party = change.party.as_ref().map(|party| of_party(party, state)).transpose()?.flatten();
    match (change.order, owners, party) {
        (_, None, None) => Err(PlanError::NoChange { what: "everything that the intent names".to_owned() }),
        (_, Some(owners), None) => Ok(owners),
        (_, None, Some(party)) => whole(party, state),
        (Order::Together, Some(owners), Some(party)) => {
            // The party first, so that both are judged by the owners' old threshold.
            let mut transactions = whole(party, state)?;
            transactions.extend(owners);
            Ok(transactions)
        }
        (Order::Staged, Some(owners), Some(party)) => match (party.takes, party.gives) {
            (true, true) => match party.without {
                Some(without) => Ok(vec![next(state, Mapping::PartyToParticipant(without))?]),
                None => whole(party, state),
            },
            (false, true) => Ok(owners),
            (true | false, false) => whole(party, state),
        },
    }
}

fn whole(party: PartyStep, state: &State) -> Result<Vec<Transaction>, PlanError> {
    Ok(vec![next(state, Mapping::PartyToParticipant(party.whole))?])
}

fn field(field: &str, reason: String) -> PlanError {
    PlanError::Field { field: field.to_owned(), reason }
}

/// What is wrong with an intent whatever stands.
fn check(change: &Membership) -> Result<(), PlanError> {
    if let Some(owners) = &change.owners {
        in_range("owners", (owners.add.len() + owners.remove.len()) as u64, 0, limits::OWNERS_MAX as u64, "")?;
        let added: Vec<Namespace> = owners.add.iter().map(|key| Namespace::from(key.fingerprint())).collect();
        once("owners", added.iter().chain(&owners.remove))?;
        if let Some(key) = owners.add.iter().find(|key| !key.usage().contains(&KeyUsage::Namespace)) {
            let reason = format!("key {} has not the usage NAMESPACE; an owner's key needs it", key.fingerprint());
            return Err(field("owners", reason));
        }
    }
    let Some(party) = &change.party else { return Ok(()) };
    let hosts = || party.add_hosts.iter().chain(&party.permissions).map(|host| &host.participant);
    once("hosts", hosts().chain(&party.remove_hosts))?;
    let keys: Vec<_> = party.add_keys.iter().map(SigningPublicKey::fingerprint).collect();
    once("signing_keys", keys.iter().chain(&party.remove_keys))?;
    if let Some(key) = party.add_keys.iter().find(|key| !key.usage().contains(&KeyUsage::Protocol)) {
        let reason = format!("key {} has not the usage PROTOCOL; a party's key needs it", key.fingerprint());
        return Err(field("signing_keys", reason));
    }
    match &change.owners {
        Some(owners) if owners.namespace != *party.party.namespace() => {
            let reason =
                format!("{} is not in the namespace {}; use one intent for each", party.party, owners.namespace);
            Err(field("party", reason))
        }
        Some(_) | None => Ok(()),
    }
}

fn once<T: Ord + std::fmt::Display>(name: &str, all: impl Iterator<Item = T>) -> Result<(), PlanError> {
    let mut seen = BTreeSet::new();
    for one in all {
        let words = one.to_string();
        if !seen.insert(one) {
            return Err(field(name, format!("{words} stands there twice; name each once")));
        }
    }
    Ok(())
}

/// The roots and the definition; `None` where the owners are as they should be.
fn of_owners(change: &OwnersChange, state: &State) -> Result<Option<Vec<Transaction>>, PlanError> {
    let before = definition(state, &change.namespace)?;
    let mut owners: Vec<Namespace> =
        before.owners.iter().filter(|owner| !change.remove.contains(owner)).cloned().collect();
    let mut transactions = Vec::new();
    let mut added: Vec<&SigningPublicKey> = change.add.iter().collect();
    added.sort_by_key(|key| key.fingerprint());
    for key in added {
        let owner = Namespace::from(key.fingerprint());
        if !owners.contains(&owner) {
            transactions.extend(root_of(state, key)?);
            owners.push(owner);
        }
    }
    owners.sort();
    let threshold = change.threshold.unwrap_or(before.threshold);
    in_range("owners", owners.len() as u64, 1, limits::OWNERS_MAX as u64, "")?;
    in_range("threshold", u64::from(threshold), 1, owners.len() as u64, " (the number of owners)")?;
    let after = DecentralizedNamespaceDefinition { namespace: change.namespace.clone(), threshold, owners };
    if after == *before {
        return Ok(None);
    }
    transactions.push(next(state, Mapping::DecentralizedNamespaceDefinition(after))?);
    Ok(Some(transactions))
}

/// What an intent names although it is so already. Whoever wants a change has mistaken somebody for another, or comes too
/// late; a change that is under way names more and more of it.
pub fn done_already(change: &Membership, state: &State) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(owners) = &change.owners
        && let Some(before) = state.definition(&owners.namespace)
    {
        let gone = owners.remove.iter().filter(|owner| !before.owners.contains(owner));
        all.extend(gone.map(|owner| format!("{owner} is no owner")));
        let added = owners.add.iter().map(|key| Namespace::from(key.fingerprint()));
        all.extend(added.filter(|owner| before.owners.contains(owner)).map(|owner| format!("{owner} is an owner")));
    }
    if let Some(change) = &change.party
        && let Ok(before) = party(state, &change.party)
    {
        let gone = change.remove_hosts.iter().filter(|host| before.host(host).is_none());
        all.extend(gone.map(|host| format!("{host} is no host")));
        let there = change.add_hosts.iter().filter(|host| before.host(&host.participant).is_some());
        all.extend(there.map(|host| format!("{} is a host", host.participant)));
        let keys: BTreeSet<_> =
            before.signing_keys.iter().flat_map(|keys| &keys.keys).map(|key| key.fingerprint()).collect();
        let gone = change.remove_keys.iter().filter(|key| !keys.contains(*key));
        all.extend(gone.map(|key| format!("{key} is no key of the party")));
        let added = change.add_keys.iter().map(SigningPublicKey::fingerprint).filter(|key| keys.contains(key));
        all.extend(added.map(|key| format!("{key} is a key of the party")));
    }
    all
}

/// What becomes of a party's mapping.
struct PartyStep {
    /// All of it.
    whole: PartyToParticipant,
    /// Whether it takes a key, a host or a permission away.
    takes: bool,
    /// Whether it adds a key or a host or raises a permission.
    gives: bool,
    /// Only what is taken away; `None` where the thresholds as they are could not be met then.
    without: Option<PartyToParticipant>,
}

/// `None` where the party is as it should be.
fn of_party(change: &PartyChange, state: &State) -> Result<Option<PartyStep>, PlanError> {
    let before = party(state, &change.party)?;
    let without = without(change, before)?;
    let mut whole = without.clone();
    for host in &change.add_hosts {
        match whole.host(&host.participant) {
            None => whole.participants.push(hosting(host)),
            Some(there) if there.permission == host.permission => {}
            Some(_) => {
                let reason = format!("{} hosts it already; name its permission instead", host.participant);
                return Err(field("hosts", reason));
            }
        }
    }
    for host in &change.permissions {
        set_permission(&mut whole, host);
    }
    whole.threshold = change.confirmation_threshold.unwrap_or(before.threshold);
    whole.signing_keys = keys_after(change, before, without.signing_keys.as_ref())?;
    in_range("hosts", whole.participants.len() as u64, 1, limits::HOSTS_MAX as u64, "")?;
    let hint = " (the number of confirming hosts: above it, the party could never act)";
    let (found, max) = (u64::from(whole.threshold), whole.confirming_hosts().max(1) as u64);
    in_range("confirmation_threshold", found, 1, max, hint)?;
    if whole == *before {
        return Ok(None);
    }
    let raises = |host: &Host| before.host(&host.participant).is_some_and(|there| host.permission < there.permission);
    let has_key = |key: &SigningPublicKey| before.signing_keys.iter().any(|keys| keys.keys.contains(key));
    let gives = change.add_hosts.iter().any(|host| before.host(&host.participant).is_none())
        || change.permissions.iter().any(raises)
        || change.add_keys.iter().any(|key| !has_key(key));
    let takes = without != *before;
    let without = (can_act(&without, before)).then_some(without);
    Ok(Some(PartyStep { whole, takes, gives, without }))
}

fn hosting(host: &Host) -> HostingParticipant {
    HostingParticipant { participant: host.participant.clone(), permission: host.permission, onboarding: false }
}

fn set_permission(party: &mut PartyToParticipant, host: &Host) {
    for there in party.participants.iter_mut().filter(|there| there.participant == host.participant) {
        there.permission = host.permission;
    }
}

/// The mapping with nothing but what is taken away.
fn without(change: &PartyChange, before: &PartyToParticipant) -> Result<PartyToParticipant, PlanError> {
    let mut without = before.clone();
    without.participants.retain(|host| !change.remove_hosts.contains(&host.participant));
    for host in &change.permissions {
        let there = before.host(&host.participant);
        let there = there.ok_or_else(|| PlanError::NotFound { what: format!("host {}", host.participant) })?;
        if there.permission < host.permission {
            set_permission(&mut without, host);
        }
    }
    if let Some(keys) = &mut without.signing_keys {
        keys.keys.retain(|key| !change.remove_keys.contains(key.fingerprint_ref()));
    }
    Ok(without)
}

fn keys_after(
    change: &PartyChange,
    before: &PartyToParticipant,
    left: Option<&SigningKeysWithThreshold>,
) -> Result<Option<SigningKeysWithThreshold>, PlanError> {
    let mut keys: Vec<SigningPublicKey> = left.map(|left| left.keys.clone()).unwrap_or_default();
    let mut added: Vec<&SigningPublicKey> = change.add_keys.iter().filter(|key| !keys.contains(key)).collect();
    added.sort_by_key(|key| key.fingerprint());
    if let Some(key) = added.iter().find(|key| keys.iter().any(|there| there.fingerprint() == key.fingerprint())) {
        let reason = format!("key {} is there with other usages; remove it in an intent of its own", key.fingerprint());
        return Err(field("signing_keys", reason));
    }
    keys.extend(added.into_iter().cloned());
    in_range("signing_keys", keys.len() as u64, 0, limits::SIGNING_KEYS_MAX as u64, "")?;
    let threshold = change.signing_threshold.or(before.signing_keys.as_ref().map(|keys| keys.threshold));
    match (keys.is_empty(), threshold) {
        (true, _) if change.signing_threshold.is_some() => {
            Err(PlanError::NotFound { what: format!("any signing key of {}", change.party) })
        }
        (true, _) => Ok(None),
        (false, None) => {
            Err(field("signing_threshold", "the party has no keys yet; say how many of them must sign".to_owned()))
        }
        (false, Some(threshold)) => {
            let max = keys.len() as u64;
            in_range("signing_threshold", u64::from(threshold), 1, max, " (the number of signing keys)")?;
            Ok(Some(SigningKeysWithThreshold { keys, threshold }))
        }
    }
}

/// Whether what is left can still meet the thresholds that were there.
fn can_act(left: &PartyToParticipant, before: &PartyToParticipant) -> bool {
    let keys = left.signing_keys.as_ref().is_none_or(|keys| keys.keys.len() >= keys.threshold as usize);
    left.confirming_hosts() >= before.threshold as usize && keys
}
