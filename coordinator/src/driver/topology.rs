//! Reading topology again and again, and judging what is new. A participant can withhold rows; it cannot forge them.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use canton_client::error::NodeError;
use canton_topology::{
    judge::{Verdict, Verifier, replay},
    snapshot::Item,
    state::{State, StaticParameters},
};
use tokio::{
    sync::{Notify, watch},
    task::spawn_blocking,
    time::sleep,
};
use tracing::{info, warn};

use super::{
    Command, Topology,
    participant::{Node, Rows},
};

/// The longest wait between two attempts that fail.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The one who reads.
pub struct Reader {
    pub node: Arc<dyn Node>,
    pub commands: mpsc::Sender<Command>,
    pub tell: watch::Sender<Topology>,
    pub poll: Duration,
}

/// What was read and judged so far.
struct Judged {
    items: Vec<Item>,
    open: Vec<Item>,
    /// The rows for good alone: what is new is judged on top of it.
    bare: State,
    /// The same with the open proposals.
    state: Arc<State>,
    verifier: Verifier,
}

impl Reader {
    pub async fn run(self, nudge: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        let mut judged: Option<Judged> = None;
        let mut failures = 0u32;
        loop {
            let read = tokio::select! {
                read = self.node.read() => read,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match read {
                Ok(rows) => {
                    failures = 0;
                    let before = judged.take();
                    let Ok((now, is_new)) = spawn_blocking(move || judge(before, rows)).await else {
                        warn!("judging topology was broken off; it is read anew");
                        continue;
                    };
                    self.publish(&now.state, is_new);
                    judged = Some(now);
                }
                Err(error) => {
                    failures += 1;
                    self.complain(&error, failures);
                }
            }
            let wait = if failures == 0 { self.poll } else { (self.poll * 2u32.pow(failures.min(10))).min(WAIT_MAX) };
            tokio::select! {
                () = sleep(wait) => {}
                () = nudge.notified() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    fn publish(&self, state: &Arc<State>, is_new: bool) {
        if is_new {
            info!(rows = state.rows().count(), "topology has changed");
            // Where the mind has ended, so has the process soon.
            let _ = self.commands.send(Command::Topology(Arc::clone(state)));
        }
        if is_new || !matches!(*self.tell.borrow(), Topology::Read(_)) {
            self.tell.send_replace(Topology::Read(Arc::clone(state)));
        }
    }

    fn complain(&self, error: &NodeError, failures: u32) {
        if failures == 1 {
            warn!(%error, "topology cannot be read");
        }
        let state = self.tell.borrow().state().cloned();
        let reason = error.to_string();
        self.tell.send_replace(match state {
            Some(state) => Topology::Stale(state, reason),
            None => Topology::Unread(reason),
        });
    }
}

/// Judges the rows that are new, or all of them where the old ones are not the beginning of what was read now.
fn judge(before: Option<Judged>, rows: Rows) -> (Judged, bool) {
    let Rows { synchronizer, items, open } = rows;
    let before = before.filter(|before| {
        before.state.synchronizer() == &synchronizer
            && before.items.len() <= items.len()
            && before.items.iter().zip(&items).all(|(old, new)| is_same(old, new))
    });
    let (known, mut bare, mut verifier) = match before {
        Some(before) if before.items.len() == items.len() && before.open == open => {
            return (Judged { items, ..before }, false);
        }
        Some(before) => (before.items.len(), before.bare, before.verifier),
        None => (0, State::new(synchronizer, StaticParameters::default()), Verifier::default()),
    };
    let verdicts = replay(&mut bare, &mut verifier, &items[known..]);
    for (item, verdict) in items[known..].iter().zip(verdicts) {
        if let Verdict::Rejected(rejection) = verdict {
            let transaction = item.transaction.transaction.hash();
            warn!(%transaction, %rejection, "the participant has a row that Canton's rules refuse; it is left out");
        }
    }
    let mut state = bare.clone();
    for item in &open {
        state.keep_open(item);
    }
    (Judged { items, open, bare, state: Arc::new(state), verifier }, true)
}

/// The end of a row's validity follows from the rows after it.
fn is_same(old: &Item, new: &Item) -> bool {
    (old.sequenced, old.valid_from) == (new.sequenced, new.valid_from) && old.transaction == new.transaction
}
