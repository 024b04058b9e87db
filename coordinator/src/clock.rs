//! The shell's clock. The mind is told the time; it never asks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use canton_topology::Timestamp;

/// Now.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// How long it is from now until then; nothing where that has passed.
pub fn until(then: Timestamp) -> Duration {
    let micros = then.micros().saturating_sub(now().micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
