//! What an agent must not forget about a case: how the node was before, and where its ledger ended. Written before the node
//! is touched; how it was before is forgotten when it is so again.

use canton_client::pruning::Schedule;
use protocol::{
    api::Base64,
    hosting::{contract_set::ContractSet, touched::Touched},
    parcel::Recipient,
    statement::Snapshot,
};
use serde::{Deserialize, Serialize};

/// A snapshot that was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSnapshot {
    /// What it is.
    pub snapshot: Snapshot,
    /// For which key.
    pub to: Recipient,
}

/// What is remembered of one case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The pruning schedule as it was before it was turned off; `Some(None)` where there was none.
    #[serde(default, with = "twice", skip_serializing_if = "Option::is_none")]
    pub pruning: Option<Option<Schedule>>,
    /// The ledger's end before the new host was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<i64>,
    /// Each connection's name, and whether the node waited to be told, before it was disconnected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<Connection>>,
    /// The node imports nothing, and is to be connected again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gives_up: bool,
    /// The source's snapshot, from when it is sealed until it is imported: it is exported once, and sent again wherever it
    /// is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedSnapshot>,
    /// The party's contracts that the new host held before the import: the sum that `ContractSet` keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Base64>,
    /// The ledger's end at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_end: Option<i64>,
    /// The ledger's end after the import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported_at: Option<i64>,
}

/// A connection as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The node's name for the synchronizer.
    pub alias: String,
    /// Whether the node was connected.
    pub connected: bool,
    /// Whether it waited to be told to connect.
    pub manual: bool,
}

impl Held {
    /// How the node is touched still.
    pub fn touched(&self) -> Touched {
        Touched { pruning: self.pruning.is_some(), connections: self.connections.is_some(), gives_up: self.gives_up }
    }

    /// The contracts that were there before the import.
    pub fn contracts_before(&self) -> Option<ContractSet> {
        self.before.as_ref().and_then(|bytes| ContractSet::from_bytes(&bytes.0))
    }
}

/// An option in an option, where JSON knows one `null` alone.
mod twice {
    use canton_client::pruning::Schedule;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    enum Remembered {
        None,
        Schedule(Schedule),
    }

    pub fn serialize<S: Serializer>(value: &Option<Option<Schedule>>, serializer: S) -> Result<S::Ok, S::Error> {
        let remembered = value.as_ref().map(|schedule| match schedule {
            None => Remembered::None,
            Some(schedule) => Remembered::Schedule(schedule.clone()),
        });
        remembered.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Schedule>>, D::Error> {
        let remembered = Option::<Remembered>::deserialize(deserializer)?;
        Ok(remembered.map(|remembered| match remembered {
            Remembered::None => None,
            Remembered::Schedule(schedule) => Some(schedule),
        }))
    }
}
