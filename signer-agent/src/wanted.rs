//! From names of the book to the keys and hosts that stand in an intent.

mod host;
mod membership;

use std::str::FromStr;

use canton_topology::{
    Timestamp,
    id::{Fingerprint, Namespace, ParticipantId, PartyId},
    key::SigningPublicKey,
    mapping::Permission,
};
use custody::random::{self, NotRandom};
use protocol::{
    book::Card,
    intent::{CaseId, Change, CreateParty, Delegate, Host, LeaveHost, MigrateKeys, Raw, Revoke, RotateOwnerKey},
};

pub use self::host::Seating;
use crate::{agent::Agent, control::Wanted, folder::Folder};

/// A fresh UUIDv7.
///
/// # Errors
/// Where the operating system gives no random numbers.
pub fn new_case_id(now: Timestamp) -> Result<CaseId, NotRandom> {
    let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    let mut bytes = [0; 10];
    random::fill(&mut bytes)?;
    Ok(CaseId::from_bytes(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().into_bytes()))
}

/// The change that an owner wants.
///
/// # Errors
/// Names what is not in the book, or does not read.
pub fn resolve(wanted: &Wanted, agent: &Agent, folder: &Folder) -> Result<Change, String> {
    let own = folder.card().map_err(|error| error.to_string())?;
    let names = Names { agent, own: &own };
    Ok(match wanted {
        Wanted::CreateParty { hint, owners, threshold, hosts, confirmations, keys, key_threshold, key_mapping } => {
            let change = CreateParty {
                hint: hint.clone(),
                owners: owners.iter().map(|name| Ok(names.card(name)?.namespace_key)).collect::<Result<_, String>>()?,
                namespace_threshold: *threshold,
                hosts: names.hosts("--host", hosts)?,
                confirmation_threshold: *confirmations,
                signing_keys: names.party_keys("--key", keys)?,
                signing_threshold: *key_threshold,
            };
            if *key_mapping { Change::CreatePartyWithKeyMapping(change) } else { Change::CreateParty(change) }
        }
        Wanted::Membership { of, change } => Change::Membership(membership::resolve(of, change, &names)?),
        Wanted::Delegate { namespace, to, scope } => Change::Delegate(Delegate {
            namespace: names.namespace_or_own(namespace.as_deref())?,
            key: names.card(to)?.namespace_key,
            scope: *scope,
        }),
        Wanted::Revoke { namespace, key } => Change::Revoke(Revoke {
            namespace: names.namespace_or_own(namespace.as_deref())?,
            key: match written_out(key) {
                Some(fingerprint) => fingerprint,
                None => names.card(key)?.namespace_key.fingerprint(),
            },
        }),
        Wanted::RotateOwnerKey { of, old, new, keep_old } => Change::RotateOwnerKey(RotateOwnerKey {
            namespace: namespace(of)?,
            old: names.owner(old)?,
            new: names.card(new)?.namespace_key,
            revoke_old: !keep_old,
        }),
        Wanted::LeaveHost { party, host } => {
            Change::LeaveHost(LeaveHost { party: self::party(party)?, participant: names.host("--host", host)? })
        }
        Wanted::MigrateKeys { party } => Change::MigrateKeys(MigrateKeys { party: self::party(party)? }),
        Wanted::Host(wanted) => Change::HostParty(host::resolve(wanted, &names)?),
        Wanted::Raw { transactions } => {
            let read = |(index, text): (usize, &String)| {
                hex::decode(text).map_err(|error| format!("transaction {index}: not hex: {error}"))
            };
            Change::Raw(Raw { transactions: transactions.iter().enumerate().map(read).collect::<Result<_, _>>()? })
        }
    })
}

/// Whoever can be named.
struct Names<'a> {
    agent: &'a Agent,
    own: &'a Card,
}

impl Names<'_> {
    fn card(&self, name: &str) -> Result<Card, String> {
        if name == "me" || name == self.own.name {
            return Ok(self.own.clone());
        }
        let entry = self.agent.book().by_name(name);
        let missing = || format!("{name} is not in the book; add its card with `book add`");
        entry.map(|entry| entry.card.clone()).ok_or_else(missing)
    }

    /// A name of the book, or the namespace itself: who goes need not be known.
    fn owner(&self, name: &str) -> Result<Namespace, String> {
        match written_out(name) {
            Some(namespace) => Ok(namespace),
            None => Ok(self.card(name)?.owner()),
        }
    }

    /// A fingerprint, or the party key of a name of the book.
    fn party_key_print(&self, flag: &str, name: &str) -> Result<Fingerprint, String> {
        match written_out(name) {
            Some(fingerprint) => Ok(fingerprint),
            None => Ok(self.party_key(flag, name)?.fingerprint()),
        }
    }

    /// A name of the book, or the participant's id.
    fn host(&self, flag: &str, name: &str) -> Result<ParticipantId, String> {
        if name.contains("::") {
            return name.parse().map_err(|error| format!("{flag} {name}: {error}"));
        }
        let own = self.agent.me().host.as_ref().map(|(id, _)| id.clone());
        let participant = if name == "me" { own } else { self.card(name)?.host };
        participant.ok_or_else(|| format!("{flag} {name}: its card names no participant"))
    }

    fn hosts(&self, flag: &str, hosts: &[(String, Permission)]) -> Result<Vec<Host>, String> {
        let host = |(name, permission): &(String, Permission)| {
            Ok(Host { participant: self.host(flag, name)?, permission: *permission })
        };
        hosts.iter().map(host).collect()
    }

    /// The party key of a name of the book, or any key that is known, by its fingerprint.
    fn party_key(&self, flag: &str, name: &str) -> Result<SigningPublicKey, String> {
        if let Some(fingerprint) = written_out::<Fingerprint>(name) {
            let own = self.agent.me().keys.iter().find(|key| *key.fingerprint_ref() == fingerprint);
            let known = own.or_else(|| self.agent.book().key(&fingerprint)).cloned();
            return known.ok_or_else(|| format!("{flag} {name}: nobody in the book has that key"));
        }
        self.card(name)?.party_key.ok_or_else(|| format!("{flag} {name}: its card has no party key"))
    }

    fn party_keys(&self, flag: &str, names: &[String]) -> Result<Vec<SigningPublicKey>, String> {
        names.iter().map(|name| self.party_key(flag, name)).collect()
    }

    fn namespace_or_own(&self, text: Option<&str>) -> Result<Namespace, String> {
        text.map_or_else(|| Ok(self.agent.me().owner.clone()), |name| self.owner(name))
    }
}

/// What is written out in full: Canton takes almost any word for a fingerprint, we take what a key can have for one.
fn written_out<T: FromStr>(text: &str) -> Option<T> {
    let is_fingerprint =
        text.len() == 68 && text.starts_with("1220") && text.bytes().all(|one| one.is_ascii_hexdigit());
    text.parse().ok().filter(|_| is_fingerprint)
}

/// The namespace of a party, or the namespace itself.
fn namespace(text: &str) -> Result<Namespace, String> {
    match text.parse::<PartyId>() {
        Ok(party) => Ok(party.namespace().clone()),
        Err(_) => text.parse().map_err(|error| format!("--party: {error}")),
    }
}

fn party(text: &str) -> Result<PartyId, String> {
    text.parse().map_err(|error| format!("--party: {error}"))
}
