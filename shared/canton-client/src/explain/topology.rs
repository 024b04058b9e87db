//! Changes of topology: the ids of the topology manager.

use super::{
    Explanation,
    Then::{Again, Done, Mend, Other},
    line,
};

pub(super) const LINES: &[Explanation] = &[
    line(
        "TOPOLOGY_TOO_MANY_PENDING_TOPOLOGY_TRANSACTIONS",
        Again,
        "the node has too many changes that are not sent yet (100 by default)",
        "wait: it is tried again; if it stays so, see whether the node is connected to the synchronizer",
    ),
    line(
        "TOPOLOGY_MANAGER_INTERNAL_ERROR",
        Mend,
        "the node met something that it did not expect, and tells only its own log",
        "look for the trace id in the node's log, and give both to its operator",
    ),
    line(
        "TOPOLOGY_MANAGER_ALARM",
        Other,
        "the change breaks a rule that no honest node breaks, and the node tells only its own log",
        "look for the trace id in the node's log; propose it again on what stands now",
    ),
    line(
        "TOPOLOGY_TRANSACTION_NOT_FOUND",
        Again,
        "the node knows no change with this hash: it has not reached the node yet, it was refused, or it lost its place",
        "wait; then see with `show` whether it is effective already or must be proposed again",
    ),
    line(
        "TOPOLOGY_STORE_NOT_FOUND",
        Again,
        "the node has no topology of this synchronizer: it is not connected, or the synchronizer's id is another one",
        "connect the node to the synchronizer; `check` compares the ids",
    ),
    line(
        "TOPOLOGY_STORE_NOT_INITIALIZED",
        Again,
        "the node has joined the synchronizer and has not read its topology yet",
        "wait: it is tried again",
    ),
    line(
        "TOPOLOGY_TOO_MANY_TRANSACTION_WITH_HASH",
        Mend,
        "the node's own store has this change more than once, which must not be",
        "let the node's operator look at its database; sign by another node meanwhile",
    ),
    line(
        "TOPOLOGY_SECRET_KEY_NOT_IN_STORE",
        Mend,
        "the node knows the key by name, and its secret half is not on it",
        "sign with the node that holds the key, or bring the key back from its backup",
    ),
    line(
        "TOPOLOGY_NO_APPROPRIATE_SIGNING_KEY_IN_STORE",
        Again,
        "the node holds no key that may sign this change: the owner's key is elsewhere, its delegation is missing, does not \
         cover this kind of change or is not effective yet, or the key was made for another use",
        "see with `inspect --state` who must sign it; sign with the node or the agent that holds the key, or delegate to a \
         key that is here",
    ),
    line(
        "TOPOLOGY_INVALID_TX_SIGNATURE",
        Other,
        "a signature does not verify: wrong bytes, wrong key or wrong format; the node tells only its own log",
        "sign again; `inspect --state` names the signature that does not verify",
    ),
    line(
        "TOPOLOGY_UNAUTHORIZED_TRANSACTION",
        Mend,
        "a signature is missing, or a key signed that nothing delegates to; the node tells only its own log",
        "`show` names who is missing; let them sign",
    ),
    line(
        "TOPOLOGY_SERIAL_MISMATCH",
        Other,
        "somebody else changed the same thing first: its place is taken, and these signatures are for an older state",
        "look at what stands now; the coordinator offers it again on that, or propose it with `rebase`, and sign again",
    ),
    line(
        "TOPOLOGY_MULTI_TRANSACTION_HASH_MISMATCH",
        Other,
        "a signature over several changes together does not name this one",
        "sign again exactly the changes that are handed in together",
    ),
    line(
        "TOPOLOGY_INVALID_SYNCHRONIZER",
        Other,
        "the change names another synchronizer than the one it was handed to",
        "propose it again with the right synchronizer; `check` compares the ids",
    ),
    line(
        "TOPOLOGY_MAPPING_ALREADY_EXISTS",
        Done,
        "exactly this stands already, signed by the same keys",
        "nothing: it counts as done once it is read back",
    ),
    line(
        "TOPOLOGY_NO_CORRESPONDING_ACTIVE_TX_TO_REVOKE",
        Other,
        "what is to be removed does not stand: it was removed before, or never was",
        "look at what stands now; if it is gone, nothing is left to be done",
    ),
    line(
        "TOPOLOGY_REMOVE_MUST_NOT_CHANGE_MAPPING",
        Other,
        "a removal must repeat exactly what stands, and this one differs",
        "propose the removal again on what stands now",
    ),
    line(
        "TOPOLOGY_CANNOT_REMOVE_MAPPING",
        Other,
        "Canton never removes this kind of mapping",
        "replace it by another one instead",
    ),
    line(
        "TOPOLOGY_INVALID_MAPPING",
        Other,
        "what the change says contradicts itself or what stands; the node's own words say how, such as a root that is not \
         effective yet",
        "read the node's words; wait for what it builds on, or propose it again with other content",
    ),
    line(
        "TOPOLOGY_UNKNOWN_MEMBERS",
        Mend,
        "a participant that the change names has not joined this synchronizer",
        "connect that participant to the synchronizer first, and compare its id with its owner's card",
    ),
    line(
        "TOPOLOGY_INSUFFICIENT_KEYS",
        Mend,
        "a participant that the change names has no signing or no encryption key on this synchronizer",
        "let that participant's operator register its keys, which connecting it does; then hand it in again",
    ),
    line(
        "TOPOLOGY_NAMESPACE_ALREADY_IN_USE",
        Other,
        "the namespace belongs to something of another kind already",
        "make a new key, or compose the namespace of other owners",
    ),
    line(
        "TOPOLOGY_NAMESPACE_HAS_BEEN_REVOKED",
        Other,
        "the namespace was removed, and that is for good: not even all of its owners bring it back",
        "use a new namespace key, or a new decentralized namespace",
    ),
    line(
        "TOPOLOGY_CONFIRMING_THRESHOLD_CANNOT_BE_REACHED",
        Other,
        "more confirmations are asked for than the party has hosts that confirm",
        "ask for fewer confirmations, or add hosts that may confirm in the same change",
    ),
    line(
        "TOPOLOGY_SIGNING_THRESHOLD_CANNOT_BE_REACHED",
        Other,
        "more signatures are asked for than the party has keys",
        "ask for fewer signatures, or add keys in the same change",
    ),
    line(
        "TOPOLOGY_PARTY_ID_CONFLICT_WITH_ADMIN_PARTY",
        Other,
        "the party would have the id of a participant's own party",
        "give the party another name",
    ),
    line(
        "TOPOLOGY_PARTICIPANT_ID_CONFLICT_WITH_PARTY",
        Other,
        "the participant would have the id of a party",
        "give the participant another name",
    ),
    line(
        "TOPOLOGY_TEMPORARY_STORE_ALREADY_EXISTS",
        Done,
        "the node has a temporary store of that name",
        "use it, or drop it first",
    ),
    line(
        "TOPOLOGY_LSU_TOPOLOGY_FREEZE",
        Mend,
        "an upgrade of the synchronizer is announced: its topology is frozen until then",
        "wait until the upgrade is done, then hand it in again; the signatures stay good",
    ),
    line(
        "TOPOLOGY_DANGEROUS_COMMAND_REQUIRES_FORCE_ALIEN_MEMBER",
        Other,
        "the node was asked to change keys or packages of another node",
        "ask that node itself: each owner's agent changes its own node",
    ),
    line(
        "TOPOLOGY_DISABLE_PARTY_WITH_ACTIVE_CONTRACTS",
        Mend,
        "the node would stop hosting a party that has contracts on it",
        "carry the party over to another host first with `propose host`, or archive its contracts",
    ),
    line(
        "TOPOLOGY_INSUFFICIENT_SIGNATORY_ASSIGNING_PARTICIPANTS",
        Mend,
        "too few hosts of a signatory would be left to reassign its contracts",
        "keep more hosts, or finish the reassignments first",
    ),
    line(
        "TOPOLOGY_INSUFFICIENT_PERMISSION_FOR_SIGNATORY_PARTY",
        Mend,
        "every host of a party that signs contracts would only observe",
        "leave at least one host that confirms",
    ),
    line(
        "TOPOLOGY_PARTICIPANT_ONBOARDING_REFUSED",
        Mend,
        "the synchronizer lets no participant in, or not this one",
        "ask the synchronizer's operator for a permission for this participant",
    ),
    line(
        "TOPOLOGY_MEMBER_CANNOT_REJOIN_SYNCHRONIZER",
        Other,
        "the node has left this synchronizer before, and that is for good",
        "set up a new node with a new identity",
    ),
    line(
        "TOPOLOGY_ILLEGAL_REMOVAL_OF_ACTIVE_TRANSACTIONS",
        Mend,
        "other things that stand need what is to be removed, such as parties that the participant hosts",
        "remove those first",
    ),
    line(
        "TOPOLOGY_INVALID_QUERY_TIME",
        Other,
        "topology was asked for at a time that the node cannot answer for",
        "ask for a later time, or for what stands now",
    ),
    line(
        "TOPOLOGY_MISSING_MAPPING",
        Mend,
        "something that the change builds on does not stand",
        "propose that first, and wait until it is effective",
    ),
];
