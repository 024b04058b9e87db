//! A second opinion on topology transactions: Canton's official JavaScript packages, `@canton-network/core-tx-visualizer`
//! and `@canton-network/core-ledger-proto` of its own, in the versions and with the hashes of `../npm/package-lock.json`.
//!
//! What they do, found by reading and trying them (1.7.0), and what is therefore held:
//!
//! * A transaction's hash is taken over the bytes as they are given (purpose 11), nothing is encoded again: every
//!   transaction is compared, however oddly it is encoded.
//! * The hash of several is taken over the hashes sorted, *with* repetition, where Canton's is over the set: sets are
//!   compared, and a repeated hash is shown to differ.
//! * The decoder knows no version wrapper: of wrapped bytes it shows the wrapper's version, 30, as the serial. So the
//!   message is taken out of the wrapper first. It also reads a field by its number alone, whatever wire type stands
//!   there: what it makes of bytes that are not in the canonical form is not comparable.
//! * Of signable transactions every field is compared with what we show, and what the package writes back must be the
//!   bytes that we hold signable. It is a release behind the network's: it neither shows nor writes the fields in
//!   [`FORGOTTEN`], a party's inline signing keys among them, nor those of releases of old.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::{
    hash::{MultiHash, TransactionHash},
    show,
    transaction::Transaction,
};
use serde_json::{Value, json};
use tests::recorded;

/// What Canton 3.5 knows and the package does not. Who sees a transaction by the package alone does not see these.
const FORGOTTEN: [&str; 5] = [
    "party_signing_keys",
    "onboarding",
    "feature_flags",
    "synchronizer_upgrade_announcement",
    "sequencer_connection_successor",
];

/// What the package calls by another name.
const RENAMED: [(&str, &str); 2] = [("valid_from_inclusive", "valid_from"), ("valid_until_exclusive", "valid_until")];

/// The package, installed; `None`, and one line that says why, where it cannot be.
fn package() -> Option<&'static Path> {
    static PACKAGE: OnceLock<Option<PathBuf>> = OnceLock::new();
    PACKAGE.get_or_init(install).as_deref()
}

fn install() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("npm");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("second-opinion");
    std::fs::create_dir_all(&folder).unwrap();
    let lock = std::fs::read(source.join("package-lock.json")).unwrap();
    let is_installed = std::fs::read(folder.join("installed-lock.json")).is_ok_and(|installed| installed == lock);
    for name in ["package.json", "package-lock.json", "second-opinion.js"] {
        std::fs::copy(source.join(name), folder.join(name)).unwrap();
    }
    if !is_node_there() {
        println!("skipped: no node of version 20 or later, so Canton's JavaScript package gives no second opinion");
        return None;
    }
    if !is_installed {
        let arguments = ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--fetch-retries=1"];
        let result = Command::new("npm").args(arguments).current_dir(&folder).output();
        if !result.as_ref().is_ok_and(|output| output.status.success()) {
            let why = result.map_or_else(|error| error.to_string(), |output| first_error(&output.stderr));
            println!("skipped: npm cannot install Canton's JavaScript package, so it gives no second opinion: {why}");
            return None;
        }
        std::fs::write(folder.join("installed-lock.json"), &lock).unwrap();
    }
    Some(folder)
}

fn is_node_there() -> bool {
    let Ok(output) = Command::new("node").arg("--version").output() else { return false };
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= 20)
}

fn first_error(text: &[u8]) -> String {
    String::from_utf8_lossy(text).lines().find(|line| line.contains("error")).unwrap_or_default().to_owned()
}

fn ask(folder: &Path, questions: &[Value]) -> Vec<Value> {
    let mut child = Command::new("node")
        .arg("second-opinion.js")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The script reads everything before it writes anything.
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

#[test]
fn every_transaction_hashes_and_every_signable_one_reads_as_in_cantons_javascript() {
    let transactions = recorded::transactions();
    if transactions.is_empty() {
        return;
    }
    let Some(folder) = package() else { return };
    let question = |transaction: &Transaction| json!({ "transaction": STANDARD.encode(transaction.bytes()) });
    let questions: Vec<Value> = transactions.iter().map(question).collect();
    let mut differences = Vec::new();
    let (mut signable, mut rewritten) = (0, 0);
    for (transaction, answer) in transactions.iter().zip(ask(folder, &questions)) {
        let mut differs = |what: String| differences.push(format!("{transaction:?}: {what}"));
        if answer["hash"] != transaction.hash().to_string() {
            differs(format!("hash {}", answer["hash"]));
        }
        if !transaction.unshown().is_empty() {
            continue;
        }
        signable += 1;
        let ours = serde_json::to_value(show::transaction_tree(transaction)).unwrap();
        if let Some(path) = difference(&ours, &answer["fields"], "") {
            differs(format!("{path} in {ours}, {}", answer["fields"]));
        }
        if !names_what_is_forgotten(&ours) {
            rewritten += 1;
            let message = STANDARD.decode(answer["rewritten"].as_str().unwrap()).unwrap();
            if wrapped(&message) != transaction.bytes() {
                differs(format!("written back as {}", answer["rewritten"]));
            }
        }
    }
    println!("{} transactions: {signable} read field by field, {rewritten} written back", transactions.len());
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(rewritten > 2_000, "only {rewritten} transactions were compared as they are written");
}

#[test]
fn one_hash_of_several_transactions_is_cantons_javascripts() {
    let hashes: Vec<TransactionHash> = recorded::transactions().iter().map(Transaction::hash).collect();
    if hashes.is_empty() {
        return;
    }
    let Some(folder) = package() else { return };
    let sets: Vec<Vec<TransactionHash>> = (1..40)
        .map(|size| hashes.iter().copied().skip(size * 7).take(size).collect::<BTreeSet<_>>())
        .map(|set| set.into_iter().rev().collect())
        .collect();
    let question =
        |set: &Vec<TransactionHash>| json!({ "hashes": set.iter().map(ToString::to_string).collect::<Vec<_>>() });
    for (set, answer) in sets.iter().zip(ask(folder, &sets.iter().map(question).collect::<Vec<_>>())) {
        assert_eq!(answer["hash"], MultiHash::of(set).to_string(), "{} hashes", set.len());
    }
    // The package counts a repeated hash twice; Canton hashes a set.
    let twice = vec![hashes[0], hashes[0]];
    assert_ne!(ask(folder, &[question(&twice)])[0]["hash"], MultiHash::of(&twice).to_string());
}

/// In the wrapper of version 30.
fn wrapped(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x0a];
    let mut length = message.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(message);
    bytes.extend_from_slice(&[0x10, 30]);
    bytes
}

/// The path of the first field that does not say the same in our words and in protobuf's JSON.
fn difference(ours: &Value, theirs: &Value, path: &str) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let shared: BTreeMap<&str, &Value> = ours
                .iter()
                .filter(|(name, _)| !is_ours_alone(name))
                .map(|(name, value)| (theirs_for(name), value))
                .collect();
            let unknown =
                |name: &&String| !shared.contains_key(name.as_str()) && !ours.contains_key(&format!("{name}_retired"));
            let missing = theirs.keys().find(unknown).map(|name| format!("{path}.{name}"));
            missing.or_else(|| {
                shared.iter().find_map(|(name, ours)| {
                    difference(ours, theirs.get(*name).unwrap_or(&Value::Null), &format!("{path}.{name}"))
                })
            })
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            let length = (ours.len() != theirs.len()).then(|| path.to_owned());
            length.or_else(|| {
                let pairs = ours.iter().zip(theirs).enumerate();
                pairs
                    .into_iter()
                    .find_map(|(index, (ours, theirs))| difference(ours, theirs, &format!("{path}[{index}]")))
            })
        }
        (Value::String(ours), theirs) => (!is_said(ours, theirs)).then(|| path.to_owned()),
        (_, _) => Some(path.to_owned()),
    }
}

/// A fingerprint is computed; the others are not in the package's messages.
fn is_ours_alone(name: &str) -> bool {
    name == "fingerprint" || name.ends_with("_retired") || FORGOTTEN.contains(&name)
}

fn theirs_for(name: &str) -> &str {
    RENAMED.iter().find(|(ours, _)| *ours == name).map_or(name, |(_, theirs)| theirs)
}

fn names_what_is_forgotten(ours: &Value) -> bool {
    match ours {
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| (name != "fingerprint" && is_ours_alone(name)) || names_what_is_forgotten(value)),
        Value::Array(values) => values.iter().any(names_what_is_forgotten),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether our words and a value of protobuf's JSON say the same.
fn is_said(ours: &str, theirs: &Value) -> bool {
    match theirs {
        Value::Object(fields) => fields.is_empty() && ours == "set",
        Value::Number(number) => ours == number.to_string(),
        Value::Bool(flag) => ours == flag.to_string(),
        Value::String(text) => {
            let is_enum = text.ends_with(&format!("_{ours}"));
            let is_bytes = STANDARD.decode(text).is_ok_and(|bytes| hex::encode(bytes) == ours);
            let is_duration = text.strip_suffix('s').is_some_and(|seconds| format!("{seconds} s") == ours);
            let is_counted_moment = ours.split_once(" (").is_some_and(|(number, _)| number == text);
            ours == text || is_enum || is_bytes || is_duration || is_counted_moment || is_moment(ours, text)
        }
        Value::Null | Value::Array(_) => false,
    }
}

/// Protobuf writes a moment with as many digits as it needs, in threes.
fn is_moment(ours: &str, theirs: &str) -> bool {
    let trimmed = |text: &str| {
        let moment = text.strip_suffix('Z').unwrap_or(text);
        moment.split_once('.').map_or(moment.to_owned(), |(whole, fraction)| {
            format!("{whole}.{}", fraction.trim_end_matches('0')).trim_end_matches('.').to_owned()
        })
    };
    ours.ends_with('Z') && theirs.ends_with('Z') && trimmed(ours) == trimmed(theirs)
}
