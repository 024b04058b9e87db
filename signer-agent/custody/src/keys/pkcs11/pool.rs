//! A few sessions with one token, each on a thread of its own, with its own handles: one signs, the others are ready for
//! when it fails. A session that failed or hung is left, and never used again.
//!
//! They take no turns: to wake a thread that has slept for long costs more than to wake the one that signed last. The first
//! one gives the PIN; one that is opened beside others never does, as the login is the process's.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    failure::Failure,
    signing::Sought,
    token::{Open, Token},
};
use crate::keys::worker::{Answer, NoAnswer, Threads, Worker};

/// So many calls of one token may hang at a time beside the sessions of its pool; then it waits for one of them to come back.
const HANGING_MAX: usize = 3;
/// A call tries so many sessions that are ready. Where they fail, none of them is good.
const READY_TRIED: usize = 2;
/// Sessions that are left get so long to be closed. What hangs is closed when it comes back.
const CLOSING_MAX: Duration = Duration::from_secs(1);

/// Whether a session is ready.
type Prepared = Answer<Result<(), Failure>>;

/// The sessions.
pub(super) struct Pool {
    threads: Threads<Token>,
    size: usize,
    time_limit: Duration,
    /// The one that did something last comes first.
    ready: VecDeque<Worker<Token>>,
    /// Those that are being opened, or are looking for keys.
    preparing: Vec<(Worker<Token>, Prepared)>,
    /// What was signed with: each session finds it before it is asked to.
    sought: Vec<Arc<Sought>>,
}

impl Pool {
    /// So many sessions, of tokens that `make` makes. None is opened before something is asked.
    pub fn new(size: usize, time_limit: Duration, make: impl Fn() -> Token + Send + Sync + 'static) -> Self {
        Self {
            threads: Threads::new(super::KIND, size + HANGING_MAX, make),
            size,
            time_limit,
            ready: VecDeque::new(),
            preparing: Vec::new(),
            sought: Vec::new(),
        }
    }

    /// Does something with a session; with another one where that fails, as sessions, logins and handles get lost; and at
    /// last with a new one in the place of all. So `job` must be safe to be done again.
    ///
    /// # Errors
    /// Why it failed the last time. What hangs is not tried again.
    pub fn call<R: Send + 'static>(
        &mut self,
        job: impl Fn(&mut Open) -> Result<R, Failure> + Send + Sync + 'static,
    ) -> Result<Result<R, Failure>, NoAnswer> {
        let (job, until) = (Arc::new(job), Instant::now() + self.time_limit);
        self.settle();
        let mut is_first = true;
        for _ in 0..READY_TRIED {
            let Some(worker) = self.ready.pop_front() else { break };
            let job = job.clone();
            match worker.ask(move |token| token.once(&*job)).by(until)? {
                Err(failure) if failure.may_pass() => is_first = false,
                done => return Ok(self.kept(worker, done)),
            }
        }
        if !is_first {
            self.empty();
        }
        let worker = self.threads.start()?;
        let with = move |token: &mut Token| if is_first { token.with(&*job) } else { token.again(&*job) };
        let done = worker.ask(with).by(until)?;
        Ok(self.kept(worker, done))
    }

    /// Has every session find a key with which was just signed.
    pub fn seek(&mut self, key: &Arc<Sought>) {
        if self.sought.contains(key) {
            return;
        }
        self.sought.push(key.clone());
        // The one that signed last has found it, and stays ready.
        let last = self.ready.pop_front();
        let others = std::mem::take(&mut self.preparing).into_iter().map(|(worker, _)| worker);
        for worker in std::mem::take(&mut self.ready).into_iter().chain(others) {
            self.prepare(worker);
        }
        self.ready.extend(last);
    }

    /// Closes every session: what one of them lost the others may have lost too, and a device may give their handles to
    /// new ones. Whether all are closed.
    pub fn empty(&mut self) -> bool {
        let until = Instant::now() + CLOSING_MAX.min(self.time_limit);
        let preparing = self.preparing.drain(..).map(|(worker, _)| worker);
        let closing: Vec<_> = self.ready.drain(..).chain(preparing).map(|worker| worker.ask(Token::forget)).collect();
        // All of them are waited for, also where one hangs.
        let left: Vec<NoAnswer> = closing.iter().filter_map(|closed| closed.by(until).err()).collect();
        left.is_empty()
    }

    /// Keeps a session that did what was asked, and opens others beside it.
    fn kept<R>(&mut self, worker: Worker<Token>, done: Result<R, Failure>) -> Result<R, Failure> {
        if done.is_ok() {
            self.ready.push_front(worker);
            // One thread is left for a call, whatever becomes of these.
            while self.ready.len() + self.preparing.len() < self.size && self.threads.has_room() {
                let Ok(worker) = self.threads.start() else { break };
                self.prepare(worker);
            }
        }
        done
    }

    fn prepare(&mut self, worker: Worker<Token>) {
        let sought = self.sought.clone();
        let prepared = worker.ask(move |token| token.prepare(&sought));
        self.preparing.push((worker, prepared));
    }

    /// Takes those that were prepared, and leaves those that could not be.
    fn settle(&mut self) {
        for (worker, prepared) in std::mem::take(&mut self.preparing) {
            match prepared.now() {
                // A call may have opened one meanwhile.
                Ok(Ok(())) if self.ready.len() < self.size => self.ready.push_back(worker),
                Err(NoAnswer::TookTooLong) => self.preparing.push((worker, prepared)),
                Ok(_) | Err(_) => {}
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.empty();
    }
}
