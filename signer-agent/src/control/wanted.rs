//! What an owner wants, in the names of its book.

use canton_topology::mapping::Permission as HostPermission;
use protocol::intent::Scope;
use serde::{Deserialize, Serialize};

/// An intent in names of the book.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wanted {
    /// A new party.
    CreateParty {
        /// The part of its id before `::`.
        hint: String,
        /// Names of owners; `me` is the agent's own.
        owners: Vec<String>,
        /// Owners that must sign.
        threshold: u32,
        /// Hosts: a name of the book or `me`, and what its participant may do.
        hosts: Vec<(String, HostPermission)>,
        /// Hosts that must confirm.
        confirmations: u32,
        /// Names whose party key signs for the party.
        keys: Vec<String>,
        /// Keys that must sign.
        key_threshold: u32,
        /// Whether the keys stand in a mapping of their own, as releases before 3.5 want it.
        key_mapping: bool,
    },
    /// Other owners, hosts, keys and thresholds.
    Membership {
        /// The party, or the namespace where nothing of a party is named.
        of: String,
        /// What changes.
        change: MembershipWanted,
    },
    /// A key that may sign for the agent's own namespace, or for the one named.
    Delegate {
        /// The namespace; the owner's own where absent.
        namespace: Option<String>,
        /// The name in the book of who holds the key, or `me`.
        to: String,
        /// What the key may sign.
        scope: Scope,
    },
    /// A key that may sign for a namespace no more.
    Revoke {
        /// The namespace; the owner's own where absent.
        namespace: Option<String>,
        /// The key's fingerprint, or the name in the book of who holds it.
        key: String,
    },
    /// One owner under another key.
    RotateOwnerKey {
        /// The party, or the namespace.
        of: String,
        /// The owner as it is: a name of the book, or `me`.
        old: String,
        /// The name in the book of the card with the new key.
        new: String,
        /// Whether the old root stays.
        keep_old: bool,
    },
    /// The agent's own participant, or another one, hosts a party no more.
    LeaveHost {
        /// The party.
        party: String,
        /// Whose participant: a name of the book, or `me`.
        host: String,
    },
    /// A party's keys move into its mapping.
    MigrateKeys {
        /// The party.
        party: String,
    },
    /// One more host of a party.
    Host(Host),
    /// Transactions as they are, hex.
    Raw {
        /// The wrapped transactions.
        transactions: Vec<String>,
    },
}

/// A change set in names of the book. What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct MembershipWanted {
    /// Names of new owners.
    pub add_owners: Vec<String>,
    /// Names, or namespaces, of owners who go.
    pub remove_owners: Vec<String>,
    /// Owners that must sign.
    pub owners: Option<u32>,
    /// New hosts: a name of the book, or `me`, and what its participant may do.
    pub add_hosts: Vec<(String, HostPermission)>,
    /// Names, or participant ids, of hosts that go.
    pub remove_hosts: Vec<String>,
    /// Hosts that stay, and what each may do from then on.
    pub permissions: Vec<(String, HostPermission)>,
    /// Hosts that must confirm.
    pub confirmations: Option<u32>,
    /// Names whose party key signs from then on.
    pub add_keys: Vec<String>,
    /// Names, or fingerprints, whose key signs no more.
    pub remove_keys: Vec<String>,
    /// Keys that must sign.
    pub keys: Option<u32>,
    /// Everything in one offer, where each state in between was accepted.
    pub together: bool,
}

/// One more host of a party, in names of the book.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Host {
    /// The party.
    pub party: String,
    /// Whose participant is to host it.
    pub on: String,
    /// Whose participant knows its contracts; one that hosts it, where not named.
    pub from: Option<String>,
    /// Whose participant counts the contracts beside it; another one that hosts the party, where not named.
    pub second: Option<String>,
    /// What the new host may do.
    pub permission: HostPermission,
    /// How many hosts must confirm from then on.
    pub confirmations: Option<u32>,
    /// Owners who may sign before the new host is disconnected.
    pub ahead: Vec<String>,
    /// Packages that the new host must have vetted.
    pub packages: Vec<String>,
    /// The way; the agent looks and picks it, where none is named.
    pub way: Option<Way>,
}

/// How a new host learns of a party's contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// There are none: the party was never used.
    Simple,
    /// They are carried over.
    Replicate,
}
