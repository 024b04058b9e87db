//! Who must sign, who has, who could, and what Canton would answer today.

use std::collections::BTreeSet;

use canton_topology::{
    authorization::{Needed, Requirement},
    awakening::awakened_by,
    completing::{Helper, completing_sets},
    id::Fingerprint,
    judge::{Time, Verdict, Verifier, fold_batch, merged},
    planner,
    state::State,
    transaction::SignedTransaction,
};
use serde_json::{Value, json};

use crate::actor::now;

/// Where a transaction stands on a topology, with the signatures that it brings and those that are stored there already.
pub fn of(signed: &SignedTransaction, state: &State) -> Value {
    let transaction = &signed.transaction;
    let merged = merged(state, signed);
    let signers: BTreeSet<Fingerprint> = merged.keys().cloned().collect();
    let mut verifier = Verifier::default();
    let counting = planner::permissible(state, transaction, &signers);
    let mut is_wrong = |fingerprint: &Fingerprint, over| {
        counting.get(fingerprint).is_some_and(|key| verifier.verify(over, key).is_err())
    };
    let wrong: BTreeSet<Fingerprint> =
        merged.iter().filter(|(key, over)| is_wrong(key, over)).map(|(key, _)| key.clone()).collect();
    let signers: BTreeSet<Fingerprint> = signers.difference(&wrong).cloned().collect();
    let assessment = planner::assess(state, transaction, &signers);
    let ways = completing_sets(state, transaction, &signers);
    let time = Time { sequenced: now(), effective: now() };
    let judged = fold_batch(&mut state.clone(), &mut verifier, std::slice::from_ref(signed), time);
    let useful = signers.iter().filter(|key| !assessment.superfluous.contains(*key));
    let names = |set: &BTreeSet<Helper>| set.iter().map(name).collect::<Vec<_>>();
    let wakes = awakened_by(state, std::slice::from_ref(transaction), &[], &mut verifier);
    let mut value = json!({
        "must-sign": words(&assessment.requirement),
        "has-signed": useful.collect::<Vec<_>>(),
        "signed-wrongly": wrong,
        "satisfied": assessment.satisfied,
        "missing-namespaces": assessment.missing.namespaces,
        "missing-keys": assessment.missing.keys,
        "superfluous": assessment.superfluous,
        "ways-to-complete": ways.sets.iter().map(names).collect::<Vec<_>>(),
        "more-ways": ways.more,
        // A number beyond what JSON holds is written as text.
        "how-many-ways": u64::try_from(ways.count).map_or_else(|_| json!(ways.count.to_string()), |count| json!(count)),
        "wakes": wakes.iter().map(|one| one.transaction.to_string()).collect::<Vec<_>>(),
    });
    match judged.first() {
        Some(Verdict::Active { .. }) => value["verdict"] = json!("authorized"),
        Some(Verdict::Proposal { .. }) => value["verdict"] = json!("proposal"),
        Some(Verdict::Rejected(rejection)) => {
            let (code, redacted) = rejection.error_code();
            value["verdict"] = json!(format!("refused, {}: {rejection}", rejection.name()));
            value["rejection"] = json!(rejection.name());
            value["error-code"] = json!(code);
            value["node-hides-it"] = json!(redacted);
        }
        None => {}
    }
    value
}

fn name(helper: &Helper) -> String {
    match helper {
        Helper::Owner(owner) => format!("owner {owner}"),
        Helper::Key(key) => format!("key {key}"),
    }
}

/// The formula as a sentence.
fn words(requirement: &Requirement) -> String {
    match requirement {
        Requirement::All(needed) => all(needed),
        Requirement::Either(one, other) => format!("either ({}) or ({})", words(one), words(other)),
        Requirement::Both(parts) => {
            let parts: Vec<String> = parts.iter().map(words).collect();
            parts.join(", and ")
        }
    }
}

fn all(needed: &Needed) -> String {
    let namespaces = needed.namespaces.iter().map(|namespace| format!("namespace {namespace}"));
    let keys = needed.keys.iter().map(|key| format!("key {key} itself"));
    let all: Vec<String> = namespaces.chain(keys).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.join(" and ") }
}
