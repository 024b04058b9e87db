//! A change set in names of the book.

use canton_topology::id::Fingerprint;
use protocol::intent::{Membership, Order, OwnersChange, PartyChange};

use super::{Names, namespace, party};
use crate::control::MembershipWanted;

pub(super) fn resolve(of: &str, wanted: &MembershipWanted, names: &Names<'_>) -> Result<Membership, String> {
    let concerns_owners = !wanted.add_owners.is_empty() || !wanted.remove_owners.is_empty() || wanted.owners.is_some();
    let owners = if concerns_owners { Some(of_owners(of, wanted, names)?) } else { None };
    let concerns_party = !wanted.add_hosts.is_empty()
        || !wanted.remove_hosts.is_empty()
        || !wanted.permissions.is_empty()
        || wanted.confirmations.is_some()
        || !wanted.add_keys.is_empty()
        || !wanted.remove_keys.is_empty()
        || wanted.keys.is_some();
    let party = if concerns_party { Some(of_party(of, wanted, names)?) } else { None };
    let order = if wanted.together { Order::Together } else { Order::Staged };
    Ok(Membership { owners, party, order })
}

fn of_owners(of: &str, wanted: &MembershipWanted, names: &Names<'_>) -> Result<OwnersChange, String> {
    let add = wanted.add_owners.iter().map(|name| Ok(names.card(name)?.namespace_key));
    Ok(OwnersChange {
        namespace: namespace(of)?,
        add: add.collect::<Result<_, String>>()?,
        remove: wanted.remove_owners.iter().map(|name| names.owner(name)).collect::<Result<_, _>>()?,
        threshold: wanted.owners,
    })
}

fn of_party(of: &str, wanted: &MembershipWanted, names: &Names<'_>) -> Result<PartyChange, String> {
    let key = |name: &String| match name.parse::<Fingerprint>() {
        Ok(fingerprint) => Ok(fingerprint),
        Err(_) => Ok(names.party_key("--remove-key", name)?.fingerprint()),
    };
    let host = |name: &String| names.host("--remove-host", name);
    Ok(PartyChange {
        party: party(of)?,
        add_hosts: names.hosts("--add-host", &wanted.add_hosts)?,
        remove_hosts: wanted.remove_hosts.iter().map(host).collect::<Result<_, _>>()?,
        permissions: names.hosts("--permission", &wanted.permissions)?,
        confirmation_threshold: wanted.confirmations,
        add_keys: names.party_keys("--add-key", &wanted.add_keys)?,
        remove_keys: wanted.remove_keys.iter().map(key).collect::<Result<_, String>>()?,
        signing_threshold: wanted.keys,
    })
}
