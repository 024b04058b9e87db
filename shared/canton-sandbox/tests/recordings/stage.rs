//! A recorded network set up again: its genesis, its participants under new keys, and the recorded calls sent to them.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use canton_proto::{
    canton::admin::participant::v30::{
        ClearPartyOnboardingFlagRequest, ExportPartyAcsRequest, ExportPartyAcsResponse, ImportPartyAcsRequest,
    },
    canton::topology::admin::v30::{
        ListDecentralizedNamespaceDefinitionRequest,
        base_query::{TimeQuery, TimeRange},
    },
    daml::ledger::api::v2 as ledger,
    google::rpc,
};
use canton_sandbox::{
    acs::Reader,
    contract::{Contract, ContractId},
    genesis::{self, Node},
    network::{Network, Options, Storage},
};
use canton_topology::{
    Timestamp,
    id::{MemberKind, PhysicalSynchronizerId},
    snapshot::{self, Item},
};
use prost::Message as _;
use serde_json::Value;
use tonic::Status;

use super::{
    projection,
    recording::{self, Call, Outcome},
    streamed,
    translation::Translation,
    wire::Wire,
};

/// One recorded network.
pub struct Recorded {
    /// Its calls, one file after the other.
    pub files: &'static [&'static str],
    /// Its genesis, where it is recorded.
    pub genesis: Option<&'static str>,
    pub protocol_version: u32,
    pub storage: Storage,
}

/// What was compared, and what was not for which reason.
#[derive(Default)]
pub struct Tally {
    pub compared: usize,
    pub outside: BTreeMap<&'static str, usize>,
    pub differences: Vec<String>,
}

/// How often something that comes by itself is looked for, with ten milliseconds in between.
const LOOKS: usize = 300;

pub struct Stage {
    network: Network,
    wire: Wire,
    translation: Translation,
    /// Offsets that a node gave when it was recorded, and what it gave now.
    offsets: HashMap<(String, i64), i64>,
    /// The exported file as it was recorded.
    exported: Option<Vec<u8>>,
}

/// Why a call is not compared.
fn outside(call: &Call) -> Option<&'static str> {
    if call.node == "sequencer" || call.node == "mediator" {
        return Some("of sequencers and mediators: the sandbox has none that answer");
    }
    match call.rpc.as_str() {
        "PrepareSubmission" | "ExecuteSubmissionAndWait" => Some("of interactive submission: the sandbox runs no Daml"),
        "ConnectSynchronizer" => Some("of registering a synchronizer: the sandbox's nodes are born registered"),
        _ => None,
    }
}

/// The calls of a network and the recorded identifiers of its participants.
fn load(recorded: &Recorded) -> Option<(Vec<Call>, BTreeSet<String>, String)> {
    let mut calls = Vec::new();
    for file in recorded.files {
        calls.extend(recording::calls(file)?);
    }
    let text: String =
        recorded.files.iter().map(|name| String::from_utf8(recording::file(name).unwrap()).unwrap()).collect();
    let after = |start: &str, length: usize| -> BTreeSet<String> {
        text.match_indices(start).filter_map(|(at, _)| text.get(at..at + length).map(str::to_owned)).collect()
    };
    let participants = ["p1::1220", "p2::1220", "p3::1220"].iter().flat_map(|start| after(start, 72));
    let whole = |uid: &String| uid[4..].bytes().all(|byte| byte.is_ascii_hexdigit());
    let participants = participants.filter(whole).collect();
    let synchronizer = after("sync::1220", 74).into_iter().find(|uid| uid[6..].bytes().all(|b| b.is_ascii_hexdigit()));
    Some((calls, participants, synchronizer.unwrap()))
}

impl Stage {
    /// Sets a network up; `None` where its recording is absent.
    pub async fn start(recorded: &Recorded) -> Option<(Self, Vec<Call>)> {
        let (calls, participants, synchronizer) = load(recorded)?;
        let (id, mut rows, others) = match recorded.genesis {
            Some(name) => {
                let id = format!("{synchronizer}::{}-0", recorded.protocol_version);
                let id: PhysicalSynchronizerId = id.parse().unwrap();
                (id, snapshot::read(&recording::file(name)?).unwrap().1, Vec::new())
            }
            None => {
                let (id, rows) = genesis::synchronizer("sync", recorded.protocol_version);
                let rows = rows.into_iter().map(|row| item(row, genesis::GENESIS)).collect();
                let new = id.logical.namespace().to_string();
                (id, rows, vec![(synchronizer[6..].to_owned(), new)])
            }
        };
        let nodes: Vec<Node> =
            ["p1", "p2", "p3"].iter().map(|name| Node::generate(MemberKind::Participant, name)).collect();
        // They join one after the other, long before the first call.
        for (node, moment) in nodes.iter().zip(1..) {
            let joined = Timestamp(moment * 1_000_000);
            rows.extend(node.onboarding(&id.logical).into_iter().map(|row| item(row, joined)));
        }
        let named = participants.iter().map(|uid| {
            let node = nodes.iter().find(|node| uid.starts_with(node.member.uid.identifier())).unwrap();
            (uid[4..].to_owned(), node)
        });
        let translation = Translation::new(&calls, &named.collect::<Vec<_>>(), &others);
        let options = Options {
            protocol_version: recorded.protocol_version,
            topology_change_delay: Duration::from_millis(60),
            storage: recorded.storage,
            decision_timeout: Duration::from_secs(2),
            ..Options::default()
        };
        let network = Network::start_with(&options, id, &rows, nodes).await.unwrap();
        let addresses = network.participants().iter().zip(1..).flat_map(|(participant, number)| {
            [
                (format!("participant{number}"), participant.address),
                (format!("ledger{number}"), participant.ledger_address),
            ]
        });
        let wire = Wire::connect(addresses.collect()).await;
        Some((Self { network, wire, translation, offsets: HashMap::new(), exported: None }, calls))
    }

    /// Sends every call and compares what comes back.
    pub async fn replay(&mut self, calls: &[Call], tally: &mut Tally) {
        for (index, call) in calls.iter().enumerate() {
            if let Some(reason) = outside(call) {
                *tally.outside.entry(reason).or_default() += 1;
                continue;
            }
            if call.rpc == "GetLedgerEnd" {
                self.bring_contracts(&calls[index..]).await;
            }
            let difference = self.compare(call).await;
            tally.compared += 1;
            tally
                .differences
                .extend(difference.map(|difference| format!("{}: {}: {difference}", call.place, call.rpc)));
        }
    }

    /// The contracts that are read before the next offset is noted, which were made by transactions that the sandbox does
    /// not run.
    async fn bring_contracts(&mut self, calls: &[Call]) {
        let before_next = calls.iter().skip(1).take_while(|call| call.rpc != "GetLedgerEnd");
        for call in before_next {
            let Outcome::Stream(answers) = &call.outcome else { continue };
            match call.rpc.as_str() {
                "ExportPartyAcs" => {
                    let file = answers.iter().flat_map(|chunk| recording::base64(&chunk["chunk"])).collect::<Vec<u8>>();
                    self.network.take_over(contracts(&self.translated(&file))).await;
                    self.exported = Some(file);
                }
                "GetActiveContracts" => {
                    let all = answers.iter().map(|answer| self.contract(&answer["active_contract"]["created_event"]));
                    self.network.take_over(all.collect()).await;
                }
                _ => {}
            }
        }
    }

    /// A contract of which only the JSON is there.
    fn contract(&self, event: &Value) -> Contract {
        let parties = |field: &str| {
            let names = event[field].as_array().map(Vec::as_slice).unwrap_or_default();
            let translated = names.iter().map(|name| self.translation.apply(name.as_str().unwrap().as_bytes()));
            translated.map(|name| String::from_utf8(name).unwrap().parse().unwrap()).collect()
        };
        let template = |field: &str| event["template_id"][field].as_str().unwrap().to_owned();
        Contract {
            id: ContractId(event["contract_id"].as_str().unwrap().to_owned()),
            package: template("package_id").parse().unwrap(),
            package_name: event["package_name"].as_str().unwrap().to_owned(),
            template: (template("module_name"), template("entity_name")),
            signatories: parties("signatories"),
            observers: parties("observers"),
            payload: recording::base64(&event["created_event_blob"]),
            created: Timestamp(0),
        }
    }

    /// A recorded file of contracts in the translated world.
    fn translated(&self, file: &[u8]) -> Vec<u8> {
        use std::io::Write as _;
        let plain = self.translation.apply(&recording::unpack(file));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&plain).unwrap();
        gzip.finish().unwrap()
    }

    async fn compare(&mut self, call: &Call) -> Option<String> {
        let requests: Vec<Vec<u8>> =
            self.requests(call).iter().map(|request| self.translation.apply(request)).collect();
        let requests = match call.rpc.as_str() {
            "ImportPartyAcs" => self.import(&call.requests, requests),
            _ => requests,
        };
        let is_passing = matches!(&call.outcome, Outcome::Answer(answer) if projection::is_passing(&call.rpc, answer));
        let requests =
            if is_passing { requests.iter().map(|request| over_all_time(request)).collect() } else { requests };
        let writes = ["AddTransactions", "Authorize", "ImportPartyAcs", "AllocateExternalParty"];
        let writes = writes.contains(&call.rpc.as_str());
        if self.comes_after_a_pause(call) {
            self.settle().await;
        }
        let mut difference = None;
        for _ in 0..LOOKS {
            let answer = self.wire.call(&call.node, &call.path, requests.clone()).await;
            let was_refused = answer.is_err();
            difference = self.difference(call, answer);
            // What was refused has changed nothing: whoever recorded it may have waited longer before.
            let may_repeat = !writes || was_refused && !matches!(call.outcome, Outcome::Refused { .. });
            if difference.is_none() || !may_repeat {
                return difference;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        difference
    }

    /// Whether everything before it was through when it was recorded: nodes that sign what others handed in, and refusals
    /// that say what came before.
    fn comes_after_a_pause(&self, call: &Call) -> bool {
        match &call.outcome {
            Outcome::Refused { reason, .. } => {
                let later = ["TOPOLOGY_SERIAL_MISMATCH", "TOPOLOGY_NAMESPACE_HAS_BEEN_REVOKED"];
                reason.as_deref().is_some_and(|reason| later.contains(&reason))
            }
            Outcome::Answer(_) | Outcome::Stream(_) => ["Authorize", "SignTransactions"].contains(&call.rpc.as_str()),
        }
    }

    /// Waits until everything before is sequenced.
    async fn settle(&self) {
        self.network.transact(Vec::new(), Vec::new()).await;
    }

    fn difference(&mut self, call: &Call, answer: Result<Vec<Vec<u8>>, Status>) -> Option<String> {
        let answers = match (&call.outcome, answer) {
            (Outcome::Refused { code, reason }, Err(status)) => {
                let wanted = (code.replace('_', "").to_lowercase(), reason.clone());
                let found = (format!("{:?}", status.code()).to_lowercase(), reason_of(&status));
                return (wanted != found).then(|| format!("wanted {wanted:?}, found {found:?}: {}", status.message()));
            }
            (Outcome::Refused { code, reason }, Ok(_)) => return Some(format!("wanted {code} {reason:?}, found OK")),
            (_, Err(status)) => return Some(format!("wanted OK, found {status:?}")),
            (_, Ok(answers)) => answers,
        };
        let recorded: Vec<Vec<u8>> = match &call.outcome {
            Outcome::Answer(answer) => vec![self.translation.apply(answer)],
            Outcome::Stream(stream) => {
                stream.iter().map(|answer| self.translation.apply(&streamed::to_bytes(&call.rpc, answer))).collect()
            }
            Outcome::Refused { .. } => return None,
        };
        if call.rpc == "ExportPartyAcs" {
            let file = |answers: &[Vec<u8>]| -> Vec<u8> {
                answers
                    .iter()
                    .flat_map(|answer| ExportPartyAcsResponse::decode(answer.as_slice()).unwrap().chunk)
                    .collect()
            };
            let recorded = self.translated(self.exported.as_ref().unwrap());
            let ids = |file: &[u8]| contracts(file).into_iter().map(|contract| contract.id).collect::<BTreeSet<_>>();
            let (wanted, found) = (ids(&recorded), ids(&file(&answers)));
            return (wanted != found).then(|| format!("wanted {wanted:?}, found {found:?}"));
        }
        if call.rpc == "GetLedgerEnd" {
            let end = |answer: &[u8]| ledger::GetLedgerEndResponse::decode(answer).unwrap().offset;
            let (recorded, found) = (end(&recorded[0]), end(&answers[0]));
            self.offsets.insert((number(&call.node), recorded), found);
        }
        let wanted = projection::lines(&call.rpc, &recorded, &self.translation);
        let found = projection::lines(&call.rpc, &answers, &self.translation);
        let (Some(wanted), Some(found)) = (wanted, found) else {
            return Some("nobody has said how it compares".to_owned());
        };
        let passing = recorded.iter().any(|answer| projection::is_passing(&call.rpc, answer));
        if passing && wanted.is_subset(&found) {
            return None;
        }
        let missing: Vec<&String> = wanted.difference(&found).collect();
        let more: Vec<&String> = found.difference(&wanted).collect();
        // Of two lines that differ, only the words that do.
        let words = |lines: &[&String], others: &[&String]| -> Vec<String> {
            let others: BTreeSet<&str> = others.iter().flat_map(|line| line.split(' ')).collect();
            let own = lines.iter().flat_map(|line| line.split(' '));
            own.filter(|word| !others.contains(word)).map(str::to_owned).collect()
        };
        let (only_wanted, only_found) = (words(&missing, &more), words(&more, &missing));
        (wanted != found).then(|| {
            let (wanted, found) = (wanted.len(), found.len());
            format!("wanted {wanted} lines, found {found}; only wanted {only_wanted:?}, only found {only_found:?}")
        })
    }

    /// The requests with this network's offsets, and with shorter waits for what never comes.
    fn requests(&self, call: &Call) -> Vec<Vec<u8>> {
        let offset = |offset: i64| self.offset(call, offset);
        let first = call.requests.first().map(Vec::as_slice).unwrap_or_default();
        let wait = Some(prost_types::Duration { seconds: 0, nanos: 300_000_000 });
        match call.rpc.as_str() {
            "ExportPartyAcs" => {
                let mut request = ExportPartyAcsRequest::decode(first).unwrap();
                request.begin_offset_exclusive = offset(request.begin_offset_exclusive);
                request.wait_for_activation_timeout = wait;
                vec![request.encode_to_vec()]
            }
            "ClearPartyOnboardingFlag" => {
                let mut request = ClearPartyOnboardingFlagRequest::decode(first).unwrap();
                request.begin_offset_exclusive = offset(request.begin_offset_exclusive);
                request.wait_for_activation_timeout = wait;
                vec![request.encode_to_vec()]
            }
            "GetActiveContracts" => {
                let mut request = ledger::GetActiveContractsRequest::decode(first).unwrap();
                request.active_at_offset = offset(request.active_at_offset);
                vec![request.encode_to_vec()]
            }
            "GetUpdates" => {
                let mut request = ledger::GetUpdatesRequest::decode(first).unwrap();
                request.begin_exclusive = offset(request.begin_exclusive);
                request.end_inclusive = request.end_inclusive.map(offset);
                vec![request.encode_to_vec()]
            }
            _ => call.requests.clone(),
        }
    }

    fn offset(&self, call: &Call, recorded: i64) -> i64 {
        if recorded == 0 {
            return 0;
        }
        if let Some(now) = self.offsets.get(&(number(&call.node), recorded)) {
            return *now;
        }
        // Noted at another node, where it lies before everything of interest; or beyond the end.
        if self.offsets.keys().any(|(_, known)| *known == recorded) { 1 } else { i64::MAX }
    }

    /// The messages of an import with the translated file, whole or cut as it was.
    fn import(&self, recorded: &[Vec<u8>], translated: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let decode = |request: &Vec<u8>| ImportPartyAcsRequest::decode(request.as_slice()).unwrap();
        let sent: Vec<u8> = recorded.iter().flat_map(|request| decode(request).acs_snapshot).collect();
        let Some(file) = self.exported.as_ref().filter(|file| !sent.is_empty() && file.starts_with(&sent)) else {
            return translated;
        };
        let new = self.translated(file);
        let end = if sent.len() == file.len() { new.len() } else { new.len() / 2 };
        let mut messages: Vec<ImportPartyAcsRequest> = translated.iter().map(decode).collect();
        let share = end.div_ceil(messages.len());
        for (message, chunk) in messages.iter_mut().zip(new[..end].chunks(share)) {
            message.acs_snapshot = chunk.to_vec();
        }
        messages.iter().map(ImportPartyAcsRequest::encode_to_vec).collect()
    }
}

/// The same list over all time, of everybody.
fn over_all_time(request: &[u8]) -> Vec<u8> {
    // Every list of one kind begins with its query.
    let mut request = ListDecentralizedNamespaceDefinitionRequest::decode(request).unwrap();
    request.filter_namespace.clear();
    let query = request.base_query.as_mut().unwrap();
    query.time_query = Some(TimeQuery::Range(TimeRange { from: None, until: None }));
    request.encode_to_vec()
}

/// The same number for both sockets of a node.
fn number(node: &str) -> String {
    node.chars().filter(char::is_ascii_digit).collect()
}

fn item(transaction: canton_topology::transaction::SignedTransaction, moment: Timestamp) -> Item {
    Item { sequenced: moment, valid_from: moment, valid_until: None, transaction, rejection: None }
}

fn contracts(file: &[u8]) -> Vec<Contract> {
    let mut reader = Reader::new();
    let mut all = reader.take(file).unwrap();
    all.extend(reader.finish().unwrap());
    all.into_iter().map(|(_, contract)| contract).collect()
}

fn reason_of(status: &Status) -> Option<String> {
    let details = rpc::Status::decode(status.details()).unwrap_or_default().details;
    let info = details.iter().find(|any| any.type_url.ends_with("ErrorInfo"))?;
    Some(rpc::ErrorInfo::decode(info.value.as_slice()).unwrap().reason)
}
