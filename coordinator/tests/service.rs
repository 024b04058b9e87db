//! TLS, routes and problem documents.

use std::{sync::Arc, time::Duration};

use coordinator::{
    data_folder::DataFolder,
    tls::{
        accept::Bounds,
        authority::{Authority, ClientRequest},
    },
};
use protocol::api::{CaseList, Directory};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::support::{
    Owner,
    client::{Api, Service, TlsKey, read, slug},
    world::World,
};

#[tokio::test]
async fn a_route_for_owners_asks_for_a_client_certificate() {
    let service = Service::start().await;
    let stranger = service.stranger();

    for path in ["/v1/directory", "/v1/inbox", "/v1/cases", "/v1/cases/x"] {
        let refused = stranger.get::<Value>(path).await.unwrap_err();
        assert_eq!(
            (refused.0.as_u16(), slug(Err::<(), _>(refused))),
            (401, "certificate-missing".to_owned()),
            "{path}"
        );
    }
    let posted = stranger.client.post(stranger.url("/v1/statements")).body("{}").send().await.unwrap();
    assert_eq!(slug(read::<Value>(posted).await), "certificate-missing");
}

#[tokio::test]
async fn a_client_certificate_of_another_authority_is_refused_at_the_handshake() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let other = Authority::open(&DataFolder::open(&folder.path().join("data")).unwrap()).unwrap();
    let keys = TlsKey::new();
    let pem = other.client_certificate(ClientRequest::parse(&keys.csr_pem).unwrap(), "alice").unwrap();
    let api = Api::new(service.running.address(), &service.data(), Some(keys.identity(&pem)));

    let refused = api.client.get(api.url("/healthz")).send().await;

    assert!(refused.is_err());
}

#[tokio::test]
async fn a_certificate_that_our_authority_signed_but_nobody_enrolled_with_is_refused() {
    let service = Service::start().await;
    let ours = Authority::open(&DataFolder::open(&service.data()).unwrap()).unwrap();
    let keys = TlsKey::new();
    let pem = ours.client_certificate(ClientRequest::parse(&keys.csr_pem).unwrap(), "alice").unwrap();
    let api = Api::new(service.running.address(), &service.data(), Some(keys.identity(&pem)));

    assert_eq!(slug(api.get::<Value>("/v1/directory").await), "not-enrolled");
}

#[tokio::test]
async fn a_client_that_pins_another_authority_does_not_connect() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Authority::open(&DataFolder::open(&data).unwrap()).unwrap();

    let api = Api::new(service.running.address(), &data, None);

    assert!(api.client.get(api.url("/healthz")).send().await.is_err());
}

#[tokio::test]
async fn nothing_older_than_tls_1_3_is_spoken() {
    let service = Service::start().await;
    let authority = std::fs::read(service.data().join("ca.cert.pem")).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&authority).unwrap()])
        .tls_version_max(reqwest::tls::Version::TLS_1_2)
        .build()
        .unwrap();

    assert!(client.get(format!("https://{}/healthz", service.running.address())).send().await.is_err());
}

#[tokio::test]
async fn the_server_shows_its_authority_so_that_an_agent_can_compare_the_hash() {
    let service = Service::start().await;
    let authority = Authority::open(&DataFolder::open(&service.data()).unwrap()).unwrap();
    let names = vec!["127.0.0.1".to_owned()];

    let (chain, _) = authority.server_certificate(&names).unwrap();

    let [_, last] = chain.as_slice() else { panic!("server and authority") };
    assert_eq!(coordinator::tls::key_hash(last), Some(service.invite("alice").await.ca_key_hash));
}

#[tokio::test]
async fn health_is_told_to_anybody() {
    let service = Service::start().await;
    let stranger = service.stranger();

    let health: Value = stranger.must_get("/healthz").await;
    let ready: Value = stranger.must_get("/readyz").await;

    assert_eq!(health["status"], "ok");
    assert_eq!((&ready["ready"], &ready["topology"]), (&Value::Bool(true), &Value::from("none")));
    assert!(ready["detail"].as_str().unwrap().contains("no participant is configured"), "{ready}");
}

#[tokio::test]
async fn readiness_says_that_topology_is_read() {
    let owners = [1, 2, 3].map(Owner::new);
    let service = Service::start_with(Arc::new(World::of(&owners.each_ref(), 2))).await;
    let stranger = service.stranger();

    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let response = stranger.client.get(stranger.url("/readyz")).send().await.unwrap();
        let (status, ready) = (response.status(), response.json::<Value>().await.unwrap());
        assert_eq!(status.is_success(), ready["ready"] == Value::Bool(true));
        if ready["topology"] == "read" {
            return;
        }
        assert!(Instant::now() < deadline, "{ready}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whatever_cannot_be_read_is_answered_by_a_problem_document() {
    let service = Service::start().await;
    let alice = service.enroll("alice", &Owner::new(1)).await;
    let post = async |path: &str, body: Vec<u8>| {
        let sent = alice.client.post(alice.url(path)).body(body).send().await.unwrap();
        slug(read::<Value>(sent).await)
    };

    assert_eq!(slug(alice.get::<Value>("/nowhere").await), "route-unknown");
    assert_eq!(slug(alice.get::<Value>("/v1/statements").await), "method-not-allowed");
    assert_eq!(slug(alice.get::<Value>("/v1/inbox?after=x").await), "query-malformed");
    assert_eq!(slug(alice.get::<Value>("/v1/inbox?wait_ms=30001").await), "query-malformed");
    assert_eq!(slug(alice.get::<Value>("/v1/cases?limit=0").await), "query-malformed");
    assert_eq!(slug(alice.get::<Value>("/v1/cases/not-a-uuid").await), "case-unknown");
    assert_eq!(post("/v1/statements", b"{".to_vec()).await, "body-malformed");
    assert_eq!(post("/v1/statements", b"{\"statement\":\"***\"}".to_vec()).await, "body-malformed");
    assert_eq!(post("/v1/statements", b"{\"statement\":\"AQ==\"}".to_vec()).await, "statement-unreadable");
    assert_eq!(post("/v1/statements", vec![b'x'; 2 << 20]).await, "body-too-long");
    assert_eq!(post("/v1/enroll", b"{\"token\":1}".to_vec()).await, "body-malformed");
}

#[tokio::test]
async fn the_directory_names_everybody_who_is_enrolled() {
    let service = Service::start().await;
    let alice = service.enroll("alice", &Owner::new(1)).await;
    service.enroll("bob", &Owner::new(2)).await;

    let directory: Directory = alice.must_get("/v1/directory").await;

    let names: Vec<&str> = directory.owners.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob"]);
    let cases: CaseList = alice.must_get("/v1/cases").await;
    assert!(cases.cases.is_empty());
}

#[tokio::test]
async fn connections_that_say_nothing_are_closed_and_do_not_keep_others_out() {
    let bounds = Bounds {
        connections_max: 4,
        handshake: Duration::from_millis(200),
        head: Duration::from_millis(200),
        anonymous: Duration::from_millis(500),
        drain: Duration::from_secs(1),
    };
    let service = Service::start_in(tempfile::tempdir().unwrap(), None, bounds).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(service.running.address()).await.unwrap());
    }

    // All places are taken; they become free as the handshakes time out.
    let health: Value = service.stranger().must_get("/healthz").await;

    assert_eq!(health["status"], "ok");
    for mut stream in silent {
        let mut rest = Vec::new();
        let ended = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection is still open");
    }
}

#[tokio::test]
async fn a_connection_without_a_certificate_does_not_live_long() {
    let bounds = Bounds { anonymous: Duration::from_millis(300), ..Bounds::default() };
    let service = Service::start_in(tempfile::tempdir().unwrap(), None, bounds).await;
    let stream = TcpStream::connect(service.running.address()).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    let authority = Authority::open(&DataFolder::open(&service.data()).unwrap()).unwrap();
    roots.add(authority.certificate_der().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();

    // One byte, and never another.
    stream.write_all(b"G").await.unwrap();

    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is still open");
}
