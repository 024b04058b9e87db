//! Everybody whom a change adds must stand in the agent's own book, or be the owner itself.

use canton_topology::{
    id::{Fingerprint, MemberKind, Namespace, ParticipantId},
    key::SigningPublicKey,
    state::State,
    transaction::Transaction,
};

use crate::{
    principal::{Principal, added},
    reader::Context,
    refusal::Refusal,
};

pub(super) fn check(transactions: &[Transaction], state: &State, context: &Context<'_>) -> Result<(), Refusal> {
    let mut scratch = state.clone();
    for transaction in transactions {
        if let Some(stranger) = added(transaction, &scratch).into_iter().find(|one| !is_known(one, context)) {
            return Err(Refusal::UnknownPrincipal { what: stranger.what().to_owned(), id: stranger.to_string() });
        }
        scratch.assume(transaction);
    }
    Ok(())
}

fn is_known(principal: &Principal, context: &Context<'_>) -> bool {
    match principal {
        Principal::Owner(owner) => is_known_owner(owner, context),
        Principal::Host(host) => is_known_host(host, context),
        Principal::Key(key) => is_known_key(key, context),
        // A card names an owner's own participant; its other nodes live in the owner's namespace.
        Principal::Node(member) => {
            let is_host = || is_known_host(&ParticipantId::from(member.uid.clone()), context);
            is_known_owner(member.uid.namespace(), context) || (member.kind == MemberKind::Participant && is_host())
        }
    }
}

fn is_known_owner(owner: &Namespace, context: &Context<'_>) -> bool {
    *owner == context.me.owner || context.book.by_namespace(owner).is_some()
}

fn is_known_host(host: &ParticipantId, context: &Context<'_>) -> bool {
    context.me.host.as_ref().is_some_and(|(own, _)| own == host) || context.book.by_host(host).is_some()
}

fn is_known_key(key: &Fingerprint, context: &Context<'_>) -> bool {
    let hosted = context.me.host.iter().map(|(_, key)| key);
    let mut own = context.me.keys.iter().chain(hosted).map(SigningPublicKey::fingerprint_ref);
    own.any(|one| one == key) || context.book.by_key(key).is_some()
}
