//! The shell around the coordinator's mind: a thread that owns it, and tasks that read topology and submit for it.

mod machine;
pub mod participant;
mod topology;

use std::sync::{Arc, mpsc};

use canton_topology::{id::Namespace, state::State};
use protocol::{
    identity::IdentityPublicKey,
    intent::CaseId,
    plan::Planner,
    statement::{SignStatements, Statement, StatementHash},
};
use thiserror::Error;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, oneshot, watch},
    task::JoinSet,
};

use self::{machine::Machine, participant::Node};
use crate::{
    coordinator::{Coordinator, Refused, SubmitResult, Taken},
    register::Register,
    store::{Appending, Store, StoreError},
};

/// Most statements that wait for the mind at once.
const WAITING_MAX: usize = 1024;

/// What the mind is told.
enum Command {
    Take { statement: Statement, reply: oneshot::Sender<Result<(Taken, Appending), TakeError>> },
    TakeOver { statements: Vec<Statement>, reply: oneshot::Sender<Result<(Taken, Appending), TakeError>> },
    Admit { identity: IdentityPublicKey, owner: Namespace },
    Topology(Arc<State>),
    Submitted { case: CaseId, offer: StatementHash, result: SubmitResult },
    Forget { case: CaseId, statements: usize },
    Stop,
}

/// Topology as the routes see it.
#[derive(Clone, Debug)]
pub enum Topology {
    /// No participant is configured.
    NotConfigured,
    /// It was never read; why not.
    Unread(String),
    /// It was read, and the last attempt succeeded.
    Read(Arc<State>),
    /// It was read, and the last attempt failed: why.
    Stale(Arc<State>, String),
}

impl Topology {
    /// The state, where it was ever read.
    pub fn state(&self) -> Option<&Arc<State>> {
        match self {
            Self::NotConfigured | Self::Unread(_) => None,
            Self::Read(state) | Self::Stale(state, _) => Some(state),
        }
    }
}

/// What a driver needs.
pub struct Parts {
    /// Where everything stays.
    pub store: Arc<dyn Store>,
    /// Who is enrolled, now and before.
    pub register: Arc<Register>,
    /// The key that signs offers and outcomes.
    pub signer: Box<dyn SignStatements + Send>,
    /// The coordinators from which this one takes over.
    pub former: Vec<IdentityPublicKey>,
    /// How intents are planned.
    pub planner: Planner,
    /// The participant, and how often topology is read.
    pub node: Option<(Arc<dyn Node>, std::time::Duration)>,
}

/// The way to the mind.
pub struct Driver {
    commands: mpsc::Sender<Command>,
    places: Semaphore,
    topology: watch::Receiver<Topology>,
}

/// Why a statement is not taken.
#[derive(Debug, Error)]
pub enum TakeError {
    /// The mind says no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many wait already.
    #[error("too many statements wait; try again in a moment")]
    Busy,
    /// The coordinator is stopping.
    #[error("the coordinator is stopping; try again when it is back")]
    Stopping,
}

impl Driver {
    /// Reads the open cases and starts. Blocks while it reads. The tasks end only after a stop, or where a bug ends them.
    ///
    /// # Errors
    /// Where the store is damaged.
    pub fn start(
        parts: Parts,
        handle: &Handle,
        stop: &watch::Receiver<bool>,
    ) -> Result<(Self, JoinSet<()>), StoreError> {
        let Parts { store, register, signer, former, planner, node } = parts;
        let (commands, inbox) = mpsc::channel();
        let mut mind = Coordinator::new(signer, planner);
        for key in former {
            mind.succeed(key);
        }
        for enrolment in store.enrolments()? {
            let entered = register.enter(&enrolment);
            let (identity, owner) = entered.map_err(|error| StoreError::Damaged {
                row: format!("enrolment of {}", enrolment.name),
                reason: error.to_string(),
            })?;
            mind.admit(identity, owner);
        }
        if node.is_none() {
            mind.without_topology();
        }
        let nudge = Arc::new(Notify::new());
        let (tell, topology) = watch::channel(match &node {
            None => Topology::NotConfigured,
            Some(_) => Topology::Unread("not asked yet".to_owned()),
        });
        let mut tasks = JoinSet::new();
        let mut submitter = None;
        if let Some((node, poll)) = node {
            let reader = topology::Reader { node: Arc::clone(&node), commands: commands.clone(), tell, poll };
            tasks.spawn_on(reader.run(Arc::clone(&nudge), stop.clone()), handle);
            submitter = Some(node);
        }
        let mut machine = Machine::new(mind, store, commands.clone(), submitter, nudge, handle.clone());
        machine.restore_open_cases()?;
        tasks.spawn_blocking_on(move || machine.run(&inbox), handle);
        Ok((Self { commands, places: Semaphore::new(WAITING_MAX), topology }, tasks))
    }

    /// Takes a statement; answers when it is durable.
    ///
    /// # Errors
    /// See [`TakeError`].
    pub async fn take(&self, statement: Statement) -> Result<Taken, TakeError> {
        let _place = self.places.try_acquire().map_err(|_| TakeError::Busy)?;
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Take { statement, reply }).map_err(|_| TakeError::Stopping)?;
        let (taken, appending) = answer.await.map_err(|_| TakeError::Stopping)??;
        appending.await?;
        Ok(taken)
    }

    /// Takes a case over from another coordinator; answers when all of it is durable.
    ///
    /// # Errors
    /// See [`TakeError`].
    pub async fn take_over(&self, statements: Vec<Statement>) -> Result<Taken, TakeError> {
        let _place = self.places.try_acquire().map_err(|_| TakeError::Busy)?;
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::TakeOver { statements, reply }).map_err(|_| TakeError::Stopping)?;
        let (taken, appending) = answer.await.map_err(|_| TakeError::Stopping)??;
        appending.await?;
        Ok(taken)
    }

    /// Lets an owner speak. What is taken after this call knows it.
    pub fn admit(&self, identity: IdentityPublicKey, owner: Namespace) {
        // Where the mind has ended, nothing is taken any more.
        let _ = self.commands.send(Command::Admit { identity, owner });
    }

    /// Topology as it was read last.
    pub fn topology(&self) -> watch::Receiver<Topology> {
        self.topology.clone()
    }

    /// Ends, after what was taken.
    pub fn stop(&self) {
        // Where the mind has ended already, there is nothing to end.
        let _ = self.commands.send(Command::Stop);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The mind holds a way to itself, so it would never notice that nobody else does.
        self.stop();
    }
}
