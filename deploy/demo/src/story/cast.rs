//! Who plays: the embedded synchronizer, the real coordinator and the real agents, each a process of its own with a
//! folder, keys and an identity of its own.

mod ask;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use canton_sandbox::network::{Network, Options};
use protocol::book::Card;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
};

use super::telling::Telling;
use crate::{ON_STAGE, signals::Signals};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const PASSPHRASE: &str = "a demo's passphrase is no secret";
/// How long a killed process may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);
const OWNERS: [&str; 4] = ["alice", "bob", "carol", "dora"];

/// Everybody.
pub struct Cast {
    network: Network,
    program: PathBuf,
    folder: PathBuf,
    thrown_away: Option<tempfile::TempDir>,
    coordinator: Option<Child>,
    agents: Vec<Child>,
    cards: BTreeMap<&'static str, Card>,
}

impl Cast {
    /// Brings everybody onto the stage: network, coordinator, owners with keys, enrolment and books.
    ///
    /// # Errors
    /// Where somebody does not come.
    pub async fn assemble(dir: Option<&Path>, telling: &mut Telling) -> Result<Self> {
        telling.chapter("The stage: a synchronizer, a coordinator, four owners who have never met");
        let (folder, thrown_away) = match dir {
            Some(dir) => (dir.to_owned(), None),
            None => {
                let fresh = tempfile::tempdir()?;
                (fresh.path().to_owned(), Some(fresh))
            }
        };
        std::fs::create_dir_all(&folder).with_context(|| format!("--dir {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        ensure!(!folder.join("alice").exists(), "--dir {}: a demo was here; name a fresh folder", folder.display());
        let mut participants: Vec<String> = OWNERS.iter().map(|owner| format!("{owner}-node")).collect();
        participants.push("coordinator-node".to_owned());
        let network = Network::start(&Options { participants, ..Options::default() }).await?;
        telling.event("network", &format!("synchronizer {}", network.synchronizer()));
        let program = std::env::current_exe().context("where is this program?")?;
        let mut cast = Self {
            network,
            program,
            folder,
            thrown_away,
            coordinator: None,
            agents: Vec::new(),
            cards: BTreeMap::new(),
        };
        cast.configure_coordinator()?;
        cast.start_coordinator(false, telling).await?;
        cast.owners(telling).await?;
        Ok(cast)
    }

    /// The synchronizer.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How many rows its topology has.
    pub fn rows(&self) -> usize {
        self.network.head().rows().count()
    }

    /// What an owner has told the others about itself.
    pub fn card(&self, owner: &str) -> &Card {
        self.cards.get(owner).expect("every owner made a card before the story began")
    }

    /// This program in one of its roles; gone when nobody holds it any more.
    fn play(&self, role: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args([ON_STAGE, role]).kill_on_drop(true);
        command
    }

    fn node(&self, index: usize) -> String {
        format!("http://{}", self.network.participants()[index].address)
    }

    fn config(&self) -> PathBuf {
        self.folder.join("coordinator.toml")
    }

    /// A free port, kept over restarts: agents know the coordinator by its address.
    fn configure_coordinator(&self) -> Result<()> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let synchronizer = &self.network.synchronizer().logical;
        let node = self.node(OWNERS.len());
        let text = format!(
            "data = \"coordinator\"\nlisten = \"127.0.0.1:{port}\"\n\n[participant]\naddress = \"{node}\"\nsynchronizer = \"{synchronizer}\"\npoll_ms = 100\n"
        );
        std::fs::write(self.config(), text)?;
        Ok(())
    }

    /// Starts the coordinator, honest or not, and waits until it listens.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn start_coordinator(&mut self, hostile: bool, telling: &mut Telling) -> Result<()> {
        let role = if hostile { "hostile-coordinator" } else { "coordinator" };
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("coordinator.log"))?;
        let mut child = self
            .play(role)
            .args(["serve", "--json", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let stdout = child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let listening = async {
            let mut last = String::new();
            while let Some(line) = lines.next_line().await? {
                if line.contains("\"listening\"") {
                    return Ok(());
                }
                last = line;
            }
            bail!("the coordinator ended: {last}; see {}", self.folder.join("coordinator.log").display())
        };
        tokio::time::timeout(PATIENCE, listening).await.context("the coordinator does not listen")??;
        // Its output is read to the end, so that it never blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let pid = child.id().unwrap_or_default();
        self.coordinator = Some(child);
        let what = if hostile { "a hostile coordinator takes its place" } else { "the coordinator listens" };
        telling.event("coordinator", &format!("{what} (process {pid})"));
        Ok(())
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// Where there is nobody to kill.
    pub async fn kill_coordinator(&mut self, telling: &mut Telling) -> Result<()> {
        let mut child = self.coordinator.take().context("no coordinator runs")?;
        // Until it is gone its store is locked.
        child.kill().await?;
        telling.event("killed", "the coordinator is killed with signal 9");
        Ok(())
    }

    /// Puts another coordinator in the place of the one that runs.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn restart_coordinator(&mut self, hostile: bool, telling: &mut Telling) -> Result<()> {
        if let Some(mut child) = self.coordinator.take() {
            child.kill().await?;
        }
        self.start_coordinator(hostile, telling).await
    }

    async fn owners(&mut self, telling: &mut Telling) -> Result<()> {
        let synchronizer = self.network.synchronizer().logical.to_string();
        let mut cards = Vec::new();
        for (index, owner) in OWNERS.iter().enumerate() {
            let node = self.node(index);
            let words = [
                "init",
                "--name",
                owner,
                "--synchronizer",
                &synchronizer,
                "--participant",
                &node,
                "--passphrase-fd",
                "0",
            ];
            let made = self.ask_words(owner, &words).await?;
            let card = super::text(&made, "card")?;
            self.cards.insert(*owner, Card::parse(&card)?);
            cards.push((*owner, card, super::text(&made, "code")?));
            let invited = self.coordinator_says(&["invite", owner]).await?;
            let invitation = super::text(&invited, "invitation")?;
            self.ask_words(owner, &["enroll", &invitation, "--passphrase-fd", "0"]).await?;
            telling.event("owner", &format!("{owner} has keys and is enrolled: {}", super::text(&made, "owner")?));
        }
        for reader in OWNERS {
            for (owner, card, code) in cards.iter().filter(|(owner, _, _)| *owner != reader) {
                self.ask_words(reader, &["book", "add", card, "--name", owner, "--code", code]).await?;
            }
        }
        telling.event("books", "everybody has everybody's card, with the code read aloud");
        for owner in OWNERS {
            let child = self.start_agent(owner)?;
            self.agents.push(child);
        }
        for owner in OWNERS {
            self.wait_for(owner, &["status"], "participant", |value| !value["participant"].is_null()).await?;
        }
        telling.event("agents", "four agents run, each with a process, a folder and a participant of its own");
        Ok(())
    }

    fn start_agent(&self, owner: &str) -> Result<Child> {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join(format!("{owner}.log")))?;
        let mut child = self
            .play("signer-agent")
            .arg("--data")
            .arg(self.folder.join(owner))
            .args(["run", "--passphrase-fd", "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut stdin = child.stdin.take().context("no input")?;
        tokio::spawn(async move {
            let _ = stdin.write_all(format!("{PASSPHRASE}\n").as_bytes()).await;
        });
        Ok(child)
    }

    async fn coordinator_says(&self, words: &[&str]) -> Result<Value> {
        let output = self
            .play("coordinator")
            .args(words)
            .args(["--json", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "coordinator {words:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(text.trim()).with_context(|| format!("coordinator {words:?} answered {text}"))
    }

    /// Commands to play with while everything runs; `open` is a case that waits for approvals.
    pub fn commands(&self, party: &str, open: &str) -> Vec<String> {
        let agent = |owner: &str, words: &str| {
            format!("{} signer-agent --data {} {words}", self.program.display(), self.folder.join(owner).display())
        };
        vec![
            agent("alice", "list"),
            agent("alice", &format!("show {open}")),
            agent("alice", &format!("approve {open}")),
            agent("bob", &format!("approve {open}")),
            agent("alice", &format!("propose change-thresholds {party} --confirmations 2")),
            agent("carol", "book list"),
            agent("dora", "status"),
        ]
    }

    /// Leaves everything running until somebody presses enter, or stops the demo where there is nobody.
    ///
    /// # Errors
    /// Where the standard input is broken.
    pub async fn keep(&self, signals: &mut Signals, telling: &Telling) -> Result<()> {
        telling.how_to_stop();
        let mut line = String::new();
        let mut stdin = BufReader::new(tokio::io::stdin());
        let is_over = tokio::select! {
            read = stdin.read_line(&mut line) => read? > 0,
            _ = signals.next() => true,
        };
        if !is_over {
            signals.next().await;
        }
        Ok(())
    }
}

/// Everybody goes home, also where the story breaks off: no process and no key is left behind.
impl Drop for Cast {
    fn drop(&mut self) {
        let mut children: Vec<Child> = self.agents.drain(..).chain(self.coordinator.take()).collect();
        for child in &mut children {
            let _ = child.start_kill();
        }
        let until = std::time::Instant::now() + GONE_WITHIN;
        children.retain_mut(|child| {
            while matches!(child.try_wait(), Ok(None)) && std::time::Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            false
        });
        let Some(folder) = self.thrown_away.take() else { return };
        // A command that was broken off may write its last file while the folder goes.
        while std::time::Instant::now() < until {
            match std::fs::remove_dir_all(folder.path()) {
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}
