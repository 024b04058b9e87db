//! Who plays: the embedded synchronizer, the real coordinator and the real agents, each a process of its own with a
//! folder, keys and an identity of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use canton_sandbox::network::{Network, Options};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::telling::Telling;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const PASSPHRASE: &str = "a demo's passphrase is no secret";
const OWNERS: [&str; 4] = ["alice", "bob", "carol", "dora"];

/// Everybody.
pub struct Cast {
    network: Network,
    program: PathBuf,
    folder: PathBuf,
    thrown_away: Option<tempfile::TempDir>,
    coordinator: Option<Child>,
    agents: Vec<Child>,
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
        let mut cast = Self { network, program, folder, thrown_away, coordinator: None, agents: Vec::new() };
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
        let mut child = Command::new(&self.program)
            .args([role, "serve", "--json", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
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
            cards.push((*owner, super::text(&made, "card")?, super::text(&made, "code")?));
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
        let mut child = Command::new(&self.program)
            .args(["signer-agent", "--data"])
            .arg(self.folder.join(owner))
            .args(["run", "--passphrase-fd", "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().context("no input")?;
        tokio::spawn(async move {
            let _ = stdin.write_all(format!("{PASSPHRASE}\n").as_bytes()).await;
        });
        Ok(child)
    }

    async fn coordinator_says(&self, words: &[&str]) -> Result<Value> {
        let output = Command::new(&self.program)
            .arg("coordinator")
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

    /// One command of an owner, as words without spaces inside.
    ///
    /// # Errors
    /// Where it fails.
    pub async fn ask(&self, owner: &str, words: &str) -> Result<Value> {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.ask_words(owner, &words).await
    }

    /// One command of an owner.
    ///
    /// # Errors
    /// Where it fails.
    pub async fn ask_words(&self, owner: &str, words: &[&str]) -> Result<Value> {
        let (is_done, value) = self.command(owner, words).await?;
        ensure!(is_done, "{owner}: {words:?}: {value}");
        Ok(value)
    }

    async fn command(&self, owner: &str, words: &[&str]) -> Result<(bool, Value)> {
        let mut child = Command::new(&self.program)
            .args(["signer-agent", "--json", "--data"])
            .arg(self.folder.join(owner))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().context("no input")?;
        // A command that needs no passphrase may be gone before it is written.
        let _ = stdin.write_all(format!("{PASSPHRASE}\n").as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
            .await
            .with_context(|| format!("{owner}: {words:?} does not end"))??;
        let text = String::from_utf8_lossy(&output.stdout);
        let first = text.lines().next().unwrap_or_default();
        let value = serde_json::from_str(first).with_context(|| {
            format!("{owner}: {words:?} answered {text:?} {}", String::from_utf8_lossy(&output.stderr))
        })?;
        Ok((output.status.success(), value))
    }

    async fn wait_for(
        &self,
        owner: &str,
        words: &[&str],
        what: &str,
        is_there: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let until = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while Instant::now() < until {
            if let Ok((true, value)) = self.command(owner, words).await {
                if is_there(&value) {
                    return Ok(value);
                }
                last = value;
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("{owner} waits for {what} in vain; the last answer was {last}")
    }

    /// Waits until a case with an offer has arrived at an owner's agent.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn arrives(&self, owner: &str, case: &str) -> Result<Value> {
        self.wait_for(owner, &["show", case], "an offer", |value| value["offer"].is_string()).await
    }

    /// Waits until an owner's agent sees a case at a stage.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn at_stage(&self, owner: &str, case: &str, stage: &str) -> Result<Value> {
        self.wait_for(owner, &["show", case], stage, |value| value["stage"] == stage).await
    }

    /// Looks at a case and approves what was seen.
    ///
    /// # Errors
    /// Where the agent refuses.
    pub async fn approve(&self, owner: &str, case: &str, telling: &mut Telling) -> Result<()> {
        self.approve_with(owner, case, &[], telling).await
    }

    /// Approves with more words.
    ///
    /// # Errors
    /// Where the agent refuses.
    pub async fn approve_with(&self, owner: &str, case: &str, more: &[&str], telling: &mut Telling) -> Result<()> {
        let verified = |value: &Value| value["verdict"]["verified"] == true;
        let shown = self.wait_for(owner, &["show", case], "a verified offer", verified).await?;
        let offer = super::text(&shown, "offer")?;
        let words: Vec<&str> = ["approve", case, "--offer", &offer].into_iter().chain(more.iter().copied()).collect();
        self.ask_words(owner, &words).await?;
        let signs = &shown["verdict"]["signs"];
        telling.event("approved", &format!("{owner} approves offer {}, signatures: {signs}", &offer[..12]));
        Ok(())
    }

    /// Tries to approve and says how the agent refused.
    ///
    /// # Errors
    /// Where it did not refuse.
    pub async fn approve_refused(&self, owner: &str, case: &str, more: &[&str]) -> Result<String> {
        let shown = self.arrives(owner, case).await?;
        let offer = super::text(&shown, "offer")?;
        let words: Vec<&str> = ["approve", case, "--offer", &offer].into_iter().chain(more.iter().copied()).collect();
        let (is_done, value) = self.command(owner, &words).await?;
        ensure!(!is_done, "{owner}'s agent signed what it should refuse");
        Ok(format!("{}: {}", super::text(&value, "name")?, super::text(&value, "error")?))
    }

    /// Waits until everybody's agent derives the same status of a case.
    ///
    /// # Errors
    /// Where it does not come to that.
    pub async fn until(&self, case: &str, status: &str, telling: &mut Telling) -> Result<Value> {
        let mut shown = Value::Null;
        for owner in OWNERS {
            let is_there = |value: &Value| value["status"] == status;
            shown = self.wait_for(owner, &["show", case], status, is_there).await?;
        }
        telling.event(status, &format!("every agent sees case {} {status}", &case[case.len() - 6..]));
        Ok(shown)
    }

    /// Leaves everything running until somebody presses enter.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub async fn keep(&self, _: &Telling) -> Result<()> {
        let program = self.program.display();
        println!("\nEverything still runs. Try, in another terminal:");
        for words in ["list", "status", "book list"] {
            println!("  {program} signer-agent --data {} {words}", self.folder.join("alice").display());
        }
        println!("Press enter to stop.");
        let mut line = String::new();
        BufReader::new(tokio::io::stdin()).read_line(&mut line).await?;
        Ok(())
    }

    /// Sends everybody home.
    pub fn stop(mut self) {
        for child in self.agents.iter_mut().chain(&mut self.coordinator) {
            let _ = child.start_kill();
        }
        drop(self.thrown_away.take());
    }
}
