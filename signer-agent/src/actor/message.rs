//! What the thread of the agent is told.

use canton_topology::{
    Timestamp,
    id::{Namespace, PartyId},
    state::State,
};
use protocol::{
    identity::IdentityPublicKey,
    intent::CaseId,
    statement::{Claim, Statement, StatementHash},
};
use tokio::sync::oneshot;

use crate::{
    agent::Received,
    control::{Answer, CaseRef, Request},
    finish::{Record, Submission},
    hosting::view::View,
    outgoing::Settled,
};

/// A case and its statements, in order.
pub type History = (CaseId, Vec<Statement>);

/// What the thread is told.
pub enum Message {
    /// A statement of the coordinator's inbox.
    Statement {
        /// The statement.
        statement: Statement,
        /// Its place in the case.
        position: u64,
        /// Whether it was taken.
        reply: oneshot::Sender<Result<(), Received>>,
    },
    /// Who else may speak.
    Directory(Vec<(IdentityPublicKey, Namespace)>),
    /// New topology, and when it was asked for.
    Topology(Box<State>, Timestamp),
    /// Topology was asked for then, and is as it was.
    Confirmed(Timestamp),
    /// A command of the owner.
    Request {
        /// What is asked.
        request: Request,
        /// What comes back, and the statement that must be posted before it is true.
        reply: oneshot::Sender<(Answer, Option<StatementHash>)>,
    },
    /// What of the complete cases is this agent's to hand in now.
    Due(oneshot::Sender<Vec<Submission>>),
    /// A case that the owner wants handed in.
    Complete {
        /// Which.
        case: CaseRef,
        /// The complete set, or why there is none.
        reply: oneshot::Sender<Result<Submission, Answer>>,
    },
    /// Something was handed in.
    HandedIn(Record),
    /// The statements of cases, for another coordinator.
    Histories {
        /// Of which; of all that are not over where absent.
        case: Option<CaseRef>,
        /// The cases with their statements.
        reply: oneshot::Sender<Result<Vec<History>, Answer>>,
    },
    /// Whether a rule permits anything that waits; how many statements wait to be posted now comes back.
    Rules(oneshot::Sender<usize>),
    /// What waits to be posted.
    Waiting(oneshot::Sender<Vec<Statement>>),
    /// Every case of hosting.
    Hostings(oneshot::Sender<Vec<CaseId>>),
    /// A case of hosting as a step needs it.
    View {
        /// Which.
        case: CaseId,
        /// It; nothing where it is none, or there is no topology.
        reply: oneshot::Sender<Option<Box<View>>>,
    },
    /// Whether the owner's own node hosts a party.
    Hosts {
        /// Which.
        party: PartyId,
        /// Whether it does; nothing where there is no topology.
        reply: oneshot::Sender<Option<bool>>,
    },
    /// The owner vouches for something, or asks another owner to.
    Vouch {
        /// The case.
        case: CaseId,
        /// What.
        word: Word,
        /// The statement, kept and about to be posted; nothing where there is no such case.
        reply: oneshot::Sender<Option<StatementHash>>,
    },
    /// Whether a statement stands in the agent's own copy of a case.
    Stands {
        /// The case.
        case: CaseId,
        /// The statement.
        hash: StatementHash,
        /// Whether it does.
        reply: oneshot::Sender<bool>,
    },
    /// What became of a posted statement.
    Settled {
        /// Which.
        hash: StatementHash,
        /// How it went.
        settled: Settled,
        /// Told when it is remembered.
        reply: oneshot::Sender<()>,
    },
}

/// What is said in a hosting.
pub enum Word {
    /// An attestation, and whether a human confirmed it.
    Claim(Box<Claim>, bool),
    /// A question with its nonce.
    Question([u8; 32]),
}
