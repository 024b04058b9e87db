//! Moving a party's contracts, its flag, and reading the ledger for it.

use super::{
    Explanation,
    Then::{Again, Done, Mend, Other},
    line,
};

pub(super) const LINES: &[Explanation] = &[
    line(
        "INVALID_ARGUMENT_PARTY_MANAGEMENT_ERROR",
        Other,
        "the request does not fit this node: an id that is none, a synchronizer that the node does not know, or an offset \
         that is not on its ledger (offsets are each node's own)",
        "read the node's words; `check` compares the synchronizer; offsets are noted anew when the step is run again",
    ),
    line(
        "INVALID_STATE_PARTY_MANAGEMENT_ERROR",
        Mend,
        "the node cannot do it now: it is not connected to the synchronizer, has an empty ledger, or just starts",
        "connect the node to the synchronizer and wait until it has caught up; the step is run again by itself",
    ),
    line(
        "PARTY_ACS_EXPORT_MISSING_TARGET_ONBOARDING_MAPPING",
        Other,
        "the new host was added without the onboarding flag, or the flag is gone already: what it saw since is not in any file",
        "remove the host again and carry the party over anew with `propose host --replicate`, which sets the flag",
    ),
    line(
        "PARTY_ACS_IMPORT_MISSING_ONBOARDING_MAPPING",
        Mend,
        "the new host has never seen that it is to host the party: it was disconnected before its own proposal came back",
        "connect it, let it sign, wait until its own topology shows the proposal, and disconnect it again",
    ),
    line(
        "PARTY_ONBOARDING_CLEARANCE_MISSING_MAPPING",
        Done,
        "the flag is gone already, or this node was never added with one",
        "nothing, where topology shows the host without a flag: that is what counts",
    ),
    line(
        "EFFECTIVE_PARTY_TO_PARTICIPANT_MAPPING_NOT_FOUND",
        Again,
        "the node has not seen the new host added: signatures are missing, it is not effective yet, or the offset from \
         which the node looks lies behind it",
        "wait: it is tried again; `workflow show` says whether the change is effective",
    ),
    line(
        "EXACT_RECORD_TIME_MATCH_NOT_FOUND",
        Other,
        "nothing happened on the ledger at exactly this time",
        "use the time of an event, or an offset",
    ),
    line(
        "IO_STREAM_PARTY_MANAGEMENT_ERROR",
        Mend,
        "the node is still connected to a synchronizer, and contracts are imported only while it is not",
        "disconnect it from every synchronizer: `workflow run CASE --confirm disconnect`; if it was connected since it was \
         added, restore its backup first",
    )
    .only("still"),
    line(
        "IO_STREAM_PARTY_MANAGEMENT_ERROR",
        Other,
        "the node has pruned the contracts' past: it can no longer say what they were when the new host was added",
        "remove the host again and start anew: the runbook turns pruning off before the host is added",
    )
    .only("pruned"),
    line(
        "IO_STREAM_PARTY_MANAGEMENT_ERROR",
        Mend,
        "a contract in the file needs a package that the node does not have",
        "upload its archive with `workflow run CASE --archive FILE`, restore the backup, and import again",
    )
    .only("Failed to locate package"),
    line(
        "IO_STREAM_PARTY_MANAGEMENT_ERROR",
        Mend,
        "the export or the import broke off; part of the contracts may be there",
        "an export is simply repeated; before an import is repeated, restore the node's backup; if its words say that a \
         contract does not validate, let its author look before anything else",
    ),
    line(
        "INVALID_TIMESTAMP_PARTY_MANAGEMENT_ERROR",
        Again,
        "the node has not processed the ledger up to this time yet",
        "wait: it is tried again",
    ),
    line(
        "UNPROCESSED_REQUESTED_TIMESTAMP",
        Again,
        "the node has not processed the ledger up to this time yet",
        "wait: it is tried again; connect the node if it is not connected",
    ),
    line(
        "INTERNAL_INVARIANT_VIOLATION",
        Mend,
        "the node met something that it did not expect, and tells only its own log",
        "look for the trace id in the node's log, and give both to its operator",
    ),
    line(
        "IMPORT_ACS_ERROR",
        Other,
        "the node keeps everything in memory, and Canton imports contracts only into a database",
        "withdraw the case; what was changed comes back by itself. Then give the node a database (`storage.type = \
         postgres`), which makes it a new node, and propose it again",
    )
    .only("in memory"),
    line(
        "IMPORT_ACS_ERROR",
        Mend,
        "the node could not take the contracts over",
        "read the node's words; restore its backup before the import is repeated",
    ),
    line(
        "PARTY_ALLOCATION_WITHOUT_CONNECTED_SYNCHRONIZER",
        Mend,
        "a party is made on a node that is connected to no synchronizer",
        "connect the node, then make the party",
    ),
    line(
        "PARTY_ALLOCATION_CANNOT_DETERMINE_SYNCHRONIZER",
        Mend,
        "a party is made on a node that is connected to several synchronizers, and none is named",
        "name the synchronizer",
    ),
    line(
        "PARTICIPANT_PRUNED_DATA_ACCESSED",
        Other,
        "the node's ledger is pruned: what is asked for is forgotten, so nobody can tell any more whether the party was used",
        "treat the party as used: `propose host --replicate` carries its contracts over",
    ),
    line(
        "OFFSET_AFTER_LEDGER_END",
        Again,
        "the ledger does not reach as far as it is asked for",
        "wait; if the node was restored from a backup, its alarm stands in `status`",
    ),
    line(
        "OFFSET_OUT_OF_RANGE",
        Again,
        "the ledger does not reach as far as it is asked for",
        "wait; if the node was restored from a backup, its alarm stands in `status`",
    ),
    line(
        "NEGATIVE_OFFSET",
        Other,
        "the node was asked from an offset that is none",
        "run the step again, which notes the offset anew; if it stays so, update this program",
    ),
    line(
        "NON_POSITIVE_OFFSET",
        Other,
        "the node was asked from an offset that is none",
        "run the step again, which notes the offset anew; if it stays so, update this program",
    ),
    line(
        "PARTICIPANT_DATA_ACCESSED_AFTER_LEDGER_END",
        Again,
        "the ledger does not reach as far as it is asked for",
        "wait; if the node was restored from a backup, its alarm stands in `status`",
    ),
    line(
        "ACS_COMMITMENT_MISMATCH",
        Done,
        "participants compare from time to time what contracts they share; while a new host of a party has its onboarding \
         flag they rightly do not agree",
        "nothing, between the new host's activation and the end of its flag, which `workflow show` tells; at any other \
         time stop and compare the two nodes' contracts",
    ),
];
