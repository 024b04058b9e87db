//! `audit`: a whole exported history, judged again as Canton judged it.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, bail};
use canton_topology::{
    id::PhysicalSynchronizerId,
    judge::{Verdict, Verifier, replay},
    mapping::{Code, Mapping},
    snapshot::{self, Item},
    state::{State, StaticParameters},
};
use serde_json::{Value, json};

use super::{
    End,
    arguments::Audit,
    inspect,
    print::{self, Form},
};

pub fn run(audit: &Audit, form: &Form) -> anyhow::Result<End> {
    let bytes = inspect::read_any(&audit.snapshot)?;
    let name = || audit.snapshot.display().to_string();
    let (format, items) = snapshot::read(&bytes).with_context(name)?;
    let synchronizer = synchronizer(audit.synchronizer.as_ref(), &items).with_context(name)?;
    let mut state = State::new(synchronizer, StaticParameters::default());
    let verdicts = replay(&mut state, &mut Verifier::default(), &items);
    let wrong: Vec<Value> = items
        .iter()
        .zip(&verdicts)
        .enumerate()
        .filter_map(|(row, (item, verdict))| wrong(row, item, verdict))
        .collect();
    let signatures: usize = items.iter().map(|item| item.transaction.distinct_signatures().len()).sum();
    let value = json!({
        "format": format!("{format:?}"),
        "rows": items.len(),
        "signatures": signatures,
        "wrong": wrong,
        "active-by-kind": by_kind(&state),
        "open-proposals": state.proposals().count(),
        "decentralized-namespaces": definitions(&state),
        "dangling-keys": dangling(&state),
    });
    print::value("judged again, row by row", &value, form)?;
    if !wrong.is_empty() {
        bail!("{} of {} rows are not rightly there", wrong.len(), items.len());
    }
    Ok(End::Done)
}

/// The topology that a snapshot leaves.
///
/// # Errors
/// Where it does not read, or a row of it is not one that Canton accepts.
pub fn state_of(path: &PathBuf) -> anyhow::Result<State> {
    let name = || path.display().to_string();
    let (_, items) = snapshot::read(&inspect::read_any(path)?).with_context(name)?;
    let mut state = State::new(synchronizer(None, &items).with_context(name)?, StaticParameters::default());
    let verdicts = replay(&mut state, &mut Verifier::default(), &items);
    match items.iter().zip(&verdicts).enumerate().find_map(|(row, (item, verdict))| wrong(row, item, verdict)) {
        Some(wrong) => bail!("{}: {wrong}", path.display()),
        None => Ok(state),
    }
}

/// The synchronizer that the rows are of, where they say it.
fn synchronizer(given: Option<&PhysicalSynchronizerId>, items: &[Item]) -> anyhow::Result<PhysicalSynchronizerId> {
    if let Some(given) = given {
        return Ok(given.clone());
    }
    let found = items.iter().find_map(|item| match item.transaction.transaction.mapping() {
        Mapping::SynchronizerParametersState(parameters) => Some(parameters.synchronizer.clone()),
        _ => None,
    });
    let logical = found.context("no row names the synchronizer; give it with --synchronizer")?;
    Ok(PhysicalSynchronizerId { logical, serial: 0, protocol_version: 34 })
}

/// What is wrong with a stored row; rows that were refused when they were sequenced are not asked about.
fn wrong(row: usize, item: &Item, verdict: &Verdict) -> Option<Value> {
    let reason = match verdict {
        Verdict::Rejected(_) if item.rejection.is_some() => return None,
        Verdict::Rejected(rejection) => format!("{}: {rejection}", rejection.name()),
        Verdict::Proposal { .. } if !item.transaction.proposal => {
            "stored for good, but signatures are missing".to_owned()
        }
        Verdict::Active { .. } | Verdict::Proposal { .. } => return None,
    };
    let transaction = &item.transaction.transaction;
    Some(
        json!({ "row": row, "hash": transaction.hash().to_string(), "mapping": transaction.mapping().code().name(), "reason": reason }),
    )
}

fn by_kind(state: &State) -> BTreeMap<&'static str, usize> {
    Code::ALL
        .into_iter()
        .map(|code| (code.name(), state.of_kind(code).count()))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn definitions(state: &State) -> Vec<Value> {
    state
        .of_kind(Code::DecentralizedNamespaceDefinition)
        .filter_map(|row| match row.transaction.mapping() {
            Mapping::DecentralizedNamespaceDefinition(m) => Some(json!({
                "namespace": m.namespace.to_string(),
                "threshold": m.threshold,
                "owners": m.owners.iter().map(|owner| json!({
                    "namespace": owner.to_string(),
                    "has-root": state.has_root(owner),
                })).collect::<Vec<_>>(),
            })),
            _ => None,
        })
        .collect()
}

/// Delegations to which no unbroken chain leads from the root: they stand there and may sign nothing.
fn dangling(state: &State) -> Vec<Value> {
    state
        .of_kind(Code::NamespaceDelegation)
        .filter_map(|row| match row.transaction.mapping() {
            Mapping::NamespaceDelegation(m) => {
                let reached = Code::ALL
                    .into_iter()
                    .any(|code| state.keys_of(&m.namespace, code).contains_key(m.target.fingerprint_ref()));
                (!reached)
                    .then(|| json!({ "namespace": m.namespace.to_string(), "key": m.target.fingerprint().to_string() }))
            }
            _ => None,
        })
        .collect()
}
