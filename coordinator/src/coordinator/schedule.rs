//! When each case wants to be looked at again although nothing has happened.

use std::collections::{BTreeMap, BTreeSet};

use canton_topology::Timestamp;
use protocol::intent::CaseId;

/// At most one time for each case.
#[derive(Debug, Default)]
pub struct Schedule {
    by_case: BTreeMap<CaseId, Timestamp>,
    by_time: BTreeSet<(Timestamp, CaseId)>,
}

impl Schedule {
    /// Sets a case's time.
    pub fn wake(&mut self, case: CaseId, at: Timestamp) {
        self.never(case);
        self.by_case.insert(case, at);
        self.by_time.insert((at, case));
    }

    /// Takes a case's time away.
    pub fn never(&mut self, case: CaseId) {
        if let Some(at) = self.by_case.remove(&case) {
            self.by_time.remove(&(at, case));
        }
    }

    /// The earliest time.
    pub fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes out the cases whose time has come.
    pub fn due(&mut self, now: Timestamp) -> Vec<CaseId> {
        let mut cases = Vec::new();
        while let Some((at, case)) = self.by_time.first().copied().filter(|(at, _)| *at <= now) {
            self.by_time.remove(&(at, case));
            self.by_case.remove(&case);
            cases.push(case);
        }
        cases
    }
}
