//! A party's contracts: out of one node, into another, and the flag in between.

use canton_proto::canton::admin::participant::v30::{
    ClearPartyOnboardingFlagRequest, ClearPartyOnboardingFlagResponse, ExportPartyAcsRequest, ExportPartyAcsResponse,
    ImportPartyAcsRequest, ImportPartyAcsResponse, party_management_service_server::PartyManagementService,
};
use tonic::{Request, Response, Status, Streaming};

use super::{Answers, Api};

#[tonic::async_trait]
impl PartyManagementService for Api {
    async fn export_party_acs(
        &self,
        request: Request<ExportPartyAcsRequest>,
    ) -> Result<Response<Answers<ExportPartyAcsResponse>>, Status> {
        self.export(request.into_inner()).await.map(Response::new)
    }

    async fn import_party_acs(
        &self,
        request: Request<Streaming<ImportPartyAcsRequest>>,
    ) -> Result<Response<ImportPartyAcsResponse>, Status> {
        self.import(request.into_inner()).await?;
        Ok(Response::new(ImportPartyAcsResponse {}))
    }

    async fn clear_party_onboarding_flag(
        &self,
        request: Request<ClearPartyOnboardingFlagRequest>,
    ) -> Result<Response<ClearPartyOnboardingFlagResponse>, Status> {
        self.clear(request.into_inner()).await.map(Response::new)
    }
}
