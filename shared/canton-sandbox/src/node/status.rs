//! How the participant is: its release, its queues, where it is connected.

use canton_proto::canton::admin::{
    health::v30::{ComponentStatus, Status as CommonStatus, TopologyQueueStatus, component_status},
    participant::v30::{
        ConnectedSynchronizer, ParticipantStatusRequest, ParticipantStatusResponse,
        connected_synchronizer::Health,
        participant_status_response::{Kind, ParticipantStatusResponseStatus},
        participant_status_service_server::ParticipantStatusService,
    },
};
use tonic::{Request, Response, Status};

use super::Api;
use crate::options::Storage;

/// The parts of which a node gives account.
const COMPONENTS: [&str; 5] = [
    "connected-synchronizer",
    "sync-ephemeral-state",
    "sequencer-client",
    "acs-commitment-processor",
    "sequencer-connection-pool",
];

#[tonic::async_trait]
impl ParticipantStatusService for Api {
    async fn participant_status(
        &self,
        _: Request<ParticipantStatusRequest>,
    ) -> Result<Response<ParticipantStatusResponse>, Status> {
        let node = &self.0;
        let connected = node.standing().connected;
        let storage = match node.options.storage {
            Storage::Memory => "memory_storage",
            Storage::Database => "db-storage",
        };
        let common = CommonStatus {
            uid: node.identity.member.uid.to_string(),
            uptime: prost_types::Duration::try_from(node.started.elapsed()).ok(),
            ports: [].into(),
            active: true,
            topology_queues: Some(TopologyQueueStatus { manager: 0, dispatcher: node.unsent(), clients: 0 }),
            components: std::iter::once(storage).chain(COMPONENTS).map(|name| component(name, connected)).collect(),
            version: node.options.version.name().to_owned(),
        };
        let synchronizer = ConnectedSynchronizer {
            physical_synchronizer_id: node.synchronizer.id.to_string(),
            health: Health::Healthy.into(),
        };
        let status = ParticipantStatusResponseStatus {
            common_status: Some(common),
            connected_synchronizers: if connected { vec![synchronizer] } else { Vec::new() },
            active: true,
            supported_protocol_versions: node.options.version.protocol_versions().to_vec(),
        };
        Ok(Response::new(ParticipantStatusResponse { kind: Some(Kind::Status(status)) }))
    }
}

fn component(name: &str, connected: bool) -> ComponentStatus {
    let data = |description: Option<&str>| component_status::StatusData { description: description.map(str::to_owned) };
    let status = if connected || name.ends_with("storage") {
        component_status::Status::Ok(data(None))
    } else {
        component_status::Status::Failed(data(Some("disconnected from synchronizer")))
    };
    ComponentStatus { name: name.to_owned(), status: Some(status) }
}
