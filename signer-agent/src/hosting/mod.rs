//! The owner's part in a hosting: what the agent does on the owner's own node, step by step.
//!
//! What comes next is `protocol`'s checklist; here it is only done. Each step makes sure of what must hold right before it
//! acts, remembers durably what it will need to undo, acts, looks whether it worked, and has the agent vouch for it. Any
//! step can be repeated after a crash anywhere.

mod backup_command;
pub mod command;
mod contracts;
pub mod error;
pub mod follow;
pub mod fork;
pub mod held;
mod node;
mod rest;
pub mod source;
mod target;
mod turn;
pub mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use canton_client::{ledger::Ledger, participant::Participant, pruning::Schedule};
use canton_topology::id::PartyId;
use custody::keys::parcel_key::ParcelKey;
use protocol::{hosting::HostingStep, intent::CaseId, statement::Claim};

use self::{error::StepError, fork::Fork, held::Held, turn::due, view::View};
use crate::{coordinator_link::Link, folder::Folder};

/// What a human at the agent says to a run of the owner's part.
#[derive(Clone, Debug, Default)]
pub struct Confirmed {
    /// The steps that the human confirms, by name.
    pub steps: BTreeSet<HostingStep>,
    /// How the new host was backed up, in the human's words.
    pub backup: Option<String>,
    /// Archives of packages to be uploaded.
    pub archives: Vec<PathBuf>,
    /// A sealed snapshot that came by hand.
    pub sealed: Option<PathBuf>,
}

/// What the agent is doing about a case right now.
#[derive(Clone, Debug, Default)]
pub struct Doing {
    /// The step.
    pub step: Option<HostingStep>,
    /// Bytes of the snapshot so far.
    pub bytes: u64,
    /// Contracts so far.
    pub contracts: u64,
    /// What went wrong last.
    pub failed: Option<Failed>,
}

/// A step that is not done.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Its name.
    pub step: &'static str,
    /// The name of what is wrong.
    pub name: String,
    /// What is wrong.
    pub reason: String,
    /// Whether it passes by itself.
    pub passes: bool,
}

/// What the steps need.
pub struct Tools {
    /// The owner's participant.
    pub node: Participant,
    /// Its Ledger API, where the owner configured it.
    pub ledger: Option<Ledger>,
    /// The coordinator.
    pub link: Link,
    /// The agent's folder.
    pub folder: Folder,
    /// What opens snapshots that are sealed for this owner.
    pub parcel_key: ParcelKey,
    /// The owner's own command that backs the node up, and its arguments.
    pub backup_command: Vec<String>,
}

/// Does the owner's part, one case at a time.
#[derive(Clone)]
pub struct Runner {
    tools: Arc<Tools>,
    doing: Arc<Mutex<BTreeMap<CaseId, Doing>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Runner {
    /// A runner that has done nothing yet.
    pub fn new(tools: Tools) -> Self {
        Self { tools: Arc::new(tools), doing: Arc::default(), turn: Arc::default() }
    }

    /// What is being done about a case.
    pub fn doing(&self, case: &CaseId) -> Doing {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner).get(case).cloned().unwrap_or_default()
    }

    fn change(&self, case: CaseId, change: impl FnOnce(&mut Doing)) {
        change(self.doing.lock().unwrap_or_else(PoisonError::into_inner).entry(case).or_default());
    }

    /// Does the next thing that is this owner's and due, and says what is to be vouched for. `None` where nothing is.
    ///
    /// # Errors
    /// See [`StepError`]. What was begun is gone on with by the next call.
    pub async fn next(&self, view: &View, confirmed: &Confirmed) -> Result<Option<(Claim, bool)>, StepError> {
        let _turn = self.turn.lock().await;
        let Some(step) = due(view, confirmed) else { return Ok(None) };
        self.change(view.case, |doing| *doing = Doing { step: Some(step), ..Doing::default() });
        let done = Step { runner: self, tools: &self.tools, view, confirmed }.run(step).await;
        self.ended(view.case, step.name(), &done);
        let is_in_words = step == HostingStep::Backup && confirmed.backup.is_some();
        done.map(|claim| claim.map(|claim| (claim, is_in_words || confirmed.steps.contains(&step))))
    }

    /// Keeps what this owner has sent where the others can fetch it. Whether anything was to be done.
    ///
    /// # Errors
    /// See [`StepError`].
    pub async fn keep_sent(&self, view: &View) -> Result<bool, StepError> {
        let _turn = self.turn.lock().await;
        let confirmed = Confirmed::default();
        let kept = Step { runner: self, tools: &self.tools, view, confirmed: &confirmed }.keep_sent().await;
        let export = HostingStep::Export.name();
        if kept.is_err() || self.doing(&view.case).failed.is_some_and(|failed| failed.step == export) {
            self.ended(view.case, export, &kept);
        }
        kept
    }

    /// Remembers how a step ended, for `workflow show`.
    fn ended<T>(&self, case: CaseId, step: &'static str, done: &Result<T, StepError>) {
        let failed = done.as_ref().err().map(|error| Failed {
            step,
            name: error.name().to_owned(),
            reason: error.to_string(),
            passes: error.passes(),
        });
        self.change(case, |doing| (doing.step, doing.failed) = (None, failed));
    }

    /// Whether the owner's node is disconnected now, and stays so: asked anew for each answer to another owner.
    ///
    /// # Errors
    /// See [`StepError`].
    pub async fn is_disconnected(&self) -> Result<bool, StepError> {
        node::is_disconnected(&self.tools.node).await
    }

    /// Whether the node's ledger is another one than after a hosting: it was put back to an old state, and goes another
    /// way than the one that others have seen.
    ///
    /// # Errors
    /// See [`StepError`].
    pub async fn silent_fork(&self) -> Result<Option<Fork>, StepError> {
        let (Some(ledger), Some(mark)) = (&self.tools.ledger, self.tools.folder.ledger_mark()?) else {
            return Ok(None);
        };
        Ok(mark.fork(ledger).await?)
    }

    /// The pruning schedule that was turned off for a case and is to come back. What does not read, the step itself says.
    pub fn remembered_schedule(&self, case: &CaseId) -> Option<Schedule> {
        self.tools.folder.held(case).ok()?.pruning?
    }

    /// Whether the node's ledger shows all these parties as its own; `false` where there is none, or no ledger is read.
    ///
    /// # Errors
    /// See [`StepError`]; that it does not show one of them yet.
    pub async fn shows_on_ledger(&self, parties: &[PartyId]) -> Result<bool, StepError> {
        let Some(ledger) = &self.tools.ledger else { return Ok(false) };
        for party in parties {
            if !ledger.is_hosted_locally(party).await? {
                return Err(StepError::NotYet(format!("the node's ledger does not show {party} yet")));
            }
        }
        Ok(!parties.is_empty())
    }

    /// What this owner does when it proposes to host a party: looks whether the party was ever used.
    ///
    /// # Errors
    /// See [`StepError`].
    pub async fn look(&self, party: &PartyId) -> Result<source::Looked, StepError> {
        source::look(self.tools.ledger()?, party).await
    }
}

impl Tools {
    fn ledger(&self) -> Result<&Ledger, StepError> {
        self.ledger.as_ref().ok_or(StepError::NoLedger)
    }
}

/// One step of one case.
struct Step<'a> {
    runner: &'a Runner,
    tools: &'a Tools,
    view: &'a View,
    confirmed: &'a Confirmed,
}

impl Step<'_> {
    async fn run(&self, step: HostingStep) -> Result<Option<Claim>, StepError> {
        match step {
            HostingStep::Look => self.look().await.map(Some),
            HostingStep::Survey => self.survey().await.map(Some),
            HostingStep::Vet => self.vet().await.map(|()| None),
            HostingStep::Prepare => self.prepare().await.map(Some),
            HostingStep::PrepareSecond => self.prepare_second().await.map(Some),
            HostingStep::Disconnect => self.disconnect().await.map(Some),
            HostingStep::Submit => self.submit().await.map(|()| None),
            HostingStep::Export => self.export().await.map(Some),
            HostingStep::Count => self.count().await.map(Some),
            HostingStep::RestorePruning => self.restore_pruning().await.map(|()| Some(Claim::PruningRestored)),
            HostingStep::Backup => self.backup().await.map(Some),
            HostingStep::Import => self.import().await.map(Some),
            HostingStep::Reconnect => self.reconnect().await.map(|()| Some(Claim::Reconnected)),
            HostingStep::Clear => self.clear().await.map(|()| None),
            HostingStep::VerifySource => self.verify().await.map(Some),
            HostingStep::VerifyTarget => self.verify_target().await.map(Some),
            HostingStep::Verify => self.witness().await.map(Some),
            HostingStep::PutBackSource => self.restore_pruning().await.map(|()| Some(Claim::PutBack)),
            HostingStep::PutBackTarget => self.reconnect().await.map(|()| Some(Claim::PutBack)),
            HostingStep::Consent | HostingStep::Sign => Ok(None),
        }
    }

    fn held(&self) -> Result<Held, StepError> {
        Ok(self.tools.folder.held(&self.view.case)?)
    }

    fn hold(&self, held: &Held) -> Result<(), StepError> {
        Ok(self.tools.folder.set_held(&self.view.case, held)?)
    }

    /// Two cases that touch the node in the same way would each remember what the other one made of it.
    fn must_touch_alone(&self, touches: impl Fn(&Held) -> bool) -> Result<(), StepError> {
        let others = self.tools.folder.held_elsewhere(&self.view.case)?;
        match others.into_iter().find(|(_, held)| touches(held)) {
            Some((other, _)) => Err(StepError::NotYet(format!(
                "case {other} has changed the same on this node and brings it back when it is through; go on then"
            ))),
            None => Ok(()),
        }
    }

    /// A file of this case, in the agent's own folder.
    fn file(&self, name: &str) -> PathBuf {
        self.tools.folder.hosting_file(&self.view.case, name)
    }

    fn progress(&self, bytes: u64, contracts: u64) {
        self.runner.change(self.view.case, |doing| (doing.bytes, doing.contracts) = (bytes, contracts));
    }
}
