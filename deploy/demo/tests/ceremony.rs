//! Owners introduce their keys to each other through the coordinator's mailbox, with the real programs.
#![allow(clippy::unwrap_used)]

mod stage;

use canton_sandbox::network::Options;
use serde_json::Value;
use stage::{Stage, text};

const PROVE: [&str; 4] = ["keys", "prove", "--passphrase-fd", "0"];

fn of<'a>(mail: &'a Value, owner: &str) -> &'a Value {
    let all = mail["introductions"].as_array().unwrap();
    all.iter().find(|one| one["owner"] == owner).unwrap_or_else(|| panic!("{owner}: {mail}"))
}

#[test]
fn t40_owners_introduce_themselves_and_a_poser_is_told_from_the_owner() {
    let mut stage = Stage::new(&["alice", "bob", "mallory"], Options::default());
    let bob = stage.must("bob", &["card"]);
    let mallory = stage.must("mallory", &["card"]);
    for other in ["bob", "mallory"] {
        stage.must("alice", &["book", "remove", other]);
    }

    // Everybody proves; nothing of the mailbox enters a book by itself.
    let proved = stage.must("bob", &PROVE);
    assert_eq!(proved["code"], bob["code"], "without further keys the code is the card's");
    assert_eq!(proved["keys"].as_array().unwrap().len(), 2, "{proved}");
    let mail = stage.must("alice", &["book", "mail"]);
    let seen = of(&mail, &text(&bob, "owner"));
    assert_eq!((&seen["verified"], &seen["book"]), (&Value::from(true), &Value::from("not in the book")), "{seen}");
    assert_eq!(stage.must("alice", &["book", "list"])["entries"], Value::from(Vec::<Value>::new()));

    // The code over another path is what enters it.
    let wrong = stage.must_fail("alice", &["book", "confirm", "bob", "--code", &text(&mallory, "code")]);
    assert!(text(&wrong, "error").contains("is not that of bob"), "{wrong}");
    stage.must_fail("alice", &["book", "confirm", "nobody", "--code", &text(&bob, "code")]);
    stage.must("alice", &["book", "confirm", "bob", "--code", &text(&bob, "code")]);
    let again = stage.must("alice", &["book", "mail"]);
    assert_eq!(of(&again, &text(&bob, "owner"))["book"], "the same stands in the book, as bob");

    a_poser(&stage, &bob, &mallory);
    a_second_key(&mut stage, &bob);
    transcripts(&stage);
    a_nonce_that_is_lost(&mut stage, &bob);
}

/// A nonce is kept while keys answer it, and given up where the coordinator knows it no more.
fn a_nonce_that_is_lost(stage: &mut Stage, bob: &Value) {
    stage.must_fail("bob", &["keys", "prove", "--passphrase-fd", "9"]);
    let waits = stage.path("bob").join("proving.json");
    assert!(waits.exists());
    stage.kill_coordinator();
    stage.start_coordinator();

    let kept = stage.must("alice", &["book", "mail"]);
    assert_eq!(of(&kept, &text(bob, "owner"))["verified"], true, "the mailbox is there again");
    let refused = stage.must_fail("bob", &PROVE);
    assert!(text(&refused, "error").contains("nonce-refused"), "{refused}");
    assert!(!waits.exists());
    stage.must("bob", &PROVE);
    assert!(!waits.exists());
}

/// Mallory calls itself bob on its card, and is enrolled.
fn a_poser(stage: &Stage, bob: &Value, mallory: &Value) {
    let posing = {
        use protocol::book::Card;
        let mut card = Card::parse(&text(mallory, "card")).unwrap();
        card.name = "bob".to_owned();
        card
    };
    std::fs::write(stage.path("mallory").join("card"), posing.text()).unwrap();
    stage.must("mallory", &PROVE);

    let mail = stage.must_fail("alice", &["book", "mail"]);
    let alarm = mail["alarms"][0].as_str().unwrap();
    assert!(alarm.starts_with("CHANGED: bob stands in the book as owner") && alarm.contains("poses as bob"), "{mail}");
    let refused = stage.must_fail("alice", &["book", "confirm", "bob", "--code", &posing.code()]);
    assert!(text(&refused, "error").contains("poses as bob"), "{refused}");
    let listed = stage.must("alice", &["book", "list"]);
    assert_eq!(listed["entries"][0]["owner"], bob["owner"]);
    // Whoever is told apart by name and code may stand there too, under another name.
    stage.must("alice", &["book", "confirm", "bob", "--code", &posing.code(), "--name", "mallory"]);
    stage.must("alice", &["book", "mail"]);
}

/// Bob makes another party key: the code covers it, and the book takes it only when that was read aloud.
fn a_second_key(stage: &mut Stage, bob: &Value) {
    let words =
        ["keys", "generate", "--purpose", "party", "--name", "second", "--spec", "p384", "--passphrase-fd", "0"];
    let made = stage.must("bob", &words);
    let proved = stage.must("bob", &PROVE);
    assert_ne!(proved["code"], bob["code"]);
    let code = text(&proved, "code");

    let mail = stage.must_fail("alice", &["book", "mail"]);
    let alarm = mail["alarms"][0].as_str().unwrap();
    assert!(alarm.starts_with("CHANGED: bob") && alarm.contains(&text(&made, "fingerprint")), "{mail}");
    let refused = stage.must_fail("alice", &["book", "confirm", "bob", "--code", &code]);
    assert!(text(&refused, "error").contains("--replace"), "{refused}");
    stage.must_fail("alice", &["book", "confirm", "bob", "--code", &text(bob, "code"), "--replace"]);
    stage.must("alice", &["book", "confirm", "bob", "--code", &code, "--replace"]);
    stage.must("alice", &["book", "mail"]);
    let listed = stage.must("alice", &["book", "list"]);
    let entry = listed["entries"].as_array().unwrap().iter().find(|entry| entry["name"] == "bob").unwrap();
    assert_eq!(entry["more-keys"][0], made["fingerprint"]);

    // It alone with what its maker says of it: the namespace key answers too, and the code is the same.
    let attestation = stage.path("attestation.pem");
    std::fs::write(&attestation, "a maker's words").unwrap();
    let attested = format!("second={}", attestation.display());
    let partly = stage.must("bob", &[&PROVE[..], &["second", "--attestation", &attested]].concat());
    assert_eq!((&partly["code"], &partly["not-proved"][0]), (&proved["code"], &bob["party-key"]), "{partly}");
    let mail = stage.must("alice", &["book", "mail"]);
    let keys = of(&mail, &text(bob, "owner"))["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "{mail}");
    assert_eq!((&keys[1]["fingerprint"], &keys[1]["attestation-bytes"]), (&made["fingerprint"], &Value::from(15)));
    stage.must_fail("bob", &[&PROVE[..], &["nobody"]].concat());

    // It can be named from then on; the agent knows it without being started again.
    let key = text(&made, "fingerprint");
    let words = ["create-party", "treasury", "--owner", "me", "--owner", "bob", "--threshold", "2", "--host", "me"];
    let words = [&words[..], &["--confirmations", "1", "--key", &key, "--key-threshold", "1"]].concat();
    let words = [&words[..], &["--accept", "every-owner-needed"]].concat();
    let case = text(&stage.propose("alice", &words), "case");
    stage.approve("alice", &case);
    let strange = "1220".to_owned() + &"ab".repeat(32);
    let words = ["propose", "create-party", "other", "--owner", "me", "--threshold", "1", "--host", "me"];
    let words = [&words[..], &["--confirmations", "1", "--key", &strange, "--key-threshold", "1"]].concat();
    let refused = stage.must_fail("alice", &words);
    assert!(text(&refused, "error").contains("nobody in the book has that key"), "{refused}");
}

fn transcripts(stage: &Stage) {
    let shown = stage.must("bob", &["keys", "transcript"]);
    let path = stage.path("bob.json");
    std::fs::write(&path, shown.to_string()).unwrap();
    let path = path.display().to_string();
    let verified = stage.must("alice", &["keys", "transcript", "--verify", &path]);
    assert_eq!(verified["code"], shown["code"]);
    std::fs::write(&path, shown.to_string().replace("encrypted-file", "pkcs11")).unwrap();
    let refused = stage.must_fail("alice", &["keys", "transcript", "--verify", &path]);
    assert!(text(&refused, "error").contains("field keys"), "{refused}");

    // On paper, by the program that knows no folder.
    let demo = env!("CARGO_BIN_EXE_demo");
    let printed = std::process::Command::new(demo)
        .args(["signer-agent", "--data"])
        .arg(stage.path("bob"))
        .args(["keys", "transcript"])
        .output()
        .unwrap();
    let paper = stage.path("bob.txt");
    std::fs::write(&paper, &printed.stdout).unwrap();
    let verify = |path: &std::path::Path| {
        let verified = std::process::Command::new(demo)
            .args(["signer-agent", "--data", "nowhere", "keys", "transcript", "--verify"])
            .arg(path)
            .output()
            .unwrap();
        verified.status.code()
    };
    assert_eq!(verify(&paper), Some(0));
    let text = String::from_utf8(printed.stdout).unwrap();
    std::fs::write(&paper, text.replace("party", "parti")).unwrap();
    assert_eq!(verify(&paper), Some(1));
}
