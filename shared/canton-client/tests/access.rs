//! A participant behind TLS, with certificates and tokens: who gets in, and what is said to whoever does not.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use canton_client::{
    access::{Access, AccessError},
    error::NodeError,
    participant::{Options, Participant},
};
use canton_proto::canton::topology::admin::v30::{
    GetIdRequest, GetIdResponse,
    identity_initialization_service_server::{IdentityInitializationService, IdentityInitializationServiceServer},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Certificate, Identity, Server, ServerTlsConfig},
};

/// Knows who it is, and lets in whoever has the token.
struct Node(&'static str);

#[tonic::async_trait]
impl IdentityInitializationService for Node {
    async fn get_id(&self, request: Request<GetIdRequest>) -> Result<Response<GetIdResponse>, Status> {
        let token = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        if token != Some(format!("Bearer {}", self.0)) {
            return Err(Status::unauthenticated("no such token"));
        }
        let unique_identifier = format!("node::1220{}", "ab".repeat(32));
        Ok(Response::new(GetIdResponse { initialized: true, unique_identifier }))
    }
}

/// Files of one authority, and a server that it vouches for and that asks for certificates of it.
struct World {
    folder: tempfile::TempDir,
    address: SocketAddr,
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(authority: &CertifiedIssuer<'static, KeyPair>, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority("ca");
        let (certificate, key) = issued(&authority, ExtendedKeyUsagePurpose::ServerAuth);
        let (client, client_key) = issued(&authority, ExtendedKeyUsagePurpose::ClientAuth);
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("ca", &authority.pem());
        write("certificate", &client);
        write("key", &client_key);
        write("token", "right\n");
        write("other-ca", &self::authority("other").pem());
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(authority.pem()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().tls_config(tls).unwrap();
        let service = IdentityInitializationServiceServer::new(Node("right"));
        tokio::spawn(async move {
            server.clone().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)).await
        });
        Self { folder, address }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.path().join(name))
    }

    fn access(&self) -> Access {
        Access {
            ca: self.path("ca"),
            certificate: self.path("certificate"),
            key: self.path("key"),
            token: self.path("token"),
            oauth: None,
        }
    }

    fn participant(&self, access: Access) -> Result<Participant, AccessError> {
        let address = format!("https://{}", self.address);
        Participant::new(&Options { address, timeout: Duration::from_secs(10), access })
    }
}

#[tokio::test]
async fn whoever_has_all_of_it_gets_in_and_a_renewed_token_needs_no_restart() {
    let world = World::start().await;
    let participant = world.participant(world.access()).unwrap();
    assert!(participant.id().await.unwrap().to_string().starts_with("node::1220"));

    fs::write(world.path("token").unwrap(), "ran out").unwrap();
    let refused = participant.id().await;
    assert!(matches!(&refused, Err(NodeError::Retry(reason)) if reason.contains("no such token")), "{refused:?}");
    fs::remove_file(world.path("token").unwrap()).unwrap();
    let told = participant.id().await.unwrap_err().to_string();
    assert!(told.contains("token file") && told.contains("No such file"), "{told}");
    fs::write(world.path("token").unwrap(), "right").unwrap();
    participant.id().await.unwrap();
}

#[tokio::test]
async fn another_authority_or_no_certificate_is_refused_and_nothing_secret_is_said() {
    let world = World::start().await;
    let strangers = Access { ca: world.path("other-ca"), ..world.access() };
    let anonymous = Access { certificate: None, key: None, ..world.access() };
    for access in [strangers, anonymous] {
        let told = world.participant(access).unwrap().id().await.unwrap_err();
        assert!(matches!(told, NodeError::Retry(_)), "{told:?}");
        assert!(!told.to_string().contains("right"), "{told}");
    }
}

#[test]
fn what_does_not_go_together_is_named_before_anything_is_sent() {
    let tell = |address: &str, access: Access| {
        let options = Options { address: address.to_owned(), timeout: Duration::from_secs(1), access };
        Participant::new(&options).map(|_| ()).unwrap_err().to_string()
    };
    let file = || Some(Path::new("/no/such/file").to_owned());
    assert!(tell("https://node:5002", Access::default()).contains("field ca: missing"));
    assert!(tell("https://node:5002", Access { ca: file(), ..Access::default() }).contains("field ca: cannot read"));
    assert!(tell("http://node:5002", Access { ca: file(), ..Access::default() }).contains("begins with http://"));
    assert!(tell("http://node:5002", Access { token: file(), ..Access::default() }).contains("travel in the clear"));
    assert!(tell("node:5002", Access::default()).contains("https://"));
    assert!(tell("not an address", Access::default()).contains("is not an address"));
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca");
    fs::write(&ca, authority("ca").pem()).unwrap();
    let half = Access { ca: Some(ca), certificate: file(), ..Access::default() };
    assert!(tell("https://node:5002", half).contains("field key: missing"));
}
