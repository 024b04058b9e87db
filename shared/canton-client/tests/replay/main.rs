//! The client against answers of a real network: what it reads in them, and that it asks what was asked then.
#![allow(clippy::unwrap_used)]

mod ledger;
mod lines;
mod recorded;
mod server;

use std::time::Duration;

use canton_client::{
    access::Access,
    error::NodeError,
    ledger::Offset,
    participant::{Options, Participant},
    parties::{Export, Import, ImportError},
    pruning::Schedule,
    status::{NodeVersion, Release},
};
use canton_proto::canton::admin::participant::v30::{ExportPartyAcsResponse, ImportPartyAcsRequest};
use prost::Message as _;

use crate::{
    recorded::{Call, bytes, calls},
    server::{Answer, Replay},
};

const W2: &str = "pv35/external-parties-and-w2.jsonl.gz";
const PARTY: &str = "treasury::1220cda0191d3cd049be4873c3c075f53811194785a0e156ec80c15df3895bc3baa8";
const TARGET: &str = "p3::1220a054466a0f80851224530fc9fdc0c1c7f4edabb3c2a87f7e0d65bdea9af76a97";
const SYNCHRONIZER: &str = "sync::12205d2409e963d89247684f25a0401579802293016ad35a81a8d42fa0b6b3d92d2f";

async fn participant(replay: &Replay) -> Participant {
    let address = format!("http://{}", replay.serve().await);
    Participant::new(&Options { address, timeout: Duration::from_secs(10), access: Access::default() }).unwrap()
}

/// A server that gives the recorded answers of these rpcs, in order.
fn replaying<'a>(calls: impl IntoIterator<Item = &'a Call>) -> Replay {
    let replay = Replay::default();
    for call in calls {
        replay.answer(&call.rpc, call.answer.clone());
    }
    replay
}

#[tokio::test]
async fn a_status_says_who_which_release_and_what_waits() {
    let Some(calls) = calls(W2) else { return };
    let replay = replaying(calls.iter().filter(|call| call.rpc.ends_with("/ParticipantStatus")));

    let status = participant(&replay).await.status().await.unwrap();

    assert!(status.participant.to_string().starts_with("p1::1220"), "{}", status.participant);
    assert_eq!(status.version.to_string(), "3.5.10-SNAPSHOT");
    assert_eq!(status.version.release(), Some(Release::V3_5));
    assert!(status.active);
    assert_eq!((status.queues.manager, status.queues.dispatcher), (0, 0));
    let [(synchronizer, true)] = status.synchronizers.as_slice() else { panic!("{status:?}") };
    assert_eq!(synchronizer.to_string(), format!("{SYNCHRONIZER}::35-0"));
}

#[test]
fn a_release_that_nobody_knows_is_never_guessed() {
    let release = |text: &str| NodeVersion::parse(text).unwrap().release();
    assert_eq!(release("3.4.12-SNAPSHOT"), Some(Release::V3_4));
    assert_eq!(release("3.5.1"), Some(Release::V3_5));
    assert_eq!(release("3.6.0"), None);
    assert_eq!(release("4.5.0"), None);
    for none in ["", "3.5", "3.5.x", "three", "3.5.1.2"] {
        assert!(NodeVersion::parse(none).is_err(), "{none}");
    }
}

#[tokio::test]
async fn manual_connect_changes_and_every_other_byte_of_the_configuration_stays() {
    let Some(calls) = calls(W2) else { return };
    let list = calls.iter().find(|call| call.rpc.ends_with("/ListRegisteredSynchronizers")).unwrap();
    let modify = calls.iter().find(|call| call.rpc.ends_with("/ModifySynchronizer")).unwrap();
    let recorded = list.answer.0.clone().unwrap()[0].clone();
    let replay = Replay::default();
    // One field that nobody has declared yet stands in the configuration, as a later release may put it there.
    let (unknown, before) = with_in_config(&recorded, &[0xa0, 0x06, 0x2a]);
    let (after, _) = with_in_config(&recorded, &[0xa0, 0x06, 0x2a, 0x18, 0x01]);
    replay.answer(&list.rpc, Answer::of(unknown)).answer(&list.rpc, Answer::of(after));
    let bad = tonic_status("SYNC_SERVICE_BAD_CONNECTIVITY");
    replay.answer(&modify.rpc, Answer(Err(bad))).answer(&modify.rpc, modify.answer.clone());

    participant(&replay).await.set_manual_connect("sync", true).await.unwrap();

    let asked = replay.asked(&modify.rpc);
    assert_eq!(asked.len(), 2, "the second time with another validation");
    let expected = [before.as_slice(), &[0x18, 0x01]].concat();
    for request in &asked {
        assert!(request[0].windows(expected.len()).any(|window| window == expected), "{request:02x?}");
        assert!(asked[0][0].starts_with(&modify.request[..80]), "the synchronizer is named as it was then");
    }
    assert_ne!(asked[0][0].last(), asked[1][0].last());
}

/// The list with more bytes at the end of its one configuration, and that configuration.
fn with_in_config(list: &[u8], more: &[u8]) -> (Vec<u8>, Vec<u8>) {
    #[derive(Clone, PartialEq, prost::Message)]
    struct List {
        #[prost(message, repeated, tag = "1")]
        rows: Vec<Row>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Row {
        #[prost(bytes = "vec", tag = "1")]
        config: Vec<u8>,
        #[prost(bool, tag = "2")]
        connected: bool,
        #[prost(string, optional, tag = "3")]
        synchronizer: Option<String>,
        #[prost(int32, tag = "4")]
        status: i32,
    }
    let mut list = List::decode(list).unwrap();
    list.rows[0].config.extend_from_slice(more);
    let config = list.rows[0].config.clone();
    (list.encode_to_vec(), config)
}

fn tonic_status(reason: &str) -> tonic::Status {
    use canton_proto::google::rpc;
    let info = rpc::ErrorInfo { reason: reason.to_owned(), ..rpc::ErrorInfo::default() };
    let any = prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
        value: info.encode_to_vec(),
    };
    let code = tonic::Code::FailedPrecondition;
    let status = rpc::Status { code: code as i32, message: reason.to_owned(), details: vec![any] };
    tonic::Status::with_details(code, reason, status.encode_to_vec().into())
}

#[tokio::test]
async fn a_node_that_takes_manual_connect_and_keeps_its_own_is_found_out() {
    let Some(calls) = calls(W2) else { return };
    let replay = replaying(calls.iter().filter(|call| call.rpc.ends_with("/ModifySynchronizer")));
    let list = calls.iter().find(|call| call.rpc.ends_with("/ListRegisteredSynchronizers")).unwrap();
    replay.answer(&list.rpc, list.answer.clone());

    let participant = participant(&replay).await;

    let refused = participant.set_manual_connect("sync", true).await;
    assert!(matches!(refused, Err(NodeError::BadAnswer(_))), "{refused:?}");
    let unknown = participant.set_manual_connect("other", true).await.unwrap_err().to_string();
    assert!(unknown.contains("\"other\""), "{unknown}");
}

#[tokio::test]
async fn a_pruning_schedule_comes_back_as_it_was() {
    use canton_proto::canton::admin::pruning::v30::{
        GetParticipantScheduleResponse, ParticipantPruningSchedule, PruningSchedule, SetParticipantScheduleRequest,
    };
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let (max_duration, retention) = (seconds(7_200), seconds(2_592_000));
    let inner = PruningSchedule { cron: "0 0 20 * * ?".to_owned(), max_duration, retention };
    let shown = ParticipantPruningSchedule { schedule: Some(inner), prune_internally_only: true };
    let none = GetParticipantScheduleResponse { schedule: None };
    let some = GetParticipantScheduleResponse { schedule: Some(shown.clone()) };
    let replay = Replay::default();
    for answer in [&some, &none, &some, &some] {
        replay.answer("PruningService/GetParticipantSchedule", Answer::of(answer.encode_to_vec()));
    }
    replay.answer("PruningService/ClearSchedule", Answer::of(Vec::new()));
    replay.answer("PruningService/SetParticipantSchedule", Answer::of(Vec::new()));
    let participant = participant(&replay).await;

    let schedule = participant.schedule().await.unwrap().unwrap();
    let kept: Schedule = serde_json::from_str(&serde_json::to_string(&schedule).unwrap()).unwrap();
    participant.clear_schedule().await.unwrap();
    participant.set_schedule(&kept).await.unwrap();

    let asked = replay.asked("PruningService/SetParticipantSchedule");
    assert_eq!(asked[0][0], SetParticipantScheduleRequest { schedule: Some(shown) }.encode_to_vec());
    let still = participant.clear_schedule().await;
    assert!(matches!(still, Err(NodeError::BadAnswer(_))), "a schedule that is still there: {still:?}");
}

fn export(begin: i64, seconds: u64) -> Export {
    Export {
        party: PARTY.parse().unwrap(),
        synchronizer: SYNCHRONIZER.parse().unwrap(),
        target: TARGET.parse().unwrap(),
        begin_exclusive: Offset(begin),
        wait_for_activation: Duration::from_secs(seconds),
    }
}

#[tokio::test]
async fn an_export_asks_what_was_asked_and_gives_the_same_file() {
    let Some(calls) = calls(W2) else { return };
    let [early, whole] = calls.iter().filter(|call| call.rpc.ends_with("/ExportPartyAcs")).collect::<Vec<_>>()[..]
    else {
        panic!("two exports were recorded");
    };
    let chunks: Vec<Vec<u8>> = whole.stream.iter().map(|message| bytes(&message["chunk"])).collect();
    let messages = chunks.iter().map(|chunk| ExportPartyAcsResponse { chunk: chunk.clone() }.encode_to_vec());
    let replay = replaying([early]);
    replay.answer(&whole.rpc, Answer(Ok(messages.collect())));
    let participant = participant(&replay).await;

    let too_early = participant.export_party(&export(125, 2)).await.err().unwrap();
    assert!(matches!(too_early, NodeError::Retry(_)), "{too_early:?}");
    assert_eq!(too_early.name(), "EFFECTIVE_PARTY_TO_PARTICIPANT_MAPPING_NOT_FOUND");

    let mut coming = participant.export_party(&export(125, 10)).await.unwrap();
    let mut file = Vec::new();
    while let Some(chunk) = coming.next().await.unwrap() {
        file.extend(chunk);
    }
    assert_eq!(file, chunks.concat());
    let asked = replay.asked(&whole.rpc);
    assert_eq!((&asked[0][0], &asked[1][0]), (&early.request, &whole.request));
}

fn import() -> Import {
    Import {
        party: PARTY.parse().unwrap(),
        synchronizer: SYNCHRONIZER.parse().unwrap(),
        workflow_prefix: "case".to_owned(),
    }
}

const IMPORT: &str = "PartyManagementService/ImportPartyAcs";

#[tokio::test]
async fn an_import_names_everything_first_and_then_only_sends_bytes() {
    let replay = Replay::default();
    replay.answer(IMPORT, Answer::of(Vec::new()));
    let participant = participant(&replay).await;
    let file: Vec<u8> = (0..5_000_000_u32).map(|number| number as u8).collect();
    let version = NodeVersion::parse("3.5.10").unwrap();

    participant.import_party(&version, &import(), file.as_slice()).await.unwrap();

    let asked: Vec<ImportPartyAcsRequest> = replay.asked(IMPORT)[0]
        .iter()
        .map(|message| ImportPartyAcsRequest::decode(message.as_slice()).unwrap())
        .collect();
    assert_eq!(asked.iter().map(|one| one.acs_snapshot.len()).collect::<Vec<_>>(), [2 << 20, 2 << 20, 805_696]);
    assert_eq!(asked.iter().flat_map(|one| one.acs_snapshot.clone()).collect::<Vec<_>>(), file);
    assert_eq!(asked[0].party_id.as_deref(), Some(PARTY));
    assert_eq!(asked[0].synchronizer_id.as_deref(), Some(SYNCHRONIZER));
    assert_eq!(asked[0].contract_import_mode, Some(2));
    assert_eq!((&asked[1].party_id, &asked[2].contract_import_mode), (&None, &None));
}

#[tokio::test]
async fn an_older_node_is_told_by_its_own_numbers_and_an_unknown_one_nothing() {
    let replay = Replay::default();
    replay.answer(IMPORT, Answer::of(Vec::new()));
    let participant = participant(&replay).await;
    let version = |text| NodeVersion::parse(text).unwrap();
    let file = vec![1; (2 << 20) + 1];

    participant.import_party(&version("3.4.12"), &import(), file.as_slice()).await.unwrap();
    let refused = participant.import_party(&version("3.6.0"), &import(), file.as_slice()).await;

    assert!(matches!(refused, Err(ImportError::Release(_))), "{refused:?}");
    let asked = replay.asked(IMPORT);
    assert_eq!(asked.len(), 1);
    for message in &asked[0] {
        // 2: the prefix of the workflow ids; 3: validation.
        assert!(
            message.ends_with(&[0x12, 4, b'c', b'a', b's', b'e', 0x18, 2]),
            "{:02x?}",
            &message[message.len() - 8..]
        );
    }
}

/// Gives some bytes, and then fails.
struct Broken(usize);

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let some = self.0.min(buffer.remaining());
        if some == 0 {
            return std::task::Poll::Ready(Err(std::io::Error::other("the disk is gone")));
        }
        buffer.put_slice(&vec![7; some]);
        self.0 -= some;
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_file_that_breaks_off_aborts_the_import_and_never_ends_it() {
    let replay = Replay::default();
    replay.answer(IMPORT, Answer::of(Vec::new()));
    let participant = participant(&replay).await;
    let version = NodeVersion::parse("3.5.10").unwrap();

    let broken = participant.import_party(&version, &import(), Broken((2 << 20) + 5)).await;

    assert!(matches!(broken, Err(ImportError::Read(_))), "{broken:?}");
    // The node answers a call after this one, so it has seen the abort.
    assert!(participant.status().await.is_err());
    assert_eq!(replay.asked(IMPORT).len(), 0, "the server saw the end of a stream that had none");
}

#[tokio::test]
async fn a_flag_that_cannot_go_yet_comes_with_the_time_to_ask_again() {
    let Some(calls) = calls(W2) else { return };
    let clears: Vec<&Call> = calls.iter().filter(|call| call.rpc.ends_with("/ClearPartyOnboardingFlag")).collect();
    let replay = replaying([clears[0], clears[clears.len() - 1]]);
    let participant = participant(&replay).await;
    let (party, synchronizer) = (PARTY.parse().unwrap(), SYNCHRONIZER.parse().unwrap());
    let clear = async || {
        participant.clear_onboarding_flag(&party, &synchronizer, Offset(83), Duration::from_secs(5)).await.unwrap()
    };

    let (early, late) = (clear().await, clear().await);

    assert!(!early.onboarded);
    assert_eq!(early.earliest_retry.unwrap().micros() % 60_000_000, 49_270_945);
    assert_eq!((late.onboarded, late.earliest_retry), (true, None));
    assert_eq!(replay.asked(&clears[0].rpc)[0][0], clears[0].request);
}

#[tokio::test]
async fn a_redacted_refusal_carries_the_trace_that_its_operator_can_look_up() {
    let Some(calls) = calls("auth.jsonl.gz") else { return };
    let with_trace = calls.iter().find(|call| call.rpc.ends_with("/GetLedgerEnd")).unwrap();
    let replay = Replay::default();
    replay.answer("IdentityInitializationService/GetId", with_trace.answer.clone());

    let refused = participant(&replay).await.id().await.unwrap_err();

    assert!(matches!(&refused, NodeError::Retry(message) if message.contains("790d808ce6719b3aa6e4104cc958f49c")));
    assert_eq!(refused.to_string().matches("790d808ce6719b3aa6e4104cc958f49c").count(), 2, "once is the node's own");
}

#[test]
fn every_long_call_can_move_between_threads() {
    fn assert_send<T: Send>(_: T) {}
    let participant = |participant: &Participant, version: &NodeVersion, file: &'static [u8]| {
        let import = import();
        assert_send(participant.import_party(version, &import, file));
        assert_send(participant.set_manual_connect("", true));
    };
    let _ = participant;
}
