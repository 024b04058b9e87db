//! Who the node is, and which API a socket speaks.

use canton_proto::{
    canton::{
        connection::v30::{GetApiInfoRequest, GetApiInfoResponse, api_info_service_server::ApiInfoService},
        topology::admin::v30::{
            GetIdRequest, GetIdResponse, identity_initialization_service_server::IdentityInitializationService,
        },
    },
    daml::ledger::api::v2::{
        GetLedgerApiVersionRequest, GetLedgerApiVersionResponse, version_service_server::VersionService,
    },
};
use tonic::{Request, Response, Status};

use super::Api;

/// The name of the API that a socket speaks.
pub(crate) struct ApiInfo(pub &'static str);

#[tonic::async_trait]
impl ApiInfoService for ApiInfo {
    async fn get_api_info(&self, _: Request<GetApiInfoRequest>) -> Result<Response<GetApiInfoResponse>, Status> {
        Ok(Response::new(GetApiInfoResponse { name: self.0.to_owned() }))
    }
}

#[tonic::async_trait]
impl IdentityInitializationService for Api {
    async fn get_id(&self, _: Request<GetIdRequest>) -> Result<Response<GetIdResponse>, Status> {
        let unique_identifier = self.0.identity.member.uid.to_string();
        Ok(Response::new(GetIdResponse { initialized: true, unique_identifier }))
    }
}

#[tonic::async_trait]
impl VersionService for Api {
    async fn get_ledger_api_version(
        &self,
        _: Request<GetLedgerApiVersionRequest>,
    ) -> Result<Response<GetLedgerApiVersionResponse>, Status> {
        Ok(Response::new(GetLedgerApiVersionResponse { version: self.0.options.version.name().to_owned() }))
    }
}
