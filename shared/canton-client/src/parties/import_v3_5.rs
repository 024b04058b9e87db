//! The request of 3.5: the first message says what is meant, the others carry bytes only.

use canton_proto::canton::admin::participant::v30::{
    ContractImportMode, ImportPartyAcsRequest, party_management_service_client::PartyManagementServiceClient,
};
use tokio::io::AsyncRead;

use super::{Import, ImportError, send};
use crate::connection::Door;

pub(super) async fn import(
    door: Door,
    import: &Import,
    contracts: impl AsyncRead + Send + Unpin,
) -> Result<(), ImportError> {
    let request = |acs_snapshot, first| if first { self::first(import, acs_snapshot) } else { next(acs_snapshot) };
    let mut client = PartyManagementServiceClient::new(door);
    send(contracts, request, async |requests| client.import_party_acs(requests).await).await?;
    Ok(())
}

fn first(import: &Import, acs_snapshot: Vec<u8>) -> ImportPartyAcsRequest {
    ImportPartyAcsRequest {
        acs_snapshot,
        synchronizer_id: Some(import.synchronizer.to_string()),
        workflow_id_prefix: Some(import.workflow_prefix.clone()),
        contract_import_mode: Some(ContractImportMode::Validation as i32),
        representative_package_id_override: None,
        party_id: Some(import.party.to_string()),
    }
}

fn next(acs_snapshot: Vec<u8>) -> ImportPartyAcsRequest {
    ImportPartyAcsRequest { acs_snapshot, ..ImportPartyAcsRequest::default() }
}
