//! A namespace key whose holder takes time: the owner approves once, the agent asks until it is signed, and stops when it is
//! not wanted any more.
#![allow(clippy::unwrap_used)]

mod stage;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use canton_sandbox::network::Options;
use serde_json::Value;

use self::stage::{Stage, for_owner, text};

const OWNERS: [&str; 4] = ["alice", "bob", "carol", "dora"];

/// An office that holds a key: it signs with openssl, and topology only while it is open; proofs too where it is told so.
struct Office(tempfile::TempDir);

impl Office {
    /// `None`, and one line that says so, where openssl is missing.
    fn new(retry_after_s: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("treasury.pem");
        let Ok(made) = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&key).output()
        else {
            println!("skipped: openssl is not installed, and no office can hold a key");
            return None;
        };
        assert!(made.status.success());
        let office = Self(folder);
        fs::write(
            office.path("office.sh"),
            r#"folder=$1; request=$(cat); id=${request#*\"id\":\"}; id=${id%%\"*}
takes=
case "$request" in
    *'"kind":"topology-transaction"'*) takes=yes ;;
    *'"kind":"possession"'*) [ ! -e "$folder/proofs" ] || takes=yes ;;
    *'"kind":"drill"'*) [ ! -e "$folder/drills" ] || takes=yes ;;
esac
if [ "$takes" ]; then
    echo "$id" >> "$folder/asked"
    if [ ! -e "$folder/open" ]; then
        echo "{\"id\":\"$id\",\"status\":\"pending\",\"note\":\"the office is closed\",\"retry_after_s\":$3}"
        exit
    fi
fi
printf '%s\n' "$request" | /bin/sh "$2" "$folder""#,
        )
        .unwrap();
        let signer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../custody/openssl-signer.sh");
        let signer = fs::canonicalize(signer).unwrap();
        let text = format!(
            "[backends.office]\nkind = \"command\"\nprogram = \"/bin/sh\"\narguments = [{:?}, {:?}, {signer:?}, \"{retry_after_s}\"]\n",
            office.path("office.sh"),
            office.0.path(),
        );
        fs::write(office.path("backends.toml"), text).unwrap();
        Some(office)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn stage(&self, owners: &[&'static str]) -> Stage {
        let backends = self.path("backends.toml");
        let words = ["--backends", backends.to_str().unwrap(), "--namespace-key", "office:treasury"];
        Stage::with(owners, Options::default(), &for_owner("alice", &words))
    }

    fn open(&self) {
        fs::write(self.path("open"), "").unwrap();
    }

    fn close(&self) {
        fs::remove_file(self.path("open")).unwrap();
    }

    /// What it was asked, in order.
    fn asked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// A party of these, which alice has approved and her office has not signed.
fn approved(stage: &Stage, proposer: &str, others: &[&str]) -> String {
    let owners = others.iter().flat_map(|owner| ["--owner", owner]).collect::<Vec<_>>();
    let words =
        ["create-party", "treasury", "--owner", "me", "--threshold", "2", "--host", "me", "--confirmations", "1"];
    let words = [&words[..], &owners].concat();
    let case = text(&stage.propose(proposer, &words), "case");
    let shown = stage.until("alice", &["show", &case], |value| value["verdict"]["verified"] == true);
    let answer = stage.ask("alice", &["approve", &case, "--offer", &text(&shown, "offer")]);
    assert_eq!(answer.code, 2, "{}", answer.value);
    assert!(text(&answer.value, "not-yet").contains("the office is closed"), "{}", answer.value);
    case
}

fn waits(stage: &Stage, case: &str) -> Value {
    stage.must("alice", &["show", case])["waits-for"].clone()
}

#[test]
fn what_the_owner_approved_is_asked_for_until_it_is_signed_also_after_a_crash() {
    let Some(office) = Office::new(1) else { return };
    let mut stage = office.stage(&OWNERS);
    let case = approved(&stage, "alice", &["bob", "carol"]);
    let keys = waits(&stage, &case)["keys"].clone();
    assert_eq!((&keys[0]["name"], &keys[0]["says"]), (&"namespace".into(), &"the office is closed".into()), "{keys}");
    let listed = stage.must("alice", &["list"])["cases"][0]["waits-for"].clone();
    assert_eq!(listed["keys"], keys);

    stage.kill_agent("alice");
    let before = office.asked().len();
    stage.start_agent("alice");
    stage.until("alice", &["status"], |_| office.asked().len() > before + 2);
    assert_eq!(stage.must("alice", &["status"])["waiting-for-keys"], 1);
    office.open();

    stage.until("alice", &["show", &case], |value| value["approved"] == true && value["waits-for"].is_null());
    for owner in ["bob", "carol"] {
        stage.approve(owner, &case);
    }
    stage.until_effective("alice", &case);
    // However often it was asked, each thing has one name: nobody was asked twice.
    let (asked, names) = (office.asked(), office.asked().into_iter().collect::<BTreeSet<_>>());
    assert!(asked.len() > 2 * names.len(), "{} of {}", names.len(), asked.len());
}

#[test]
fn an_owner_wakes_what_waits_and_what_is_not_wanted_any_more_is_dropped_by_name() {
    let Some(office) = Office::new(3_600) else { return };
    let stage = office.stage(&OWNERS);

    let withdrawn = approved(&stage, "bob", &["alice", "carol"]);
    stage.must("bob", &["withdraw", &withdrawn, "--reason", "another name"]);
    let show = stage.until("alice", &["show", &withdrawn], |value| value["waits-for"]["dropped"].is_object());
    assert_eq!(show["waits-for"]["dropped"]["name"], "Withdrawn", "{show}");

    let declined = approved(&stage, "alice", &["bob", "dora"]);
    stage.must("alice", &["decline", &declined, "--reason", "not like this"]);
    assert_eq!(waits(&stage, &declined)["dropped"]["name"], "Declined");

    let wanted = approved(&stage, "alice", &["carol", "dora"]);
    let asked = office.asked().len();
    assert_eq!(stage.ask("alice", &["wake"]).code, 2);
    let asked_now = office.asked();
    assert!(asked_now.len() > asked, "nobody was asked");
    office.open();
    let woken = stage.must("alice", &["wake", &wanted]);
    assert_eq!(woken["asked"], 1, "{woken}");
    stage.until("alice", &["show", &wanted], |value| value["approved"] == true);
    // What was dropped is not asked for, though the office is open.
    let names = |from: usize| office.asked()[from..].iter().cloned().collect::<BTreeSet<String>>();
    assert_eq!(names(asked_now.len()), asked_now[asked..].iter().cloned().collect());
    assert_eq!(stage.must("alice", &["wake"])["asked"], 0);
    for case in [&withdrawn, &declined] {
        assert_eq!(stage.must("alice", &["show", case])["approved"], false);
    }
}

/// A party whose hosts confirm with 1 of 3.
fn founded(office: &Office, stage: &Stage) -> String {
    office.open();
    let words = ["create-party", "treasury", "--owner", "me", "--owner", "bob", "--owner", "carol", "--threshold", "2"];
    let hosts = ["--host", "me", "--host", "bob", "--host", "carol", "--confirmations", "1"];
    let made = stage.propose("alice", &[&words[..], &hosts].concat());
    for owner in ["alice", "bob", "carol"] {
        stage.approve(owner, &text(&made, "case"));
    }
    for owner in ["alice", "bob"] {
        stage.until_effective(owner, &text(&made, "case"));
    }
    office.close();
    made["subjects"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned()
}

/// Bob raises a threshold, and alice's rule waits for her office.
fn raised(stage: &Stage, party: &str) -> String {
    let made = stage.propose("bob", &["change-thresholds", party, "--confirmations", "2"]);
    let case = text(&made, "case");
    let shown = stage.until("alice", &["show", &case], |value| value["waits-for"].is_object());
    assert_eq!(shown["waits-for"]["approved-by"], "a rule", "{shown}");
    assert_eq!(shown["waits-for"]["keys"][0]["says"], "the office is closed", "{shown}");
    case
}

#[test]
fn what_a_rule_approved_is_waited_for_and_the_rule_asks_once() {
    let Some(office) = Office::new(3_600) else { return };
    let mut stage = office.stage(&OWNERS[..3]);
    let party = founded(&office, &stage);
    // Two must sign, and carol is away.
    stage.kill_agent("carol");
    let before = office.asked().len();

    let case = raised(&stage, &party);
    stage.kill_agent("alice");
    stage.start_agent("alice");
    stage.until("alice", &["status"], |value| !value["participant"].is_null());
    assert_eq!(waits(&stage, &case)["approved-by"], "a rule");
    // Rules are asked every half second.
    let since = Instant::now();
    stage.until("alice", &["status"], |_| since.elapsed() > Duration::from_secs(2));
    assert_eq!(office.asked().len(), before + 1, "a rule asks once, and a wait is known again after a crash");

    office.open();
    assert_eq!(stage.must("alice", &["wake", &case])["asked"], 1);
    let shown = stage.until_effective("alice", &case);
    assert!(shown["waits-for"].is_null() && shown["approved"] == true, "{shown}");
}

/// The office opens, is asked nothing, and the change is not approved.
fn stays_dropped(office: &Office, stage: &Stage, case: &str) {
    office.open();
    assert_eq!(stage.must("alice", &["wake"])["asked"], 0);
    assert_eq!(stage.must("alice", &["show", case])["approved"], false);
}

#[test]
fn what_a_rule_approved_is_dropped_where_the_owner_says_no() {
    let Some(office) = Office::new(3_600) else { return };
    let mut stage = office.stage(&OWNERS[..3]);
    let party = founded(&office, &stage);
    stage.kill_agent("carol");
    let case = raised(&stage, &party);

    stage.must("alice", &["decline", &case, "--reason", "not yet"]);

    assert_eq!(waits(&stage, &case)["dropped"]["name"], "Declined");
    stays_dropped(&office, &stage, &case);
}

#[test]
fn what_a_rule_approved_is_dropped_where_the_owner_takes_the_rule_back() {
    let Some(office) = Office::new(3_600) else { return };
    let mut stage = office.stage(&OWNERS[..3]);
    let party = founded(&office, &stage);
    stage.kill_agent("carol");
    let case = raised(&stage, &party);

    stage.kill_agent("alice");
    stage.rules = &[];
    stage.start_agent("alice");

    let shown = stage.until("alice", &["show", &case], |value| value["waits-for"]["dropped"].is_object());
    assert_eq!(shown["waits-for"]["dropped"]["name"], "NoRule", "{shown}");
    stays_dropped(&office, &stage, &case);
}

#[test]
fn a_proof_that_takes_time_is_one_question_and_nothing_is_posted_before() {
    let Some(office) = Office::new(1) else { return };
    let stage = office.stage(&OWNERS[..2]);
    let prove = ["keys", "prove", "--passphrase-fd", "0"];
    let of_alice = |mail: &Value| {
        let owner = stage.must("alice", &["card"])["owner"].clone();
        mail["introductions"].as_array().unwrap().iter().find(|one| one["owner"] == owner).cloned()
    };
    fs::write(office.path("proofs"), "").unwrap();

    for _ in 0..2 {
        let answer = stage.ask("alice", &prove);
        assert_eq!(answer.code, 2, "{}", answer.value);
        let waiting = answer.value["waiting"].as_array().unwrap();
        assert_eq!(waiting.len(), 1, "the party key answers at once: {}", answer.value);
        assert_eq!((&waiting[0]["key"], &waiting[0]["note"]), (&"namespace".into(), &"the office is closed".into()));
    }
    assert_eq!(of_alice(&stage.must("bob", &["book", "mail"])), None);

    office.open();
    let proved = stage.must("alice", &prove);
    assert_eq!(proved["keys"].as_array().unwrap().len(), 2, "{proved}");
    let seen = of_alice(&stage.must("bob", &["book", "mail"])).unwrap();
    assert_eq!(seen["verified"], true, "{seen}");
    // The nonce was the same each time, and so was the question.
    let asked = office.asked();
    assert_eq!((asked.len(), asked.iter().collect::<BTreeSet<_>>().len()), (3, 1), "{asked:?}");
}

#[test]
fn a_drill_that_takes_hours_is_one_question_until_it_is_answered() {
    let Some(office) = Office::new(1) else { return };
    let mut stage = office.stage(&["alice", "bob", "carol"]);
    fs::write(office.path("drills"), "").unwrap();
    // A key that nobody would believe is not tried.
    office.open();
    stage.party();
    office.close();
    let before = office.asked().len();

    for _ in 0..3 {
        let answer = stage.ask("alice", &["keys", "drill", "namespace"]);
        assert_eq!(answer.code, 2, "{}", answer.value);
        assert_eq!(answer.value["drills"][0]["pending"], "the office is closed", "{}", answer.value);
        stage.kill_agent("alice");
        stage.start_agent("alice");
        stage.until("alice", &["status"], |status| !status["participant"].is_null());
    }
    office.open();
    let done = stage.must("alice", &["keys", "drill", "namespace"]);
    assert_eq!(done["all-well"], true, "{done}");
    let asked = office.asked().split_off(before);
    assert!(asked.len() == 4 && asked.iter().all(|id| *id == asked[0]), "one question: {asked:?}");

    stage.must("alice", &["keys", "drill", "namespace"]);
    assert_ne!(office.asked().last(), asked.last(), "what was answered is not asked again");
}
