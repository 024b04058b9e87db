//! A synchronizer in a variable, and a participant of it: rows are judged and effective at once.

use std::sync::{Mutex, MutexGuard};

use canton_client::error::NodeError;
use canton_topology::{
    Timestamp,
    id::{Namespace, PhysicalSynchronizerId, SynchronizerId, decentralized_namespace},
    judge::{Time, Verdict, Verifier, fold_batch},
    mapping::{DecentralizedNamespaceDefinition, Mapping, NamespaceDelegation},
    state::{State, StaticParameters},
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use coordinator::driver::participant::{Answer, ReadTopology, Rows, SubmitTopology};

use super::{Owner, signed};

/// Topology, and what happens to whoever submits.
pub struct World {
    state: Mutex<State>,
    weather: Mutex<Weather>,
    pub submissions: Mutex<usize>,
}

/// What a submission meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// It is judged.
    Fair,
    /// It is judged, and the answer is lost.
    AnswerLost,
    /// Nobody is there.
    Unreachable,
    /// It is refused, in more words than anybody wants to keep.
    Wordy,
}

pub fn synchronizer() -> SynchronizerId {
    format!("test::1220{}", "ab".repeat(32)).parse().unwrap()
}

impl World {
    /// Three owners' roots and their 2-of-3 namespace.
    pub fn of(owners: &[&Owner], threshold: u32) -> Self {
        let physical = PhysicalSynchronizerId { logical: synchronizer(), protocol_version: 34, serial: 0 };
        let world = Self {
            state: Mutex::new(State::new(physical, StaticParameters::default())),
            weather: Mutex::new(Weather::Fair),
            submissions: Mutex::new(0),
        };
        let mut rows: Vec<SignedTransaction> = owners
            .iter()
            .map(|owner| {
                let root = Mapping::NamespaceDelegation(NamespaceDelegation::root(owner.key.clone()));
                signed(Transaction::build(Operation::AddReplace, Serial::FIRST, &root), &[owner])
            })
            .collect();
        let mut namespaces: Vec<Namespace> = owners.iter().map(|owner| owner.namespace()).collect();
        namespaces.sort();
        let definition = Mapping::DecentralizedNamespaceDefinition(DecentralizedNamespaceDefinition {
            namespace: decentralized_namespace(&namespaces),
            threshold,
            owners: namespaces,
        });
        rows.push(signed(Transaction::build(Operation::AddReplace, Serial::FIRST, &definition), owners));
        world.must_accept(&rows);
        world
    }

    pub fn state(&self) -> State {
        self.lock().clone()
    }

    pub fn set_weather(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn must_accept(&self, rows: &[SignedTransaction]) {
        for verdict in self.judge(rows) {
            assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
        }
    }

    /// Somebody hands these in as proposals, past every coordinator.
    pub fn propose_elsewhere(&self, rows: &[SignedTransaction]) {
        let proposals: Vec<SignedTransaction> =
            rows.iter().map(|row| SignedTransaction { proposal: true, ..row.clone() }).collect();
        for verdict in self.judge(&proposals) {
            assert!(!matches!(verdict, Verdict::Rejected(_)), "{verdict:?}");
        }
    }

    fn judge(&self, rows: &[SignedTransaction]) -> Vec<Verdict> {
        let mut state = self.lock();
        let at = Timestamp(state.rows().count() as i64 + 1);
        fold_batch(&mut state, &mut Verifier::default(), rows, Time { sequenced: at, effective: at })
    }
}

/// The namespace of these owners.
pub fn namespace_of(owners: &[&Owner]) -> Namespace {
    let mut namespaces: Vec<Namespace> = owners.iter().map(|owner| owner.namespace()).collect();
    namespaces.sort();
    decentralized_namespace(&namespaces)
}

impl ReadTopology for World {
    fn read(&self) -> Answer<'_, Rows> {
        let state = self.lock();
        let items = state.rows().filter(|row| !row.proposal).map(|row| row.to_item()).collect();
        let open = state.proposals().map(|row| row.to_item()).collect();
        let rows = Rows { synchronizer: state.synchronizer().clone(), items, open };
        Box::pin(async move { Ok(rows) })
    }
}

impl SubmitTopology for World {
    fn submit<'a>(&'a self, transactions: &'a [SignedTransaction]) -> Answer<'a, ()> {
        Box::pin(async move {
            *self.submissions.lock().unwrap() += 1;
            let weather = *self.weather.lock().unwrap();
            if weather == Weather::Unreachable {
                return Err(NodeError::Retry("nobody is there".to_owned()));
            }
            if weather == Weather::Wordy {
                let reason = "TOPOLOGY_SERIAL_MISMATCH".to_owned();
                return Err(NodeError::Rejected { reason, message: "é".repeat(4_000) });
            }
            for verdict in self.judge(transactions) {
                if let Verdict::Rejected(rejection) = verdict {
                    let (reason, message) = (rejection.name().to_owned(), rejection.to_string());
                    return Err(NodeError::Rejected { reason, message });
                }
            }
            match weather {
                Weather::AnswerLost => Err(NodeError::OutcomeUnknown("the line broke".to_owned())),
                Weather::Fair | Weather::Unreachable | Weather::Wordy => Ok(()),
            }
        })
    }
}
