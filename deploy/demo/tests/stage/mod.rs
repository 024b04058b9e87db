//! The product as processes: an embedded synchronizer in the test, coordinators and agents beside it. Everything that is
//! waited for is looked for again and again, within a bound.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use canton_sandbox::network::{Network, Options};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const PASSPHRASE: &str = "a test's passphrase is no secret";
pub const OWNERS: [&str; 3] = ["alice", "bob", "carol"];

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Stage {
    pub network: Network,
    folder: tempfile::TempDir,
    coordinator: Option<Process>,
    agents: Vec<(String, Process)>,
    /// Which coordinator is the present one.
    term: usize,
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_demo"))
}

impl Stage {
    /// Three owners who know each other, enrolled at the first coordinator, each with a running agent.
    pub async fn set() -> Self {
        let participants =
            OWNERS.iter().map(|owner| format!("{owner}-node")).chain(["spare-node".to_owned()]).collect();
        let network = Network::start(&Options { participants, ..Options::default() }).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Self { network, folder, coordinator: None, agents: Vec::new(), term: 0 };
        stage.start_coordinator(&[]);
        let mut cards = Vec::new();
        for (index, owner) in OWNERS.iter().enumerate() {
            let node = format!("http://{}", stage.network.participants()[index].address);
            let synchronizer = stage.network.synchronizer().logical.to_string();
            let words = ["init", "--name", owner, "--synchronizer", &synchronizer, "--participant", &node];
            let made = stage.must(owner, &[&words[..], &["--passphrase-fd", "0"]].concat());
            cards.push((*owner, text(&made, "card"), text(&made, "code")));
            stage.enroll(owner);
        }
        for reader in OWNERS {
            for (owner, card, code) in cards.iter().filter(|(owner, _, _)| *owner != reader) {
                stage.must(reader, &["book", "add", card, "--name", owner, "--code", code]);
            }
        }
        for owner in OWNERS {
            stage.start_agent(owner);
        }
        for owner in OWNERS {
            stage.until(owner, &["status"], |status| !status["participant"].is_null());
        }
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path(&format!("coordinator{}.toml", self.term))
    }

    /// A fresh coordinator in the place of any other, which takes over from those with these keys.
    pub fn start_coordinator(&mut self, former: &[String]) {
        self.kill_coordinator();
        self.term += 1;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let node = self.network.participants()[OWNERS.len()].address;
        let synchronizer = &self.network.synchronizer().logical;
        let former: Vec<String> = former.iter().map(|key| format!("\"{key}\"")).collect();
        let text = format!(
            "data = \"coordinator{}\"\nlisten = \"127.0.0.1:{port}\"\nformer = [{}]\n\n[participant]\naddress = \"http://{node}\"\nsynchronizer = \"{synchronizer}\"\npoll_ms = 100\n",
            self.term,
            former.join(", ")
        );
        std::fs::write(self.config(), text).unwrap();
        let mut child = program()
            .args(["coordinator", "serve", "--json", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(self.log("coordinator"))
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        self.coordinator = Some(Process(child));
        assert!(lines.any(|line| line.unwrap().contains("\"listening\"")), "the coordinator does not listen");
        // Its output is read to the end, so that it never blocks on a full pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    }

    /// `kill -9`, and nobody takes its place.
    pub fn kill_coordinator(&mut self) {
        drop(self.coordinator.take());
    }

    /// The agent stops, its owner enrolls at the present coordinator, and it starts again.
    pub fn move_to_present_coordinator(&mut self, owner: &str) {
        self.agents.retain(|(name, _)| name != owner);
        self.enroll(owner);
        self.start_agent(owner);
        self.until(owner, &["status"], |status| !status["participant"].is_null());
    }

    fn enroll(&self, owner: &str) {
        let output =
            program().args(["coordinator", "invite", owner, "--json", "--config"]).arg(self.config()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let invited: Value = serde_json::from_slice(&output.stdout).unwrap();
        self.must(owner, &["enroll", &text(&invited, "invitation"), "--passphrase-fd", "0"]);
    }

    fn start_agent(&mut self, owner: &str) {
        let mut child = program()
            .args(["signer-agent", "--data"])
            .arg(self.path(owner))
            .args(["run", "--submit-after", "1", "--yes-to", "threshold-raise", "--passphrase-fd", "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(self.log(owner))
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(format!("{PASSPHRASE}\n").as_bytes()).unwrap();
        self.agents.push((owner.to_owned(), Process(child)));
    }

    fn log(&self, name: &str) -> std::fs::File {
        std::fs::File::options().create(true).append(true).open(self.path(&format!("{name}.log"))).unwrap()
    }

    /// One command of an owner: whether it was done, and the answer.
    pub fn command(&self, owner: &str, words: &[&str]) -> (bool, Value) {
        let mut child = program()
            .args(["signer-agent", "--json", "--data"])
            .arg(self.path(owner))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that needs no passphrase may be gone before it is written.
        let _ = child.stdin.take().unwrap().write_all(format!("{PASSPHRASE}\n").as_bytes());
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let first = told.lines().next().unwrap_or_default();
        let errors = String::from_utf8_lossy(&output.stderr);
        let value = serde_json::from_str(first).unwrap_or_else(|_| Value::from(format!("{told}{errors}")));
        (output.status.success(), value)
    }

    pub fn must(&self, owner: &str, words: &[&str]) -> Value {
        let (is_done, value) = self.command(owner, words);
        assert!(is_done, "{owner}: {words:?}: {value}\n{}", self.told(owner));
        value
    }

    /// Asks until the answer is as wanted.
    pub fn until(&self, owner: &str, words: &[&str], is_there: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let (is_done, value) = self.command(owner, words);
            if is_done && is_there(&value) {
                return value;
            }
            assert!(Instant::now() < until, "{owner}: {words:?}: {value}\n{}", self.told(owner));
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn told(&self, owner: &str) -> String {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        format!("{}\n{}", read(&self.path(&format!("{owner}.log"))), read(&self.path("coordinator.log")))
    }

    /// Looks at a verified offer and approves it; the answer, whatever it is.
    pub fn approve(&self, owner: &str, case: &str) -> (bool, Value) {
        let shown = self.until(owner, &["show", case], |shown| shown["verdict"]["verified"] == true);
        self.command(owner, &["approve", case, "--offer", &text(&shown, "offer")])
    }

    pub fn must_approve(&self, owner: &str, case: &str) {
        let (is_done, value) = self.approve(owner, case);
        assert!(is_done, "{owner}: {value}");
    }

    pub fn until_effective(&self, owner: &str, case: &str) -> Value {
        self.until(owner, &["show", case], |shown| shown["status"] == "effective")
    }

    /// The three found a party, 2 of 3; its id.
    pub fn found_a_party(&self) -> String {
        let words = "propose create-party treasury --owner me --owner bob --owner carol --threshold 2 --host me --host bob \
                     --host carol --confirmations 2 --key me --key bob --key-threshold 2";
        let proposed = self.must("alice", &words.split_whitespace().collect::<Vec<_>>());
        let case = text(&proposed, "case");
        for owner in OWNERS {
            self.must_approve(owner, &case);
        }
        for owner in OWNERS {
            self.until_effective(owner, &case);
        }
        proposed["subjects"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned()
    }
}

pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}
