//! The request of 3.4: other numbers for the fields, nobody is named, and every message says the same.

use canton_proto::canton::admin::participant::v30::{ContractImportMode, ImportPartyAcsResponse};
use tokio::io::AsyncRead;
use tonic::{client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use super::{Import, ImportError, send};
use crate::{connection::Door, wire};

const IMPORT: &str = "/com.digitalasset.canton.admin.participant.v30.PartyManagementService/ImportPartyAcs";

/// `ImportPartyAcsRequest` as 3.4 declares it.
#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(bytes = "vec", tag = "1")]
    acs_snapshot: Vec<u8>,
    #[prost(string, tag = "2")]
    workflow_id_prefix: String,
    #[prost(int32, tag = "3")]
    contract_import_mode: i32,
}

pub(super) async fn import(
    door: Door,
    import: &Import,
    contracts: impl AsyncRead + Send + Unpin,
) -> Result<(), ImportError> {
    let request = |acs_snapshot, _first| request(import, acs_snapshot);
    let mut grpc = Grpc::new(door);
    let call = async |requests| {
        wire::ready(&mut grpc).await?;
        let codec = ProstCodec::<Request, ImportPartyAcsResponse>::default();
        grpc.client_streaming(tonic::Request::new(requests), PathAndQuery::from_static(IMPORT), codec).await
    };
    send(contracts, request, call).await?;
    Ok(())
}

fn request(import: &Import, acs_snapshot: Vec<u8>) -> Request {
    Request {
        acs_snapshot,
        workflow_id_prefix: import.workflow_prefix.clone(),
        contract_import_mode: ContractImportMode::Validation as i32,
    }
}
