//! One transaction as data.

use std::collections::HashMap;

use canton_topology::{
    id::Fingerprint,
    key::SigningPublicKey,
    mapping::Mapping,
    show,
    state::State,
    transaction::{SignatureOver, Transaction},
};
use serde_json::{Value, json};

use super::{authorization, input::Entry};

/// Every signing key that the input or the topology names.
pub struct Keys(HashMap<Fingerprint, SigningPublicKey>);

impl Keys {
    /// Gathers them.
    pub fn of(entries: &[Entry], state: Option<&State>) -> Self {
        let offered = entries.iter().map(|entry| entry.signed.transaction.mapping());
        let active = state.into_iter().flat_map(State::actives).map(|row| row.transaction.mapping());
        let named = active.chain(offered).flat_map(Mapping::signing_keys);
        Self(named.map(|key| (key.fingerprint(), key.clone())).collect())
    }

    fn verdict(&self, over: &SignatureOver) -> String {
        let Some(key) = self.0.get(over.signature.signed_by()) else {
            return "not checked: the key is neither in this input nor in --state".to_owned();
        };
        match over.signature.verify(key, &over.message) {
            Ok(()) => "verifies".to_owned(),
            Err(error) => format!("does not verify: {error}"),
        }
    }
}

/// Describes one entry.
pub fn entry(entry: &Entry, keys: &Keys, state: Option<&State>) -> Value {
    let signed = &entry.signed;
    let transaction: &Transaction = &signed.transaction;
    let signature = |over: &SignatureOver| {
        json!({
            "signed-by": over.signature.signed_by().to_string(),
            "algorithm": over.signature.algorithm().map(|algorithm| algorithm.name()),
            "covers": over.covers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "verdict": keys.verdict(over),
        })
    };
    let mut value = json!({
        "source": entry.source,
        "index": entry.index,
        "of": entry.of,
        "hash": transaction.hash().to_string(),
        "unique-key": transaction.unique_key().to_string(),
        "mapping": transaction.mapping().code().name(),
        "subject": protocol::naming::subject(transaction.mapping()),
        "operation": transaction.operation().name(),
        "serial": transaction.serial().get(),
        "fields": show::transaction(transaction),
        "signable": transaction.unshown().is_empty(),
        "not-shown": transaction.unshown().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "proposal": signed.proposal,
        "signatures": signed.distinct_signatures().iter().map(signature).collect::<Vec<_>>(),
    });
    if let Some((from, until)) = entry.stood {
        value["valid-from"] = json!(from);
        value["valid-until"] = json!(until);
    }
    if let Some(state) = state {
        value["authorization"] = authorization::of(signed, state);
    }
    value
}
