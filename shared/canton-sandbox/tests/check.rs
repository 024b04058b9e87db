//! `check` against participants that are reached wrongly in every way that people reach them wrongly: each is named by its
//! cause and its fix.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use canton_client::{
    access::Access as ClientAccess,
    check::{Api, Line, Subject, Use, Verdict, check, least_rights, worst},
    participant::Options as ClientOptions,
};
use canton_sandbox::{
    access::{Access, Holder, LedgerUser, Tls},
    network::{Network, Options},
};
use canton_topology::id::SynchronizerId;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};

type Issuer = CertifiedIssuer<'static, KeyPair>;

const TOPOLOGY: [&str; 4] = [
    "com.digitalasset.canton.topology.admin.v30.TopologyManagerReadService",
    "com.digitalasset.canton.topology.admin.v30.TopologyManagerWriteService",
    "com.digitalasset.canton.topology.admin.v30.IdentityInitializationService",
    "com.digitalasset.canton.admin.participant.v30.SynchronizerConnectivityService",
];

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for these names, and how many days ago it ended, or a negative number.
fn issued(authority: &Issuer, names: &[&str], purpose: ExtendedKeyUsagePurpose, is_old: bool) -> (String, String) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.extended_key_usages = vec![purpose];
    if is_old {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

/// A JWT whose signature nobody looks at.
fn jwt(claims: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode("{\"alg\":\"ES256\"}"), URL_SAFE_NO_PAD.encode(claims))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn good() -> String {
    jwt(&format!("{{\"sub\":\"agent\",\"aud\":\"p\",\"exp\":{}}}", now() + 200))
}

fn holder(token: &str, admin_services: &[&str], ledger: LedgerUser) -> Holder {
    let admin_services = admin_services.iter().map(|&name| name.to_owned()).collect();
    Holder { token: token.to_owned(), admin_services, ledger }
}

struct World {
    network: Network,
    folder: tempfile::TempDir,
}

impl World {
    async fn start(access: Access) -> Self {
        let participants = vec!["p1".to_owned()];
        let network = Network::start(&Options { participants, access, ..Options::default() }).await.unwrap();
        Self { network, folder: tempfile::tempdir().unwrap() }
    }

    fn admin(&self) -> SocketAddr {
        self.network.participants()[0].address
    }

    fn ledger(&self) -> SocketAddr {
        self.network.participants()[0].ledger_address
    }

    fn file(&self, name: &str, text: &str) -> Option<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        Some(path)
    }

    async fn look(&self, address: String, access: ClientAccess, api: Api, uses: &[Use]) -> Vec<Line> {
        let synchronizer = self.network.synchronizer().logical.clone();
        look(address, access, api, uses, &synchronizer).await
    }
}

async fn look(
    address: String,
    access: ClientAccess,
    api: Api,
    uses: &[Use],
    synchronizer: &SynchronizerId,
) -> Vec<Line> {
    let options = ClientOptions { address, timeout: Duration::from_secs(5), access };
    check(&Subject { options: &options, api, uses, synchronizer, now: SystemTime::now() }).await
}

const BOTH: [Use; 2] = [Use::Topology, Use::Replication];

/// The one line that is not right, with its advice.
fn trouble(lines: &[Line]) -> String {
    let bad: Vec<&Line> = lines.iter().filter(|line| line.verdict != Verdict::Right).collect();
    let [one] = bad.as_slice() else { panic!("not one trouble: {lines:#?}") };
    format!("{}: {} => {}", one.tried, one.found, one.advice.as_deref().unwrap())
}

#[tokio::test]
async fn an_open_participant_is_right_in_every_step() {
    let world = World::start(Access::default()).await;

    let admin = world.look(format!("http://{}", world.admin()), ClientAccess::default(), Api::Admin, &BOTH).await;
    let ledger = world.look(format!("http://{}", world.ledger()), ClientAccess::default(), Api::Ledger, &BOTH).await;

    assert_eq!(worst(&admin), Verdict::Right, "{admin:#?}");
    assert_eq!(worst(&ledger), Verdict::Right, "{ledger:#?}");
    assert!(admin.iter().any(|line| line.found.starts_with("Canton 3.5")), "{admin:#?}");
    assert!(admin.iter().any(|line| line.found.starts_with("connected to ")), "{admin:#?}");
    assert!(ledger.iter().any(|line| line.tried.ends_with("StateService")), "{ledger:#?}");
}

#[tokio::test]
async fn nothing_there_and_ports_swapped_are_told_apart() {
    let world = World::start(Access::default()).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    let nobody = world.look(format!("http://{free}"), ClientAccess::default(), Api::Admin, &BOTH).await;
    assert_eq!(worst(&nobody), Verdict::Unknown, "it may only not have started");
    assert!(trouble(&nobody).contains("nothing listens there"), "{nobody:#?}");

    for (address, api, other) in [(world.ledger(), Api::Admin, "Ledger"), (world.admin(), Api::Ledger, "Admin")] {
        let swapped = trouble(&world.look(format!("http://{address}"), ClientAccess::default(), api, &BOTH).await);
        assert!(swapped.contains(&format!("it is the {other} API: the ports are swapped")), "{swapped}");
    }
}

#[tokio::test]
async fn every_mistake_with_certificates_is_named() {
    let (ours, strangers) = (authority("ours"), authority("strangers"));
    let (certificate, key) = issued(&ours, &["127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth, false);
    let world =
        World::start(Access { tls: Some(Tls { certificate, key, client_authority: Some(ours.pem()) }), tokens: None })
            .await;
    let client = |authority: &Issuer, name: &str| {
        let (certificate, key) = issued(authority, &["client"], ExtendedKeyUsagePurpose::ClientAuth, false);
        (world.file(&format!("{name}.pem"), &certificate), world.file(&format!("{name}-key.pem"), &key))
    };
    let (certificate, key) = client(&ours, "ours");
    let (foreign, foreign_key) = client(&strangers, "foreign");
    let right = ClientAccess { ca: world.file("ca", &ours.pem()), certificate, key, ..ClientAccess::default() };
    let https = format!("https://{}", world.admin());
    let cases = [
        (format!("http://{}", world.admin()), ClientAccess::default(), "most likely it wants TLS", "write https://"),
        (
            https.clone(),
            ClientAccess { ca: world.file("other", &strangers.pem()), ..right.clone() },
            "no authority in `ca` vouches for it",
            "put the authority that issued it into `ca`",
        ),
        (
            https.clone(),
            ClientAccess { ca: world.file("namesake", &authority("ours").pem()), ..right.clone() },
            "has its issuer's name and another key",
            "was it renewed?",
        ),
        (
            format!("https://localhost:{}", world.admin().port()),
            right.clone(),
            "it is for other names than \"localhost\"",
            "reach the node by a name",
        ),
        (
            https.clone(),
            ClientAccess { certificate: None, key: None, ..right.clone() },
            "the node asks for one, and none is configured",
            "write `certificate` and `key`",
        ),
        (
            https.clone(),
            ClientAccess { certificate: foreign, key: foreign_key, ..right.clone() },
            "the node does not take the certificate",
            "trust-collection-file",
        ),
        (
            https.clone(),
            ClientAccess { ca: world.file("empty", ""), ..right.clone() },
            "field ca: no root",
            "mend the files",
        ),
    ];
    for (address, access, cause, fix) in cases {
        let told = trouble(&world.look(address, access, Api::Admin, &BOTH).await);
        assert!(told.contains(cause) && told.contains(fix), "{told}");
    }

    let all = world.look(https, right, Api::Admin, &BOTH).await;
    assert_eq!(worst(&all), Verdict::Right, "{all:#?}");
    assert!(all[1].found.ends_with("our client certificate is accepted"), "{all:#?}");
}

#[tokio::test]
async fn an_expired_certificate_and_a_port_without_tls_are_named() {
    let ours = authority("ours");
    let (certificate, key) = issued(&ours, &["127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth, true);
    let old = World::start(Access { tls: Some(Tls { certificate, key, client_authority: None }), tokens: None }).await;
    let open = World::start(Access::default()).await;
    let access = ClientAccess { ca: old.file("ca", &ours.pem()), ..ClientAccess::default() };

    let expired = old.look(format!("https://{}", old.admin()), access.clone(), Api::Admin, &BOTH).await;
    let plain = open.look(format!("https://{}", open.admin()), access, Api::Admin, &BOTH).await;

    assert!(trouble(&expired).contains("it has expired"), "{expired:#?}");
    assert!(trouble(&expired).contains("until Jan  1"), "{expired:#?}");
    assert!(trouble(&plain).contains("does not speak TLS => write http://"), "{plain:#?}");
}

#[tokio::test]
async fn every_mistake_with_tokens_is_named_and_no_token_is_shown() {
    let good = good();
    let long = jwt(&format!("{{\"sub\":\"agent\",\"exp\":{}}}", now() + 3600));
    let reader = jwt(&format!("{{\"sub\":\"reader\",\"exp\":{}}}", now() + 200));
    let tokens =
        vec![holder(&good, &TOPOLOGY, LedgerUser::Admin), holder(&reader, &TOPOLOGY[..2], LedgerUser::Unknown)];
    let world = World::start(Access { tls: None, tokens: Some(tokens) }).await;
    let told = async |token: Option<&str>, api: Api| {
        let address = if api == Api::Admin { world.admin() } else { world.ledger() };
        let access =
            ClientAccess { token: token.and_then(|token| world.file("token", token)), ..ClientAccess::default() };
        let uses = if api == Api::Admin { &BOTH[..1] } else { &BOTH[..] };
        let lines = world.look(format!("http://{address}"), access, api, uses).await;
        let text = serde_json::to_string(&lines).unwrap();
        assert!(token.is_none_or(|token| !text.contains(token)), "the token stands in it: {text}");
        (worst(&lines), text)
    };

    let (worst, text) = told(Some(&good), Api::Admin).await;
    assert_eq!(worst, Verdict::Right, "{text}");
    let (worst, text) = told(Some(&good), Api::Ledger).await;
    assert_eq!(worst, Verdict::Right, "{text}");

    let expired = jwt(&format!("{{\"sub\":\"agent\",\"exp\":{}}}", now() - 100));
    let nobody = jwt(&format!("{{\"exp\":{}}}", now() + 100));
    let cases: [(Option<&str>, Api, &str); 8] = [
        (None, Api::Admin, "the node asks for a token, and none is configured"),
        (Some("garbage"), Api::Admin, "it is no JWT"),
        (Some(&expired), Api::Admin, "it ended 10"),
        (Some(&nobody), Api::Admin, "it names no user (claim sub)"),
        (Some(&long), Api::Admin, "max-token-lifetime of the Admin API"),
        (Some(&reader), Api::Admin, "does not list this one for our user"),
        (Some(&reader), Api::Ledger, "PERMISSION_DENIED: the token is good, and its user is unknown"),
        (Some(&long), Api::Ledger, "believes the token for no service"),
    ];
    for (token, api, cause) in cases {
        let (worst, text) = told(token, api).await;
        assert_eq!(worst, Verdict::Wrong, "{text}");
        assert!(text.contains(cause), "{cause}: {text}");
    }
}

#[tokio::test]
async fn a_synchronizer_that_the_participant_does_not_know_is_named_with_those_that_it_knows() {
    let world = World::start(Access::default()).await;
    let other: SynchronizerId = format!("other::1220{}", "ab".repeat(32)).parse().unwrap();
    let (address, access) = (format!("http://{}", world.admin()), ClientAccess::default());

    let told = trouble(&look(address, access, Api::Admin, &BOTH, &other).await);

    assert!(told.contains("the participant does not know it"), "{told}");
    assert!(told.contains(&world.network.synchronizer().logical.to_string()), "{told}");
}

#[tokio::test]
async fn a_participant_that_is_down_cannot_be_known_yet() {
    let world = World::start(Access::default()).await;
    world.network.stop(&world.network.participants()[0].id.clone());

    let lines = world.look(format!("http://{}", world.admin()), ClientAccess::default(), Api::Admin, &BOTH).await;

    assert_eq!(worst(&lines), Verdict::Unknown, "{lines:#?}");
}

#[test]
fn least_rights_name_exactly_the_services_that_are_called() {
    let text = least_rights("agent", &BOTH[..1], Api::Admin);
    assert_eq!(text.matches("com.digitalasset.canton").count(), 4, "{text}");
    assert!(TOPOLOGY.iter().all(|name| text.contains(&format!("\"{name}\""))), "{text}");
    assert!(!text.contains("Pruning"), "{text}");
    assert_eq!(least_rights("agent", &BOTH, Api::Admin).matches("com.digitalasset.canton").count(), 8);
    assert!(least_rights("agent", &[Use::Topology, Use::Vault], Api::Admin).contains("VaultService"));
    let ledger = least_rights("agent", &BOTH, Api::Ledger);
    assert!(ledger.contains("ParticipantAdmin (for GetParties) and CanReadAs"), "{ledger}");
}
