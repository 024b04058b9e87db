//! Everybody whom a change adds must stand in the agent's own book, or be the owner itself.

use canton_topology::id::Fingerprint;

use super::Context;
use crate::{
    difference::{Difference, Fact},
    refusal::Refusal,
};

pub(super) fn check(differences: &[Difference], context: &Context<'_>) -> Result<(), Refusal> {
    let added = differences.iter().flat_map(|difference| &difference.changes).filter(|change| change.before.is_none());
    for change in added {
        let (what, id, is_known) = match &change.fact {
            Fact::Owner(owner) => {
                let known = *owner == context.me.owner || context.book.by_namespace(owner).is_some();
                ("owner", owner.to_string(), known)
            }
            Fact::Host(host) => {
                let is_own = context.me.host.as_ref().is_some_and(|(own, _)| own == host);
                ("host", host.to_string(), is_own || context.book.by_host(host).is_some())
            }
            Fact::Key(key) | Fact::Target(key) => ("key", key.to_string(), is_known_key(key, context)),
            Fact::Stands | Fact::Threshold | Fact::KeyThreshold | Fact::Field(_) => continue,
        };
        if !is_known {
            return Err(Refusal::UnknownPrincipal { what: what.to_owned(), id });
        }
    }
    Ok(())
}

fn is_known_key(key: &Fingerprint, context: &Context<'_>) -> bool {
    context.me.keys.iter().any(|own| own.fingerprint_ref() == key) || context.book.by_key(key).is_some()
}
