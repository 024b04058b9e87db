//! Party management as release 3.4 speaks it: an import has other fields under the same numbers, names no synchronizer and
//! no party, and is kept in memory until all of it is there.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use canton_proto::canton::admin::participant::v30::{
    ImportPartyAcsRequest, ImportPartyAcsResponse, RepresentativePackageIdOverride,
    party_management_service_server::PartyManagementServiceServer,
};
use tokio_stream::StreamExt as _;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    codegen::http,
    server::{ClientStreamingService, Grpc, NamedService},
};
use tower::Service;

use super::Api;

/// An import's message in release 3.4.
#[derive(Clone, PartialEq, prost::Message)]
struct OlderImport {
    #[prost(bytes = "vec", tag = "1")]
    acs_snapshot: Vec<u8>,
    #[prost(string, tag = "2")]
    workflow_id_prefix: String,
    #[prost(int32, tag = "3")]
    contract_import_mode: i32,
    #[prost(message, optional, tag = "4")]
    representative_package_id_override: Option<RepresentativePackageIdOverride>,
}

/// The service of that release.
#[derive(Clone)]
pub(crate) struct Older(pub Api);

impl NamedService for Older {
    const NAME: &'static str = <PartyManagementServiceServer<Api> as NamedService>::NAME;
}

type Pending<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl Service<http::Request<Body>> for Older {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pending<http::Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let api = self.0.clone();
        if request.uri().path().ends_with("/ImportPartyAcs") {
            return Box::pin(async move {
                let mut grpc = Grpc::new(tonic_prost::ProstCodec::default());
                Ok(grpc.client_streaming(Import(api), request).await)
            });
        }
        let mut service = PartyManagementServiceServer::new(api);
        Box::pin(async move { service.call(request).await })
    }
}

struct Import(Api);

impl ClientStreamingService<OlderImport> for Import {
    type Response = ImportPartyAcsResponse;
    type Future = Pending<Response<ImportPartyAcsResponse>, Status>;

    fn call(&mut self, request: Request<Streaming<OlderImport>>) -> Self::Future {
        let api = self.0.clone();
        Box::pin(async move {
            let synchronizer = api.0.synchronizer.id.logical.to_string();
            let mut whole: Option<ImportPartyAcsRequest> = None;
            let mut messages = request.into_inner();
            while let Some(message) = messages.next().await {
                let message = message?;
                let whole = whole.get_or_insert_with(|| newer(&message, &synchronizer));
                whole.acs_snapshot.extend(message.acs_snapshot);
            }
            api.import(tokio_stream::iter(whole.map(Ok))).await?;
            Ok(Response::new(ImportPartyAcsResponse {}))
        })
    }
}

/// The first message in the words of 3.5, without its content.
fn newer(message: &OlderImport, synchronizer: &str) -> ImportPartyAcsRequest {
    ImportPartyAcsRequest {
        acs_snapshot: Vec::new(),
        synchronizer_id: Some(synchronizer.to_owned()),
        workflow_id_prefix: Some(message.workflow_id_prefix.clone()),
        contract_import_mode: Some(message.contract_import_mode),
        representative_package_id_override: message.representative_package_id_override.clone(),
        party_id: None,
    }
}
