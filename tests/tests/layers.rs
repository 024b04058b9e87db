//! Who may import whom: the architecture's borders, read from the manifests.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Our crates and, of each, which of ours it may name outside its tests.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("canton-topology", &[]),
    ("canton-proto", &[]),
    ("protocol", &["canton-topology"]),
    ("canton-client", &["canton-proto", "canton-topology"]),
    ("canton-sandbox", &["canton-proto", "canton-topology"]),
    ("custody", &["canton-topology", "protocol"]),
    ("coordinator", &["canton-client", "canton-topology", "protocol"]),
    ("signer-agent", &["canton-client", "canton-topology", "custody", "protocol"]),
    (
        "demo",
        // Of `tests` the naive count alone: what the replay must come to is said by somebody who knows no judge.
        &[
            "canton-client",
            "canton-sandbox",
            "canton-topology",
            "coordinator",
            "custody",
            "protocol",
            "signer-agent",
            "tests",
        ],
    ),
];

/// What a pure crate may not name.
const IMPURE: [&str; 8] = ["tokio", "tonic", "serde_json", "reqwest", "axum", "hyper", "getrandom", "redb"];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    metadata
        .packages
        .iter()
        .map(|package| {
            let named = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal)
                .map(|dependency| dependency.name.clone());
            (package.name.to_string(), named.collect())
        })
        .collect()
}

#[test]
fn no_crate_imports_what_the_architecture_forbids() {
    let dependencies = dependencies();
    let ours: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    for (name, allowed) in ALLOWED {
        let named = &dependencies[name];
        for dependency in named.iter().filter(|dependency| ours.contains(dependency.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "{name} may not import {dependency}");
        }
    }
}

#[test]
fn pure_crates_name_no_clock_no_network_and_no_disk() {
    let dependencies = dependencies();
    for name in ["canton-topology", "protocol"] {
        for impure in IMPURE {
            assert!(!dependencies[name].contains(impure), "{name} is pure and may not import {impure}");
        }
    }
}

#[test]
fn the_coordinator_can_name_no_owners_key() {
    let dependencies = dependencies();
    assert!(!dependencies["coordinator"].contains("custody"));
    assert!(
        !dependencies["custody"].iter().any(|name| ["tokio", "reqwest", "hyper", "tonic"].contains(&name.as_str()))
    );
}

#[test]
fn a_device_in_software_is_in_no_program() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let mut asks = Vec::new();
    for package in &metadata.packages {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.name == "yubihsm") {
            if dependency.features.iter().any(|feature| feature == "mockhsm") {
                asks.push((package.name.to_string(), dependency.kind));
            }
        }
    }
    // A dependency of tests alone: the resolver turns its features on for nothing else.
    assert_eq!(asks, [("tests".to_owned(), DependencyKind::Development)]);
}

#[test]
fn no_program_names_the_keys_that_tests_have_in_memory() {
    fn sources(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { sources(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    for program in ["signer-agent/src", "signer-agent/custody/src", "coordinator/src", "deploy/demo/src"] {
        sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(program), &mut found);
    }
    assert!(found.len() > 150, "{}", found.len());
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(!text.contains("memory_keys") && !text.contains("MemoryKeys"), "{}", path.display());
    }
}

#[test]
fn nothing_can_ask_a_node_for_a_private_key() {
    let vault = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/canton-proto/proto/com/digitalasset/canton/crypto/admin/v30/vault_service.proto"
    );
    let text = std::fs::read_to_string(vault).unwrap();
    let calls: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next()).collect();
    // Canton has more, ExportKeyPair among them: what is not in this file, no client of ours can call.
    assert_eq!(calls, ["ListMyKeys", "GenerateSigningKey"]);
}
