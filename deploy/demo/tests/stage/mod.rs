//! The real coordinator and the real agents as processes, around a synchronizer in this one: so a test can look behind
//! the nodes, and take them away.
#![allow(clippy::unwrap_used, dead_code)]

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use canton_client::{
    access::Access,
    participant::{Options as ClientOptions, Participant as ClientParticipant},
};
use canton_sandbox::{
    contract::{ContractId, NewContract},
    network::{Network, Options, Participant},
};
use canton_topology::id::PartyId;
use serde_json::Value;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
pub const PASSPHRASE: &str = "correct horse battery staple";

/// A package that every contract of the tests is made of.
pub const PACKAGE: &str = "7adec01e2b1ce4dbcb2d8a1f6e3d2c0aa9f3e4d5c6b7a8091827364554637281";

pub struct Stage {
    pub network: Network,
    pub runtime: Runtime,
    pub owners: Vec<&'static str>,
    /// How long anything may take.
    pub patience: Duration,
    folder: tempfile::TempDir,
    coordinator: Option<Child>,
    agents: Vec<(&'static str, Child)>,
    /// How much agents log from their next start on.
    pub log_level: &'static str,
    /// What the rules of owners permit from the next start of their agents on.
    pub rules: &'static [&'static str],
    /// What the processes of agents find in their environment.
    environment: Vec<(OsString, OsString)>,
    /// Whether coordinators read topology and submit.
    has_participant: bool,
    /// Which coordinator is the present one.
    term: usize,
}

/// More words of `init` for one owner.
pub fn for_owner<'a>(name: &'a str, words: &'a [&'a str]) -> impl Fn(&str) -> Vec<String> + 'a {
    move |owner| if owner == name { words.iter().map(|&word| word.to_owned()).collect() } else { Vec::new() }
}

/// How a command ended: its exit code and its answer.
pub struct Answer {
    pub code: i32,
    pub value: Value,
}

impl Stage {
    /// Owners with agents, nodes, cards in each other's books, and a coordinator.
    pub fn new(owners: &[&'static str], options: Options) -> Self {
        Self::with(owners, options, &|_| Vec::new())
    }

    /// The same, with more words of `init` for some owners, such as where their keys live.
    pub fn with(owners: &[&'static str], options: Options, more: &dyn Fn(&str) -> Vec<String>) -> Self {
        Self::with_environment(owners, options, Vec::new(), more)
    }

    /// The same, where the processes of agents find something in their environment.
    pub fn with_environment(
        owners: &[&'static str],
        options: Options,
        environment: Vec<(OsString, OsString)>,
        more: &dyn Fn(&str) -> Vec<String>,
    ) -> Self {
        Self::build(owners, options, environment, more, true)
    }

    /// Owners with agents and nodes, and a coordinator that has no participant.
    pub fn without_participant(owners: &[&'static str], options: Options, more: &dyn Fn(&str) -> Vec<String>) -> Self {
        Self::build(owners, options, Vec::new(), more, false)
    }

    fn build(
        owners: &[&'static str],
        options: Options,
        environment: Vec<(OsString, OsString)>,
        more: &dyn Fn(&str) -> Vec<String>,
        has_participant: bool,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut participants: Vec<String> = owners.iter().map(|owner| format!("{owner}-node")).collect();
        participants.push("coordinator-node".to_owned());
        let network = runtime.block_on(Network::start(&Options { participants, ..options })).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Self {
            network,
            runtime,
            owners: owners.to_vec(),
            patience: PATIENCE,
            folder,
            coordinator: None,
            agents: Vec::new(),
            log_level: "info",
            rules: &["threshold-raise"],
            environment,
            has_participant,
            term: 0,
        };
        stage.configure_coordinator(&[]);
        stage.start_coordinator();
        stage.introduce(more);
        for owner in stage.owners.clone() {
            stage.start_agent(owner);
        }
        for owner in stage.owners.clone() {
            stage.until(owner, &["status"], |value| !value["participant"].is_null());
        }
        stage
    }

    pub fn node(&self, owner: &str) -> &Participant {
        let index = self.owners.iter().position(|name| *name == owner).unwrap_or(self.owners.len());
        &self.network.participants()[index]
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where an owner's agent takes commands.
    pub fn socket(&self, owner: &str) -> PathBuf {
        self.path(owner).join("control.sock")
    }

    fn config(&self) -> PathBuf {
        self.path(&format!("coordinator{}.toml", self.term))
    }

    /// A configuration for a coordinator that has not been; it takes over from those with these keys.
    fn configure_coordinator(&self, former: &[String]) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let synchronizer = &self.network.synchronizer().logical;
        let node = self.node("coordinator").address;
        let mut text =
            format!("data = \"coordinator{}\"\nlisten = \"127.0.0.1:{port}\"\nformer = {former:?}\n\n", self.term);
        if self.has_participant {
            text += &format!(
                "[participant]\naddress = \"http://{node}\"\nsynchronizer = \"{synchronizer}\"\npoll_ms = 100\n"
            );
        }
        std::fs::write(self.config(), text).unwrap();
    }

    /// Another coordinator, which takes over from those with these keys.
    pub fn start_another_coordinator(&mut self, former: &[String]) {
        self.term += 1;
        self.configure_coordinator(former);
        self.start_coordinator();
    }

    /// The agent stops, its owner enrolls at the present coordinator, and it starts again.
    pub fn move_to_present_coordinator(&mut self, owner: &'static str) {
        self.kill_agent(owner);
        self.enroll(owner);
        self.start_agent(owner);
        self.until(owner, &["status"], |status| !status["participant"].is_null());
    }

    pub fn start_coordinator(&mut self) {
        let log = log(&self.path("coordinator.log"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(["coordinator", "serve", "--json", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.by_ref().any(|line| line.unwrap().contains("\"listening\"")), "the coordinator ended");
        std::thread::spawn(move || lines.for_each(drop));
        self.coordinator = Some(child);
    }

    /// `kill -9`.
    pub fn kill_coordinator(&mut self) {
        let mut child = self.coordinator.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Keys and cards for everybody.
    fn introduce(&self, more: &dyn Fn(&str) -> Vec<String>) {
        let synchronizer = self.network.synchronizer().logical.to_string();
        let mut cards = Vec::new();
        for owner in &self.owners {
            let node = self.node(owner);
            let (admin, ledger) = (format!("http://{}", node.address), format!("http://{}", node.ledger_address));
            let words = ["init", "--name", owner, "--synchronizer", &synchronizer, "--participant", &admin];
            let more = more(owner);
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            let words = [&words[..], &["--ledger", &ledger, "--passphrase-fd", "0"], &more].concat();
            let made = self.must(owner, &words);
            cards.push((*owner, text(&made, "card"), text(&made, "code")));
            self.enroll(owner);
        }
        for reader in &self.owners {
            for (owner, card, code) in cards.iter().filter(|(owner, ..)| owner != reader) {
                self.must(reader, &["book", "add", card, "--name", owner, "--code", code]);
            }
        }
    }

    pub fn enroll(&self, owner: &str) {
        let output = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(["coordinator", "invite", owner, "--json", "--config"])
            .arg(self.config())
            .output()
            .unwrap();
        let invited: Value = serde_json::from_slice(&output.stdout).unwrap();
        self.must(owner, &["enroll", &text(&invited, "invitation"), "--passphrase-fd", "0"]);
    }

    pub fn start_agent(&mut self, owner: &'static str) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(["signer-agent", "--data"])
            .arg(self.path(owner))
            .args(["run", "--submit-after", "1", "--passphrase-fd", "0"])
            .args(self.rules.iter().flat_map(|rule| ["--yes-to", rule]))
            .args(["--log", self.log_level])
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log(&self.path(&format!("{owner}.log"))))
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{PASSPHRASE}").unwrap();
        self.agents.push((owner, child));
    }

    /// The process of an owner's agent.
    pub fn agent(&mut self, owner: &str) -> &mut Child {
        let place = self.agents.iter().position(|(name, _)| *name == owner).unwrap();
        &mut self.agents[place].1
    }

    /// `kill -9`.
    pub fn kill_agent(&mut self, owner: &str) {
        let place = self.agents.iter().position(|(name, _)| *name == owner).unwrap();
        let (_, mut child) = self.agents.remove(place);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// One command of an owner.
    pub fn ask(&self, owner: &str, words: &[&str]) -> Answer {
        let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(["signer-agent", "--json", "--data"])
            .arg(self.path(owner))
            .args(words)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that needs no passphrase may be gone before it is written.
        let _ = writeln!(child.stdin.take().unwrap(), "{PASSPHRASE}");
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().next().unwrap_or("null");
        let value = serde_json::from_str(line)
            .unwrap_or_else(|_| panic!("{owner} {words:?}: {text} {}", String::from_utf8_lossy(&output.stderr)));
        Answer { code: output.status.code().unwrap_or(-1), value }
    }

    /// One command that is done.
    pub fn must(&self, owner: &str, words: &[&str]) -> Value {
        let answer = self.ask(owner, words);
        assert_eq!(answer.code, 0, "{owner} {words:?}: {}", answer.value);
        answer.value
    }

    /// One command that is refused; its answer.
    pub fn must_fail(&self, owner: &str, words: &[&str]) -> Value {
        let answer = self.ask(owner, words);
        assert_eq!(answer.code, 1, "{owner} {words:?}: {}", answer.value);
        answer.value
    }

    /// One command, again until it is refused for good; its answer.
    pub fn until_refused(&self, owner: &str, words: &[&str]) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(owner, words);
            if answer.code == 1 {
                return answer.value;
            }
            assert!(Instant::now() < until, "{owner} {words:?}: {}", answer.value);
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether an owner's node is connected, and connects by itself.
    pub fn is_connected(&self, owner: &str) -> bool {
        let address = format!("http://{}", self.node(owner).address);
        let options = ClientOptions { address, timeout: Duration::from_secs(10), access: Access::default() };
        self.runtime.block_on(async {
            let node = ClientParticipant::new(&options).unwrap();
            node.connected().await.unwrap().len() == 1 && !node.registered().await.unwrap()[0].manual_connect
        })
    }

    /// Asks until the answer is as wanted.
    pub fn until(&self, owner: &str, words: &[&str], is_there: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + self.patience;
        let mut last = Value::Null;
        while Instant::now() < until {
            let answer = self.ask(owner, words);
            if answer.code == 0 && is_there(&answer.value) {
                return answer.value;
            }
            last = answer.value;
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("{owner} {words:?}: not there; the last answer was {last}")
    }

    /// Asks until the command ends with this code; its answer.
    pub fn until_code(&self, owner: &str, words: &[&str], code: i32) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(owner, words);
            if answer.code == code {
                return answer.value;
            }
            assert!(Instant::now() < until, "{owner} {words:?}: {} {}", answer.code, answer.value);
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// A proposal, again until it is taken: what an agent has seen the coordinator may see a moment later.
    pub fn propose(&self, owner: &str, words: &[&str]) -> Value {
        self.until(owner, &[&["propose"], words].concat(), |made| made["case"].is_string())
    }

    /// Looks at the offer of a case and approves it, as soon as the agent does.
    pub fn approve(&self, owner: &str, case: &str) {
        let shown = self.until(owner, &["show", case], |value| value["offer"].is_string());
        let offer = text(&shown, "offer");
        let until = Instant::now() + self.patience;
        let mut last = Value::Null;
        while Instant::now() < until {
            let answer = self.ask(owner, &["approve", case, "--offer", &offer]);
            match answer.code {
                0 => return,
                2 => last = answer.value,
                _ => panic!("{owner} does not approve: {}", answer.value),
            }
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("{owner} cannot approve yet: {last}")
    }

    pub fn until_effective(&self, owner: &str, case: &str) -> Value {
        self.until(owner, &["show", case], |value| value["status"] == "effective")
    }

    /// Waits until a step of a case is in a state, as an owner's agent sees it.
    pub fn step(&self, owner: &str, case: &str, step: &str, state: &str) -> Value {
        self.until(owner, &["workflow", "show", case], |value| {
            let steps = value["steps"].as_array().unwrap();
            steps.iter().any(|one| one["step"] == step && one["state"] == state)
        })
    }

    /// The owner's part with a step confirmed, again and again until the step is done.
    pub fn confirm(&self, owner: &str, case: &str, step: &str) {
        self.step(owner, case, step, "due");
        self.must_come(owner, case, step, &["--confirm", step]);
    }

    /// The owner says that the node is backed up, until it is taken.
    pub fn back_up(&self, owner: &str, case: &str) {
        self.step(owner, case, "backup", "due");
        self.must_come(owner, case, "backup", &["--backup", "tape 7"]);
    }

    /// The owner's part with these words, again and again until a step is done.
    fn must_come(&self, owner: &str, case: &str, step: &str, words: &[&str]) {
        let until = Instant::now() + self.patience;
        loop {
            let answer = self.ask(owner, &[&["workflow", "run", case], words].concat());
            assert_ne!(answer.code, 1, "{owner} {step}: {}", answer.value);
            let shown = self.must(owner, &["workflow", "show", case]);
            let steps = shown["steps"].as_array().unwrap();
            if steps.iter().any(|one| one["step"] == step && one["state"] == "done") {
                return;
            }
            assert!(Instant::now() < until, "{owner} {step}: {} {shown}", answer.value);
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// A 2-of-3 party of the first three owners, hosted by them.
    pub fn party(&self) -> PartyId {
        let [a, b, c] = [self.owners[0], self.owners[1], self.owners[2]];
        let words = ["create-party", "treasury", "--owner", "me", "--owner", b, "--owner", c];
        let words = [&words[..], &["--threshold", "2", "--host", "me", "--host", b, "--host", c]].concat();
        let made = self.propose(a, &[&words[..], &["--confirmations", "2"]].concat());
        let case = text(&made, "case");
        for owner in [a, b, c] {
            self.approve(owner, &case);
        }
        for owner in &self.owners {
            self.until(owner, &["show", &case], |value| value["status"] == "effective");
        }
        let subjects = made["subjects"].as_array().unwrap();
        subjects.last().unwrap().as_str().unwrap().parse().unwrap()
    }

    /// Contracts of a party.
    pub fn create(&self, party: &PartyId, count: usize) -> Vec<ContractId> {
        let new = NewContract {
            package: PACKAGE.parse().unwrap(),
            signatories: [party.clone()].into(),
            observers: [].into(),
            payload: vec![7; 100],
        };
        self.runtime.block_on(self.network.transact(vec![new; count], Vec::new()))
    }

    /// An archive with the package, as a file.
    pub fn archive(&self) -> String {
        let path = self.path("package.dar");
        std::fs::write(&path, PACKAGE).unwrap();
        path.display().to_string()
    }

    /// Most memory that an owner's agent, or the coordinator, ever had, in KiB.
    pub fn peak_kib(&self, who: &str) -> u64 {
        let agents = self.agents.iter().find(|(name, _)| *name == who).map(|(_, child)| child);
        let process = agents.or(self.coordinator.as_ref()).unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub fn log_of(&self, who: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{who}.log"))).unwrap_or_default()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.agents.iter_mut().map(|(_, child)| child).chain(&mut self.coordinator) {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            for owner in self.owners.iter().chain(&["coordinator"]) {
                let log = self.log_of(owner);
                let last: Vec<&str> = log.lines().rev().take(12).collect();
                eprintln!("--- {owner}\n{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
            }
        }
    }
}

fn log(path: &Path) -> std::fs::File {
    std::fs::File::options().create(true).append(true).open(path).unwrap()
}

pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}
