//! What a participant says of itself: its release, its health, and which API an address is.

use std::fmt;

use canton_proto::canton::{
    admin::participant::v30::{
        ParticipantStatusRequest, connected_synchronizer::Health, participant_status_response::Kind,
        participant_status_service_client::ParticipantStatusServiceClient,
    },
    connection::v30::{GetApiInfoRequest, api_info_service_client::ApiInfoServiceClient},
};
use canton_topology::id::{ParticipantId, PhysicalSynchronizerId};

use crate::{connection::Connection, error::NodeError, participant::Participant};

/// The release of Canton that a node runs, such as `3.5.10-SNAPSHOT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeVersion {
    text: String,
    major: u32,
    minor: u32,
}

/// The release lines whose requests this client can build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// 3.4
    V3_4,
    /// 3.5
    V3_5,
}

impl NodeVersion {
    /// Reads a version as nodes write it: three numbers, and what else they like after a dash.
    ///
    /// # Errors
    /// A text that is no version.
    pub fn parse(text: &str) -> Result<Self, NodeError> {
        let bad = || NodeError::BadAnswer(format!("its version {:?} is none", text.escape_debug().to_string()));
        let mut parts = text.split('-').next().unwrap_or_default().split('.').map(str::parse);
        let (Some(Ok(major)), Some(Ok(minor)), Some(Ok::<u32, _>(_)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        Ok(Self { text: text.to_owned(), major, minor })
    }

    /// The release line; `None` for one that this client does not know, so that nothing is guessed.
    #[must_use]
    pub fn release(&self) -> Option<Release> {
        match (self.major, self.minor) {
            (3, 4) => Some(Release::V3_4),
            (3, 5) => Some(Release::V3_5),
            _ => None,
        }
    }
}

impl fmt::Display for NodeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What waits to be sent to the synchronizer or to be taken over from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopologyQueues {
    /// Transactions that the topology manager still works on.
    pub manager: u32,
    /// Transactions that wait to be sent. A node that disconnects with some of them left keeps them to itself.
    pub dispatcher: u32,
    /// Transactions from the synchronizer that are not effective yet.
    pub clients: u32,
}

/// A participant that has its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its id.
    pub participant: ParticipantId,
    /// Its release.
    pub version: NodeVersion,
    /// False on the passive replica of a pair, which answers hardly anything else.
    pub active: bool,
    /// The synchronizers that it is connected to, and whether each connection is healthy.
    pub synchronizers: Vec<(PhysicalSynchronizerId, bool)>,
    /// What waits in it.
    pub queues: TopologyQueues,
}

impl Participant {
    /// What it says of itself.
    ///
    /// # Errors
    /// See [`NodeError`]; a node that waits for its identity passes.
    pub async fn status(&self) -> Result<NodeStatus, NodeError> {
        status(&self.connection).await
    }

    /// Which API this address is, in the node's own words; they tell ports that were mixed up.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn api_name(&self) -> Result<String, NodeError> {
        api_name(&self.connection).await
    }
}

/// Which API an address is, in the node's own words.
pub(crate) async fn api_name(connection: &Connection) -> Result<String, NodeError> {
    let mut client = ApiInfoServiceClient::new(connection.quick().await?);
    let answer = client.get_api_info(GetApiInfoRequest {}).await;
    Ok(answer.map_err(|status| NodeError::from_status(&status, false))?.into_inner().name)
}

pub(crate) async fn status(connection: &Connection) -> Result<NodeStatus, NodeError> {
    let mut client = ParticipantStatusServiceClient::new(connection.quick().await?);
    let answer = client.participant_status(ParticipantStatusRequest {}).await;
    let answer = answer.map_err(|status| NodeError::from_status(&status, false))?.into_inner();
    let bad = |what: &str| NodeError::BadAnswer(format!("its status: {what}"));
    let status = match answer.kind {
        Some(Kind::Status(status)) => status,
        Some(Kind::NotInitialized(_)) => {
            return Err(NodeError::Retry("NoIdentity: the node has no identity yet".to_owned()));
        }
        None => return Err(bad("nothing")),
    };
    let common = status.common_status.ok_or_else(|| bad("no common_status"))?;
    let mut synchronizers = Vec::new();
    for one in status.connected_synchronizers {
        let id = one.physical_synchronizer_id.parse().map_err(|error| bad(&format!("a synchronizer: {error}")))?;
        synchronizers.push((id, one.health == Health::Healthy as i32));
    }
    let queues = common.topology_queues.unwrap_or_default();
    Ok(NodeStatus {
        participant: ParticipantId::parse_lenient(&common.uid).map_err(|error| bad(&format!("uid: {error}")))?,
        version: NodeVersion::parse(&common.version)?,
        // Two fields of one name: the node's own, and the replica's.
        active: status.active && common.active,
        synchronizers,
        queues: TopologyQueues { manager: queues.manager, dispatcher: queues.dispatcher, clients: queues.clients },
    })
}
