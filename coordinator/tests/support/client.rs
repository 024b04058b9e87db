//! A client for the service: what an agent would send, and whatever a test wants to send instead.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use canton_client::access::Access;
use coordinator::{
    config::{Config, ParticipantConfig},
    control::ask_invitation,
    driver::participant::Node,
    parcels::ledger::Quotas,
    run::{Options, Running, start_with},
    tls::{accept::Bounds, install_crypto},
};
use protocol::{
    api::{
        Base64, Directory, EnrollRequest, EnrollResponse, HandOver, HandedOver, Inbox, Invitation, PostStatement,
        Posted, Problem,
    },
    identity::IdentityPublicKey,
    statement::Statement,
};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, Identity, Response, StatusCode};
use serde::de::DeserializeOwned;

use super::{Owner, world::synchronizer};

/// A coordinator in this process, in a folder that goes with it.
pub struct Service {
    pub running: Running,
    folder: tempfile::TempDir,
}

/// Small enough to be reached.
pub const QUOTAS: Quotas =
    Quotas { owner_and_case: 1 << 20, owner: 3 << 19, total: 2 << 20, keep_free: 0, keep_micros: 1_000_000 };

pub fn config(folder: &Path) -> Config {
    Config {
        data: folder.join("data"),
        listen: "127.0.0.1:0".parse().unwrap(),
        public_address: None,
        invitation_lifetime: Duration::from_secs(3600),
        log: "info".to_owned(),
        former: Vec::new(),
        participant: None,
        parcels: QUOTAS,
    }
}

impl Service {
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), None, Bounds::default()).await
    }

    pub async fn start_with(node: Arc<dyn Node>) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), Some(node), Bounds::default()).await
    }

    /// One that takes over from another coordinator.
    pub async fn start_after(former: IdentityPublicKey, node: Option<Arc<dyn Node>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { former: vec![former], ..config(folder.path()) };
        Self::start_as(config, folder, node, Bounds::default()).await
    }

    pub async fn start_in(folder: tempfile::TempDir, node: Option<Arc<dyn Node>>, bounds: Bounds) -> Self {
        Self::start_as(config(folder.path()), folder, node, bounds).await
    }

    async fn start_as(
        mut config: Config,
        folder: tempfile::TempDir,
        node: Option<Arc<dyn Node>>,
        bounds: Bounds,
    ) -> Self {
        config.participant = node.is_some().then(|| ParticipantConfig {
            address: "http://127.0.0.1:1".to_owned(),
            synchronizer: synchronizer(),
            poll: Duration::from_millis(10),
            timeout: Duration::from_secs(1),
            access: Access::default(),
        });
        let options = Options { config, planner: protocol::plan::plan, bounds };
        let running = start_with(options, node).await.unwrap();
        Self { running, folder }
    }

    /// Stops in order and gives the folder back.
    pub async fn stop(self) -> tempfile::TempDir {
        self.running.stop().await;
        self.folder
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub async fn invite(&self, name: &str) -> Invitation {
        must_invite(&self.data(), name).await
    }

    /// A client without a certificate.
    pub fn stranger(&self) -> Api {
        Api::new(self.running.address(), &self.data(), None)
    }

    pub async fn enroll(&self, name: &str, owner: &Owner) -> Api {
        let invitation = self.invite(name).await;
        let keys = TlsKey::new();
        let answer = self.stranger().must_enroll(&request(&invitation, &keys, owner)).await;
        Api::new(self.running.address(), &self.data(), Some(keys.identity(&answer.client_certificate_pem)))
    }
}

pub async fn must_invite(data: &Path, name: &str) -> Invitation {
    let (socket, name) = (data.join("control.sock"), name.to_owned());
    let text = tokio::task::spawn_blocking(move || ask_invitation(&socket, &name, None)).await.unwrap().unwrap();
    text.parse().unwrap()
}

/// A TLS key and the request for its certificate.
pub struct TlsKey {
    key: KeyPair,
    pub csr_pem: String,
}

impl TlsKey {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let csr_pem = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        Self { key, csr_pem }
    }

    pub fn identity(&self, certificate_pem: &str) -> Identity {
        Identity::from_pem(format!("{certificate_pem}{}", self.key.serialize_pem()).as_bytes()).unwrap()
    }
}

pub fn request(invitation: &Invitation, keys: &TlsKey, owner: &Owner) -> EnrollRequest {
    EnrollRequest {
        token: invitation.token.clone(),
        csr_pem: keys.csr_pem.clone(),
        certificate: Base64(owner.certificate(&synchronizer()).bytes().to_vec()),
    }
}

/// The routes of one coordinator, for one client.
#[derive(Clone)]
pub struct Api {
    pub client: Client,
    address: SocketAddr,
}

/// A problem document, as it came.
pub type Refusal = (StatusCode, Problem);

impl Api {
    pub fn new(address: SocketAddr, data: &Path, identity: Option<Identity>) -> Self {
        install_crypto();
        let authority = std::fs::read(data.join("ca.cert.pem")).unwrap();
        let authority = Certificate::from_pem(&authority).unwrap();
        let mut builder = Client::builder().tls_certs_only([authority]).timeout(Duration::from_secs(60));
        if let Some(identity) = identity {
            builder = builder.identity(identity);
        }
        Self { client: builder.build().unwrap(), address }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        read(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    pub async fn must_get<T: DeserializeOwned>(&self, path: &str) -> T {
        self.get(path).await.unwrap()
    }

    pub async fn enroll(&self, request: &EnrollRequest) -> Result<EnrollResponse, Refusal> {
        read(self.client.post(self.url("/v1/enroll")).json(request).send().await.unwrap()).await
    }

    pub async fn must_enroll(&self, request: &EnrollRequest) -> EnrollResponse {
        self.enroll(request).await.unwrap()
    }

    pub async fn post(&self, statement: &Statement) -> Result<Posted, Refusal> {
        self.try_post(statement).await.unwrap()
    }

    /// Where the connection itself may break.
    pub async fn try_post(&self, statement: &Statement) -> Result<Result<Posted, Refusal>, reqwest::Error> {
        let body = PostStatement { statement: Base64(statement.bytes().to_vec()) };
        let response = self.client.post(self.url("/v1/statements")).json(&body).send().await?;
        Ok(read(response).await)
    }

    pub async fn must_post(&self, statement: &Statement) -> Posted {
        self.post(statement).await.unwrap()
    }

    pub async fn hand_over(&self, statements: &[Statement]) -> Result<HandedOver, Refusal> {
        let statements = statements.iter().map(|statement| Base64(statement.bytes().to_vec())).collect();
        read(self.client.post(self.url("/v1/cases")).json(&HandOver { statements }).send().await.unwrap()).await
    }

    /// The coordinator's identity key.
    pub async fn coordinator(&self) -> IdentityPublicKey {
        self.must_get::<Directory>("/v1/directory").await.coordinator
    }

    pub async fn inbox(&self, after: u64, wait_ms: u64) -> Inbox {
        self.must_get(&format!("/v1/inbox?after={after}&wait_ms={wait_ms}")).await
    }
}

pub async fn read<T: DeserializeOwned>(response: Response) -> Result<T, Refusal> {
    let status = response.status();
    if status.is_success() {
        return Ok(response.json().await.unwrap());
    }
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Problem = response.json().await.unwrap();
    assert_eq!(problem.status, status.as_u16());
    Err((status, problem))
}

/// The slug of a refusal.
pub fn slug<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> String {
    answer.unwrap_err().1.kind.strip_prefix("urn:countersign:problem:").unwrap().to_owned()
}
