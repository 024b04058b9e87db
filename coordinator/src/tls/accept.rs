//! The accept loop: bounded in connections and in time, and every request carries whom TLS has seen.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::key_hash;

/// Bounds of the accept loop.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most connections at once; more wait in the system's queue.
    pub connections_max: usize,
    /// Longest TLS handshake.
    pub handshake: Duration,
    /// Longest wait for the head of a request, which is also how long an idle HTTP/1.1 connection stays open.
    pub head: Duration,
    /// Longest life of a connection without a client certificate: enough to enroll, too short to squat.
    pub anonymous: Duration,
    /// How long running requests may go on after a stop.
    pub drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            handshake: Duration::from_secs(10),
            // Longer than clients keep idle connections (reqwest: 90 s), so that it is they who close them.
            head: Duration::from_secs(120),
            anonymous: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

/// Whom TLS has seen at the other end: a request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where from.
    pub address: SocketAddr,
    /// SHA-256 of the SubjectPublicKeyInfo of its certificate, which our authority signed; `None` where it showed none.
    pub key_hash: Option<[u8; 32]>,
}

/// Serves until told to stop, then lets running requests end.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    router: Router,
    bounds: Bounds,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            // Ended connections are taken out as they end.
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, address, place) = accepted;
        let connection = Connection { router: router.clone(), bounds, stop: stop.clone(), _place: place };
        connections.spawn(connection.run(acceptor.clone(), stream, address));
    }
    drop(listener);
    let deadline = Instant::now() + bounds.drain;
    while let Ok(Some(_)) = timeout_at(deadline, connections.join_next()).await {}
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address, place),
            Err(error) => {
                // Mostly too many open files: others must end first.
                warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

struct Connection {
    router: Router,
    bounds: Bounds,
    stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, acceptor: TlsAcceptor, stream: TcpStream, address: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%address, %error, "no TCP_NODELAY");
        }
        match timeout(self.bounds.handshake, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream, address).await,
            Ok(Err(error)) => debug!(%address, %error, "the TLS handshake failed"),
            Err(_) => debug!(%address, "the TLS handshake took too long"),
        }
    }

    async fn serve(mut self, stream: TlsStream<TcpStream>, address: SocketAddr) {
        let (_, tls) = stream.get_ref();
        let key_hash = tls.peer_certificates().and_then(<[_]>::first).and_then(|certificate| key_hash(certificate));
        let is_http2 = tls.alpn_protocol() == Some(b"h2");
        let peer = Peer { address, key_hash };
        let router = self.router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let router = router.clone();
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
        });
        let builder = builder(is_http2, self.bounds);
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let end = Instant::now() + self.bounds.anonymous;
        let mut is_ending = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        debug!(%address, %error, "a connection broke");
                    }
                    return;
                }
                _ = self.stop.wait_for(|stop| *stop), if !is_ending => {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(end), if peer.key_hash.is_none() => return,
            }
        }
    }
}

fn builder(is_http2: bool, bounds: Bounds) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(bounds.head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .max_header_list_size(16 << 10)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    // ALPN has decided; guessing from the first bytes would wait for them without end.
    if is_http2 { builder.http2_only() } else { builder.http1_only() }
}
