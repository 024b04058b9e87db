//! How long a case is left alone in which nothing could be done: longer each time, and no longer than until somebody says
//! something.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use protocol::intent::CaseId;

/// The first rest.
const REST: Duration = Duration::from_millis(500);
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(30);

struct Rest {
    /// How many statements the case had.
    statements: u64,
    until: Instant,
    length: Duration,
}

/// The cases that rest.
#[derive(Default)]
pub struct Resting(BTreeMap<CaseId, Rest>);

impl Resting {
    /// Whether a case is left alone now, with so many statements. News end a rest.
    pub fn holds(&mut self, case: &CaseId, statements: u64, now: Instant) -> bool {
        let Some(rest) = self.0.get(case) else { return false };
        if rest.statements != statements {
            self.0.remove(case);
            return false;
        }
        rest.until > now
    }

    /// A round brought something.
    pub fn end(&mut self, case: &CaseId) {
        self.0.remove(case);
    }

    /// A round brought nothing. `statements` counts what this agent has just said itself, which is no news.
    pub fn begin(&mut self, case: CaseId, statements: u64, now: Instant) {
        let length = self.0.get(&case).map_or(REST, |rest| (rest.length * 2).min(REST_MAX));
        self.0.insert(case, Rest { statements, until: now + length, length });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_case() -> CaseId {
        CaseId::from_bytes([7; 16])
    }

    #[test]
    fn a_case_rests_longer_each_time_and_never_longer_than_the_longest() {
        let (mut resting, mut now, case) = (Resting::default(), Instant::now(), a_case());
        assert!(!resting.holds(&case, 3, now));
        let mut length = REST;
        for _ in 0..10 {
            resting.begin(case, 3, now);
            assert!(resting.holds(&case, 3, now + length - Duration::from_millis(1)));
            now += length;
            assert!(!resting.holds(&case, 3, now));
            length = (length * 2).min(REST_MAX);
        }
        assert_eq!(length, REST_MAX);
        resting.end(&case);
        resting.begin(case, 3, now);
        assert!(!resting.holds(&case, 3, now + REST), "what went on begins anew");
    }

    #[test]
    fn whatever_somebody_says_ends_a_rest_and_what_the_agent_said_itself_does_not() {
        let (mut resting, now, case) = (Resting::default(), Instant::now(), a_case());
        for _ in 0..10 {
            resting.begin(case, 4, now);
        }
        assert!(resting.holds(&case, 4, now));
        assert!(!resting.holds(&case, 5, now));
        resting.begin(case, 5, now);
        assert!(!resting.holds(&case, 5, now + REST), "it begins with the first rest again");
    }
}
