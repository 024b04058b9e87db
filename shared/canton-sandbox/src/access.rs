//! Who gets in: TLS, client certificates and tokens, refused as a real node refuses them.
//!
//! Which token is a good one is decided by signatures, audiences and times; here the good ones are simply listed, and
//! every other is a bad one.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tonic::{
    body::Body,
    codegen::http::{Request, Response},
    server::NamedService,
    transport::{Certificate, Identity, ServerTlsConfig},
};
use tower::Service;

use crate::refused;

/// What all participants ask of whoever calls.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// TLS on both sockets.
    pub tls: Option<Tls>,
    /// The good tokens; without them, nobody needs one.
    pub tokens: Option<Vec<Holder>>,
}

/// A node's side of TLS, PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Its certificate, with those that lead to its authority.
    pub certificate: String,
    /// The key of its certificate.
    pub key: String,
    /// Whose certificates clients must show; without one they need none.
    pub client_authority: Option<String>,
}

impl Tls {
    pub(crate) fn config(&self) -> ServerTlsConfig {
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(&self.certificate, &self.key));
        match &self.client_authority {
            Some(authority) => tls.client_ca_root(Certificate::from_pem(authority)),
            None => tls,
        }
    }
}

/// A good token, and what whoever brings it may do.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The token.
    pub token: String,
    /// The services of the Admin API that the node's configuration lists for this user, by their full names.
    pub admin_services: Vec<String>,
    /// Who that is for the Ledger API.
    pub ledger: LedgerUser,
}

/// A user of the Ledger API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerUser {
    /// The participant has no such user.
    Unknown,
    /// A user without special rights.
    Plain,
    /// A user who may administer the participant, which includes nothing of what parties have (ParticipantAdmin).
    Admin,
    /// The same, who may read as any party too (CanReadAsAnyParty).
    AdminWhoReads,
}

impl LedgerUser {
    /// Whether whoever asks may read what a party has; anybody may where no token is asked for.
    pub(crate) fn may_read<T>(request: &tonic::Request<T>) -> Result<(), tonic::Status> {
        match request.extensions().get::<Self>() {
            None | Some(Self::AdminWhoReads) => Ok(()),
            Some(Self::Unknown | Self::Plain | Self::Admin) => Err(refused::permission_denied()),
        }
    }
}

/// Which of the two sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Socket {
    Admin,
    Ledger,
}

/// Puts the question for a token before each service of a socket. What a socket does not have, it tells anybody.
#[derive(Clone)]
pub(crate) struct Guard {
    socket: Socket,
    tokens: Option<Arc<[Holder]>>,
}

/// A service behind that question.
#[derive(Clone)]
pub(crate) struct Asking<S> {
    inner: S,
    guard: Guard,
}

impl<S: NamedService> NamedService for Asking<S> {
    const NAME: &'static str = S::NAME;
}

impl Guard {
    pub fn new(socket: Socket, access: &Access) -> Self {
        Self { socket, tokens: access.tokens.clone().map(Into::into) }
    }

    pub fn before<S>(&self, inner: S) -> Asking<S> {
        Asking { inner, guard: self.clone() }
    }

    /// Who asks, where tokens are asked for.
    ///
    /// # Errors
    /// What is answered to whoever may not.
    fn asks(&self, service: &str, request: &Request<Body>) -> Result<Option<LedgerUser>, tonic::Status> {
        let Some(tokens) = self.tokens.as_ref() else { return Ok(None) };
        let rpc = request.uri().path().rsplit('/').next().unwrap_or_default();
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        let holder = tokens.iter().find(|holder| Some(holder.token.as_str()) == token);
        match (self.socket, holder) {
            (Socket::Admin, Some(holder)) if holder.admin_services.iter().any(|one| one == service) => {
                Ok(Some(holder.ledger))
            }
            (Socket::Admin, _) => Err(refused::unauthenticated()),
            (Socket::Ledger, None) => Err(refused::unauthenticated_with_trace()),
            (Socket::Ledger, Some(holder)) => {
                let may = match holder.ledger {
                    LedgerUser::Unknown => false,
                    LedgerUser::Plain => !needs_admin(rpc),
                    LedgerUser::Admin | LedgerUser::AdminWhoReads => true,
                };
                if may { Ok(Some(holder.ledger)) } else { Err(refused::permission_denied()) }
            }
        }
    }
}

/// Calls of the Ledger API that only an administrator may make.
fn needs_admin(rpc: &str) -> bool {
    matches!(rpc, "GetParticipantId" | "GetParties" | "AllocateExternalParty")
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for Asking<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + NamedService,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Answer {
        match self.guard.asks(S::NAME, &request) {
            Ok(user) => {
                if let Some(user) = user {
                    request.extensions_mut().insert(user);
                }
                Box::pin(self.inner.call(request))
            }
            Err(status) => {
                let answer = status.into_http::<Body>();
                Box::pin(async { Ok(answer) })
            }
        }
    }
}
