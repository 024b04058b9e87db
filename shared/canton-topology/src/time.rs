//! Canton's time.

/// Microseconds since the Unix epoch, as Canton counts time. Canton's least is year 1, its greatest year 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The microseconds since the epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// This time and some microseconds more, stopping at the ends of the range.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

/// When a batch was sequenced and when it becomes effective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// When the sequencer ordered it.
    pub sequenced: Timestamp,
    /// When it takes effect.
    pub effective: Timestamp,
}
