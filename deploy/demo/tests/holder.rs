//! A party of somebody whose only key lies on a machine of its own gets a second host, with its contracts: the holder signs
//! with `openssl`, and never meets the agent.
#![allow(clippy::unwrap_used)]

mod stage;

use std::{path::Path, process::Command, time::Duration};

use canton_client::{
    access::Access,
    participant::{Options as ConsoleOptions, Participant},
};
use canton_sandbox::network::Options;
use canton_topology::{
    id::{Namespace, PartyId},
    key::{KeyUsage, SigningPublicKey},
    mapping::{
        HostingParticipant, Mapping, NamespaceDelegation, PartyToParticipant, Permission, SigningKeysWithThreshold,
        party_key,
    },
    signature::Signature,
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};

use self::stage::{Stage, text};

fn openssl(words: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(words).output().unwrap();
    assert!(output.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A key that only `openssl` holds, and its public half.
fn holder(at: &Path) -> SigningPublicKey {
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", at.to_str().unwrap()]);
    let spki = openssl(&["pkey", "-in", at.to_str().unwrap(), "-pubout", "-outform", "DER"]);
    let usages = [KeyUsage::Namespace, KeyUsage::Protocol, KeyUsage::ProofOfOwnership];
    SigningPublicKey::ed25519(spki.last_chunk().unwrap(), &usages).unwrap()
}

fn sign_with_openssl(key: &Path, message: &Path, into: &Path) {
    let [key, message, into] = [key, message, into].map(|path| path.to_str().unwrap());
    openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", message, "-out", into]);
}

/// The holder's party with one host, as a console makes it: the holder signs, the host signs, and the node takes both.
fn found(stage: &Stage, key: &SigningPublicKey, pem: &Path) -> PartyId {
    let node = stage.node("alice");
    let party: PartyId = format!("savings::{}", Namespace::from(key.fingerprint())).parse().unwrap();
    let hosted = PartyToParticipant {
        party: party.clone(),
        threshold: 1,
        participants: vec![HostingParticipant {
            participant: node.id.clone(),
            permission: Permission::Confirmation,
            onboarding: false,
        }],
        signing_keys: Some(SigningKeysWithThreshold { keys: vec![key.clone()], threshold: 1 }),
    };
    let root = Mapping::NamespaceDelegation(NamespaceDelegation::root(key.clone()));
    let by_holder = [root, Mapping::PartyToParticipant(hosted)].map(|mapping| {
        let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
        let (message, written) = (stage.path("founding.hash"), stage.path("founding.sig"));
        std::fs::write(&message, transaction.hash().as_bytes()).unwrap();
        sign_with_openssl(pem, &message, &written);
        let bytes = std::fs::read(&written).unwrap().try_into().unwrap();
        SignedTransaction::new(transaction, vec![Signature::new_ed25519(bytes, key.fingerprint())], false)
    });
    let options = ConsoleOptions {
        address: format!("http://{}", node.address),
        timeout: Duration::from_secs(10),
        access: Access::default(),
    };
    let synchronizer = &stage.network.synchronizer().logical;
    stage.runtime.block_on(async {
        let console = Participant::new(&options).unwrap();
        let [root, hosted] = by_holder;
        let by_host = console.sign(synchronizer, &hosted, &node.namespace_key).await.unwrap();
        let both = hosted.signatures.iter().cloned().chain([by_host]).collect();
        let hosted = SignedTransaction::new(hosted.transaction.clone(), both, false);
        console.add(synchronizer, &[root, hosted]).await.unwrap();
        for _ in 0..100 {
            if stage.network.head().active(&party_key(&party)).is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the synchronizer did not take the party");
    });
    party
}

#[test]
fn the_party_of_an_offline_key_is_carried_over_with_a_signature_of_openssl() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: openssl is not installed, so that no key of its own can be made");
        return;
    }
    let options = Options { protocol_version: 35, decision_timeout: Duration::from_secs(1), ..Options::default() };
    let stage = Stage::new(&["alice", "bob"], options);
    let pem = stage.path("holder.pem");
    let key = holder(&pem);
    let party = found(&stage, &key, &pem);
    let before = stage.create(&party, 5);

    let made = stage.propose("alice", &["host", &party.to_string(), "--on", "bob"]);
    let case = text(&made, "case");
    stage.step("bob", &case, "vet", "due");
    stage.ask("bob", &["workflow", "run", &case, "--archive", &stage.archive()]);
    stage.confirm("alice", &case, "prepare");
    stage.approve("bob", &case);
    let fingerprint = key.fingerprint().to_string();
    let (message, signature) = (stage.path("party.hash"), stage.path("party.sig"));
    let words = ["hash", &case, "--key", &fingerprint, "--out", message.to_str().unwrap()];
    let early = stage.ask("alice", &words);
    assert_eq!(early.code, 2, "the new host still listens: {}", early.value);
    stage.confirm("bob", &case, "disconnect");

    stage.until("alice", &words, |written| written["written"].is_string());
    let carry = ["contribute", &case, "--key", &fingerprint, "--signature", signature.to_str().unwrap()];
    let stranger = stage.path("stranger.pem");
    holder(&stranger);
    sign_with_openssl(&stranger, &message, &signature);
    let refused = stage.must_fail("alice", &carry);
    assert!(text(&refused, "name") == "NotItsSignature", "{refused}");
    sign_with_openssl(&pem, &message, &signature);
    stage.must("alice", &carry);

    stage.step("alice", &case, "export", "done");
    stage.back_up("bob", &case);
    stage.confirm("bob", &case, "import");
    for owner in ["alice", "bob"] {
        stage.step(owner, &case, "clear", "done");
        stage.step(owner, &case, "verify-target", "done");
    }
    let held = stage.network.contracts(&stage.node("bob").id);
    assert!(before.iter().all(|contract| held.contains(contract)), "{held:?}");
}
