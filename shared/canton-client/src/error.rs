//! What a node's refusal means for the caller. Canton's error ids stand in the details; its gRPC codes vary between
//! paths and releases, so they decide only where there is no id.

use canton_proto::google::rpc;
use prost::Message as _;
use thiserror::Error;
use tonic::{Code, Status};

use crate::explain::{self, Explanation, Then};

/// Why a call did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NodeError {
    /// Nothing happened, and the same call may work later.
    #[error("the node cannot answer now: {0}")]
    Retry(String),
    /// The node refused, and will refuse the same call again.
    #[error("the node refused: {reason}: {message}")]
    Rejected {
        /// Canton's error id, or the gRPC code where Canton hides it.
        reason: String,
        /// Canton's own words.
        message: String,
    },
    /// The call may have worked; only reading tells.
    #[error("the call's outcome is unknown, read it back: {0}")]
    OutcomeUnknown(String),
    /// The node answered something that it should not.
    #[error("the node's answer cannot be used: {0}")]
    BadAnswer(String),
}

/// A node that stops says so to every call that is under way.
const SHUTDOWN: &str = "ABORTED_DUE_TO_SHUTDOWN";

/// Canton's error categories, as they stand in the details, whose errors pass.
const TRANSIENT: &str = "1";
const CONTENTION: &str = "2";
const STATE_UNKNOWN: &str = "3";
const AFTER_END: &str = "12";

impl NodeError {
    /// Reads a gRPC status. `writes` says whether the call could have had an effect.
    pub(crate) fn from_status(status: &Status, writes: bool) -> Self {
        let details = Details::of(status);
        let message = details.message(status);
        if let Some(reason) = details.reason {
            let told = format!("{reason}: {message}");
            let then = explain::of(&reason, "").map(|line| line.then);
            return match (then, details.category.as_deref()) {
                // The node goes down, or waited too long: it may have done it before.
                _ if writes && reason == SHUTDOWN => Self::OutcomeUnknown(told),
                (_, Some(STATE_UNKNOWN)) if writes => Self::OutcomeUnknown(told),
                // It stands already, as far as the node tells: whether that is what was wanted, reading says.
                (Some(Then::Done), _) if writes => Self::OutcomeUnknown(told),
                (Some(Then::Again), _) => Self::Retry(told),
                (_, Some(TRANSIENT | CONTENTION | STATE_UNKNOWN | AFTER_END)) => Self::Retry(told),
                _ => Self::Rejected { reason, message },
            };
        }
        let code = format!("{:?}", status.code());
        let told = format!("{code}: {message}");
        match status.code() {
            Code::Unavailable if !writes => Self::Retry(told),
            // No connection was made: nothing was sent.
            Code::Unavailable if std::error::Error::source(status).is_some() => Self::Retry(told),
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::Aborted => {
                if writes {
                    Self::OutcomeUnknown(told)
                } else {
                    Self::Retry(told)
                }
            }
            // A token that ran out, or a right that is not granted yet: nothing happened, and whoever runs the node mends it.
            Code::ResourceExhausted | Code::Unauthenticated | Code::PermissionDenied => Self::Retry(told),
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::DataLoss => Self::Rejected { reason: code, message },
        }
    }

    /// What it means for people; nothing where Canton has an id that nobody has explained yet.
    #[must_use]
    pub fn explanation(&self) -> Option<&'static Explanation> {
        match self {
            Self::Rejected { reason, message } => explain::of(reason, message),
            Self::Retry(told) | Self::OutcomeUnknown(told) => explain::of_text(told),
            Self::BadAnswer(_) => explain::of("BadAnswer", ""),
        }
    }

    /// Its name, stable: Canton's id where there is one.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Rejected { reason, .. } => reason,
            Self::Retry(_) => self.explanation().map_or("NodeUnavailable", |line| line.id),
            Self::OutcomeUnknown(_) => self.explanation().map_or("OutcomeUnknown", |line| line.id),
            Self::BadAnswer(_) => "BadAnswer",
        }
    }
}

/// What Canton puts into a status's details.
struct Details {
    /// Its error id; absent where it redacts.
    reason: Option<String>,
    /// The number of its category.
    category: Option<String>,
    /// What the node's operator finds the call by in its log.
    trace: Option<String>,
}

impl Details {
    fn of(status: &Status) -> Self {
        let details = rpc::Status::decode(status.details()).unwrap_or_default().details;
        let of_type = |name: &str| details.iter().find(|any| any.type_url.ends_with(name));
        let info = of_type("/google.rpc.ErrorInfo").and_then(|any| rpc::ErrorInfo::decode(&*any.value).ok());
        let request = of_type("/google.rpc.RequestInfo").and_then(|any| rpc::RequestInfo::decode(&*any.value).ok());
        let trace = request.map(|request| request.request_id).filter(|id| !id.is_empty());
        let (reason, category) = info.map_or((None, None), |mut info| {
            (Some(info.reason).filter(|reason| !reason.is_empty()), info.metadata.remove("category"))
        });
        Self { reason, category, trace }
    }

    /// Canton's own words without its id, which stands beside them; and where they do not say it, the trace id.
    fn message(&self, status: &Status) -> String {
        let message = status.message();
        let after_id = self.reason.as_deref().and_then(|reason| message.strip_prefix(reason));
        let words = after_id.filter(|rest| rest.starts_with('(')).and_then(|rest| rest.split_once("): "));
        let message = words.map_or(message, |(_, words)| words);
        match &self.trace {
            Some(trace) if !message.contains(trace.as_str()) => format!("{message} (trace id {trace})"),
            Some(_) | None => message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn told(reason: &str, category: &str, writes: bool) -> NodeError {
        let metadata = [("category".to_owned(), category.to_owned())].into();
        let info = rpc::ErrorInfo { reason: reason.to_owned(), domain: String::new(), metadata };
        let type_url = "type.googleapis.com/google.rpc.ErrorInfo".to_owned();
        let details = vec![prost_types::Any { type_url, value: info.encode_to_vec() }];
        let body = rpc::Status { code: 14, message: String::new(), details };
        NodeError::from_status(&Status::with_details(Code::Unavailable, "", body.encode_to_vec().into()), writes)
    }

    #[test]
    fn a_node_s_own_category_says_whether_to_try_again() {
        assert!(matches!(told("SYNC_SERVICE_PASSIVE_REPLICA", "1", true), NodeError::Retry(_)));
        assert!(matches!(told("OFFSET_AFTER_LEDGER_END", "12", false), NodeError::Retry(_)));
        assert!(matches!(told("TOPOLOGY_STORE_NOT_FOUND", "11", false), NodeError::Retry(_)));
        assert!(matches!(told("TOPOLOGY_SERIAL_MISMATCH", "9", true), NodeError::Rejected { .. }));
        assert!(matches!(told("A_NEW_ONE", "99", true), NodeError::Rejected { .. }));
    }

    #[test]
    fn what_may_have_happened_is_never_called_a_refusal() {
        assert!(matches!(told("ABORTED_DUE_TO_SHUTDOWN", "1", true), NodeError::OutcomeUnknown(_)));
        assert!(matches!(told("REQUEST_TIME_OUT", "3", true), NodeError::OutcomeUnknown(_)));
        assert!(matches!(told("REQUEST_TIME_OUT", "3", false), NodeError::Retry(_)));
    }
}
