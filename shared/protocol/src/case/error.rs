//! Why a statement does not enter a case.

use thiserror::Error;

use crate::{
    intent::CaseId,
    registry::Kind,
    statement::{StatementError, StatementHash},
};

/// Why a statement does not enter a case.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CaseError {
    /// The statement itself is bad.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// It is about another case.
    #[error("the statement is about case {found}, not {expected}")]
    OtherCase {
        /// This case.
        expected: CaseId,
        /// The one that the statement names.
        found: CaseId,
    },
    /// A case has one intent, and it comes first.
    #[error("case {0} has an intent already, another one; mint a new case id")]
    SecondIntent(CaseId),
    /// The signer may not say this.
    #[error("{kind}: signed by {signer}, who may not say this: {why}", kind = kind.name())]
    Speaker {
        /// What was said.
        kind: Kind,
        /// By whom.
        signer: String,
        /// Who may.
        why: &'static str,
    },
    /// It is about an offer that this case does not have.
    #[error("{kind}: about offer {offer}, which this case does not have", kind = kind.name())]
    UnknownOffer {
        /// What was said.
        kind: Kind,
        /// About which offer.
        offer: StatementHash,
    },
    /// A field is not what the case says.
    #[error("{kind}: field {field}: {reason}", kind = kind.name())]
    Field {
        /// What was said.
        kind: Kind,
        /// Which field.
        field: &'static str,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// The owner saw another history of this case than the one that stands here: somebody told two stories.
    #[error(
        "approval: its owner saw another history of this case: head {found} after {statements} statements, here it is {here}; keep both, they convict whoever told two stories"
    )]
    Forked {
        /// After how many statements.
        statements: u64,
        /// The head that stands here, hex; `none` where this case is shorter.
        here: String,
        /// The head that the owner saw, hex.
        found: String,
    },
    /// The case is full.
    #[error("case {case} has {max} statements, the most that a case may have; open a new one")]
    Full {
        /// The case.
        case: CaseId,
        /// The limit.
        max: usize,
    },
    /// One owner has said too much.
    #[error("{owner} has made {max} statements in this case, the most that one owner may make")]
    TooManyStatements {
        /// The owner.
        owner: String,
        /// The limit.
        max: usize,
    },
}
