//! The command line as its users meet it: examples everywhere, three exit codes, errors that name the fix.
#![allow(clippy::unwrap_used)]

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

fn agent(data: &std::path::Path, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_signer-agent"))
        .arg("--data")
        .arg(data)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn refused(data: &std::path::Path, words: &[&str]) -> String {
    let output = agent(data, words, "");
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("panicked"), "{words:?}: {text}");
    text
}

fn every_command(command: &clap::Command, seen: &mut usize) {
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        *seen += 1;
        let help = inner.clone().render_long_help().to_string();
        assert!(help.contains("Example:"), "`{}` has no example:\n{help}", inner.get_name());
        every_command(inner, seen);
    }
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let mut seen = 0;
    every_command(&signer_agent::cli::definition(), &mut seen);
    assert!(seen >= 20, "only {seen} commands");
}

#[test]
fn a_wrong_command_line_ends_with_one_and_help_with_zero() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("owner");
    assert_eq!(agent(&data, &["no-such-command"], "").status.code(), Some(1));
    assert_eq!(agent(&data, &["--help"], "").status.code(), Some(0));
    assert!(!data.exists(), "neither makes a folder");
}

#[test]
fn errors_name_the_field_and_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("owner");
    let synchronizer = format!("sync::1220{}", "ab".repeat(32));
    let init = |name, synchronizer: &str, participant| {
        refused(&data, &["init", "--name", name, "--synchronizer", synchronizer, "--participant", participant])
    };
    assert!(init("two words", &synchronizer, "http://127.0.0.1:1").contains("--name"));
    assert!(init("alice", "nowhere", "http://127.0.0.1:1").contains("NAME::FINGERPRINT"));
    assert!(init("alice", &synchronizer, "http://127.0.0.1:1").contains("--participant"));
    assert!(refused(&data, &["status"]).contains("signer-agent run"));
    assert!(refused(&data, &["card"]).contains("signer-agent init"));
    assert!(refused(&data, &["enroll", "garbage"]).contains("countersign-enroll1/HOST:PORT/TOKEN/CA-KEY-HASH"));
    assert!(refused(&data, &["inspect", "/no/such/file"]).contains("cannot read /no/such/file"));
}

#[test]
fn inspect_takes_raw_hex_and_base64_and_shows_every_field() {
    use canton_topology::{
        key::{KeyUsage, SigningPublicKey},
        mapping::{Mapping, NamespaceDelegation},
        transaction::{Operation, Serial, Transaction},
    };
    let folder = tempfile::tempdir().unwrap();
    let secret = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let key = SigningPublicKey::ed25519(secret.verifying_key().as_bytes(), &[KeyUsage::Namespace]).unwrap();
    let mapping = Mapping::NamespaceDelegation(NamespaceDelegation::root(key));
    let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
    let path = folder.path().join("transaction");
    for text in [transaction.bytes().to_vec(), hex::encode(transaction.bytes()).into_bytes()] {
        std::fs::write(&path, text).unwrap();
        let output = agent(folder.path(), &["inspect", path.to_str().unwrap()], "");
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(shown.contains(&transaction.hash().to_string()), "{shown}");
        assert!(shown.contains("mapping.namespace_delegation.target_key.usage[0] = NAMESPACE"), "{shown}");
    }
    std::fs::write(&path, [transaction.bytes(), &[0x98, 0x06, 0x01]].concat()).unwrap();
    let output = agent(folder.path(), &["inspect", path.to_str().unwrap()], "");
    assert!(String::from_utf8(output.stdout).unwrap().contains("NOT SHOWN, a signer refuses"));
    std::fs::write(&path, b"neither this nor that").unwrap();
    assert!(refused(folder.path(), &["inspect", path.to_str().unwrap()]).contains("neither a transaction"));
}

#[test]
fn hostile_text_cannot_move_the_cursor() {
    for hostile in ["\u{1b}[2Jgone", "a\rb", "a\u{202e}b", "\u{0}", "line\nline", "ａlice"] {
        let shown = canton_topology::show::escaped(hostile);
        assert!(shown.chars().all(|c| c.is_ascii() && !c.is_ascii_control()), "{shown:?}");
    }
}

#[test]
fn the_audit_of_mainnets_genesis_finds_every_row_rightly_there() {
    let snapshot = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/canton/fixtures/CN-genesis-state-20250410.gz");
    if !snapshot.exists() {
        println!("skipped: the MainNet genesis is not beside the project");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = agent(folder.path(), &["audit", snapshot.to_str().unwrap(), "--json"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let audit: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((audit["rows"].as_u64(), audit["signatures"].as_u64()), (Some(3565), Some(4238)));
    assert_eq!(audit["wrong"].as_array().unwrap().len(), 0);

    // One flipped bit anywhere in a signature is found, and its row named.
    let mut plain = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(std::fs::read(&snapshot).unwrap().as_slice()),
        &mut plain,
    )
    .unwrap();
    let (_, items) = canton_topology::snapshot::read(&plain).unwrap();
    let signature = items[1000].transaction.signatures[0].bytes();
    let at = plain.windows(signature.len()).position(|window| window == signature).unwrap();
    plain[at + 10] ^= 1;
    let path = folder.path().join("changed");
    std::fs::write(&path, plain).unwrap();
    let output = agent(folder.path(), &["audit", path.to_str().unwrap(), "--json"], "");
    assert_eq!(output.status.code(), Some(1));
    let first = String::from_utf8(output.stdout).unwrap();
    let audit: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(audit["wrong"][0]["row"], 1000);
}
