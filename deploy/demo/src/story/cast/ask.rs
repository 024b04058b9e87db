//! What the owners are asked: commands of their own agents, each a process, and waiting for what should come.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use canton_topology::state::State;
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, sleep},
};

use super::{Cast, LOOK_EVERY, OWNERS, PASSPHRASE, PATIENCE};
use crate::story::{telling::Telling, text};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done,
    NotYet,
    Failed,
}

impl Cast {
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
        let (ended, value) = self.command(owner, words).await?;
        ensure!(ended == Ended::Done, "{owner}: {words:?}: {value}");
        Ok(value)
    }

    async fn command(&self, owner: &str, words: &[&str]) -> Result<(Ended, Value)> {
        let mut child = self
            .play("signer-agent")
            .args(["--json", "--data"])
            .arg(self.folder.join(owner))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("no input")?;
        // A command that needs no passphrase may be gone before it is written.
        let _ = stdin.write_all(format!("{PASSPHRASE}\n").as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
            .await
            .with_context(|| format!("{owner}: {words:?} does not end"))??;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let answered = stdout.trim();
        let value = serde_json::from_str(answered).with_context(|| {
            format!("{owner}: {words:?} answered {answered:?} {}", String::from_utf8_lossy(&output.stderr))
        })?;
        let ended = match output.status.code() {
            Some(0) => Ended::Done,
            Some(2) => Ended::NotYet,
            Some(_) | None => Ended::Failed,
        };
        Ok((ended, value))
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// Where it does not come.
    pub(super) async fn wait_for(
        &self,
        owner: &str,
        words: &[&str],
        what: &str,
        is_there: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let until = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while Instant::now() < until {
            if let Ok((Ended::Done, value)) = self.command(owner, words).await {
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
        let (offer, signs) = self.verified(owner, case).await?;
        let words: Vec<&str> = ["approve", case, "--offer", &offer].into_iter().chain(more.iter().copied()).collect();
        self.ask_words(owner, &words).await?;
        telling.event("approved", &format!("{owner} approves offer {}, signatures: {signs}", &offer[..12]));
        Ok(())
    }

    /// Approves while nobody is there to take it: it is kept.
    ///
    /// # Errors
    /// Where the agent refuses, or says that it is done.
    pub async fn approve_unheard(&self, owner: &str, case: &str, telling: &mut Telling) -> Result<()> {
        let (offer, signs) = self.verified(owner, case).await?;
        let (ended, value) = self.command(owner, &["approve", case, "--offer", &offer]).await?;
        ensure!(ended == Ended::NotYet && value["case"] == case, "{owner} does not wait: {value}");
        let listed = self.ask(owner, "list").await?;
        let waits = &listed["outgoing"][0];
        ensure!(waits["kind"] == "approval" && waits["case"] == case, "{owner} lists nothing that waits: {listed}");
        telling.event("approved", &format!("{owner} approves, signatures: {signs}; it waits for a coordinator"));
        Ok(())
    }

    /// Waits until the coordinator has everything that an owner said.
    ///
    /// # Errors
    /// Where something waits for too long.
    pub async fn everything_is_posted(&self, owner: &str) -> Result<()> {
        let is_posted = |value: &Value| value["waiting-to-be-posted"] == 0;
        self.wait_for(owner, &["status"], "the coordinator", is_posted).await.map(drop)
    }

    /// Waits until something is seen on the synchronizer itself.
    ///
    /// # Errors
    /// Where it is not.
    pub async fn network_has(&self, what: &str, is_there: impl Fn(&State) -> bool) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !is_there(&self.network().head()) {
            ensure!(Instant::now() < until, "the synchronizer has not {what}");
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn verified(&self, owner: &str, case: &str) -> Result<(String, Value)> {
        let is_verified = |value: &Value| value["verdict"]["verified"] == true;
        let shown = self.wait_for(owner, &["show", case], "a verified offer", is_verified).await?;
        Ok((text(&shown, "offer")?, shown["verdict"]["signs"].clone()))
    }

    /// Tries to approve and says how the agent refused.
    ///
    /// # Errors
    /// Where it did not refuse.
    pub async fn approve_refused(&self, owner: &str, case: &str, more: &[&str]) -> Result<String> {
        let shown = self.arrives(owner, case).await?;
        let offer = text(&shown, "offer")?;
        let words: Vec<&str> = ["approve", case, "--offer", &offer].into_iter().chain(more.iter().copied()).collect();
        let (ended, value) = self.command(owner, &words).await?;
        ensure!(ended == Ended::Failed, "{owner}'s agent did not refuse: {value}");
        Ok(format!("{}: {}", text(&value, "name")?, text(&value, "error")?))
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
}
