//! Which services are needed for what, and whether each of them answers to us.

use tonic::Code;

use super::{Api, Line, Subject};
use crate::{
    access::Tokens,
    connection::Connection,
    error::NodeError,
    explain,
    status::{NodeVersion, api_name},
    wire,
};

/// What a participant is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Reading topology, signing and submitting changes of it.
    Topology,
    /// Moving a party's contracts from host to host.
    Replication,
    /// Signing with keys that live in the participant.
    Vault,
}

/// A service that we call, and the call that asks whether it answers. Every one of these is harmless without content: it
/// reads, or is refused for what is missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    pub name: &'static str,
    rpc: &'static str,
    api: Api,
    needed_for: Use,
}

const fn admin(name: &'static str, rpc: &'static str, needed_for: Use) -> Service {
    Service { name, rpc, api: Api::Admin, needed_for }
}

const fn ledger(name: &'static str, rpc: &'static str) -> Service {
    Service { name, rpc, api: Api::Ledger, needed_for: Use::Replication }
}

const SERVICES: [Service; 12] = [
    admin(
        "com.digitalasset.canton.topology.admin.v30.TopologyManagerReadService",
        "ListAvailableStores",
        Use::Topology,
    ),
    admin("com.digitalasset.canton.topology.admin.v30.TopologyManagerWriteService", "SignTransactions", Use::Topology),
    admin("com.digitalasset.canton.topology.admin.v30.IdentityInitializationService", "GetId", Use::Topology),
    admin(
        "com.digitalasset.canton.admin.participant.v30.SynchronizerConnectivityService",
        "ListConnectedSynchronizers",
        Use::Topology,
    ),
    admin("com.digitalasset.canton.crypto.admin.v30.VaultService", "ListMyKeys", Use::Vault),
    admin(
        "com.digitalasset.canton.admin.participant.v30.ParticipantStatusService",
        "ParticipantStatus",
        Use::Replication,
    ),
    admin("com.digitalasset.canton.admin.participant.v30.PackageService", "ListDars", Use::Replication),
    admin("com.digitalasset.canton.admin.participant.v30.PruningService", "GetParticipantSchedule", Use::Replication),
    admin(
        "com.digitalasset.canton.admin.participant.v30.PartyManagementService",
        "ClearPartyOnboardingFlag",
        Use::Replication,
    ),
    ledger("com.daml.ledger.api.v2.StateService", "GetLedgerEnd"),
    ledger("com.daml.ledger.api.v2.UpdateService", "GetUpdates"),
    ledger("com.daml.ledger.api.v2.admin.PartyManagementService", "GetParties"),
];

/// The call that says which release a Ledger API is. It needs no token.
const VERSION: &str = "/com.daml.ledger.api.v2.VersionService/GetLedgerApiVersion";

/// The services that are needed.
pub(super) fn needed(api: Api, uses: &[Use]) -> impl Iterator<Item = &'static Service> {
    SERVICES.iter().filter(move |service| service.api == api && uses.contains(&service.needed_for))
}

/// How a service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It does, if only to say what is missing.
    There,
    /// There is no such service at this address.
    Absent,
    /// UNAUTHENTICATED.
    NotBelieved,
    /// PERMISSION_DENIED.
    NotAllowed,
    /// Nobody can say now.
    Silent,
}

/// Whether the right API answers, and each service of it; and whether there is a point in going on.
pub(super) async fn look(connection: &Connection, subject: &Subject<'_>, tokens: &Tokens) -> (Vec<Line>, bool) {
    let mut answers = Vec::new();
    for service in needed(subject.api, subject.uses) {
        let path = format!("/{}/{}", service.name, service.rpc);
        answers.push((service, ask(connection, &path).await));
    }
    let all = |wanted: Answer| !answers.is_empty() && answers.iter().all(|(_, (answer, _))| *answer == wanted);
    if all(Answer::Absent) {
        return (vec![wrong_api(connection, subject).await], false);
    }
    let mut lines = release(connection, subject).await;
    let is_believed = answers.iter().any(|(_, (answer, _))| matches!(answer, Answer::There | Answer::NotAllowed));
    for (service, (answer, said)) in &answers {
        lines.push(line(service, *answer, said, is_believed, tokens));
    }
    (lines, answers.iter().any(|(_, (answer, _))| *answer == Answer::There))
}

async fn ask(connection: &Connection, path: &str) -> (Answer, String) {
    let door = match connection.quick().await {
        Ok(door) => door,
        Err(error) => return (Answer::Silent, error.to_string()),
    };
    let Err(status) = wire::probe(door, path).await else { return (Answer::There, String::new()) };
    let answer = match status.code() {
        Code::Unimplemented => Answer::Absent,
        Code::Unauthenticated => Answer::NotBelieved,
        Code::PermissionDenied => Answer::NotAllowed,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => Answer::Silent,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::DataLoss => Answer::There,
    };
    (answer, NodeError::from_status(&status, false).to_string())
}

fn line(service: &Service, answer: Answer, said: &str, is_believed: bool, tokens: &Tokens) -> Line {
    let tried = format!("service {}", service.name);
    let has_token = !matches!(tokens, Tokens::None);
    match answer {
        Answer::There => Line::right(tried, "answers"),
        Answer::Absent => Line::wrong(
            tried,
            "UNIMPLEMENTED: the node does not have it",
            "is this a participant of Canton 3.4 or 3.5? A proxy in between must pass every service on",
        ),
        Answer::NotBelieved if is_believed => Line::wrong(
            tried,
            "UNAUTHENTICATED, though the token is good for other services: the node's configuration does not list this \
             one for our user",
            format!("add \"{}\" to allowed-services of the user (see the end of this report)", service.name),
        ),
        Answer::NotBelieved if has_token => Line::wrong(
            tried,
            format!("UNAUTHENTICATED: {said}"),
            "the node believes the token for no service, and says why only in its own log: it is expired, lives too long, \
             has another audience or an unknown key, or its user is not in the node's configuration",
        ),
        Answer::NotBelieved => Line::wrong(
            tried,
            "UNAUTHENTICATED: the node asks for a token, and none is configured",
            "write `token` (a file that somebody renews) or `oauth` (an account that fetches them) into its access",
        ),
        Answer::NotAllowed => Line::wrong(
            tried,
            "PERMISSION_DENIED: the token is good, and its user is unknown to the participant or lacks the right",
            "let the participant's operator make the user or grant the right (see the end of this report)",
        ),
        Answer::Silent => {
            let fix = explain::of_text(said).map_or("try again; then see the node's log", |line| line.fix);
            Line::unknown(tried, format!("no answer: {said}"), fix)
        }
    }
}

/// No service of the API is there: is it the other one?
async fn wrong_api(connection: &Connection, subject: &Subject<'_>) -> Line {
    let (wanted, other) = (subject.api, subject.api.other());
    let tried = format!("whether {} is the {}", subject.options.address, wanted.name());
    let told = api_name(connection).await.ok();
    let is_other = match (told.as_deref(), other) {
        (Some("ledger-api"), Api::Ledger) | (Some("admin-api"), Api::Admin) => true,
        (Some(_) | None, Api::Admin) => {
            let mut admin = SERVICES.iter().filter(|service| service.api == Api::Admin);
            let first = admin.next().map(|service| format!("/{}/{}", service.name, service.rpc)).unwrap_or_default();
            ask(connection, &first).await.0 != Answer::Absent
        }
        (Some(_) | None, Api::Ledger) => ask(connection, VERSION).await.0 == Answer::There,
    };
    if is_other {
        let found = format!("it is the {}: the ports are swapped", other.name());
        return Line::wrong(tried, found, format!("write the address of the {} here", wanted.name()));
    }
    let told = told.map(|name| format!(" It calls itself {:?}.", name.escape_debug().to_string())).unwrap_or_default();
    let advice = "write the address of a Canton participant here";
    Line::wrong(tried, format!("it answers gRPC, but has no service of a participant.{told}"), advice)
}

/// The node's release, where it tells.
async fn release(connection: &Connection, subject: &Subject<'_>) -> Vec<Line> {
    let version = match subject.api {
        Api::Ledger => crate::ledger::version(connection).await,
        Api::Admin if subject.uses.contains(&Use::Replication) => {
            crate::status::status(connection).await.map(|status| status.version)
        }
        // Who may only read topology may not ask.
        Api::Admin => return Vec::new(),
    };
    match version {
        Ok(version) => vec![known(&version)],
        // The service's own line says it.
        Err(_) => Vec::new(),
    }
}

fn known(version: &NodeVersion) -> Line {
    let tried = "the node's release";
    match version.release() {
        Some(_) => Line::right(tried, format!("Canton {version}")),
        None => Line::wrong(
            tried,
            format!("Canton {version}, which this program does not know"),
            "parties are moved only between nodes of 3.4 and 3.5; update this program",
        ),
    }
}
