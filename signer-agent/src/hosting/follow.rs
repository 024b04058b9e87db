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
use crate::{
    actor::{Message, Word},
    control::resolve_case,
    outgoing::Settled,
    posting::Posting,
};

/// How often it is looked whether anything is due.
const ROUND_EVERY: Duration = Duration::from_millis(500);
/// How long a case rests after a round that brought nothing, at first; doubled each time.
const REST: Duration = Duration::from_millis(500);
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(30);
/// How long the coordinator may take to take a statement.
const SAY_WITHIN: Duration = Duration::from_secs(20);
/// How often it is looked whether a statement stands in the case.
const STAND_EVERY: Duration = Duration::from_millis(50);
/// How many times.
const STAND_LOOKS: usize = 200;

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
    pub posting: Posting,
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

    /// Asks the new host's owner about a case that a command names; `false` where it cannot be asked.
    pub async fn asked_for(&self, reference: &str) -> bool {
        let matching: Vec<CaseId> = self.cases().await;
        let Ok(case) = resolve_case(reference, matching.into_iter()) else { return false };
        self.ask(&case).await.is_ok()
    }

    /// Asks the new host's owner.
    ///
    /// # Errors
    /// See [`StepError`].
    pub async fn ask(&self, case: &CaseId) -> Result<(), StepError> {
        let mut nonce = [0; 32];
        random_bytes(&mut nonce).map_err(|error| StepError::Precondition(error.to_string()))?;
        self.say(case, Word::Question(nonce)).await
    }

    async fn attest(&self, case: &CaseId, claim: Claim, human: bool) -> Result<(), StepError> {
        info!(%case, claim = claim.name(), "vouched for");
        self.say(case, Word::Claim(Box::new(claim), human)).await
    }

    /// Says something, and waits until it stands in the agent's own copy of the case: what comes next is derived from
    /// there.
    async fn say(&self, case: &CaseId, word: Word) -> Result<(), StepError> {
        let mut ear = self.posting.listen();
        let (reply, answer) = oneshot::channel();
        self.tell(Message::Vouch { case: *case, word, reply }).await?;
        let hash = answer.await.ok().flatten().ok_or(StepError::Stopping)?;
        self.posting.wake();
        match tokio::time::timeout(SAY_WITHIN, ear.of(hash)).await {
            Ok(Some(Settled::Taken)) => {}
            Ok(Some(Settled::Refused(refused))) => return Err(StepError::Precondition(refused.reason)),
            Ok(None) | Err(_) => {
                return Err(StepError::NotYet("the coordinator has not taken yet what was vouched for".to_owned()));
            }
        }
        for _ in 0..STAND_LOOKS {
            let (reply, answer) = oneshot::channel();
            self.tell(Message::Stands { case: *case, hash, reply }).await?;
            if answer.await.map_err(|_| StepError::Stopping)? {
                return Ok(());
            }
            tokio::time::sleep(STAND_EVERY).await;
        }
        Err(StepError::NotYet("the coordinator does not show yet what was vouched for".to_owned()))
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
