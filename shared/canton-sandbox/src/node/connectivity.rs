//! Connecting to the synchronizer, and how.

use canton_proto::canton::admin::participant::v30::{
    DisconnectAllSynchronizersRequest, DisconnectAllSynchronizersResponse, ListConnectedSynchronizersRequest,
    ListConnectedSynchronizersResponse, ListRegisteredSynchronizersRequest, ListRegisteredSynchronizersResponse,
    ModifySynchronizerRequest, ModifySynchronizerResponse, ReconnectSynchronizerRequest, ReconnectSynchronizerResponse,
    ReconnectSynchronizersRequest, ReconnectSynchronizersResponse, list_connected_synchronizers_response,
    list_registered_synchronizers_response::{Result as Registered, Status as Registration},
    synchronizer_connectivity_service_server::SynchronizerConnectivityService,
};
use tonic::{Code, Request, Response, Status};

use super::Api;
use crate::{connection, refused::Refused};

impl Api {
    fn check_alias(&self, alias: &str) -> Result<(), Refused> {
        if alias == connection::alias(&self.0.synchronizer.id) {
            return Ok(());
        }
        let cause = format!("The synchronizer with alias {alias} is unknown.");
        Err(Refused::new(Code::NotFound, "SYNC_SERVICE_UNKNOWN_SYNCHRONIZER", cause))
    }
}

#[tonic::async_trait]
impl SynchronizerConnectivityService for Api {
    async fn list_connected_synchronizers(
        &self,
        _: Request<ListConnectedSynchronizersRequest>,
    ) -> Result<Response<ListConnectedSynchronizersResponse>, Status> {
        let id = &self.0.synchronizer.id;
        let one = || list_connected_synchronizers_response::Result {
            synchronizer_alias: connection::alias(id).to_owned(),
            synchronizer_id: id.logical.to_string(),
            physical_synchronizer_id: id.to_string(),
            healthy: true,
        };
        let connected_synchronizers = self.0.standing().connected.then(one).into_iter().collect();
        Ok(Response::new(ListConnectedSynchronizersResponse { connected_synchronizers }))
    }

    async fn list_registered_synchronizers(
        &self,
        _: Request<ListRegisteredSynchronizersRequest>,
    ) -> Result<Response<ListRegisteredSynchronizersResponse>, Status> {
        let standing = self.0.standing();
        let one = Registered {
            config: Some(standing.config.clone()),
            connected: standing.connected,
            physical_synchronizer_id: Some(self.0.synchronizer.id.to_string()),
            status: Registration::Active.into(),
            synchronizer_predecessor: None,
        };
        Ok(Response::new(ListRegisteredSynchronizersResponse { results: vec![one] }))
    }

    async fn modify_synchronizer(
        &self,
        request: Request<ModifySynchronizerRequest>,
    ) -> Result<Response<ModifySynchronizerResponse>, Status> {
        let request = request.into_inner();
        let config = request.new_config.ok_or_else(|| Refused::not_set("new_config"))?;
        self.check_alias(&config.synchronizer_alias)?;
        if request.sequencer_connection_validation == 0 {
            return Err(Refused::not_set("sequencer_connection_validation").into());
        }
        let own = self.0.synchronizer.id.to_string();
        if request.physical_synchronizer_id.is_some_and(|named| named != own) {
            let cause = "The physical synchronizer is not registered under this alias.";
            return Err(Refused::new(Code::NotFound, "SYNC_SERVICE_PHYSICAL_ID_REGISTRATION", cause).into());
        }
        self.0.standing().config = config;
        Ok(Response::new(ModifySynchronizerResponse {}))
    }

    async fn disconnect_all_synchronizers(
        &self,
        _: Request<DisconnectAllSynchronizersRequest>,
    ) -> Result<Response<DisconnectAllSynchronizersResponse>, Status> {
        self.0.disconnect();
        Ok(Response::new(DisconnectAllSynchronizersResponse {}))
    }

    async fn reconnect_synchronizer(
        &self,
        request: Request<ReconnectSynchronizerRequest>,
    ) -> Result<Response<ReconnectSynchronizerResponse>, Status> {
        self.check_alias(&request.into_inner().synchronizer_alias)?;
        self.0.connect();
        Ok(Response::new(ReconnectSynchronizerResponse { connected_successfully: true }))
    }

    async fn reconnect_synchronizers(
        &self,
        _: Request<ReconnectSynchronizersRequest>,
    ) -> Result<Response<ReconnectSynchronizersResponse>, Status> {
        let manual = self.0.standing().config.manual_connect;
        if !manual {
            self.0.connect();
        }
        Ok(Response::new(ReconnectSynchronizersResponse {}))
    }
}
