//! Three owners at their command lines, with a coordinator and a synchronizer: what they are told, and in what form.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const PASSPHRASE: &str = "no secret\n";
const OWNERS: [&str; 3] = ["alice", "bob", "carol"];

/// Everything that runs, and the folder that it runs in. Ends with the value.
struct Stage {
    folder: tempfile::TempDir,
    children: Vec<Child>,
    addresses: Vec<(String, String)>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn must<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < until, "{what} in vain");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn spawned(words: &[&str], folder: &Path, log: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join(log)).unwrap())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(PASSPHRASE.as_bytes()).unwrap();
    child
}

impl Stage {
    /// The synchronizer and the coordinator; nobody has keys yet.
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let sandbox = spawned(&["sandbox"], &path, "sandbox.log");
        let mut stage = Self { folder, children: vec![sandbox], addresses: Vec::new() };
        let text = must("the sandbox starts", || fs::read_to_string(path.join("sandbox.env")).ok());
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        stage.addresses = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "data = \"coordinator\"\nlisten = \"127.0.0.1:{port}\"\n[participant]\naddress = \"{}\"\nsynchronizer = \"{}\"\n",
            stage.address("NODE4"),
            stage.address("SYNCHRONIZER")
        );
        fs::write(path.join("coordinator.toml"), config).unwrap();
        let words = ["coordinator", "serve", "--config", "coordinator.toml"];
        stage.children.push(spawned(&words, &path, "coordinator.log"));
        stage
    }

    fn address(&self, name: &str) -> String {
        self.addresses.iter().find(|(known, _)| known == name).unwrap().1.clone()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn output(&self, words: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(words)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that needs no passphrase may be gone before it is written.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn agent(&self, owner: &str, words: &[&str]) -> Output {
        self.output(&[&["signer-agent", "--data", owner], words].concat(), PASSPHRASE)
    }

    /// What an owner is told as JSON: one object, whatever it is.
    fn told(&self, owner: &str, words: &[&str]) -> (i32, Value) {
        let output = self.agent(owner, &[&["--json"], words].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 1, "{owner} {words:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), serde_json::from_str(&text).unwrap())
    }

    fn done(&self, owner: &str, words: &[&str]) -> Value {
        let (code, value) = self.told(owner, words);
        assert_eq!(code, 0, "{owner} {words:?}: {value}");
        value
    }

    /// The name of what an owner's agent does not do.
    fn refused(&self, owner: &str, words: &[&str]) -> (String, String) {
        let (code, value) = self.told(owner, words);
        assert_eq!(code, 1, "{owner} {words:?}: {value}");
        (value["name"].as_str().unwrap().to_owned(), value["error"].as_str().unwrap().to_owned())
    }

    fn init(&self, owner: &str, node: &str, synchronizer: &str) -> (i32, Value) {
        let words = ["init", "--name", owner, "--synchronizer", synchronizer, "--participant", node];
        self.told(owner, &[&words[..], &["--passphrase-fd", "0"]].concat())
    }

    fn enroll(&self, owner: &str) {
        let invited = must("the coordinator invites", || {
            let output = self.output(&["coordinator", "invite", owner], "");
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        });
        self.done(owner, &["enroll", invited.trim(), "--passphrase-fd", "0"]);
    }

    fn run(&mut self, owner: &str, more: &[&str]) -> usize {
        let words = [&["signer-agent", "--data", owner, "run", "--passphrase-fd", "0"], more].concat();
        self.children.push(spawned(&words, &self.path(), &format!("{owner}.log")));
        must("the agent runs", || {
            let output = self.agent(owner, &["status", "--json"]);
            let value: Value = serde_json::from_slice(&output.stdout).ok()?;
            (!value["topology"].is_null() && !value["participant"].is_null()).then_some(())
        });
        self.children.len() - 1
    }

    fn offered(&self, owner: &str, case: &str) -> String {
        must("the offer comes", || {
            let (code, value) = self.told(owner, &["show", case]);
            let is_verified = code == 0 && value["verdict"]["verified"] == true;
            is_verified.then(|| value["offer"].as_str().unwrap().to_owned())
        })
    }

    fn approve(&self, owner: &str, case: &str) {
        let offer = self.offered(owner, case);
        self.done(owner, &["approve", case, "--offer", &offer]);
    }

    fn until(&self, owner: &str, case: &str, what: &str, is_so: impl Fn(&Value) -> bool) {
        must(what, || is_so(&self.told(owner, &["show", case]).1).then_some(()));
    }

    fn proposed(&self, owner: &str, words: &[&str]) -> Value {
        self.done(owner, &[&["propose"], words].concat())
    }

    /// Three owners who know each other and run.
    fn owners(&mut self) {
        for (index, owner) in OWNERS.iter().enumerate() {
            let node = self.address(&format!("NODE{}", index + 1));
            let (code, made) = self.init(owner, &node, &self.address("SYNCHRONIZER"));
            assert_eq!(code, 0, "{made}");
            self.enroll(owner);
        }
        for reader in OWNERS {
            for other in OWNERS.iter().filter(|other| **other != reader) {
                let card = self.done(other, &["card"]);
                let (text, code) = (card["card"].as_str().unwrap(), card["code"].as_str().unwrap());
                self.done(reader, &["book", "add", text, "--code", code]);
            }
        }
        for owner in OWNERS {
            self.run(owner, &[]);
        }
    }

    /// Their party, and the case that made it.
    fn party(&self) -> (String, String) {
        let words = "create-party treasury --owner me --owner bob --owner carol --threshold 2 \
                     --host me --host bob --host carol --confirmations 1 --key me --key bob --key-threshold 1";
        let proposed = self.proposed("alice", &words.split_whitespace().collect::<Vec<_>>());
        let case = proposed["case"].as_str().unwrap().to_owned();
        for owner in OWNERS {
            self.approve(owner, &case);
        }
        for owner in OWNERS {
            self.until(owner, &case, "the party stands", |value| value["status"] == "effective");
        }
        (proposed["subjects"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned(), case)
    }
}

fn case_of(proposed: &Value) -> String {
    proposed["case"].as_str().unwrap().to_owned()
}

#[test]
fn an_owner_may_begin_again_until_it_is_enrolled() {
    let mut stage = Stage::set();
    let (node, synchronizer) = (stage.address("NODE1"), stage.address("SYNCHRONIZER"));
    let elsewhere = format!("elsewhere::1220{}", "ab".repeat(32));

    let (code, told) = stage.init("alice", &node, &elsewhere);
    assert_eq!(code, 1);
    assert!(told["error"].as_str().unwrap().contains(&format!("not connected to {elsewhere}")), "{told}");
    let (_, first) = stage.init("alice", &node, &synchronizer);
    let (code, second) = stage.init("alice", &stage.address("NODE2"), &synchronizer);
    assert_eq!((code, &second["owner"]), (0, &first["owner"]), "the keys stay");
    assert_ne!(second["participant"], first["participant"], "the rest is as it was said last");

    stage.enroll("alice");
    let (code, told) = stage.init("alice", &node, &synchronizer);
    assert_eq!(code, 1);
    assert!(told["error"].as_str().unwrap().contains("enrolled already"), "{told}");

    stage.run("alice", &[]);
    let output = stage.agent("alice", &["run", "--passphrase-fd", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("an agent already runs in this data folder"), "{told}");
    assert_eq!(stage.refused("alice", &["show", ""]).0, "UnknownCase");
    assert!(stage.refused("alice", &["show", ""]).1.contains("no case is named"));
}

#[test]
fn a_no_is_said_of_what_is_open_and_is_never_signed_by_a_rule() {
    let mut stage = Stage::set();
    stage.owners();
    let (party, founding) = stage.party();

    // What has ended takes no more words, and shows none that would be asked of it.
    for words in [["decline", &founding], ["withdraw", &founding]] {
        let refused = stage.refused("alice", &[&words[..], &["--reason", "too late"]].concat());
        assert!(refused.0 == "Ended" && refused.1.contains("effective"), "{refused:?}");
    }
    let shown = String::from_utf8(stage.agent("alice", &["show", &founding]).stdout).unwrap();
    assert!(shown.contains("status: effective, since 2"), "{shown}");
    assert!(!shown.contains("missing") && !shown.contains("this agent"), "{shown}");

    // A decline behind an own approval says what it does not do.
    let raise = ["change-thresholds", &party, "--confirmations", "2"];
    let case = case_of(&stage.proposed("alice", &raise));
    stage.approve("alice", &case);
    stage.until("alice", &case, "the approval is heard", |value| value["approved"] == true);
    let offer = stage.offered("bob", &case);
    stage.done("alice", &["approve", &case, "--offer", &offer]);
    assert_eq!(stage.refused("alice", &["decline", &case, "--reason", "  "]).0, "Reason");
    let declined = stage.done("alice", &["decline", &case, "--reason", "not before the audit"]);
    let note = declined["note"].as_str().unwrap();
    assert!(note.contains("stays alive") && note.contains("void"), "{note}");
    let silent = stage.done("carol", &["decline", &case, "--reason", "nor do I"]);
    assert!(silent["note"].is_null(), "carol has signed nothing");
    stage.until("alice", &case, "carol is heard", |value| value["declines"].as_array().unwrap().len() == 2);
    let value = stage.done("alice", &["show", &case]);
    assert_eq!(value["approvals"].as_array().unwrap().len(), 1, "each owner once");

    // People read each thing once.
    let shown = String::from_utf8(stage.agent("bob", &["show", &case]).stdout).unwrap();
    assert!(shown.contains("to be signed until 20"), "{shown}");
    assert!(shown.contains("  ~ threshold: 1 -> 2"), "{shown}");
    for once in ["threshold: 1 -> 2", "to be signed until", "not before the audit", "status: ", &offer] {
        assert_eq!(shown.matches(once).count(), 1, "{once:?} in {shown}");
    }

    // A rule signs what it is for, and nothing that its owner has declined.
    let carol = stage.children.len() - 1;
    stage.children[carol].kill().unwrap();
    stage.children[carol].wait().unwrap();
    stage.run("carol", &["--yes-to", "threshold-raise"]);
    let other = ["change-thresholds", &party, "--confirmations", "3"];
    let wanted = case_of(&stage.proposed("bob", &other));
    stage.until("carol", &wanted, "the rule signs", |value| value["approved"] == true);
    assert_eq!(stage.done("carol", &["show", &case])["approved"], false, "and not what carol declined");
}
