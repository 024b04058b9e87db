//! What stands in the files of a data folder: plain data, as it is written and read.

use std::collections::BTreeMap;

use canton_client::access::Access;
use canton_topology::{
    Timestamp,
    id::{PhysicalSynchronizerId, SynchronizerId},
};
use protocol::{api::Base64, identity::IdentityPublicKey};
use serde::{Deserialize, Serialize};

/// `agent.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The owner's own name, as it stands on its card.
    pub name: String,
    /// The one logical synchronizer that the keys are pinned to.
    pub synchronizer: SynchronizerId,
    /// The admin API of the owner's participant, such as `http://127.0.0.1:5002`.
    pub participant: String,
    /// How that participant lets the agent in.
    #[serde(default, skip_serializing_if = "is_open")]
    pub participant_access: Access,
    /// The Ledger API of the same participant, such as `http://127.0.0.1:5001`; needed for hosting parties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// How the Ledger API lets the agent in.
    #[serde(default, skip_serializing_if = "is_open")]
    pub ledger_access: Access,
    /// A command that backs the participant's database up, and its arguments; it runs with nothing but PATH in its environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backup_command: Vec<String>,
    /// How often each key is to be tried with `keys drill`, in days; one that was not tried in time is an alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill_every_days: Option<u32>,
    /// Where keys live beside the encrypted file, by a name of the owner's; each has its `kind`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub backends: BTreeMap<String, toml::Table>,
}

fn is_open(access: &Access) -> bool {
    *access == Access::default()
}

/// What enrolment left behind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    /// Host and port of the coordinator.
    pub address: String,
    /// The coordinator's certificate authority, PEM.
    pub ca_pem: String,
    /// The key with which the coordinator signs.
    pub coordinator: IdentityPublicKey,
    /// The keys of coordinators at which the owner was enrolled before.
    #[serde(default)]
    pub former: Vec<IdentityPublicKey>,
    /// The TLS client certificate, PEM.
    pub client_certificate_pem: String,
    /// Its private key, PEM.
    pub client_key_pem: String,
}

impl Enrolment {
    /// Remembers the coordinators before this one: what they said in the cases that are here stands.
    pub fn take_over_from(&mut self, before: &Self) {
        let earlier = before.former.iter().chain([&before.coordinator]);
        let others: Vec<IdentityPublicKey> = earlier.filter(|key| **key != self.coordinator).copied().collect();
        self.former.extend(others);
        self.former.sort();
        self.former.dedup();
    }
}

/// A statement of the coordinator's inbox, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Its place in the coordinator's sequence.
    pub sequence: u64,
    /// Its place in its case.
    pub position: u64,
    /// Its bytes.
    pub statement: Base64,
    /// Whose sequence it is: another coordinator counts anew.
    #[serde(default)]
    pub coordinator: Option<IdentityPublicKey>,
}

/// A nonce of a coordinator, for as long as keys answer it: some take hours.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proving {
    /// Whose.
    pub coordinator: IdentityPublicKey,
    /// The nonce.
    pub nonce: [u8; 32],
    /// Until when it is good, as the coordinator says.
    pub expires_at: Timestamp,
}

/// Topology as a participant showed it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// When, by the agent's clock.
    pub at: Timestamp,
    /// The synchronizer with its protocol version.
    pub synchronizer: PhysicalSynchronizerId,
    /// The signed rows, in Canton's V2 format.
    pub rows: Base64,
}
