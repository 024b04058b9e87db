//! What a node's refusal means for the caller. Canton's error ids stand in the details; its gRPC codes vary between
//! paths and releases, so they decide only where there is no id.

use canton_proto::google::rpc;
use prost::Message as _;
use thiserror::Error;
use tonic::{Code, Status};

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

/// Ids of refusals that pass.
const PASSING: [&str; 4] = [
    "TOPOLOGY_TOO_MANY_PENDING_TOPOLOGY_TRANSACTIONS",
    "TOPOLOGY_STORE_NOT_FOUND",
    "TOPOLOGY_STORE_NOT_INITIALIZED",
    "TOPOLOGY_NO_APPROPRIATE_SIGNING_KEY_IN_STORE",
];

impl NodeError {
    /// Reads a gRPC status. `writes` says whether the call could have had an effect.
    pub(crate) fn from_status(status: &Status, writes: bool) -> Self {
        let details = Details::of(status);
        let message = details.message(status);
        if let Some(reason) = details.reason {
            return if PASSING.contains(&reason.as_str()) {
                Self::Retry(format!("{reason}: {message}"))
            } else {
                Self::Rejected { reason, message }
            };
        }
        match status.code() {
            Code::Unavailable if !writes => Self::Retry(message),
            // No connection was made: nothing was sent.
            Code::Unavailable if std::error::Error::source(status).is_some() => Self::Retry(message),
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::Aborted => {
                if writes {
                    Self::OutcomeUnknown(message)
                } else {
                    Self::Retry(message)
                }
            }
            // A token that ran out, or a right that is not granted yet: nothing happened, and whoever runs the node mends it.
            Code::ResourceExhausted | Code::Unauthenticated | Code::PermissionDenied => Self::Retry(message),
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::DataLoss => Self::Rejected { reason: format!("{:?}", status.code()), message },
        }
    }
}

/// What Canton puts into a status's details.
struct Details {
    /// Its error id; absent where it redacts.
    reason: Option<String>,
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
        Self { reason: info.map(|info| info.reason).filter(|reason| !reason.is_empty()), trace }
    }

    /// Canton's own words, and where they do not say it, the trace id.
    fn message(&self, status: &Status) -> String {
        let message = status.message();
        match &self.trace {
            Some(trace) if !message.contains(trace.as_str()) => format!("{message} (trace id {trace})"),
            Some(_) | None => message.to_owned(),
        }
    }
}
