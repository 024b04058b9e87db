//! Canton's official JavaScript package, `@canton-network/core-tx-visualizer`, computes the same hashes over every
//! transaction of MainNet's genesis state and over sets of them, and reads the same operation, serial and kind.
//!
//! The package hashes the bytes as they are, as we do. It knows no list of what it does not show, so only what both read
//! is compared.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::Engine as _;
use canton_topology::{
    hash::{MultiHash, TransactionHash},
    mapping::Code,
    snapshot::{self, Item},
    transaction::Transaction,
};
use serde_json::{Value, json};

/// The rows of MainNet's genesis state; `None`, and one line that says so, where they are not beside the project.
fn genesis() -> Option<Vec<Item>> {
    let name = "../../shared/canton/fixtures/CN-genesis-state-20250410.gz";
    let Ok(file) = fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)) else {
        println!("skipped: {name} is not beside the project");
        return None;
    };
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    Some(snapshot::read(&bytes).unwrap().1)
}

/// The package, installed as its lock file says; `None`, and one line that says why, where that cannot be.
fn package() -> Option<PathBuf> {
    for tool in ["node", "npm"] {
        if Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            println!("skipped: {tool} is not installed");
            return None;
        }
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("npm");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm");
    fs::create_dir_all(&folder).unwrap();
    for name in ["package.json", "package-lock.json", "hashes.mjs"] {
        fs::copy(source.join(name), folder.join(name)).unwrap();
    }
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    let installed = Command::new("npm").args(install).current_dir(&folder).output().unwrap();
    if !installed.status.success() {
        println!("skipped: npm cannot fetch the package: {}", String::from_utf8_lossy(&installed.stderr).trim());
        return None;
    }
    Some(folder)
}

/// What the package answers to each question, in their order.
fn ask(folder: &Path, questions: &[Value]) -> Vec<Value> {
    let mut node = Command::new("node");
    node.arg("hashes.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = node.spawn().unwrap();
    let mut input = node.stdin.take().unwrap();
    let text: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let writing = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let answers = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    writing.join().unwrap();
    assert!(node.wait().unwrap().success());
    answers
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The name of a kind in the package's generated code.
fn kind(code: Code) -> &'static str {
    match code {
        Code::NamespaceDelegation => "namespaceDelegation",
        Code::DecentralizedNamespaceDefinition => "decentralizedNamespaceDefinition",
        Code::OwnerToKeyMapping => "ownerToKeyMapping",
        Code::SynchronizerTrustCertificate => "synchronizerTrustCertificate",
        Code::ParticipantSynchronizerPermission => "participantPermission",
        Code::PartyHostingLimits => "partyHostingLimits",
        Code::VettedPackages => "vettedPackages",
        Code::PartyToParticipant => "partyToParticipant",
        Code::SynchronizerParametersState => "synchronizerParametersState",
        Code::MediatorSynchronizerState => "mediatorSynchronizerState",
        Code::SequencerSynchronizerState => "sequencerSynchronizerState",
        Code::DynamicSequencingParametersState => "sequencingDynamicParametersState",
        Code::PartyToKeyMapping => "partyToKeyMapping",
        Code::LsuAnnouncement => "synchronizerUpgradeAnnouncement",
        Code::LsuSequencerConnectionSuccessor => "sequencerConnectionSuccessor",
    }
}

#[test]
fn cantons_javascript_package_computes_the_same_hashes() {
    let Some(items) = genesis() else { return };
    let Some(folder) = package() else { return };
    let transactions: Vec<&Transaction> = items.iter().map(|item| &item.transaction.transaction).collect();
    let sets: Vec<BTreeSet<TransactionHash>> =
        transactions.chunks(7).map(|set| set.iter().map(|one| one.hash()).collect()).collect();
    let mut questions: Vec<Value> =
        transactions.iter().map(|one| json!({ "transaction": base64(one.bytes()) })).collect();
    questions.extend(
        sets.iter().map(|set| json!({ "hashes": set.iter().map(|hash| base64(hash.as_bytes())).collect::<Vec<_>>() })),
    );

    let answers = ask(&folder, &questions);

    assert_eq!(answers.len(), questions.len());
    let (read, multi) = answers.split_at(transactions.len());
    for (transaction, answer) in transactions.iter().zip(read) {
        let expected = json!({
            "hash": transaction.hash().to_string(),
            "operation": transaction.operation() as u8,
            "serial": transaction.serial().get(),
            "kind": kind(transaction.mapping().code()),
        });
        assert_eq!(*answer, expected);
    }
    for (set, answer) in sets.iter().zip(multi) {
        let hash = MultiHash::of(set);
        assert_eq!(*answer, json!({ "hash": hex::encode(hash.as_bytes()) }));
    }
    println!("{} transactions and {} sets of them hash alike", transactions.len(), sets.len());
}
