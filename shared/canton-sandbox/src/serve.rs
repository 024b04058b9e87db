//! The two sockets of a participant, and the faults that every call may meet on its way in and out.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use canton_proto::{
    canton::{
        admin::participant::v30::{
            package_service_server::PackageServiceServer,
            participant_status_service_server::ParticipantStatusServiceServer,
            party_management_service_server::PartyManagementServiceServer,
            pruning_service_server::PruningServiceServer,
            synchronizer_connectivity_service_server::SynchronizerConnectivityServiceServer,
        },
        connection::v30::api_info_service_server::ApiInfoServiceServer,
        crypto::admin::v30::vault_service_server::VaultServiceServer,
        topology::admin::v30::{
            identity_initialization_service_server::IdentityInitializationServiceServer,
            topology_manager_read_service_server::TopologyManagerReadServiceServer,
            topology_manager_write_service_server::TopologyManagerWriteServiceServer,
        },
    },
    daml::ledger::api::v2::{
        admin::party_management_service_server::PartyManagementServiceServer as LedgerPartyManagementServiceServer,
        state_service_server::StateServiceServer, update_service_server::UpdateServiceServer,
        version_service_server::VersionServiceServer,
    },
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Status,
    body::Body,
    codegen::http::{Request, Response},
    service::Routes,
    transport::Server,
};
use tower::{Layer, Service};

use crate::{
    access::{Guard, Socket},
    faults::Fault,
    node::{Api, ApiInfo, Older},
    options::NodeVersion,
    participant::ParticipantNode,
    refused::{self, Refused},
};

/// Largest DAR that is taken, in bytes.
const DAR_BYTES_MAX: usize = 64 << 20;

/// Serves the Admin API until the task ends.
pub(crate) async fn admin(listener: TcpListener, node: Arc<ParticipantNode>) {
    let api = Api(Arc::clone(&node));
    let guard = Guard::new(Socket::Admin, &node.options.access);
    let routes = Routes::new(guard.before(ApiInfoServiceServer::new(ApiInfo("admin-api"))))
        .add_service(guard.before(ParticipantStatusServiceServer::new(api.clone())))
        .add_service(guard.before(SynchronizerConnectivityServiceServer::new(api.clone())))
        .add_service(guard.before(PruningServiceServer::new(api.clone())))
        .add_service(guard.before(PackageServiceServer::new(api.clone()).max_decoding_message_size(DAR_BYTES_MAX)))
        .add_service(guard.before(VaultServiceServer::new(api.clone())))
        .add_service(guard.before(IdentityInitializationServiceServer::new(api.clone())))
        .add_service(guard.before(TopologyManagerReadServiceServer::new(api.clone())))
        .add_service(guard.before(TopologyManagerWriteServiceServer::new(api.clone())));
    let routes = match node.options.version {
        NodeVersion::V3_4 => routes.add_service(guard.before(Older(api))),
        NodeVersion::V3_5 => routes.add_service(guard.before(PartyManagementServiceServer::new(api))),
    };
    serve(listener, routes, node).await;
}

/// Serves the Ledger API until the task ends.
pub(crate) async fn ledger(listener: TcpListener, node: Arc<ParticipantNode>) {
    let api = Api(Arc::clone(&node));
    let guard = Guard::new(Socket::Ledger, &node.options.access);
    // A node tells anybody which of its sockets this is and which release it runs.
    let routes = Routes::new(ApiInfoServiceServer::new(ApiInfo("ledger-api")))
        .add_service(VersionServiceServer::new(api.clone()))
        .add_service(guard.before(StateServiceServer::new(api.clone())))
        .add_service(guard.before(UpdateServiceServer::new(api.clone())))
        .add_service(guard.before(LedgerPartyManagementServiceServer::new(api)));
    serve(listener, routes, node).await;
}

/// The one place where a socket is served.
async fn serve(listener: TcpListener, routes: Routes, node: Arc<ParticipantNode>) {
    let mut server = Server::builder();
    if let Some(tls) = &node.options.access.tls {
        server = match server.tls_config(tls.config()) {
            Ok(server) => server,
            Err(error) => return tracing::warn!(%error, "a sandbox participant has no certificate to show"),
        };
    }
    let served =
        server.layer(FaultLayer(node)).add_routes(routes).serve_with_incoming(TcpListenerStream::new(listener)).await;
    if let Err(error) = served {
        tracing::warn!(%error, "a sandbox participant stopped");
    }
}

/// Puts the ordered faults around a participant's calls.
#[derive(Clone)]
struct FaultLayer(Arc<ParticipantNode>);

impl<S> Layer<S> for FaultLayer {
    type Service = Faulty<S>;

    fn layer(&self, inner: S) -> Faulty<S> {
        Faulty { inner, node: Arc::clone(&self.0) }
    }
}

#[derive(Clone)]
struct Faulty<S> {
    inner: S,
    node: Arc<ParticipantNode>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for Faulty<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let refused = |status: Status| -> Answer {
            let answer = status.into_http::<Body>();
            Box::pin(async { Ok(answer) })
        };
        if !self.node.is_running() {
            return refused(Status::unavailable("the node is down"));
        }
        let rpc = request.uri().path().rsplit('/').next().unwrap_or_default();
        match self.node.faults.take(rpc) {
            None => Box::pin(self.inner.call(request)),
            Some(Fault::Refused) => refused(Status::unavailable("the call did not get through")),
            Some(Fault::Named(code, id)) => refused(Refused::new(code, id, "as ordered").into()),
            Some(Fault::Redacted(code)) => refused(refused::redacted(code)),
            Some(Fault::AnswerLost) => {
                let answer = Status::unavailable("the answer got lost").into_http::<Body>();
                let call = self.inner.call(request);
                Box::pin(async {
                    // What it would have said is exactly what is lost.
                    let _ = call.await;
                    Ok(answer)
                })
            }
        }
    }
}
