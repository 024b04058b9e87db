//! The Ledger API's parties.

use std::collections::BTreeSet;

use canton_proto::daml::ledger::api::v2::admin::{
    AllocateExternalPartyRequest, AllocateExternalPartyResponse, GenerateExternalPartyTopologyRequest,
    GenerateExternalPartyTopologyResponse, GetParticipantIdRequest, GetParticipantIdResponse, GetPartiesRequest,
    GetPartiesResponse, PartyDetails, party_management_service_server::PartyManagementService,
};
use canton_topology::id::PartyId;
use tonic::{Request, Response, Status};

use super::Api;
use crate::hosting;

#[tonic::async_trait]
impl PartyManagementService for Api {
    async fn get_participant_id(
        &self,
        _: Request<GetParticipantIdRequest>,
    ) -> Result<Response<GetParticipantIdResponse>, Status> {
        Ok(Response::new(GetParticipantIdResponse { participant_id: self.0.id().to_string() }))
    }

    async fn get_parties(&self, request: Request<GetPartiesRequest>) -> Result<Response<GetPartiesResponse>, Status> {
        let standing = self.0.standing();
        let own = self.0.id();
        let known: BTreeSet<PartyId> = hosting::parties(&standing.topology);
        let wanted = request.into_inner().parties;
        let wanted: BTreeSet<PartyId> = wanted.iter().filter_map(|party| party.parse().ok()).collect();
        let party_details = known.intersection(&wanted).map(|party| PartyDetails {
            party: party.to_string(),
            is_local: hosting::is_hosted(&standing.topology, party, &own),
            local_metadata: None,
            identity_provider_id: String::new(),
        });
        Ok(Response::new(GetPartiesResponse { party_details: party_details.collect() }))
    }

    async fn allocate_external_party(
        &self,
        request: Request<AllocateExternalPartyRequest>,
    ) -> Result<Response<AllocateExternalPartyResponse>, Status> {
        self.allocate(request.into_inner()).await.map(Response::new)
    }

    async fn generate_external_party_topology(
        &self,
        request: Request<GenerateExternalPartyTopologyRequest>,
    ) -> Result<Response<GenerateExternalPartyTopologyResponse>, Status> {
        self.generate(request.into_inner()).map(Response::new)
    }
}
