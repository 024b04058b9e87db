//! The command line as its users meet it: examples everywhere, three exit codes, errors that name the fix.
#![allow(clippy::unwrap_used)]

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use secrecy::SecretString;

const PASSPHRASE: &str = "correct horse battery staple";

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

/// An owner's folder with one backend: a program that `/bin/sh` runs.
fn owner_with_command(data: &std::path::Path, body: &str) {
    let folder = signer_agent::folder::Folder::open(data).unwrap();
    custody::keys::key_file::KeyFile::create(&folder.keys(), &SecretString::from(PASSPHRASE.to_owned())).unwrap();
    let synchronizer = format!("sync::1220{}", "ab".repeat(32));
    let text = format!(
        "name = \"alice\"\nsynchronizer = \"{synchronizer}\"\nparticipant = \"http://127.0.0.1:1\"\n\n[backends.office]\nkind = \"command\"\nprogram = \"/bin/sh\"\narguments = [\"-c\", {body:?}]\n"
    );
    std::fs::write(data.join("agent.toml"), text).unwrap();
}

#[test]
fn the_environment_names_the_data_folder_once_and_a_word_on_the_line_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let said = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signer-agent"));
        let output = command.env("SIGNER_AGENT_DATA", "of-alice").current_dir(&folder).args(words).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };

    assert!(said(&["list"]).contains("there is no data folder of-alice;"));
    assert!(said(&["--data", "of-bob", "list"]).contains("there is no data folder of-bob;"));
}

#[test]
fn a_program_that_the_agent_starts_finds_no_descriptor_with_the_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    let (data, seen) = (folder.path().join("owner"), folder.path().join("seen"));
    owner_with_command(&data, &format!("ls /proc/$$/fd > {}", seen.display()));
    let secret = folder.path().join("passphrase");
    std::fs::write(&secret, PASSPHRASE).unwrap();
    // As `7<file` in a shell leaves it: open for whoever is started.
    let shell = Command::new("/bin/sh")
        .args(["-c", "exec 7< \"$1\"; exec \"$2\" --data \"$3\" keys backends --passphrase-fd 7", "sh"])
        .args([&secret, &env!("CARGO_BIN_EXE_signer-agent").into(), &data])
        .output()
        .unwrap();

    let open = std::fs::read_to_string(&seen).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&shell.stderr)));
    assert!(open.contains('0') && !open.contains('7'), "the program found the descriptors {open:?}");
}

#[test]
fn enrolling_asks_a_slow_holder_for_the_same_certificate_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let (data, seen) = (folder.path().join("owner"), folder.path().join("seen"));
    let public = hex::encode(
        canton_topology::key::SigningPublicKey::ed25519(
            ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key().as_bytes(),
            &[canton_topology::key::KeyUsage::Namespace],
        )
        .unwrap()
        .spki(),
    );
    let body = format!(
        r#"request=$(cat); id=${{request#*\"id\":\"}}; id=${{id%%\"*}}; echo "$id" >> {}
case "$request" in
    *describe*) echo "{{\"id\":\"$id\",\"status\":\"described\",\"public_key\":\"{public}\"}}" ;;
    *) echo "{{\"id\":\"$id\",\"status\":\"pending\",\"note\":\"one officer is away\"}}" ;;
esac"#,
        seen.display()
    );
    owner_with_command(&data, &body);
    let take = [
        "keys",
        "import",
        "--from",
        "office",
        "--reference",
        "treasury",
        "--purpose",
        "namespace",
        "--name",
        "namespace",
    ];
    let taken = agent(&data, &[&take[..], &["--passphrase-fd", "0"]].concat(), PASSPHRASE);
    assert_eq!(taken.status.code(), Some(0), "{}", String::from_utf8_lossy(&taken.stderr));
    std::fs::remove_file(&seen).unwrap();
    let invitation = format!("countersign-enroll1/127.0.0.1:1/{}/{}", "A".repeat(43), "cd".repeat(32));

    for _ in 0..2 {
        let output = agent(&data, &["enroll", &invitation, "--passphrase-fd", "0"], PASSPHRASE);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains("one officer is away; run the same command again later"), "{words}");
    }

    let seen = std::fs::read_to_string(seen).unwrap();
    let ids: Vec<&str> = seen.lines().collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
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
    assert!(refused(&data, &["status"]).contains("signer-agent init"));
    signer_agent::folder::Folder::open(&data).unwrap();
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
    assert!(String::from_utf8(output.stdout).unwrap().contains("NOT SIGNABLE, Canton takes it and does not say"));
    std::fs::write(&path, b"neither this nor that").unwrap();
    assert!(refused(folder.path(), &["inspect", path.to_str().unwrap()]).contains("neither hex, nor base64"));
}

/// A file beside the project; `None`, and one line that says so, where it is absent.
fn recorded(name: &str) -> Option<std::path::PathBuf> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/canton").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: shared/canton/{name} is not beside the project");
    None
}

fn unpacked(path: &std::path::Path) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()), &mut plain)
        .unwrap();
    plain
}

fn inspected(folder: &std::path::Path, words: &[&str]) -> Vec<serde_json::Value> {
    let output = agent(folder, &[&["inspect", "--json"], words].concat(), "");
    // An error has a line of its own behind it.
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

#[test]
fn inspect_says_of_each_signature_whether_it_verifies() {
    let Some(snapshot) = recorded("recordings/pv34/snapshot.v2") else { return };
    let folder = tempfile::tempdir().unwrap();
    let all = inspected(folder.path(), &[snapshot.to_str().unwrap()]);
    let verdicts = all.iter().flat_map(|one| one["signatures"].as_array().unwrap()).map(|one| one["verdict"].clone());
    assert!(verdicts.clone().count() > 50 && verdicts.clone().all(|verdict| verdict == "verifies"));
    assert!(all.iter().all(|one| one["signable"] == true && !one["fields"].as_array().unwrap().is_empty()));

    // Alone, a transaction may be signed by a key that only the topology knows; one bit more, and it is nobody's.
    let (_, items) = canton_topology::snapshot::read(&std::fs::read(&snapshot).unwrap()).unwrap();
    let is_certificate = |code| code == canton_topology::mapping::Code::SynchronizerTrustCertificate;
    let item = items.iter().find(|item| is_certificate(item.transaction.transaction.mapping().code())).unwrap();
    let path = folder.path().join("one");
    std::fs::write(&path, item.transaction.encode_plain()).unwrap();
    let alone = inspected(folder.path(), &[path.to_str().unwrap()]);
    assert!(alone[0]["signatures"][0]["verdict"].as_str().unwrap().starts_with("not checked"));
    let words = [path.to_str().unwrap(), "--state", snapshot.to_str().unwrap()];
    let known = inspected(folder.path(), &words);
    assert_eq!(known[0]["signatures"][0]["verdict"], "verifies");
    let mut changed = item.transaction.encode_plain();
    let signature = item.transaction.signatures[0].bytes();
    let at = changed.windows(signature.len()).position(|window| window == signature).unwrap();
    changed[at + 40] ^= 1;
    std::fs::write(&path, changed).unwrap();
    let wrong = inspected(folder.path(), &words);
    assert!(wrong[0]["signatures"][0]["verdict"].as_str().unwrap().starts_with("does not verify"));
}

#[test]
fn inspect_with_a_state_says_who_must_sign_and_what_canton_would_answer() {
    use canton_topology::transaction::{Operation, Transaction};
    let Some(snapshot) = recorded("recordings/pv34/genesis.v2") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_, items) = canton_topology::snapshot::read(&std::fs::read(&snapshot).unwrap()).unwrap();
    let is_definition = |code| code == canton_topology::mapping::Code::DecentralizedNamespaceDefinition;
    let definition = items.iter().find(|item| is_definition(item.transaction.transaction.mapping().code())).unwrap();
    let active = &definition.transaction.transaction;
    let next = active.serial().next().unwrap();
    let path = folder.path().join("next");
    let authorization = |serial| {
        let transaction = Transaction::build(Operation::AddReplace, serial, active.mapping());
        std::fs::write(&path, hex::encode(transaction.bytes())).unwrap();
        inspected(folder.path(), &[path.to_str().unwrap(), "--state", snapshot.to_str().unwrap()])[0]["authorization"]
            .clone()
    };
    let unsigned = authorization(next);
    assert_eq!(unsigned["ways-to-complete"].as_array().unwrap().len(), 3, "two of three owners: {unsigned}");
    assert!(unsigned["must-sign"].as_str().unwrap().contains(active.mapping().namespace().as_str()));
    assert_eq!(unsigned["rejection"], "NoDelegationFoundForKeys");
    assert_eq!(
        (&unsigned["error-code"], &unsigned["node-hides-it"]),
        (&"TOPOLOGY_UNAUTHORIZED_TRANSACTION".into(), &true.into())
    );
    let skipping = authorization(next.next().unwrap());
    assert_eq!(
        (&skipping["rejection"], &skipping["error-code"]),
        (&"SerialMismatch".into(), &"TOPOLOGY_SERIAL_MISMATCH".into())
    );
}

#[test]
fn inspect_takes_lists_and_shows_what_is_good_beside_what_is_bad() {
    use base64::Engine as _;
    let Some(snapshot) = recorded("recordings/pv34/genesis.v2") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_, items) = canton_topology::snapshot::read(&std::fs::read(&snapshot).unwrap()).unwrap();
    let signed = items.iter().map(|item| item.transaction.encode_wrapped());
    let texts: Vec<String> = signed.map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes)).collect();
    let (lines, json, bad) = (folder.path().join("lines"), folder.path().join("json"), folder.path().join("bad"));
    std::fs::write(&lines, texts.join("\n")).unwrap();
    std::fs::write(&json, serde_json::to_string(&texts).unwrap()).unwrap();
    std::fs::write(&bad, [0x0a, 0x7f, 1, 2, 3]).unwrap();
    let words = [lines.to_str().unwrap(), bad.to_str().unwrap(), json.to_str().unwrap()];
    assert_eq!(inspected(folder.path(), &words).len(), 2 * items.len());
    let told = refused(folder.path(), &[&["inspect"], words.as_slice()].concat());
    assert!(told.contains("bad: no topology data") && told.contains("byte"), "{told}");
}

#[test]
fn what_is_wrong_in_a_long_file_is_named_by_row_field_and_byte() {
    let Some(genesis) = recorded("fixtures/CN-genesis-state-20250410.gz") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken");
    let tell = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        refused(folder.path(), &["inspect", path.to_str().unwrap()])
    };
    let packed = std::fs::read(&genesis).unwrap();
    assert!(tell(&packed[..packed.len() / 2]).contains("gzip is broken or cut short"));
    let mut plain = unpacked(&genesis);
    let told = tell(&plain[..plain.len() / 2]);
    assert!(told.contains("snapshot.items[") && told.contains("cut short: the file ends within"), "{told}");
    // A length in the middle of the file.
    let (_, items) = canton_topology::snapshot::read(&plain).unwrap();
    let transaction = items[2000].transaction.transaction.bytes();
    let at = plain.windows(transaction.len()).position(|window| window == transaction).unwrap();
    plain[at + 1] = 0xff;
    let told = tell(&plain);
    assert!(told.contains("snapshot.items[2000].transaction") && told.contains("byte "), "{told}");
    assert!(tell(b"").contains("is empty"));
}

#[test]
fn the_audit_of_every_recorded_snapshot_finds_its_rows_rightly_there() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["recordings/pv34/snapshot.v1", "recordings/pv34/snapshot.v2", "recordings/pv34/genesis.v2"];
    for name in
        names.into_iter().chain(["recordings/pv35/genesis.v2", "fixtures/topology-snapshot-duplicate-signatures"])
    {
        let Some(path) = recorded(name) else { return };
        let output = agent(folder.path(), &["audit", path.to_str().unwrap()], "");
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && shown.contains("all rightly there"), "{name}: {shown}");
    }
    // An export of what stands today lacks what its rows build on, and the audit says so.
    let Some(path) = recorded("fixtures/topology-snapshot-duplicate-signatures-3.4") else { return };
    let output = agent(folder.path(), &["audit", path.to_str().unwrap()], "");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        shown.contains("MissingSynchronizerParameters") && shown.contains("this is not the whole history"),
        "{shown}"
    );
}

#[test]
fn the_audit_notices_a_row_that_ends_too_early_or_never() {
    use canton_topology::{Timestamp, snapshot};
    let Some(path) = recorded("recordings/pv34/snapshot.v2") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (format, items) = snapshot::read(&std::fs::read(&path).unwrap()).unwrap();
    let ended = items.iter().position(|item| item.valid_until.is_some()).unwrap();
    let open = items.iter().position(|item| item.valid_until.is_none()).unwrap();
    for (row, until) in [(ended, None), (open, Some(Timestamp(1)))] {
        let mut changed = items.clone();
        changed[row].valid_until = until;
        let path = folder.path().join("changed");
        std::fs::write(&path, snapshot::write(format, &changed)).unwrap();
        let output = agent(folder.path(), &["audit", path.to_str().unwrap(), "--json"], "");
        let text = String::from_utf8(output.stdout).unwrap();
        let audit: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(audit["wrong"][0]["row"].as_u64(), Some(row as u64), "{text}");
    }
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
