//! What `propose` asks of the running agent.

use canton_topology::mapping::Permission;
use serde_json::Value;

use super::{
    arguments::{ChangeSet, CreateParty, Propose, ProposeHost, Why},
    inspect,
};
use crate::control::{Host, MembershipWanted, Request, Wanted, Way};

pub fn request(propose: &Propose) -> anyhow::Result<Request> {
    let (change, why) = wanted(propose)?;
    let deadline_s = why.hours.saturating_mul(3600);
    Ok(Request::Propose { change, reason: why.reason.clone(), deadline_s, accepts: why.accept.clone() })
}

fn wanted(propose: &Propose) -> anyhow::Result<(Wanted, &Why)> {
    let membership = |of: &String, change| Wanted::Membership { of: of.clone(), change };
    let none = MembershipWanted::default;
    Ok(match propose {
        Propose::CreateParty(create) => (create_party(create)?, &create.why),
        Propose::AddOwner { party, owner, threshold, why } => {
            let (add_owners, owners) = (vec![owner.clone()], Some(*threshold));
            (membership(party, MembershipWanted { add_owners, owners, ..none() }), why)
        }
        Propose::RemoveOwner { party, owner, threshold, why } => {
            let (remove_owners, owners) = (vec![owner.clone()], *threshold);
            (membership(party, MembershipWanted { remove_owners, owners, ..none() }), why)
        }
        Propose::ReplaceOwner { party, old, new, why } => {
            let (remove_owners, add_owners) = (vec![old.clone()], vec![new.clone()]);
            (membership(party, MembershipWanted { remove_owners, add_owners, ..none() }), why)
        }
        Propose::ChangeThresholds { party, owners, confirmations, keys, why } => {
            let (owners, confirmations, keys) = (*owners, *confirmations, *keys);
            (membership(party, MembershipWanted { owners, confirmations, keys, ..none() }), why)
        }
        Propose::Change(set) => (membership(&set.party, change_set(set)?), &set.why),
        Propose::RotateKey { party, old, new, keep_old, why } => {
            let (of, old, new) = (party.clone(), old.clone(), new.clone());
            (Wanted::RotateOwnerKey { of, old, new, keep_old: *keep_old }, why)
        }
        Propose::Delegate { to, scope, namespace, why } => {
            (Wanted::Delegate { namespace: namespace.clone(), to: to.clone(), scope: *scope }, why)
        }
        Propose::Revoke { key, namespace, why } => {
            (Wanted::Revoke { namespace: namespace.clone(), key: key.clone() }, why)
        }
        Propose::LeaveHost { party, host, why } => {
            (Wanted::LeaveHost { party: party.clone(), host: host.clone() }, why)
        }
        Propose::MigrateKeys { party, why } => (Wanted::MigrateKeys { party: party.clone() }, why),
        Propose::Host(wanted) => (Wanted::Host(host(wanted)?), &wanted.why),
        Propose::Raw { files, why } => {
            let read = |path| inspect::input::read_any(path).map(hex::encode);
            (Wanted::Raw { transactions: files.iter().map(read).collect::<anyhow::Result<_>>()? }, why)
        }
    })
}

fn create_party(create: &CreateParty) -> anyhow::Result<Wanted> {
    Ok(Wanted::CreateParty {
        hint: create.hint.clone(),
        owners: create.owners.clone(),
        threshold: create.threshold,
        hosts: hosts("--host", &create.hosts)?,
        confirmations: create.confirmations,
        keys: create.keys.clone(),
        key_threshold: create.key_threshold,
        key_mapping: create.key_mapping,
    })
}

fn change_set(set: &ChangeSet) -> anyhow::Result<MembershipWanted> {
    Ok(MembershipWanted {
        add_owners: set.add_owners.clone(),
        remove_owners: set.remove_owners.clone(),
        owners: set.owners,
        add_hosts: hosts("--add-host", &set.add_hosts)?,
        remove_hosts: set.remove_hosts.clone(),
        permissions: hosts("--permission", &set.permissions)?,
        confirmations: set.confirmations,
        add_keys: set.add_keys.clone(),
        remove_keys: set.remove_keys.clone(),
        keys: set.keys,
        together: set.together,
    })
}

fn host(host: &ProposeHost) -> anyhow::Result<Host> {
    let way = match (host.simple, host.replicate) {
        (true, _) => Some(Way::Simple),
        (false, true) => Some(Way::Replicate),
        (false, false) => None,
    };
    Ok(Host {
        party: host.party.clone(),
        on: host.on.clone(),
        from: host.from.clone(),
        second: host.second.clone(),
        permission: permission("--permission", &host.permission)?,
        confirmations: host.confirmations,
        ahead: host.ahead.clone(),
        packages: host.packages.clone(),
        way,
    })
}

fn permission(flag: &str, text: &str) -> anyhow::Result<Permission> {
    serde_json::from_value(Value::from(text)).map_err(|_| {
        anyhow::anyhow!("{flag}: {text:?} is not a permission; use submission, confirmation or observation")
    })
}

/// Names with what their participants may do; confirmation where nothing is said.
fn hosts(flag: &str, all: &[String]) -> anyhow::Result<Vec<(String, Permission)>> {
    let host = |text: &String| {
        let (name, words) = text.split_once('=').unwrap_or((text, "confirmation"));
        Ok((name.to_owned(), permission(&format!("{flag} {text}"), words)?))
    };
    all.iter().map(host).collect()
}
