//! The sandbox's clock, and time as the wire writes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use canton_topology::Timestamp;

/// Now.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(micros(since))
}

/// A length of time in microseconds.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// How long it is until then; nothing where it has passed.
pub(crate) fn until(time: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(time.micros().saturating_sub(now().micros())).unwrap_or_default())
}

/// A time as the wire writes it.
pub(crate) fn to_wire(time: Timestamp) -> prost_types::Timestamp {
    let micros = time.micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

/// A time from the wire.
pub(crate) fn from_wire(time: prost_types::Timestamp) -> Timestamp {
    Timestamp(time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos) / 1_000))
}

/// A length of time from the wire; nothing where it is missing or negative.
pub(crate) fn duration(wire: prost_types::Duration) -> Duration {
    let seconds = Duration::from_secs(u64::try_from(wire.seconds).unwrap_or_default());
    seconds + Duration::from_nanos(u64::try_from(wire.nanos).unwrap_or_default())
}

/// A length of time in the words of Canton's messages.
pub(crate) fn words(duration: Duration) -> String {
    let millis = duration.as_millis();
    let (count, unit) = if millis % 1_000 == 0 { (millis / 1_000, "second") } else { (millis, "millisecond") };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
