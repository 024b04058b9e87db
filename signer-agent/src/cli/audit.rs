//! `audit`: a whole exported history, judged again as Canton judged it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::IsTerminal as _,
    path::PathBuf,
};

use anyhow::{Context as _, bail};
use canton_topology::{
    Timestamp,
    id::{Fingerprint, PhysicalSynchronizerId},
    judge::{INITIAL, Verifier},
    mapping::{Code, Mapping, Restriction},
    revalidation::{Fault, Revalidation, revalidate},
    show::{escaped, moment},
    snapshot::{self, Item},
    state::{State, StaticParameters},
    transaction::{Operation, Serial},
};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{
    End,
    arguments::Audit,
    inspect::input::read_any,
    print::{self, Form},
};
use crate::actor::now;

pub fn run(audit: &Audit, form: &Form) -> anyhow::Result<End> {
    let name = || audit.snapshot.display().to_string();
    let said = |text: &'static str| progress(text, form);
    let bytes = read_any(&audit.snapshot)?;
    let spinner = said("reading");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (format, items) = snapshot::read_on(threads, &bytes).with_context(name)?;
    let last = items.iter().map(|item| item.valid_from).max().unwrap_or(INITIAL);
    let synchronizer = synchronizer(audit.synchronizer.as_ref(), &items, last).with_context(name)?;
    spinner.set_message("verifying signatures");
    let mut verifier = Verifier::ahead(&items, threads);
    spinner.set_message("judging");
    let mut state = State::new(synchronizer, StaticParameters::default());
    let found = revalidate(&mut state, &mut verifier, &items);
    spinner.finish_and_clear();
    let wrong: Vec<Value> = found.faults.iter().map(|(row, fault)| wrong(*row, &items[*row], fault)).collect();
    let signatures: usize = items.iter().map(|item| item.transaction.distinct_signatures().len()).sum();
    let value = json!({
        "format": format!("{format:?}"),
        "rows": items.len(),
        "signatures": signatures,
        "synchronizer": state.synchronizer().to_string(),
        "wrong": wrong,
        "dropped-signatures": dropped(&items, &found),
        "begins-late": late(&items),
        "active-by-kind": by_kind(&state),
        "open-proposals": state.proposals().count(),
        "decentralized-namespaces": definitions(&state),
        "delegations": delegations(&state),
        "dangling-keys": dangling(&state),
    });
    match form {
        Form::Words => words(&value),
        Form::Json | Form::Field(_) => print::value("", &value, form)?,
    }
    if !wrong.is_empty() {
        bail!("{} of {} rows are not rightly there", wrong.len(), items.len());
    }
    Ok(End::Done)
}

fn progress(text: &'static str, form: &Form) -> ProgressBar {
    if *form != Form::Words || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner().with_message(text);
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}

/// The summary for people: counts first.
fn words(value: &Value) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), escaped);
    let list = |name: &str| value[name].as_array().cloned().unwrap_or_default();
    let wrong = list("wrong");
    let verdict = if wrong.is_empty() { "all rightly there".to_owned() } else { format!("{} WRONG", wrong.len()) };
    print::line(&format!("{} rows, {} signatures, judged again: {verdict}", value["rows"], value["signatures"]));
    for one in &wrong {
        let (row, mapping, reason) = (&one["row"], text(&one["mapping"]), text(&one["reason"]));
        print::line(&format!("  row {row} {mapping} {}: {reason}", text(&one["hash"])));
    }
    let dropped = list("dropped-signatures");
    if !dropped.is_empty() {
        print::line(&format!("{} rows have signatures that serve nothing; Canton drops them unseen", dropped.len()));
        for one in &dropped {
            let keys: Vec<String> = one["keys"].as_array().into_iter().flatten().map(text).collect();
            print::line(&format!("  row {} {}: by {}", one["row"], text(&one["mapping"]), keys.join(", ")));
        }
    }
    let late = list("begins-late");
    if !late.is_empty() {
        print::line(&format!("{} chains begin in the middle: this is not the whole history", late.len()));
        late.iter().for_each(|one| {
            print::line(&format!(
                "  {} begins with serial {} (row {})",
                text(&one["mapping"]),
                one["serial"],
                one["row"]
            ));
        });
    }
    print::line("active mappings");
    for (kind, count) in value["active-by-kind"].as_object().into_iter().flatten() {
        print::line(&format!("  {:>7} {kind}", count.to_string()));
    }
    print::line(&format!("{} open proposals", value["open-proposals"]));
    for namespace in list("decentralized-namespaces") {
        let owners = namespace["owners"].as_array().cloned().unwrap_or_default();
        let (id, threshold) = (text(&namespace["namespace"]), &namespace["threshold"]);
        print::line(&format!("decentralized namespace {id}: {threshold} of {}", owners.len()));
        for owner in owners {
            let root = if owner["has-root"] == true { "" } else { "  WITHOUT A ROOT: it can sign nothing" };
            print::line(&format!("  owner {}{root}", text(&owner["namespace"])));
        }
    }
    let delegations = list("delegations");
    print::line(&format!("{} delegations besides roots", delegations.len()));
    for one in &delegations {
        print::line(&format!("  {} -> {}: {}", text(&one["namespace"]), text(&one["key"]), text(&one["may-sign"])));
    }
    let dangling = list("dangling-keys");
    print::line(&format!("{} dangling keys, which may sign nothing", dangling.len()));
    for one in &dangling {
        print::line(&format!("  {} -> {}", text(&one["namespace"]), text(&one["key"])));
    }
}

/// Signatures that stand on a row and serve nothing: Canton drops them unseen, so that nobody verified them.
fn dropped(items: &[Item], found: &Revalidation) -> Vec<Value> {
    let of_row = |(row, keys): &(usize, BTreeSet<Fingerprint>)| {
        let transaction = &items[*row].transaction.transaction;
        json!({
            "row": row,
            "hash": transaction.hash().to_string(),
            "mapping": transaction.mapping().code().name(),
            "keys": keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    found.dropped.iter().map(of_row).collect()
}

/// Chains whose first row here is not their first: what it builds on is not in the file.
fn late(items: &[Item]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let first = items.iter().enumerate().filter(|(_, item)| seen.insert(item.transaction.transaction.unique_key()));
    let late = first.filter(|(_, item)| item.transaction.transaction.serial() > Serial::FIRST);
    late.map(|(row, item)| {
        let transaction = &item.transaction.transaction;
        json!({ "row": row, "mapping": transaction.mapping().code().name(), "serial": transaction.serial().get() })
    })
    .collect()
}

fn delegations(state: &State) -> Vec<Value> {
    let rows = state.of_kind(Code::NamespaceDelegation);
    let others = rows.filter_map(|row| match row.transaction.mapping() {
        Mapping::NamespaceDelegation(delegation) if !delegation.is_root() => Some(delegation),
        _ => None,
    });
    others
        .map(|delegation| {
            let may_sign = match &delegation.restriction {
                Restriction::All => "every mapping".to_owned(),
                Restriction::AllButNamespaceDelegations => "every mapping but namespace delegations".to_owned(),
                Restriction::Specific(codes) => codes.iter().map(|code| code.name()).collect::<Vec<_>>().join(", "),
            };
            json!({
                "namespace": delegation.namespace.to_string(),
                "key": delegation.target.fingerprint().to_string(),
                "may-sign": may_sign,
            })
        })
        .collect()
}

/// The topology that a snapshot leaves, on the synchronizer that is given or that its rows name.
///
/// # Errors
/// Where it does not read, or a row of it is not one that Canton accepts.
pub fn state_of(path: &PathBuf, given: Option<&PhysicalSynchronizerId>) -> anyhow::Result<State> {
    let name = || path.display().to_string();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (_, items) = snapshot::read_on(threads, &read_any(path)?).with_context(name)?;
    let mut state = State::new(synchronizer(given, &items, now()).with_context(name)?, StaticParameters::default());
    let found = revalidate(&mut state, &mut Verifier::ahead(&items, threads), &items);
    match found.faults.first() {
        Some((row, fault)) => bail!("{}: {}", path.display(), wrong(*row, &items[*row], fault)),
        None => Ok(state),
    }
}

/// The synchronizer that the rows are of at that time, where they say it: the successor of the last announced upgrade whose
/// time has come, else the one that their parameters name, as it was first.
fn synchronizer(
    given: Option<&PhysicalSynchronizerId>,
    items: &[Item],
    time: Timestamp,
) -> anyhow::Result<PhysicalSynchronizerId> {
    if let Some(given) = given {
        return Ok(given.clone());
    }
    let stand = || items.iter().filter(|item| item.rejection.is_none() && !item.transaction.proposal);
    let active = stand().filter(|item| item.valid_until.is_none()).map(|item| &item.transaction.transaction);
    let elapsed = active.filter_map(|transaction| match (transaction.mapping(), transaction.operation()) {
        (Mapping::LsuAnnouncement(upgrade), Operation::AddReplace) if upgrade.upgrade_time <= time => {
            Some(upgrade.successor.clone())
        }
        _ => None,
    });
    if let Some(successor) = elapsed.max() {
        return Ok(successor);
    }
    let found = stand().find_map(|item| match item.transaction.transaction.mapping() {
        Mapping::SynchronizerParametersState(parameters) => Some(parameters.synchronizer.clone()),
        _ => None,
    });
    let logical = found.context("no row names the synchronizer; give it with --synchronizer")?;
    Ok(PhysicalSynchronizerId { logical, serial: 0, protocol_version: 34 })
}

/// What is wrong with a stored row.
fn wrong(row: usize, item: &Item, fault: &Fault) -> Value {
    let said =
        |until: &Option<Timestamp>| until.map_or_else(|| "open".to_owned(), |time| format!("ended {}", moment(time)));
    let reason = match fault {
        Fault::Rejected(rejection) => format!("{}: {rejection}", rejection.name()),
        Fault::NotRejected { reason } => format!("stored as refused ({reason}), and Canton accepts it"),
        Fault::Complete => "stored as a proposal, and no signature is missing".to_owned(),
        Fault::Ends { found, expected } => {
            format!("it is {}, and by the rows after it {}", said(found), said(expected))
        }
    };
    described(row, item, reason)
}

fn described(row: usize, item: &Item, reason: String) -> Value {
    let transaction = &item.transaction.transaction;
    let (hash, mapping) = (transaction.hash().to_string(), transaction.mapping().code().name());
    json!({ "row": row, "hash": hash, "mapping": mapping, "reason": reason })
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
