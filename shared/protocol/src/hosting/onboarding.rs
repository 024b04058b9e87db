//! The time in which a new host has its onboarding flag. The hosts rightly disagree about the party's contracts then, and
//! their nodes warn of it: who looks after a node must know that this is expected, and until when.

use std::fmt;

use canton_topology::{
    Timestamp,
    mapping::{Code, Duration, Mapping},
    show::moment,
    state::State,
    transaction::Operation,
};

use super::record::Record;

/// A new host with its flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onboarding {
    /// When it was added.
    pub since: Timestamp,
    /// When its flag may go at the earliest: nothing from before it was added can be decided any more.
    pub flag_until: Timestamp,
    /// How far apart the comparisons of contracts are, in seconds.
    pub compared_every_s: u64,
}

impl Onboarding {
    /// What a case is in the midst of; nothing before the new host is added, after its flag is gone, and where it gets none.
    pub fn of(record: &Record<'_>, state: &State) -> Option<Self> {
        let since = record.activated()?;
        if record.host().is_some_and(|host| !host.onboarding) {
            return None;
        }
        let mut rows = state.of_kind_and(Code::SynchronizerParametersState, Operation::AddReplace);
        let parameters = rows.find_map(|row| match row.transaction.mapping() {
            Mapping::SynchronizerParametersState(mapping) => Some(&mapping.parameters),
            _ => None,
        })?;
        let decided = [parameters.confirmation_response_timeout, parameters.mediator_reaction_timeout];
        Some(Self {
            since,
            flag_until: since.plus_micros(decided.iter().map(micros).fold(0, i64::saturating_add)),
            compared_every_s: parameters.reconciliation_interval.seconds,
        })
    }
}

fn micros(duration: &Duration) -> i64 {
    let micros = duration.seconds.saturating_mul(1_000_000).saturating_add(u64::from(duration.nanos / 1_000));
    i64::try_from(micros).unwrap_or(i64::MAX)
}

impl fmt::Display for Onboarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "warnings such as ACS_COMMITMENT_MISMATCH in the hosts' logs are expected from {}, when the new host was added, \
             until its onboarding flag is gone (not before {}) and the comparison of contracts behind that is through ({} s); \
             nothing is to be done about them, and later ones are an alarm",
            moment(self.since),
            moment(self.flag_until),
            self.compared_every_s
        )
    }
}
