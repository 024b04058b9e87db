//! The rounds in which the owner's part of every hosting is done: by itself where it takes no human, and at a command.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use custody::keys::encrypted_file::random_bytes;
use protocol::{hosting::HostingStep, intent::CaseId, statement::Claim};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::{Confirmed, Runner, error::StepError, view::View};
use crate::{actor::Message, process::Post};

/// How often it is looked whether anything is due.
const ROUND_EVERY: Duration = Duration::from_millis(500);
/// How long a case rests after a round that brought nothing, at first; doubled each time.
const REST: Duration = Duration::from_millis(500);
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(30);

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Something was done; there may be more.
    Done,
    /// Nothing of this owner's is due.
    Nothing,
}

/// Follows every case of hosting.
#[derive(Clone)]
pub struct Follower {
    /// Does the steps.
    pub runner: Runner,
    /// The thread that owns the agent.
    pub actor: mpsc::Sender<Message>,
    /// What brings statements to the coordinator.
    pub post: Post,
}

impl Follower {
    /// Does whatever is due and takes no human, for ever.
    pub async fn follow(self) {
        let mut resting: BTreeMap<CaseId, (Instant, Duration)> = BTreeMap::new();
        loop {
            tokio::time::sleep(ROUND_EVERY).await;
            for case in self.cases().await {
                if resting.get(&case).is_some_and(|(until, _)| *until > Instant::now()) {
                    continue;
                }
                match self.round(&case, &Confirmed::default()).await {
                    Ok(Round::Done) => {
                        resting.remove(&case);
                    }
                    ended => {
                        if let Err(error) = &ended
                            && !matches!(error, StepError::NotYet(_))
                        {
                            warn!(%case, name = error.name(), %error, "a step of a hosting is not done");
                        }
                        let rest = resting.get(&case).map_or(REST, |(_, rest)| (*rest * 2).min(REST_MAX));
                        resting.insert(case, (Instant::now() + rest, rest));
                    }
                }
            }
        }
    }

    /// One round about one case: answers whoever asks, asks where an answer is needed, does the next step.
    ///
    /// # Errors
    /// See [`StepError`].
    pub async fn round(&self, case: &CaseId, confirmed: &Confirmed) -> Result<Round, StepError> {
        let Some(view) = self.view(case).await? else { return Ok(Round::Nothing) };
        if view.untrusted.is_some() {
            return Ok(Round::Nothing);
        }
        if let Some(fork) = self.runner.silent_fork().await? {
            return Err(StepError::Precondition(format!("SilentFork: {fork}")));
        }
        let answered = self.answer(&view).await?;
        let is_submit_due = view.items.iter().any(|item| item.step == HostingStep::Submit && item.is_due_for(&view.me));
        if is_submit_due && !view.answered {
            self.ask(case).await?;
        }
        match self.runner.next(&view, confirmed).await? {
            Some((claim, human)) => {
                self.attest(case, claim, human).await?;
                Ok(Round::Done)
            }
            None if answered => Ok(Round::Done),
            None => Ok(Round::Nothing),
        }
    }

    /// Another owner wants to know, right before signing, whether this owner's node is disconnected.
    async fn answer(&self, view: &View) -> Result<bool, StepError> {
        if view.change.target.owner != view.me || view.open_questions.is_empty() {
            return Ok(false);
        }
        if !self.runner.is_disconnected().await? {
            return Ok(false);
        }
        for nonce in &view.open_questions {
            self.attest(&view.case, Claim::Disconnected { nonce: Some(*nonce) }, false).await?;
        }
        Ok(true)
    }

    /// Asks the new host's owner.
    ///
    /// # Errors
    /// See [`StepError`].
    pub async fn ask(&self, case: &CaseId) -> Result<(), StepError> {
        let mut nonce = [0; 32];
        random_bytes(&mut nonce).map_err(|error| StepError::Precondition(error.to_string()))?;
        let (reply, answer) = oneshot::channel();
        self.tell(Message::Question { case: *case, nonce, reply }).await?;
        let question = answer.await.ok().flatten().ok_or(StepError::Stopping)?;
        self.post.statement(&question).await.map_err(|error| StepError::NotYet(error.to_string()))
    }

    async fn attest(&self, case: &CaseId, claim: Claim, human: bool) -> Result<(), StepError> {
        let name = claim.name();
        let (reply, answer) = oneshot::channel();
        self.tell(Message::Attest { case: *case, claim: Box::new(claim), human, reply }).await?;
        let attestation = answer.await.ok().flatten().ok_or(StepError::Stopping)?;
        self.post.statement(&attestation).await.map_err(|error| StepError::NotYet(error.to_string()))?;
        info!(%case, claim = name, "vouched for");
        Ok(())
    }

    /// The case as the agent sees it.
    ///
    /// # Errors
    /// Where the agent is stopping.
    pub async fn view(&self, case: &CaseId) -> Result<Option<View>, StepError> {
        let (reply, answer) = oneshot::channel();
        self.tell(Message::View { case: *case, reply }).await?;
        answer.await.map(|view| view.map(|view| *view)).map_err(|_| StepError::Stopping)
    }

    async fn cases(&self) -> Vec<CaseId> {
        let (reply, answer) = oneshot::channel();
        if self.tell(Message::Hostings(reply)).await.is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    async fn tell(&self, message: Message) -> Result<(), StepError> {
        self.actor.send(message).await.map_err(|_| StepError::Stopping)
    }
}
