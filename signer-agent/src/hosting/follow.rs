//! The rounds in which the owner's part of every case is done on the owner's node: by itself where it takes no human, and
//! at a command.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use canton_topology::id::PartyId;
use custody::random;
use protocol::{hosting::HostingStep, intent::CaseId, statement::Claim, witness::WitnessedStep};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::{Confirmed, Runner, due, error::StepError, rest::Resting, view::View};
use crate::{
    actor::{Message, ToVerify, Word},
    control::resolve_case,
    explained::Explained,
    outgoing::Settled,
    posting::Posting,
};

/// How often it is looked whether anything is due.
const ROUND_EVERY: Duration = Duration::from_millis(500);
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

/// Follows every case in which the owner's node has a part.
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
        let mut resting = Resting::default();
        loop {
            tokio::time::sleep(ROUND_EVERY).await;
            let mut idle = Vec::new();
            for (case, statements) in self.duties().await {
                if resting.holds(&case, statements, Instant::now()) {
                    continue;
                }
                match self.round(&case, &Confirmed::default()).await {
                    Ok(Round::Done) => resting.end(&case),
                    ended => {
                        if let Err(error) = &ended
                            && !error.passes()
                        {
                            warn!(%case, name = error.name(), %error, "a step on the owner's node is not done");
                        }
                        idle.push((case, statements));
                    }
                }
            }
            if idle.is_empty() {
                continue;
            }
            let said = self.duties().await;
            for (case, statements) in idle {
                resting.begin(case, said.get(&case).copied().unwrap_or(statements), Instant::now());
            }
        }
    }

    /// One round about one case: answers whoever asks, asks where an answer is needed, does the next step.
    ///
    /// # Errors
    /// See [`StepError`].
    pub async fn round(&self, case: &CaseId, confirmed: &Confirmed) -> Result<Round, StepError> {
        let Some(mut view) = self.view(case).await? else { return self.verify(case).await };
        if view.untrusted.is_some() {
            view.only_put_back();
        }
        let looked = self.must_not_have_forked().await;
        if let (Err(_), Some(step)) = (&looked, due(&view, confirmed)) {
            self.runner.ended(*case, step.name(), &looked);
        }
        looked?;
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
            None if self.runner.keep_sent(&view).await? || answered => Ok(Round::Done),
            None => Ok(Round::Nothing),
        }
    }

    async fn must_not_have_forked(&self) -> Result<(), StepError> {
        match self.runner.silent_fork().await? {
            Some(fork) => Err(StepError::Precondition(format!("SilentFork: {fork}"))),
            None => Ok(()),
        }
    }

    /// A case of another kind: where it is effective on the owner's node, the agent vouches for that.
    async fn verify(&self, case: &CaseId) -> Result<Round, StepError> {
        let (reply, answer) = oneshot::channel();
        self.tell(Message::ToVerify { case: *case, reply }).await?;
        let Some(ToVerify { offer, hosted }) = answer.await.map_err(|_| StepError::Stopping)? else {
            return Ok(Round::Nothing);
        };
        let looked = self.look_at_own_node(&hosted).await;
        self.runner.ended(*case, WitnessedStep::Verify.name(), &looked);
        self.attest(case, Claim::Verified { offer, on_ledger: looked? }, false).await?;
        Ok(Round::Done)
    }

    /// Whether the node's ledger, which did not fork, shows these parties as its own.
    async fn look_at_own_node(&self, hosted: &[PartyId]) -> Result<bool, StepError> {
        self.must_not_have_forked().await?;
        self.runner.shows_on_ledger(hosted).await
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

    /// What the owner must know about the node, whatever it is asked.
    pub async fn alarms(&self) -> Vec<String> {
        match self.runner.silent_fork().await {
            Ok(None) => Vec::new(),
            Ok(Some(fork)) => vec![format!("SilentFork: {fork}")],
            Err(error) => vec![format!("the ledger cannot be looked at: {error}")],
        }
    }

    /// Asks the new host's owner about a case that a command names; `false` where it cannot be asked.
    pub async fn asked_for(&self, reference: &str) -> bool {
        let Ok(case) = resolve_case(reference, self.duties().await.into_keys()) else { return false };
        self.ask(&case).await.is_ok()
    }

    /// Asks the new host's owner.
    ///
    /// # Errors
    /// See [`StepError`].
    pub async fn ask(&self, case: &CaseId) -> Result<(), StepError> {
        let mut nonce = [0; 32];
        random::fill(&mut nonce).map_err(|error| StepError::Precondition(error.to_string()))?;
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

    /// What a refusal means for a case.
    pub async fn explain(&self, case: &str, text: &str) -> Option<Explained> {
        let (reply, answer) = oneshot::channel();
        self.tell(Message::Explain { case: case.to_owned(), text: text.to_owned(), reply }).await.ok()?;
        answer.await.ok().flatten()
    }

    /// Every case in which something may be to be done, and how many statements it has.
    async fn duties(&self) -> BTreeMap<CaseId, u64> {
        let (reply, answer) = oneshot::channel();
        if self.tell(Message::Duties(reply)).await.is_err() {
            return BTreeMap::new();
        }
        answer.await.unwrap_or_default()
    }

    async fn tell(&self, message: Message) -> Result<(), StepError> {
        self.actor.send(message).await.map_err(|_| StepError::Stopping)
    }
}
