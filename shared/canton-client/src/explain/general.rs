//! What any call can meet: requests that do not read, nodes that are not there, and Canton's silence.

use super::{
    Explanation, REDACTED,
    Then::{Again, Mend, Other},
    line,
};

pub(super) const LINES: &[Explanation] = &[
    line(
        "PROTO_DESERIALIZATION_FAILURE",
        Other,
        "the node does not read the request: a field is missing or wrong, a file is cut short or damaged, or the node is of \
         another release than this program knows",
        "fetch the file again if there is one; compare the node's release with those that this program knows (`check`)",
    ),
    line(
        "ABORTED_DUE_TO_SHUTDOWN",
        Again,
        "the node is going down",
        "wait until it is back: what it did meanwhile is read back, and the rest tried again",
    ),
    line(
        "InvalidArgument",
        Mend,
        "Canton hides the reason: a signature is missing, or one does not verify",
        "`show` names who is missing by our own rules; where nobody is, look for the trace id in the node's log",
    )
    .only(REDACTED),
    line(
        "InvalidArgument",
        Other,
        "the node does not take what it was asked for, and has no id for it, such as a pruning schedule that is none",
        "read the node's words",
    ),
    line(
        "Internal",
        Mend,
        "Canton hides the reason: the node met something that it did not expect",
        "look for the trace id in the node's log, and give both to its operator",
    )
    .only(REDACTED),
    line(
        "Internal",
        Again,
        "the node did not see in time what it waited for; it was taken all the same, or an own part of the node failed",
        "wait: it is read back; if nothing comes of it, see the node's log",
    ),
    line(
        "Unauthenticated",
        Mend,
        "the node believes our token for nobody, and tells only its own log why: it is missing, expired, lives longer than \
         five minutes, has another audience, or its user is not allowed this service",
        "run `check`: it looks at the token and prints the rights that the node must grant",
    ),
    line(
        "PermissionDenied",
        Mend,
        "the token is good, and its user is unknown to the participant or lacks the right",
        "let the participant's operator make the user or grant the right; `check` prints the least that is needed",
    ),
    line(
        "Unimplemented",
        Other,
        "there is no such service at this address: it is the other one of the node's two ports, or another release",
        "run `check`: it tells swapped ports and unknown releases",
    ),
    line(
        "Unavailable",
        Again,
        "the node cannot be reached: it is down, starts, is the passive one of a pair, or its TLS does not let us in",
        "see whether it runs, then run `check`: it goes through the way step by step",
    ),
    line(
        "DeadlineExceeded",
        Again,
        "the node did not answer in time",
        "wait: it is read back or tried again; see whether the node is overloaded",
    ),
    line(
        "ResourceExhausted",
        Again,
        "the node takes no more calls now, or the call is larger than the node allows",
        "wait: it is tried again; for a large archive the node's operator must raise `max-inbound-message-size`",
    ),
    line(
        "NoIdentity",
        Again,
        "the node runs and has not been given its identity yet",
        "let the node's operator finish its set-up",
    ),
    line(
        "BadAnswer",
        Mend,
        "the node's answer is none that a participant of a known release gives, or it does not do what it says",
        "compare the node's release with those that this program knows (`check`); see the node's log",
    ),
];
