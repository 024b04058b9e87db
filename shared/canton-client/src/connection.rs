//! One socket address of a participant and the way in: what the admin API and the Ledger API have in common.

use std::time::Duration;

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Uri},
};

use crate::{
    access::{Access, AccessError, Tokens},
    error::NodeError,
};

/// How often a long call asks whether the other end still lives. Canton's admin API closes the connection of whoever asks
/// more often than every 20 seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(45);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How a participant is reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// The admin API's address, such as `http://127.0.0.1:5002`.
    pub address: String,
    /// Longest wait for a connection or an answer.
    pub timeout: Duration,
    /// How it lets us in.
    pub access: Access,
}

/// A channel with the token of the moment.
pub(crate) type Door = InterceptedService<Channel, Pass>;

/// An address that is connected to when it is first used, and again after every break.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// For calls that answer at once.
    quick: Channel,
    /// For streams and for calls that wait at the node: bounded by their callers and by keep-alive.
    patient: Channel,
    tokens: Tokens,
}

impl Connection {
    pub fn new(options: &Options) -> Result<Self, AccessError> {
        let not_one = |error: &dyn std::fmt::Display| AccessError::Address {
            address: options.address.clone(),
            reason: error.to_string(),
        };
        let address: Uri = options.address.parse().map_err(|error| not_one(&error))?;
        let tls = options.access.tls(&address)?;
        let tokens = options.access.tokens(options.timeout)?;
        let mut endpoint = Endpoint::from(address).connect_timeout(options.timeout);
        if let Some(tls) = tls {
            endpoint = endpoint.tls_config(tls).map_err(|error| {
                let reason = format!("the certificates cannot be used: {error}");
                AccessError::Field { field: "ca", reason }
            })?;
        }
        let patient = endpoint.clone().http2_keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        Ok(Self { quick: endpoint.timeout(options.timeout).connect_lazy(), patient: patient.connect_lazy(), tokens })
    }

    /// For a call that answers at once.
    pub async fn quick(&self) -> Result<Door, NodeError> {
        let pass = Pass(self.tokens.current().await?);
        Ok(InterceptedService::new(self.quick.clone(), pass))
    }

    /// For a stream, or a call that waits at the node.
    pub async fn patient(&self) -> Result<Door, NodeError> {
        let pass = Pass(self.tokens.current().await?);
        Ok(InterceptedService::new(self.patient.clone(), pass))
    }
}

/// Puts the token into one call.
#[derive(Clone, Debug)]
pub(crate) struct Pass(Option<MetadataValue<Ascii>>);

impl Interceptor for Pass {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}
