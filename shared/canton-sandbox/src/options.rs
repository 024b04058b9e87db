//! What to start: how many nodes, of which release, with which delays.

use std::time::Duration;

use crate::access::Access;

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The names of the participants.
    pub participants: Vec<String>,
    /// 34 or 35.
    pub protocol_version: u32,
    /// From being sequenced to being effective. Canton's default is 250 ms.
    pub topology_change_delay: Duration,
    /// The release that the participants are.
    pub version: NodeVersion,
    /// Participants of another release, by name.
    pub other_versions: Vec<(String, NodeVersion)>,
    /// Where the participants keep what they have, which decides whether they can import contracts.
    pub storage: Storage,
    /// From the activation of an onboarding host to the moment from which its flag may go: with Canton's default
    /// parameters the two decision timeouts, 30 s each, and a second.
    pub decision_timeout: Duration,
    /// What the participants ask of whoever calls; nothing where it is not said.
    pub access: Access,
}

impl Default for Options {
    fn default() -> Self {
        let participants = ["participant1", "participant2", "participant3"].map(str::to_owned).to_vec();
        Self {
            participants,
            protocol_version: 34,
            topology_change_delay: Duration::from_millis(250),
            version: NodeVersion::V3_5,
            other_versions: Vec::new(),
            storage: Storage::Database,
            decision_timeout: Duration::from_secs(61),
            access: Access::default(),
        }
    }
}

impl Options {
    /// The same for one participant.
    pub(crate) fn of(&self, participant: &str) -> Self {
        let other = self.other_versions.iter().find(|(name, _)| name == participant);
        Self { version: other.map_or(self.version, |(_, version)| *version), ..self.clone() }
    }
}

/// A release line of Canton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeVersion {
    /// 3.4: protocol version 34 only, the older shape of an import.
    V3_4,
    /// 3.5.
    V3_5,
}

impl NodeVersion {
    /// As a node's status names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V3_4 => "3.4.11",
            Self::V3_5 => "3.5.10",
        }
    }

    /// The protocol versions that it speaks.
    pub fn protocol_versions(self) -> &'static [i32] {
        match self {
            Self::V3_4 => &[34],
            Self::V3_5 => &[34, 35],
        }
    }
}

/// Where a participant keeps what it has. Nothing of the sandbox is durable; the difference is what repair takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In memory: contracts cannot be imported.
    Memory,
    /// In a database.
    Database,
}
