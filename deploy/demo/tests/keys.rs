//! An owner's keys from the command line, with real processes: made, taken, written out, retired.
#![allow(clippy::unwrap_used)]

mod stage;

use std::{path::Path, process::Command};

use canton_sandbox::network::Options;
use serde_json::Value;
use stage::{PASSPHRASE, Stage, text};

const ASKED: [&str; 2] = ["--passphrase-fd", "0"];

fn keys(words: &[&'static str]) -> Vec<&'static str> {
    [&["keys"], words, &ASKED].concat()
}

fn openssl(words: &[&str]) {
    let output = Command::new("openssl").args(words).output().expect("openssl runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn names(list: &Value) -> Vec<String> {
    list["keys"].as_array().unwrap().iter().map(|key| text(key, "name")).collect()
}

#[test]
fn an_owner_makes_takes_and_retires_keys() {
    let stage = Stage::new(&["alice", "bob"], Options::default());
    assert_eq!(names(&stage.must("alice", &["keys", "list"])), ["namespace", "party"]);

    let made = stage.must("alice", &keys(&["generate", "--purpose", "party", "--name", "second", "--spec", "p256"]));
    assert_eq!(text(&made, "curve"), "EC_P256");
    let twice = stage.must_fail("alice", &keys(&["generate", "--purpose", "party", "--name", "second"]));
    assert!(text(&twice, "error").contains("choose another --name"), "{twice}");

    // One of openssl's own.
    let file = stage.path("treasury.pem");
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", file.to_str().unwrap()]);
    let import = |more: &[&str]| {
        let file = file.to_str().unwrap();
        let words = ["keys", "import", "--pkcs8", file, "--purpose", "party", "--name", "treasury"];
        stage.ask("alice", &[&words, &ASKED[..], more].concat())
    };
    assert!(text(&import(&[]).value, "error").contains("is not encrypted"));
    set_private(&file);
    let taken = import(&["--accept-plaintext"]);
    assert_eq!((taken.code, text(&taken.value, "backend")), (0, "file".to_owned()), "{}", taken.value);
    let shown = stage.must("alice", &["keys", "show", "treasury"]);
    assert_eq!(shown["usage"], serde_json::json!(["PROTOCOL", "PROOF_OF_OWNERSHIP"]));

    let backends = stage.must("alice", &keys(&["backends"]));
    assert_eq!(backends["backends"][0]["answers"], true);

    // The running agent signs no more with what is retired, without a restart.
    stage.must("alice", &["keys", "retire", "party"]);
    assert!(text(&stage.must("alice", &["keys", "show", "party"]), "state").starts_with("retired"));
    let words = ["create-party", "treasury", "--owner", "me", "--owner", "bob", "--threshold", "2", "--host", "me"];
    let case = text(
        &stage.propose(
            "alice",
            &[
                &words[..],
                &["--confirmations", "1", "--key", "me", "--key-threshold", "1", "--accept", "every-owner-needed"],
            ]
            .concat(),
        ),
        "case",
    );
    let shown = stage.until("alice", &["show", &case], |value| value["offer"].is_string());
    let refused = stage.must_fail("alice", &["approve", &case, "--offer", &text(&shown, "offer")]);
    assert!(text(&refused, "error").contains("retired"), "{refused}");
}

/// One command that reads this from descriptor 0, and this from descriptor 9.
fn with_two_secrets(stage: &Stage, words: &[&str], first: &str, second: &str) -> (i32, Value) {
    let line = "exec \"$0\" signer-agent --json --data \"$1\" \"${@:4}\" 0<<<\"$2\" 9<<<\"$3\"";
    let output = Command::new("bash")
        .args(["-c", line, env!("CARGO_BIN_EXE_demo")])
        .arg(stage.path("alice"))
        .args([first, second])
        .args(words)
        .output()
        .unwrap();
    let told = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().unwrap(), told)
}

#[test]
fn an_owner_takes_a_key_elsewhere_and_changes_the_passphrase() {
    let stage = Stage::new(&["alice", "bob"], Options::default());
    let print = text(&stage.must("alice", &["keys", "show", "party"]), "fingerprint");
    let (elsewhere, changed) = ("a passphrase of the file's own", "another horse battery staple");
    for form in ["pem", "der"] {
        let out = stage.path(&format!("party.{form}"));
        let words = ["keys", "export", "party", "--out", out.to_str().unwrap(), "--form", form];
        let words = [&words[..], &["--passphrase-fd", "0", "--key-passphrase-fd", "9"]].concat();
        let (code, short) = with_two_secrets(&stage, &words, PASSPHRASE, "short");
        assert!(code == 1 && text(&short, "error").contains("characters are needed"), "{short}");
        let (code, wrong) = with_two_secrets(&stage, &words, "not the passphrase", elsewhere);
        assert!(code == 1 && !out.exists(), "{wrong}");
        let (code, written) = with_two_secrets(&stage, &words, PASSPHRASE, elsewhere);
        assert_eq!((code, text(&written, "fingerprint")), (0, print.clone()), "{written}");
        // openssl opens it, and the agent takes it back as the key that it was.
        let pass = format!("pass:{elsewhere}");
        openssl(&["pkey", "-inform", form, "-in", out.to_str().unwrap(), "-passin", &pass, "-noout"]);
        let taken = ["keys", "import", "--pkcs8", out.to_str().unwrap(), "--purpose", "party", "--name", form];
        let taken = [&taken[..], &["--passphrase-fd", "0", "--key-passphrase-fd", "9"]].concat();
        let (_, twice) = with_two_secrets(&stage, &taken, PASSPHRASE, elsewhere);
        assert!(twice.to_string().contains(&print), "{twice}");
    }

    let words = ["keys", "passphrase", "--passphrase-fd", "0", "--new-passphrase-fd", "9"];
    assert_eq!(with_two_secrets(&stage, &words, "not the passphrase", changed).0, 1);
    assert_eq!(with_two_secrets(&stage, &words, PASSPHRASE, changed).0, 0);
    let make = ["keys", "generate", "--purpose", "party", "--name", "new", "--passphrase-fd", "0"];
    assert_eq!(with_two_secrets(&stage, &make, PASSPHRASE, "").0, 1, "the old one opens nothing");
    assert_eq!(with_two_secrets(&stage, &make, changed, "").0, 0);
}

#[test]
fn drills_say_whether_keys_work_and_a_missed_one_is_an_alarm() {
    let mut stage = Stage::new(&["alice", "bob"], Options::default());
    let drilled = stage.must("alice", &["keys", "drill", "--all"]);
    assert_eq!(
        (drilled["all-well"].clone(), drilled["drills"].as_array().unwrap().len()),
        (true.into(), 2),
        "{drilled}"
    );
    assert!(!stage.must("alice", &["keys", "show", "namespace"])["drilled-at"].is_null());
    let unknown = stage.must_fail("alice", &["keys", "drill", "nobody"]);
    assert_eq!(text(&unknown, "name"), "UnknownKey");

    // Whoever must try a key every day and has not for longer is told.
    stage.kill_agent("bob");
    let (config, pinned) = (stage.path("bob").join("agent.toml"), stage.path("bob").join("keyring.json"));
    let every_day = std::fs::read_to_string(&config).unwrap().replacen('\n', "\ndrill_every_days = 1\n", 1);
    std::fs::write(&config, every_day).unwrap();
    let mut keys: Value = serde_json::from_str(&std::fs::read_to_string(&pinned).unwrap()).unwrap();
    keys[0]["pinned_at"] = 1_700_000_000_000_000_i64.into();
    std::fs::write(&pinned, keys.to_string()).unwrap();
    stage.start_agent("bob");
    let missed = |value: &Value| value["drills"][0]["missed"] == true && value["drills"][1]["missed"] == false;
    let alarm = "ALARM: the drill of this key was missed";
    stage.until("bob", &["status"], |value| missed(value) && stage.log_of("bob").contains(alarm));
    stage.until("bob", &["status"], |value| !value["participant"].is_null());
    stage.must("bob", &["keys", "drill", "namespace"]);
    assert_eq!(stage.must("bob", &["status"])["drills"][0]["missed"], false);
}

#[test]
fn a_section_that_does_not_open_takes_no_other_one_down() {
    let mut stage = Stage::new(&["alice"], Options::default());
    stage.kill_agent("alice");
    let config = stage.path("alice").join("agent.toml");
    let sections = "\n[backends.broken]\nkind = \"pkcs11\"\nmodule = \"libhsm.so\"\nserial = \"1\"\n";
    let text_before = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text_before}{sections}")).unwrap();
    let why = "[backends.broken]: module: give the whole path";

    stage.start_agent("alice");
    stage.until("alice", &["status"], |value| !value["participant"].is_null());
    assert!(stage.log_of("alice").contains(why), "{}", stage.log_of("alice"));
    assert_eq!(stage.must("alice", &["keys", "drill", "--all"])["all-well"], true);

    let shown = stage.must_fail("alice", &["keys", "backends", "--passphrase-fd", "0"]);
    let section = |name: &str| shown["backends"].as_array().unwrap().iter().find(|one| one["section"] == name).unwrap();
    assert_eq!(section("file")["answers"], true, "{shown}");
    assert!(text(section("broken"), "wrong").contains(why), "{shown}");

    let generate = |section: &'static str| {
        ["keys", "generate", "--in", section, "--purpose", "party", "--name", "new", "--passphrase-fd", "0"]
    };
    let refused = stage.must_fail("alice", &generate("broken"));
    assert!(text(&refused, "error").contains(why), "{refused}");
    stage.must("alice", &generate("file"));

    // The running agent has the file as it was.
    let drilled = stage.ask("alice", &["keys", "drill", "new"]);
    assert!(drilled.value.to_string().contains("start the agent again"), "{}", drilled.value);
}

fn set_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
