//! `check` of both programs, as their users meet it: words, JSON, exit codes.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use canton_client::{access::Access, participant::Options as ClientOptions, participant::Participant};
use canton_sandbox::{
    genesis::NodeKey,
    network::{Network, Options},
};
use canton_topology::{
    id::{Namespace, PartyId, UniqueIdentifier, decentralized_namespace},
    key::{KeySpec, KeyUsage},
    mapping::{
        DecentralizedNamespaceDefinition, HostingParticipant, Mapping, NamespaceDelegation, PartyToParticipant,
        Permission,
    },
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use serde_json::Value;

fn play(role: &str, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg(role)
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

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8(output.stderr.clone()).unwrap()
}

async fn network() -> Network {
    let participants = vec!["p1".to_owned(), "p2".to_owned()];
    let topology_change_delay = Duration::from_millis(5);
    Network::start(&Options { participants, topology_change_delay, ..Options::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_says_that_all_is_right_and_which_rights_it_needs() {
    let network = network().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("alice");
    let (data, node) = (data.to_str().unwrap(), &network.participants()[0]);
    let (admin, ledger) = (format!("http://{}", node.address), format!("http://{}", node.ledger_address));
    let synchronizer = network.synchronizer().logical.to_string();
    let init = [
        "--data",
        data,
        "init",
        "--name",
        "alice",
        "--synchronizer",
        &synchronizer,
        "--participant",
        &admin,
        "--ledger",
        &ledger,
        "--passphrase-fd",
        "0",
    ];
    let made = play("signer-agent", &init, "a passphrase\n");
    assert!(made.status.success(), "{}", said(&made));

    let words = play("signer-agent", &["--data", data, "check"], "");
    let json = play("signer-agent", &["--data", data, "--json", "check"], "");

    let text = said(&words);
    assert_eq!(words.status.code(), Some(0), "{text}");
    assert!(text.contains("right   service com.daml.ledger.api.v2.StateService: answers"), "{text}");
    assert!(text.contains("allowed-services"), "{text}");
    let value: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["verdict"], "right");
    assert!(value["lines"].as_array().unwrap().len() > 10, "{value}");

    let config = Path::new(data).join("agent.toml");
    let swapped = fs::read_to_string(&config).unwrap().replace(&ledger, &admin);
    fs::write(&config, swapped).unwrap();
    let wrong = play("signer-agent", &["--data", data, "check"], "");
    assert_eq!(wrong.status.code(), Some(1), "{}", said(&wrong));
    assert!(said(&wrong).contains("the ports are swapped"), "{}", said(&wrong));
}

fn coordinator(folder: &Path, participant: &str) -> Output {
    let config = folder.join("coordinator.toml");
    fs::write(&config, format!("data = \"data\"\nlisten = \"127.0.0.1:0\"\n{participant}")).unwrap();
    play("coordinator", &["check", "--config", config.to_str().unwrap()], "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_says_when_its_participant_hosts_a_party() {
    let network = network().await;
    let folder = tempfile::tempdir().unwrap();
    let node = &network.participants()[0];
    let synchronizer = &network.synchronizer().logical;
    let section = format!("[participant]\naddress = \"http://{}\"\nsynchronizer = \"{synchronizer}\"\n", node.address);

    let innocent = coordinator(folder.path(), &section);
    assert_eq!(innocent.status.code(), Some(0), "{}", said(&innocent));
    assert!(said(&innocent).contains("hosts no party"), "{}", said(&innocent));

    assert!(said(&innocent).contains("holds no key of an owner"), "{}", said(&innocent));

    host_a_party(&network).await;
    let key = own_a_namespace(&network).await;
    let powerful = coordinator(folder.path(), &section);
    assert_eq!(powerful.status.code(), Some(1), "{}", said(&powerful));
    for power in ["hosts the party treasury::", "is an owner of the decentralized namespace", &key] {
        assert!(said(&powerful).contains(power), "{power}: {}", said(&powerful));
    }
    assert!(logged_by_serve(folder.path(), 3).contains(&key), "whoever serves with it is told too");

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = coordinator(folder.path(), &section.replace(&node.address.to_string(), &nobody.to_string()));
    assert_eq!(away.status.code(), Some(2), "{}", said(&away));
}

#[test]
fn a_coordinator_without_a_participant_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let alone = coordinator(folder.path(), "");
    assert_eq!(alone.status.code(), Some(0), "{}", said(&alone));
    assert!(said(&alone).contains("the owners' agents offer and submit"), "{}", said(&alone));
    assert!(!folder.path().join("data").exists(), "a check makes nothing");
}

/// What a coordinator logs until it has said so many alarms.
fn logged_by_serve(folder: &Path, alarms: usize) -> String {
    let mut serves = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["coordinator", "serve", "--config"])
        .arg(folder.join("coordinator.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(serves.stderr.take().unwrap()).lines().map(Result::unwrap);
    let logged: Vec<String> = lines.filter(|line| line.contains("ALARM")).take(alarms).collect();
    serves.kill().unwrap();
    serves.wait().unwrap();
    logged.join("\n")
}

/// A namespace whose key is in the first participant's vault, and another one that the participant itself is an owner of.
/// What is said of the key.
async fn own_a_namespace(network: &Network) -> String {
    let node = &network.participants()[0];
    let address = format!("http://{}", node.address);
    let options = ClientOptions { address, timeout: Duration::from_secs(10), access: Access::default() };
    let participant = Participant::new(&options).unwrap();
    let synchronizer = &network.synchronizer().logical;
    let key = participant.generate_signing_key("treasury", KeySpec::Ed25519, &[KeyUsage::Namespace]).await.unwrap();
    let owners = vec![node.id.namespace().clone()];
    let definition =
        DecentralizedNamespaceDefinition { namespace: decentralized_namespace(&owners), threshold: 1, owners };
    let root = Mapping::NamespaceDelegation(NamespaceDelegation::root(key.clone()));
    let definition = Mapping::DecentralizedNamespaceDefinition(definition);
    for (mapping, signer) in [(root, &key), (definition, &node.namespace_key)] {
        let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
        // A node signs only what carries a signature already; a stranger's will do, and goes no further.
        let begun = vec![NodeKey::generate(&[KeyUsage::Namespace]).sign(&transaction)];
        let begun = SignedTransaction::new(transaction.clone(), begun, true);
        let signature = participant.sign(synchronizer, &begun, signer).await.unwrap();
        let signed = SignedTransaction::new(transaction.clone(), vec![signature], false);
        participant.add(synchronizer, &[signed]).await.unwrap();
        until_active(network, &transaction).await;
    }
    format!("holds the key {} of the namespace", key.fingerprint_ref())
}

/// A party of a fresh owner on the first participant.
async fn host_a_party(network: &Network) {
    let (owner, node) = (NodeKey::generate(&[KeyUsage::Namespace]), &network.participants()[0]);
    let address = format!("http://{}", node.address);
    let options = ClientOptions { address, timeout: Duration::from_secs(10), access: Access::default() };
    let participant = Participant::new(&options).unwrap();
    let synchronizer = &network.synchronizer().logical;
    let signed = |mapping: &Mapping| {
        let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, mapping);
        let signature = owner.sign(&transaction);
        SignedTransaction::new(transaction, vec![signature], false)
    };
    let root = signed(&Mapping::NamespaceDelegation(NamespaceDelegation::root(owner.public().clone())));
    let namespace = Namespace::from(owner.fingerprint());
    let party = PartyId::from(UniqueIdentifier::new("treasury", namespace).unwrap());
    let host =
        HostingParticipant { participant: node.id.clone(), permission: Permission::Confirmation, onboarding: false };
    let hosting = PartyToParticipant { party, threshold: 1, participants: vec![host], signing_keys: None };
    let mut hosting = signed(&Mapping::PartyToParticipant(hosting));
    let by_host = participant.sign(synchronizer, &hosting, &node.namespace_key).await.unwrap();
    hosting.signatures.push(by_host);
    participant.add(synchronizer, &[root, hosting.clone()]).await.unwrap();
    until_active(network, &hosting.transaction).await;
}

async fn until_active(network: &Network, transaction: &Transaction) {
    for _ in 0..1000 {
        if network.head().active(&transaction.unique_key()).is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{transaction:?} was never effective");
}
