//! Who gets in, against what a real node answered to the same mistakes: TLS, client certificates, tokens.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs::File, io::BufRead as _, io::BufReader, net::SocketAddr, path::PathBuf};

use canton_proto::{
    canton::topology::admin::v30::{
        GetIdRequest, ListAvailableStoresRequest,
        identity_initialization_service_client::IdentityInitializationServiceClient,
        topology_manager_read_service_client::TopologyManagerReadServiceClient,
    },
    daml::ledger::api::v2::{
        GetLedgerEndRequest, admin::GetParticipantIdRequest,
        admin::party_management_service_client::PartyManagementServiceClient, state_service_client::StateServiceClient,
    },
    google::rpc,
};
use canton_sandbox::{
    access::{Access, Holder, LedgerUser, Tls},
    network::{Network, Options},
};
use flate2::bufread::MultiGzDecoder;
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use serde_json::Value;
use tonic::{
    Code, Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(authority: &Issuer, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

fn holder(token: &str, admin_services: &[&str], ledger: LedgerUser) -> Holder {
    let admin_services = admin_services.iter().map(|&name| name.to_owned()).collect();
    Holder { token: token.to_owned(), admin_services, ledger }
}

/// The good tokens of the recorded node. All others were bad for a reason that it told nobody.
fn holders() -> Vec<Holder> {
    let two = ["TopologyManagerReadService", "TopologyManagerWriteService"]
        .map(|name| format!("com.digitalasset.canton.topology.admin.v30.{name}"));
    vec![
        holder("unknown user", &[], LedgerUser::Unknown),
        holder("user with rights on two services", &[&two[0], &two[1]], LedgerUser::Unknown),
        holder("right", &[], LedgerUser::Admin),
    ]
}

async fn start(access: Access) -> Network {
    let participants = vec!["p1".to_owned()];
    Network::start(&Options { participants, access, ..Options::default() }).await.unwrap()
}

#[derive(Clone)]
struct Token(Option<String>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        Ok(request)
    }
}

type Door = InterceptedService<Channel, Token>;

async fn door(address: SocketAddr, token: Option<String>) -> Door {
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    InterceptedService::new(channel, Token(token))
}

async fn ask(door: Door, rpc: &str) -> Result<(), Status> {
    match rpc {
        "IdentityInitializationService/GetId" => {
            IdentityInitializationServiceClient::new(door).get_id(GetIdRequest {}).await.map(drop)
        }
        "TopologyManagerReadService/ListAvailableStores" => {
            let request = ListAvailableStoresRequest {};
            TopologyManagerReadServiceClient::new(door).list_available_stores(request).await.map(drop)
        }
        "PartyManagementService/GetParticipantId" => {
            PartyManagementServiceClient::new(door).get_participant_id(GetParticipantIdRequest {}).await.map(drop)
        }
        "StateService/GetLedgerEnd" => {
            StateServiceClient::new(door).get_ledger_end(GetLedgerEndRequest {}).await.map(drop)
        }
        other => panic!("{other}: name it here"),
    }
}

/// Each recorded line; none where the recording is not beside the project.
fn recorded() -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/canton/recordings/auth.jsonl.gz");
    let Ok(file) = File::open(path) else {
        println!("skipped: recordings/auth.jsonl.gz is not beside the project");
        return Vec::new();
    };
    let lines = BufReader::new(MultiGzDecoder::new(BufReader::new(file))).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// Names as the recording writes codes.
fn code(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Unauthenticated => "UNAUTHENTICATED",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::Unimplemented => "UNIMPLEMENTED",
        // What tonic says of a connection that breaks before it is one; the recording's client says UNAVAILABLE.
        Code::Unavailable | Code::Unknown => "UNAVAILABLE",
        other => panic!("{other:?}: name it here"),
    }
}

#[tokio::test]
async fn every_recorded_token_meets_the_recorded_answer() {
    let network = start(Access { tls: None, tokens: Some(holders()) }).await;
    let participant = &network.participants()[0];
    let mut replayed = 0;
    for line in recorded() {
        let Some((api, token)) = line["step"].as_str().unwrap().split_once(" token: ") else { continue };
        let is_ledger = match api {
            "Ledger API with TLS and" => true,
            "admin API with" => false,
            other => panic!("{other}: name it here"),
        };
        let address = if is_ledger { participant.ledger_address } else { participant.address };
        let token = (token != "no token").then(|| token.to_owned());

        let answer = ask(door(address, token).await, line["rpc"].as_str().unwrap()).await;

        let found = answer.as_ref().map_or_else(|status| code(status.code()), |()| "OK");
        let expected = line["error"]["code"].as_str().unwrap_or("OK");
        assert_eq!(found, expected, "{} {}", line["step"], line["rpc"]);
        if let Err(status) = answer {
            let details = rpc::Status::decode(status.details()).unwrap_or_default().details.len();
            assert_eq!(details, line["error"]["details"].as_array().unwrap().len(), "{}", line["step"]);
        }
        replayed += 1;
    }
    assert!(replayed == 0 || replayed == 44, "{replayed}");
}

#[tokio::test]
async fn what_a_socket_does_not_have_it_tells_anybody() {
    let network = start(Access { tls: None, tokens: Some(holders()) }).await;
    let participant = &network.participants()[0];

    let swapped = ask(door(participant.ledger_address, None).await, "TopologyManagerReadService/ListAvailableStores");
    assert_eq!(swapped.await.unwrap_err().code(), Code::Unimplemented);
    let swapped = ask(door(participant.address, None).await, "StateService/GetLedgerEnd");
    assert_eq!(swapped.await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn only_a_certificate_of_the_right_authority_gets_through_mutual_tls() {
    let (ours, strangers) = (authority("ours"), authority("strangers"));
    let (certificate, key) = issued(&ours, ExtendedKeyUsagePurpose::ServerAuth);
    let tls = Tls { certificate, key, client_authority: Some(ours.pem()) };
    let network = start(Access { tls: Some(tls), tokens: None }).await;
    let address = network.participants()[0].address;
    let identity = |authority: &Issuer| {
        let (certificate, key) = issued(authority, ExtendedKeyUsagePurpose::ClientAuth);
        Identity::from_pem(certificate, key)
    };
    let trusting = |authority: &Issuer| ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem()));
    let get_id = async |scheme: &str, tls: Option<ClientTlsConfig>| {
        let endpoint = Endpoint::from_shared(format!("{scheme}://{address}")).unwrap();
        let endpoint = tls.map_or(Ok(endpoint.clone()), |tls| endpoint.tls_config(tls)).unwrap();
        let door = InterceptedService::new(endpoint.connect_lazy(), Token(None));
        let answer = ask(door, "IdentityInitializationService/GetId").await;
        answer.map_or_else(|status| code(status.code()), |()| "OK")
    };

    let mut answers = Vec::new();
    // In the order of the recording.
    answers.push(get_id("http", None).await);
    answers.push(get_id("https", Some(trusting(&strangers).identity(identity(&ours)))).await);
    answers.push(get_id("https", Some(trusting(&ours))).await);
    answers.push(get_id("https", Some(trusting(&ours).identity(identity(&strangers)))).await);
    answers.push(get_id("https", Some(trusting(&ours).identity(identity(&ours)))).await);

    assert_eq!(answers.last(), Some(&"OK"));
    assert_eq!(answers[..4].iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from(["UNAVAILABLE"]));
    let mutual = recorded().into_iter().filter(|line| line["n"].as_u64().unwrap() <= 5);
    for (answer, line) in answers.iter().zip(mutual) {
        assert_eq!(*answer, line["error"]["code"].as_str().unwrap_or("OK"), "{}", line["step"]);
    }
}
