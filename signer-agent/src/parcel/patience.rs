//! How long the courier tries on while nothing moves.

use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::coordinator_link::LinkError;

/// How long it is waited between attempts, and altogether without any progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// After the first failure; twice as long after each further one.
    pub pause: Duration,
    /// Longest pause.
    pub pause_max: Duration,
    /// Longest time without progress.
    pub without_progress: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(250),
            pause_max: Duration::from_secs(10),
            without_progress: Duration::from_secs(1800),
        }
    }
}

/// Nothing has moved for too long.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("nothing has moved for {} s; last: {last}. Try again when that is mended: it goes on where it was", .after.as_secs())]
pub struct GaveUp {
    /// How long.
    pub after: Duration,
    /// What was in the way.
    pub last: String,
}

/// Attempts in a row.
#[derive(Debug)]
pub(super) struct Attempts {
    patience: Patience,
    pause: Duration,
    moved_at: Instant,
    furthest: Option<u64>,
    has_paused: bool,
}

impl Attempts {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, pause: patience.pause, moved_at: Instant::now(), furthest: None, has_paused: false }
    }

    /// So many bytes are there now: whether it may go on at once. It may where that is more than ever, or where it has
    /// paused; otherwise who loses what it gets would keep us busy for ever.
    pub(super) fn moved_to(&mut self, bytes: u64) -> bool {
        let has_moved = self.furthest.is_none_or(|furthest| bytes > furthest);
        let may_go_on = has_moved || std::mem::take(&mut self.has_paused);
        if has_moved {
            *self = Self { furthest: Some(bytes), ..Self::new(self.patience) };
        }
        may_go_on
    }

    /// Everything is sent once more.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::new(self.patience);
    }

    /// Waits before the next attempt, or gives up.
    pub(super) async fn pause(&mut self, why: &str) -> Result<(), GaveUp> {
        let after = self.moved_at.elapsed();
        if after >= self.patience.without_progress {
            return Err(GaveUp { after, last: why.to_owned() });
        }
        sleep(self.pause).await;
        self.has_paused = true;
        self.pause = (self.pause * 2).min(self.patience.pause_max);
        Ok(())
    }
}

/// Whether the same may work in a moment.
pub(crate) fn is_passing(error: &LinkError) -> bool {
    match error {
        LinkError::Unreachable(_) => true,
        // Too slow, too busy, stopping.
        LinkError::Refused(problem) => matches!(problem.status, 408 | 503),
        LinkError::BadAnswer(_) | LinkError::Tls(_) => false,
    }
}

/// Whether the coordinator refused with this slug.
pub(super) fn is_slug(error: &LinkError, slug: &str) -> bool {
    match error {
        LinkError::Refused(problem) => problem.kind.strip_prefix("urn:countersign:problem:") == Some(slug),
        LinkError::Unreachable(_) | LinkError::BadAnswer(_) | LinkError::Tls(_) => false,
    }
}
