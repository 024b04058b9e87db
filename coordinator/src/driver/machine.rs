//! The thread that owns the mind: one command after the other, effects in their order.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use canton_client::error::NodeError;
use canton_topology::{state::State, transaction::SignedTransaction};
use protocol::{
    intent::CaseId,
    limits,
    statement::{Statement, StatementHash},
};
use tokio::{runtime::Handle, sync::Notify};
use tracing::{info, warn};

use super::{Command, TakeError, participant::Node};
use crate::{
    clock,
    coordinator::{Coordinator, Effect, SubmitResult, Taken},
    store::{Appending, Batch, Store, StoreError, Write},
};

/// How long the thread sleeps at most: clocks may be set.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// The mind and its hands.
pub struct Machine {
    mind: Coordinator,
    store: Arc<dyn Store>,
    commands: mpsc::Sender<Command>,
    node: Option<Arc<dyn Node>>,
    nudge: Arc<Notify>,
    handle: Handle,
    /// Settled cases that the store was told of, with how many statements they had then.
    told: BTreeMap<CaseId, usize>,
}

impl Machine {
    pub fn new(
        mind: Coordinator,
        store: Arc<dyn Store>,
        commands: mpsc::Sender<Command>,
        node: Option<Arc<dyn Node>>,
        nudge: Arc<Notify>,
        handle: Handle,
    ) -> Self {
        Self { mind, store, commands, node, nudge, handle, told: BTreeMap::new() }
    }

    /// Reads every case that has not settled.
    pub fn restore_open_cases(&mut self) -> Result<(), StoreError> {
        let cases = self.store.open_cases()?;
        for case in &cases {
            self.restore(*case)?;
        }
        info!(cases = cases.len(), "open cases were read");
        Ok(())
    }

    /// Brings a case back into memory; nothing happens where there is none.
    fn restore(&mut self, case: CaseId) -> Result<(), StoreError> {
        for stored in self.store.load(case)? {
            let damaged =
                |reason: String| StoreError::Damaged { row: format!("statement {}", stored.sequence), reason };
            let statement = Statement::parse(&stored.bytes).map_err(|error| damaged(error.to_string()))?;
            self.mind.restore(statement).map_err(|error| damaged(error.to_string()))?;
        }
        Ok(())
    }

    /// Works until it is told to stop.
    pub fn run(mut self, inbox: &mpsc::Receiver<Command>) {
        loop {
            let wait = self.mind.next_tick().map_or(SLEEP_MAX, |at| clock::until(at).min(SLEEP_MAX));
            match inbox.recv_timeout(wait) {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let effects = self.mind.tick(clock::now());
            if !effects.is_empty() {
                self.carry_out(effects);
            }
            self.settle();
        }
    }

    fn obey(&mut self, command: Command) {
        let now = clock::now();
        match command {
            Command::Take { statement, reply } => {
                // Who asked may have gone; what was taken is taken.
                let _ = reply.send(self.take(statement));
            }
            Command::TakeOver { statements, reply } => {
                let _ = reply.send(self.take_over(&statements));
            }
            Command::Admit { identity, owner } => {
                if !self.mind.admit(identity, owner) {
                    warn!(%identity, "an identity key of somebody else was enrolled; it goes on speaking for its first owner");
                }
            }
            Command::Topology(state) => {
                let effects = self.mind.topology_changed(State::clone(&state), now);
                drop(self.carry_out(effects));
            }
            Command::Submitted { case, offer, result } => {
                let effects = self.mind.submitted(case, offer, result, now);
                drop(self.carry_out(effects));
            }
            Command::Forget { case, statements } => {
                if self.mind.case(&case).is_some_and(|known| known.statements().len() == statements) {
                    self.mind.forget(&case);
                }
            }
            Command::Stop => {}
        }
    }

    fn take(&mut self, statement: Statement) -> Result<(Taken, Appending), TakeError> {
        // A statement that belongs to no case is refused by the mind.
        if let Ok(case) = statement.case()
            && self.mind.case(&case).is_none()
        {
            self.restore(case)?;
        }
        let (taken, effects) = self.mind.take(statement, clock::now())?;
        Ok((taken, self.carry_out(effects)))
    }

    fn take_over(&mut self, statements: &[Statement]) -> Result<(Taken, Appending), TakeError> {
        if let Some(Ok(case)) = statements.first().map(Statement::case)
            && self.mind.case(&case).is_none()
        {
            self.restore(case)?;
        }
        let (taken, effects) = self.mind.take_over(statements, clock::now())?;
        Ok((taken, self.carry_out(effects)))
    }

    /// Stores, then submits. What comes back ends when everything stored up to here is durable.
    fn carry_out(&mut self, effects: Vec<Effect>) -> Appending {
        let mut writes = Vec::new();
        let mut submissions = Vec::new();
        for effect in effects {
            match effect {
                Effect::Append { case, position, statement } => {
                    info!(%case, position, kind = statement.kind().name(), statement = %statement.hash().short(), "appended");
                    writes.push(Write::Statement { case, position, bytes: statement.bytes().to_vec() });
                }
                Effect::Submit { case, offer, transactions } => submissions.push((case, offer, transactions)),
            }
        }
        let appending = self.store.append(Batch(writes));
        for (case, offer, transactions) in submissions {
            self.submit(case, offer, transactions);
        }
        appending
    }

    fn submit(&self, case: CaseId, offer: StatementHash, transactions: Vec<SignedTransaction>) {
        let Some(node) = self.node.clone() else {
            warn!(%case, "complete, but there is no participant to submit by");
            return;
        };
        // An empty batch is durable after everything before it.
        let durable = self.store.append(Batch::default());
        let (commands, nudge) = (self.commands.clone(), Arc::clone(&self.nudge));
        self.handle.spawn(async move {
            if durable.await.is_err() {
                return;
            }
            info!(%case, transactions = transactions.len(), "submitting");
            let result = heard(node.submit(&transactions).await);
            if result != SubmitResult::Watch {
                warn!(%case, ?result, "not submitted");
            }
            // Where the mind has ended, the next one asks again.
            let _ = commands.send(Command::Submitted { case, offer, result });
            nudge.notify_one();
        });
    }

    /// Tells the store which cases have settled, and forgets them when that is durable.
    fn settle(&mut self) {
        let settled: BTreeMap<CaseId, usize> =
            self.mind.settled().filter_map(|case| Some((case, self.mind.case(&case)?.statements().len()))).collect();
        let news: Vec<(CaseId, usize)> = settled
            .iter()
            .filter(|(case, statements)| self.told.get(case) != Some(statements))
            .map(|(case, statements)| (*case, *statements))
            .collect();
        self.told = settled;
        if news.is_empty() {
            return;
        }
        let appending = self.store.append(Batch(news.iter().map(|(case, _)| Write::Settle(*case)).collect()));
        let commands = self.commands.clone();
        self.handle.spawn(async move {
            if appending.await.is_ok() {
                for (case, statements) in news {
                    let _ = commands.send(Command::Forget { case, statements });
                }
            }
        });
    }
}

/// What a participant's answer means for the mind.
fn heard(answer: Result<(), NodeError>) -> SubmitResult {
    match answer {
        Ok(()) | Err(NodeError::OutcomeUnknown(_) | NodeError::BadAnswer(_)) => SubmitResult::Watch,
        Err(NodeError::Retry(reason)) => SubmitResult::Retry(reason),
        Err(NodeError::Rejected { reason, message }) => {
            let mut told = format!("{reason}: {message}");
            // A node's words are as long as it likes; what is said of them is bounded.
            told.truncate(told.floor_char_boundary(limits::REASON_BYTES_MAX));
            SubmitResult::Rejected(told)
        }
    }
}
