//! Threads on which calls run that may never come back, or panic: those of a vendor's library, and of a client that trusts its
//! other end too much.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Instant,
};

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The call took too long. Its thread is left alone with it; whatever it answers later goes nowhere.
    TookTooLong,
    /// The call panicked.
    Died,
    /// Too many calls hang already.
    TooManyHang,
    /// The system gives no thread.
    NoThread(io::ErrorKind),
}

/// Starts threads, so many at a time: those that hang count for as long as they do.
pub struct Threads<T> {
    name: &'static str,
    make: Arc<dyn Fn() -> T + Send + Sync>,
    alive: Arc<AtomicUsize>,
    most: usize,
}

/// A thread with something that lives on it alone. It ends with what it does last when this is dropped.
pub struct Worker<T> {
    jobs: mpsc::Sender<Job<T>>,
}

/// What comes of a job.
pub struct Answer<R>(mpsc::Receiver<R>);

/// Counts a thread for as long as it lives.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<T: 'static> Threads<T> {
    /// At most so many threads of that name, each with what `make` makes on it.
    pub fn new(name: &'static str, most: usize, make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self { name, make: Arc::new(make), alive: Arc::default(), most }
    }

    /// Whether one more may start and another one still after it.
    pub fn has_room(&self) -> bool {
        self.alive.load(Ordering::Acquire) + 1 < self.most
    }

    /// A new thread.
    ///
    /// # Errors
    /// See [`NoAnswer`].
    pub fn start(&self) -> Result<Worker<T>, NoAnswer> {
        let before = self.alive.fetch_add(1, Ordering::AcqRel);
        let alive = Alive(self.alive.clone());
        if before >= self.most {
            return Err(NoAnswer::TooManyHang);
        }
        let make = self.make.clone();
        let (jobs, to_do) = mpsc::channel::<Job<T>>();
        let run = move || {
            let _alive = alive;
            let mut work = make();
            to_do.iter().for_each(|job| job(&mut work));
        };
        let started = thread::Builder::new().name(self.name.to_owned()).spawn(run);
        started.map(|_| Worker { jobs }).map_err(|error| NoAnswer::NoThread(error.kind()))
    }
}

impl<T: 'static> Worker<T> {
    /// Has something done, after what it does already, and does not wait for it.
    pub fn ask<R: Send + 'static>(&self, job: impl FnOnce(&mut T) -> R + Send + 'static) -> Answer<R> {
        let (answers, answer) = mpsc::sync_channel(1);
        // Where the thread is gone, the answer's sender goes with the job.
        let _ = self.jobs.send(Box::new(move |work| {
            let _ = answers.send(job(work));
        }));
        Answer(answer)
    }
}

impl<R> Answer<R> {
    /// Waits for it until then.
    ///
    /// # Errors
    /// [`NoAnswer::TookTooLong`] and [`NoAnswer::Died`].
    pub fn by(&self, until: Instant) -> Result<R, NoAnswer> {
        let left = until.saturating_duration_since(Instant::now());
        self.0.recv_timeout(left).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => NoAnswer::TookTooLong,
            mpsc::RecvTimeoutError::Disconnected => NoAnswer::Died,
        })
    }

    /// What there is of it now.
    ///
    /// # Errors
    /// As of [`by`](Self::by): it is not there yet, or will never be.
    pub fn now(&self) -> Result<R, NoAnswer> {
        self.by(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);
    const MOST: usize = 4;

    fn within<R>(limit: Duration, answer: &Answer<R>) -> Result<R, NoAnswer> {
        answer.by(Instant::now() + limit)
    }

    #[test]
    fn what_a_worker_works_with_stays() {
        let worker = Threads::new("tried", MOST, || 40).start().expect("a thread");

        assert_eq!(within(LONG, &worker.ask(|number| *number += 2)), Ok(()));
        assert_eq!(within(LONG, &worker.ask(|number| *number)), Ok(42));
    }

    #[test]
    fn a_call_that_hangs_is_left_alone_and_a_new_thread_begins_anew() {
        let threads = Threads::new("tried", MOST, || 40);
        let (end, ended) = mpsc::channel::<()>();
        let worker = threads.start().expect("a thread");

        let hung = worker.ask(move |number| {
            *number = 0;
            ended.recv()
        });

        assert_eq!(within(SHORT, &hung), Err(NoAnswer::TookTooLong));
        assert_eq!(hung.now(), Err(NoAnswer::TookTooLong));
        assert_eq!(within(LONG, &threads.start().expect("a thread").ask(|number| *number)), Ok(40));
        drop(end);
    }

    #[test]
    fn a_call_that_panics_is_reported() {
        let worker = Threads::new("tried", MOST, || 40).start().expect("a thread");

        assert_eq!(within(LONG, &worker.ask(|_| panic!("as a library may"))), Err::<(), _>(NoAnswer::Died));
        assert_eq!(within(LONG, &worker.ask(|number| *number)), Err(NoAnswer::Died));
    }

    #[test]
    fn no_more_than_a_few_threads_hang() {
        let threads = Threads::new("tried", MOST, || ());
        let mut ends = Vec::new();
        for left in (0..MOST).rev() {
            assert_eq!(threads.has_room(), left > 0);
            let (end, ended) = mpsc::channel::<()>();
            ends.push(end);
            let worker = threads.start().expect("a thread");
            assert_eq!(within(SHORT, &worker.ask(move |()| ended.recv())), Err(NoAnswer::TookTooLong));
        }

        assert_eq!(threads.start().map(drop), Err(NoAnswer::TooManyHang));

        drop(ends);
        let until = Instant::now() + LONG;
        while threads.start().map(drop).is_err() {
            assert!(Instant::now() < until, "the threads do not end");
            thread::yield_now();
        }
    }
}
