//! What the thread of the agent is told.

use std::collections::BTreeMap;

use canton_topology::{
    Timestamp,
    id::{Namespace, PartyId},
    state::State,
};
use protocol::{
    identity::IdentityPublicKey,
    intent::{CaseId, Change},
    statement::{Claim, Statement, StatementHash},
};
use tokio::sync::oneshot;

use super::{Proposal, ToVerify};
use crate::{
    agent::Received,
    control::{Answer, CaseRef, MembershipWanted, Request},
    explained::Explained,
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
    /// The coordinator answered.
    Heard {
        /// When.
        at: Timestamp,
        /// Whether it reads topology, as it says.
        reads_topology: bool,
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
    /// A node's refusal about a case.
    Explain {
        /// Which case.
        case: CaseRef,
        /// The refusal.
        text: String,
        /// What it means, where anybody knows.
        reply: oneshot::Sender<Option<Explained>>,
    },
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
    /// Every case in which something may be to be done or seen on the owner's node, and how many statements it has.
    Duties(oneshot::Sender<BTreeMap<CaseId, u64>>),
    /// A change set whose new hosts take contracts over, as cases that come one after the other.
    InTurn {
        /// The party.
        of: String,
        /// What changes.
        change: Box<MembershipWanted>,
        /// The dangers that are accepted, by name.
        accepts: Vec<String>,
        /// What each case changes.
        reply: oneshot::Sender<Result<Vec<Change>, Answer>>,
    },
    /// A case is to be opened.
    Open {
        /// What is wanted.
        proposal: Box<Proposal>,
        /// What comes back, and the statement that must be posted before it is true.
        reply: oneshot::Sender<(Answer, Option<StatementHash>)>,
    },
    /// What the owner's agent is to vouch for, now that a case is effective.
    ToVerify {
        /// The case.
        case: CaseId,
        /// It; nothing where there is nothing.
        reply: oneshot::Sender<Option<ToVerify>>,
    },
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
    /// Which parties must not have been used when a case is signed.
    MustBeUnused {
        /// The case.
        case: CaseRef,
        /// The parties, without those that the owner's node does not host.
        reply: oneshot::Sender<Vec<PartyId>>,
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
