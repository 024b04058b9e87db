//! Connecting a node to its synchronizers.

use super::{
    Explanation,
    Then::{Again, Done, Mend, Other},
    line,
};

pub(super) const LINES: &[Explanation] = &[
    line(
        "SYNC_SERVICE_UNKNOWN_SYNCHRONIZER",
        Mend,
        "the node has no synchronizer of this name",
        "register it on the node, or write the name as the node has it; `check` lists those that it knows",
    ),
    line(
        "SYNC_SERVICE_ALIAS_RESOLUTION",
        Mend,
        "the node cannot tell which synchronizer the name means",
        "write the name as the node has it; `check` lists those that it knows",
    ),
    line(
        "SYNC_SERVICE_PHYSICAL_ID_REGISTRATION",
        Mend,
        "the synchronizer is not registered under this name with this very id; it may have been upgraded",
        "compare the id in the configuration with the network's; `check` shows both",
    ),
    line(
        "SYNCHRONIZER_REGISTRATION",
        Done,
        "the node has a synchronizer of this name already",
        "nothing, where it is the right one; else use another name",
    ),
    line(
        "SYNC_SERVICE_BAD_CONNECTIVITY",
        Mend,
        "a sequencer in the node's configuration does not answer, or belongs to another synchronizer",
        "mend or remove that sequencer's address in the node's configuration; a change that does not touch sequencers is \
         tried without asking them",
    ),
    line(
        "SYNC_SERVICE_SYNCHRONIZER_STATUS_NOT_ACTIVE",
        Mend,
        "the node has put this synchronizer aside, for instance after an upgrade",
        "use the synchronizer's present id; ask the node's operator",
    ),
    line(
        "SYNC_SERVICE_SYNCHRONIZER_DISABLED_US",
        Mend,
        "the synchronizer has shut this node out",
        "ask the synchronizer's operator; a node that was away for too long may be let in again",
    ),
    line(
        "SYNC_SERVICE_SYNCHRONIZERS_MUST_BE_OFFLINE",
        Mend,
        "the node is connected, and this is done only while it is not",
        "disconnect it from every synchronizer, then try again",
    ),
    line(
        "SYNC_SERVICE_PASSIVE_REPLICA",
        Again,
        "this is the passive one of a pair of nodes; only the active one answers",
        "write the address of the active one, or of the proxy before both, into the configuration",
    ),
    line(
        "SYNC_SERVICE_BECAME_PASSIVE",
        Again,
        "the node has just handed over to its twin",
        "wait: it is tried again; write the address of the proxy before both into the configuration",
    ),
    line(
        "NODE_IS_PASSIVE_REPLICA",
        Again,
        "this is the passive one of a pair of nodes; only the active one answers",
        "write the address of the active one, or of the proxy before both, into the configuration",
    ),
    line(
        "SYNC_SERVICE_STARTUP_ERROR",
        Mend,
        "the node could not begin its work on the synchronizer",
        "see the node's log; restart it when the reason is gone",
    ),
    line(
        "SYNC_SERVICE_SYNCHRONIZER_DISCONNECTED",
        Mend,
        "the node lost the synchronizer, and tells only its own log why",
        "look for the trace id in the node's log, then connect it again",
    ),
    line(
        "SYNC_SERVICE_INTERNAL_ERROR",
        Mend,
        "the node met something that it did not expect, and tells only its own log",
        "look for the trace id in the node's log, and give both to its operator",
    ),
    line(
        "PARTICIPANT_IS_NOT_ACTIVE",
        Mend,
        "the synchronizer does not count this node as active: it has not joined, or was shut out",
        "connect it once; if it stays so, ask the synchronizer's operator",
    ),
    line(
        "FAILED_TO_CONNECT_TO_SEQUENCERS",
        Mend,
        "the sequencers refuse the node or do not belong together",
        "compare the addresses and certificates in the node's configuration with the network's",
    ),
    line(
        "FAILED_TO_CONNECT_TO_SEQUENCERS_TRANSIENT",
        Again,
        "no sequencer answers now",
        "wait: it is tried again; if it stays so, look at the network between node and sequencers",
    ),
    line("SYNCHRONIZER_IS_NOT_AVAILABLE", Again, "the synchronizer does not answer now", "wait: it is tried again"),
    line(
        "SYNCHRONIZER_ID_MISMATCH",
        Other,
        "behind these addresses is another synchronizer than the node has known under this name",
        "stop: ask the synchronizer's operator before anything is connected there",
    ),
    line(
        "SYNCHRONIZER_HANDSHAKE_FAILED",
        Mend,
        "node and synchronizer speak no common protocol version",
        "upgrade the node to a release that the synchronizer's version needs",
    ),
    line(
        "NotConnected",
        Again,
        "the node answers, and is not connected to this synchronizer",
        "connect it, unless a workflow keeps it away on purpose; `check` says how",
    ),
];
