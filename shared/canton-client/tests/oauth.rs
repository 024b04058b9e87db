//! Tokens by client credentials: fetched when needed, renewed before they end, and secret whatever happens.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, response::IntoResponse, routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_client::{
    access::{Access, oauth::ClientCredentials},
    error::NodeError,
    participant::{Options, Participant},
};
use canton_proto::canton::topology::admin::v30::{
    GetIdRequest, GetIdResponse,
    identity_initialization_service_server::{IdentityInitializationService, IdentityInitializationServiceServer},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

const SECRET: &str = "s3cret & more%";

/// What the provider was asked, and what it answers.
struct Provider {
    status: StatusCode,
    life: Option<u64>,
    /// Stands in the answer instead, where there is one.
    instead: Option<String>,
    asked: Vec<(String, String)>,
}

type Shared = Arc<Mutex<Provider>>;

async fn give_out(State(provider): State<Shared>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let mut provider = provider.lock().unwrap();
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    provider.asked.push((authorization, String::from_utf8(body.to_vec()).unwrap()));
    let life = provider.life.map(|life| format!(", \"expires_in\": {life}")).unwrap_or_default();
    let token = format!("token-{}", provider.asked.len());
    let answer = format!("{{\"access_token\": \"{token}\", \"token_type\": \"Bearer\"{life}}}");
    (provider.status, provider.instead.clone().unwrap_or(answer))
}

/// Remembers the last header.
#[derive(Clone, Default)]
struct Node(Arc<Mutex<String>>);

#[tonic::async_trait]
impl IdentityInitializationService for Node {
    async fn get_id(&self, request: Request<GetIdRequest>) -> Result<Response<GetIdResponse>, Status> {
        *self.0.lock().unwrap() = request.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
        let unique_identifier = format!("node::1220{}", "ab".repeat(32));
        Ok(Response::new(GetIdResponse { initialized: true, unique_identifier }))
    }
}

struct World {
    folder: tempfile::TempDir,
    provider: Shared,
    token_url: String,
    node: Node,
    address: SocketAddr,
}

impl World {
    async fn start(life: Option<u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
        let provider = Provider { status: StatusCode::OK, life, instead: None, asked: Vec::new() };
        let provider: Shared = Arc::new(Mutex::new(provider));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let token_url = format!("http://{}/token", listener.local_addr().unwrap());
        let router = Router::new().route("/token", post(give_out)).with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let node = Node::default();
        let service = IdentityInitializationServiceServer::new(node.clone());
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));
        Self { folder, provider, token_url, node, address }
    }

    fn credentials(&self) -> ClientCredentials {
        ClientCredentials {
            token_url: self.token_url.clone(),
            client_id: "agent:1".to_owned(),
            client_secret_file: self.folder.path().join("secret"),
            scope: Some("daml_ledger_api".to_owned()),
            audience: Some("https://participant.example.org".to_owned()),
            ca: None,
        }
    }

    fn participant(&self) -> Participant {
        let access = Access { oauth: Some(self.credentials()), ..Access::default() };
        let address = format!("http://{}", self.address);
        Participant::new(&Options { address, timeout: Duration::from_secs(10), access }).unwrap()
    }

    fn asked(&self) -> usize {
        self.provider.lock().unwrap().asked.len()
    }
}

#[tokio::test]
async fn one_token_serves_many_calls_and_the_provider_hears_all_that_it_needs() {
    let world = World::start(Some(300)).await;
    let participant = world.participant();

    for _ in 0..3 {
        participant.id().await.unwrap();
    }

    assert_eq!(world.asked(), 1);
    assert_eq!(*world.node.0.lock().unwrap(), "Bearer token-1");
    let (authorization, body) = world.provider.lock().unwrap().asked[0].clone();
    let account = STANDARD.decode(authorization.strip_prefix("Basic ").unwrap()).unwrap();
    assert_eq!(String::from_utf8(account).unwrap(), "agent%3A1:s3cret+%26+more%25");
    assert_eq!(
        body,
        "grant_type=client_credentials&scope=daml_ledger_api&audience=https%3A%2F%2Fparticipant.example.org"
    );
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let world = World::start(Some(1)).await;
    let participant = world.participant();
    let begun = Instant::now();

    while world.asked() < 2 {
        participant.id().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "never renewed");
    }

    assert!(begun.elapsed() < Duration::from_secs(1), "renewed only after its end");
    assert!(begun.elapsed() >= Duration::from_millis(600), "renewed while two thirds of its life were left");
}

#[tokio::test]
async fn while_the_provider_rests_the_last_token_is_used_to_its_end() {
    let world = World::start(Some(1)).await;
    let participant = world.participant();
    participant.id().await.unwrap();
    world.provider.lock().unwrap().status = StatusCode::SERVICE_UNAVAILABLE;
    let begun = Instant::now();

    while world.asked() < 3 {
        participant.id().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "never asked again");
    }
    let refused = loop {
        if let Err(refused) = participant.id().await {
            break refused;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "used for ever");
    };

    assert!(matches!(&refused, NodeError::Retry(reason) if reason.contains("503")), "{refused:?}");
}

#[tokio::test]
async fn a_refusal_names_its_code_and_nothing_that_could_be_secret() {
    let world = World::start(None).await;
    let answer = |status, text: String| {
        let mut provider = world.provider.lock().unwrap();
        (provider.status, provider.instead) = (status, Some(text));
    };
    let description = format!("{{\"error\": \"invalid_client\", \"error_description\": \"{SECRET} is wrong\"}}");
    let echo = format!("{{\"error\": \"{SECRET}\"}}");
    let no_bearer = "{\"access_token\": \"t\", \"token_type\": \"mac\"}".to_owned();
    let no_token = "{\"access_token\": \"line\\nbreak\", \"token_type\": \"bearer\"}".to_owned();
    let cases = [
        (StatusCode::UNAUTHORIZED, description, "401 invalid_client"),
        (StatusCode::BAD_REQUEST, echo, "400"),
        (StatusCode::FOUND, String::new(), "302"),
        (StatusCode::OK, no_bearer, "none that a bearer uses"),
        (StatusCode::OK, no_token, "cannot be a token"),
        (StatusCode::OK, "{}".to_owned(), "no access_token"),
        (StatusCode::OK, "x".repeat(100_000), "too long"),
    ];
    for (status, text, expected) in cases {
        answer(status, text);
        let told = format!("{:?}", world.participant().id().await.unwrap_err());
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains("s3cret") && !told.contains("line"), "{told}");
    }
    fs::remove_file(world.folder.path().join("secret")).unwrap();
    let told = world.participant().id().await.unwrap_err().to_string();
    assert!(told.contains("oauth.client_secret_file"), "{told}");
}

#[test]
fn an_account_that_would_be_seen_is_refused_before_anything_is_sent() {
    let tell = |token_url: &str, token: Option<PathBuf>| {
        let credentials = ClientCredentials {
            token_url: token_url.to_owned(),
            client_id: "agent".to_owned(),
            client_secret_file: "/no/such/file".into(),
            scope: None,
            audience: None,
            ca: None,
        };
        let access = Access { token, oauth: Some(credentials), ..Access::default() };
        let address = "http://127.0.0.1:1".to_owned();
        Participant::new(&Options { address, timeout: Duration::from_secs(1), access }).unwrap_err().to_string()
    };
    assert!(tell("http://id.example.org/token", None).contains("in the clear"));
    assert!(tell("https://user:secret@id.example.org/token", None).contains("client_secret_file"));
    assert!(tell("id.example.org", None).contains("oauth.token_url"));
    assert!(tell("https://id.example.org/token", Some("token".into())).contains("keep one of them"));
}
