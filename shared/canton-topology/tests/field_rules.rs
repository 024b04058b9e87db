//! What single fields must be, where no recording reaches: Canton's own conversions, rule by rule.
#![allow(clippy::unwrap_used)]

#[path = "fixture/write.rs"]
mod write;

use canton_topology::{
    Timestamp,
    id::{DEVELOPMENT_VERSION, ParticipantId, PhysicalSynchronizerId},
    mapping::{Duration, Mapping},
    show,
    signature::Signature,
    transaction::Transaction,
};
use write::{field, joined, mapping, number, transaction, varint, wrapped};

const NAMESPACE: &str = "1220680fc736bff3dc912d30af7dd7b515bc753799b6b1d218b23b35912f6b83389a";
const ED25519_SPKI: &str = "302a300506032b65700321008a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
const RSA_2048_SPKI: &str = concat!(
    "30820122300d06092a864886f70d01010105000382010f003082010a0282010100ad90dd6251bd133e2870e3db4432e549ef",
    "c33e65750c773c124e9a2ab6f094bdf35d67bb197bd1eec6fca31310dfb9910185e67503f24343c0e3454ad2cc55cca54225",
    "60e22cc66037c3d49eb9cf0c0debc0966c948ca22d775014156c9df1f6a2a54a4afdcf67156d5b23d0e42e536d4e0d44fd15",
    "a254ade05aecbbe1ca6a24063b0eba5e7967ab25f34a15afd8ef70a430c7ab074c232e33853ea497f73ebf5f2a1d1e02e1f3",
    "93420d486b9620b82d61d5e863ea806d33d6d781f51875b5cc69ff39843673cb5d7aa31c2611e0161cbde73f274137fe78b8",
    "68c70d274e37a832c8e940211aea43fbb27d1681a1483306d69179007794832672a570ea2f04a50203010001",
);
const RSA_1024_SPKI: &str = concat!(
    "30819f300d06092a864886f70d010101050003818d0030818902818100c3f159891a20743a18f1533c6070c8d02d3e3a8f5a",
    "60d46398a1da9ca114789b165dd8b85a8f0136df09c35c615bca74cf908be259158629bfa4adf2f0ea2cc650462df838a6f0",
    "f40e0f5e35cd7e059b257a9b9064efe382c2d16705092a48113e91beb4d79ae6f76c7989b63f0e2a4ec18b500637213c1b2f",
    "cd8c4ea706c0230203010001",
);

/// What is wrong with a mapping, by Canton's name and our path; `None` where nothing is.
fn fault(kind: u8, message: &[u8]) -> Option<(&'static str, String)> {
    let error = Transaction::parse(&wrapped(&transaction(&mapping(kind, message)))).err()?;
    Some((error.kind.canton_name(), error.place.path.rsplit('.').next().unwrap().to_owned()))
}

fn must_read(kind: u8, message: &[u8]) -> Mapping {
    Transaction::parse(&wrapped(&transaction(&mapping(kind, message)))).unwrap().mapping().clone()
}

fn seconds(seconds: usize) -> Vec<u8> {
    let mut message = vec![8];
    varint(&mut message, seconds);
    message
}

/// A negative number as protobuf writes it.
fn minus_one(number: u8) -> Vec<u8> {
    [vec![number << 3], vec![0xff; 9], vec![1]].concat()
}

/// Synchronizer parameters in the order of their numbers, with some replaced and some left out.
fn parameters(replaced: &[(u8, Vec<u8>)], left_out: &[u8]) -> Vec<u8> {
    let mut fields: std::collections::BTreeMap<u8, Vec<u8>> = [1, 2, 5, 6, 15, 18]
        .into_iter()
        .map(|number| (number, field(number, &seconds(30))))
        .chain([(3, field(3, &[])), (7, field(7, &seconds(60))), (9, number(9, 1)), (13, field(13, &[]))])
        .collect();
    fields.extend(replaced.iter().cloned());
    let fields = fields.into_iter().filter(|(number, _)| !left_out.contains(number)).map(|(_, field)| field);
    let message: Vec<u8> = fields.flatten().collect();
    joined(&[field(1, format!("sync::{NAMESPACE}").as_bytes()), field(2, &message)])
}

fn parameters_fault(replaced: &[(u8, Vec<u8>)], left_out: &[u8]) -> Option<(&'static str, String)> {
    fault(11, &parameters(replaced, left_out))
}

fn named(name: &'static str, field: &str) -> Option<(&'static str, String)> {
    Some((name, field.to_owned()))
}

#[test]
fn synchronizer_parameters_that_canton_needs_must_be_there() {
    assert_eq!(parameters_fault(&[], &[]), None);
    for (number, name) in [
        (1, "confirmation_response_timeout"),
        (2, "mediator_reaction_timeout"),
        (3, "assignment_exclusivity_timeout"),
        (5, "ledger_time_record_time_tolerance"),
        (6, "reconciliation_interval"),
        (7, "mediator_deduplication_timeout"),
        (9, "onboarding_restriction"),
        (13, "participant_synchronizer_limits"),
        (15, "sequencer_aggregate_submission_timeout"),
    ] {
        assert_eq!(parameters_fault(&[], &[number]), named("FieldNotSet", name));
    }
    assert_eq!(parameters_fault(&[], &[18]), None);
}

#[test]
fn synchronizer_parameters_must_be_in_their_ranges() {
    let negative = |number| (number, field(number, &minus_one(1)));
    assert_eq!(parameters_fault(&[negative(1)], &[]), named("ValueConversionError", "confirmation_response_timeout"));
    let no_interval = [(6, field(6, &[]))];
    assert_eq!(parameters_fault(&no_interval, &[]), named("ValueConversionError", "reconciliation_interval"));
    let odd_interval = [(6, field(6, &joined(&[seconds(1), number(2, 1)])))];
    assert_eq!(parameters_fault(&odd_interval, &[]), named("ValueConversionError", "reconciliation_interval"));
    assert_eq!(parameters_fault(&[(8, minus_one(8))], &[]), named("InvariantViolation", "max_request_size"));
    let rate = [(13, field(13, &minus_one(1)))];
    assert_eq!(parameters_fault(&rate, &[]), named("InvariantViolation", "confirmation_requests_max_rate"));
    assert_eq!(parameters_fault(&[(9, number(9, 5))], &[]), named("UnrecognizedEnum", "onboarding_restriction"));
    let catch_up = [(17, field(17, &number(1, 1)))];
    assert_eq!(parameters_fault(&catch_up, &[]), named("InvariantViolation", "nr_intervals_to_trigger_catchup"));
    let free = [(16, field(16, &joined(&[field(3, &seconds(1)), number(4, 1), field(5, &[])])))];
    let window = "set_balance_request_submission_window_size";
    assert_eq!(parameters_fault(&free, &[]), named("ValueConversionError", window));
}

#[test]
fn the_mediator_must_remember_for_twice_the_tolerance() {
    let tolerance = "preparation_time_record_time_tolerance";
    let short = [(7, field(7, &joined(&[seconds(59), joined(&[vec![16], vec![0xff, 0x93, 0xeb, 0xdc, 3]])])))];
    assert_eq!(parameters_fault(&short, &[]), named("InvariantViolation", tolerance));
    // Where it is not written, the tolerance of the ledger time counts.
    assert_eq!(parameters_fault(&[(5, field(5, &seconds(31)))], &[18]), named("InvariantViolation", tolerance));
    let Mapping::SynchronizerParametersState(state) = must_read(11, &parameters(&[], &[18])) else {
        panic!("parameters are expected")
    };
    assert_eq!(state.parameters.preparation_tolerance(), Duration { seconds: 30, nanos: 0 });
    assert_eq!(must_read(11, &parameters(&[], &[18])), must_read(11, &parameters(&[], &[])));
}

#[test]
fn encryption_keys_must_be_keys() {
    let member = field(1, format!("PAR::p::{NAMESPACE}").as_bytes());
    let encryption = |format, key: &str, spec| {
        let key = joined(&[number(2, format), field(3, &hex::decode(key).unwrap()), number(5, spec)]);
        fault(4, &joined(&[member.clone(), field(2, &field(2, &key))]))
    };
    let no_key = named("CryptoDeserializationError", "public_key");
    assert_eq!(encryption(4, RSA_2048_SPKI, 2), None);
    assert_eq!(encryption(2, RSA_2048_SPKI, 2), None);
    assert_eq!(encryption(3, RSA_2048_SPKI, 2), no_key);
    assert_eq!(encryption(5, RSA_2048_SPKI, 2), no_key);
    assert_eq!(encryption(4, RSA_1024_SPKI, 2), no_key);
    assert_eq!(encryption(4, ED25519_SPKI, 2), no_key);
    assert_eq!(encryption(4, RSA_2048_SPKI, 1), no_key);
    assert_eq!(encryption(4, RSA_2048_SPKI, 3), named("UnrecognizedEnum", "key_spec"));
    let cut = &RSA_2048_SPKI[..RSA_2048_SPKI.len() - 2];
    assert_eq!(encryption(4, cut, 2), no_key);
}

#[test]
fn an_rsa_modulus_must_be_odd_and_composite_without_a_small_factor() {
    let member = field(1, format!("PAR::p::{NAMESPACE}").as_bytes());
    let with = |modulus: &[u8; 256]| {
        let mut spki = hex::decode(RSA_2048_SPKI).unwrap();
        spki[33..33 + 256].copy_from_slice(modulus);
        let key = joined(&[number(2, 4), field(3, &spki), number(5, 2)]);
        fault(4, &joined(&[member.clone(), field(2, &field(2, &key))]))
    };
    let no_key = named("CryptoDeserializationError", "public_key");
    let real: [u8; 256] = hex::decode(RSA_2048_SPKI).unwrap()[33..33 + 256].try_into().unwrap();
    assert_eq!(with(&real), None);

    let mut even = real;
    even[255] ^= 1;
    assert_eq!(with(&even), no_key);

    // Two is no factor of what remains modulo three, so that one of these three is divisible by it.
    let sum = |modulus: &[u8; 256]| modulus.iter().map(|byte| u32::from(*byte)).sum::<u32>() % 3;
    let near = [0, 2, 4].map(|more| [&real[..255], &[(real[255] & 0xf0) + 1 + more]].concat().try_into().unwrap());
    assert_eq!(with(near.iter().find(|modulus| sum(modulus) == 0).unwrap()), no_key);

    // The greatest prime below 2^2048 is 1942289 less.
    let mut prime = [0xff; 256];
    prime[253..].copy_from_slice(&(0x100_0000_u32 - 1_942_289).to_be_bytes()[1..]);
    assert_eq!(with(&prime), no_key);
}

#[test]
fn an_encryption_keys_old_scheme_is_shown_by_cantons_name() {
    let member = field(1, format!("PAR::p::{NAMESPACE}").as_bytes());
    for (scheme, name) in [
        (1, "ECIES_P256_HKDF_HMAC_SHA256_AES128GCM"),
        (2, "ECIES_P256_HMAC_SHA256A_ES128CBC"),
        (3, "RSA2048_OAEP_SHA256"),
    ] {
        let spki = hex::decode(RSA_2048_SPKI).unwrap();
        let key = joined(&[number(2, 4), field(3, &spki), number(4, scheme), number(5, 2)]);
        let message = joined(&[member.clone(), field(2, &field(2, &key))]);
        let read = Transaction::parse(&wrapped(&transaction(&mapping(4, &message)))).unwrap();
        let lines = show::transaction(&read);
        assert_eq!(lines.iter().find(|line| line.path.ends_with(".scheme")).unwrap().value, name);
    }
}

#[test]
fn a_session_keys_delegation_must_be_whole() {
    let delegation = |replaced: &[(u8, Vec<u8>)]| {
        let mut fields: std::collections::BTreeMap<u8, Vec<u8>> = [
            (1, field(1, &hex::decode(ED25519_SPKI).unwrap())),
            (2, number(2, 1)),
            (3, number(3, 1)),
            (4, number(4, 1)),
            (5, number(5, 3)),
            (6, field(6, &[0; 64])),
            (7, number(7, 1)),
        ]
        .into();
        fields.extend(replaced.iter().cloned());
        let delegation: Vec<u8> = fields.into_values().flatten().collect();
        let signature = joined(&[
            number(1, 3),
            field(2, &[0; 64]),
            // Any other key than the session key, whose word for itself would change nothing.
            field(3, b"somebody"),
            number(4, 1),
            field(5, &delegation),
        ]);
        Signature::parse(&signature).map_err(|error| error.kind.canton_name())
    };
    assert!(delegation(&[]).unwrap().is_delegated());
    assert_eq!(delegation(&[(1, Vec::new())]), Err("thrown:NullPointerException"));
    assert_eq!(delegation(&[(1, field(1, b"0"))]), Err("CryptoDeserializationError"));
    assert_eq!(delegation(&[(2, Vec::new())]), Err("FieldNotSet"));
    assert_eq!(delegation(&[(2, number(2, 5))]), Err("UnrecognizedEnum"));
    assert_eq!(delegation(&[(3, [vec![24], vec![0xff; 8], vec![0x7f]].concat())]), Err("TimestampConversionError"));
    assert_eq!(delegation(&[(4, Vec::new())]), Err("InvariantViolation"));
    assert_eq!(delegation(&[(5, Vec::new())]), Err("FieldNotSet"));
    assert_eq!(delegation(&[(7, number(7, 9))]), Err("UnrecognizedEnum"));
    assert!(delegation(&[(7, Vec::new())]).is_ok());
}

#[test]
fn times_are_rounded_down_to_microseconds() {
    let announced = |time: &[u8]| {
        let message = joined(&[field(1, format!("sync::{NAMESPACE}::35-1").as_bytes()), field(2, time)]);
        match Transaction::parse(&wrapped(&transaction(&mapping(17, &message)))).map(|read| read.mapping().clone()) {
            Ok(Mapping::LsuAnnouncement(announcement)) => Ok(announcement.upgrade_time),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.kind.canton_name()),
        }
    };
    assert_eq!(announced(&joined(&[number(1, 1), [vec![16], vec![0xe7, 7]].concat()])), Ok(Timestamp(1_000_000)));
    assert_eq!(announced(&joined(&[number(1, 1), minus_one(2)])), Ok(Timestamp(999_999)));
    assert_eq!(announced(&[]), Ok(Timestamp(0)));
    let far = [vec![8], vec![0xff; 8], vec![0x7f]].concat();
    assert_eq!(announced(&far), Err("TimestampConversionError"));
}

#[test]
fn of_several_faults_cantons_first_one_is_named() {
    // The mapping before the serial before the operation.
    let broken = |mapping: &[u8], serial: u8, operation: u8| {
        let message = joined(&[number(1, operation), number(2, serial), field(3, mapping)]);
        Transaction::parse(&wrapped(&message)).unwrap_err().place.path
    };
    let limits =
        joined(&[field(1, format!("s::{NAMESPACE}").as_bytes()), field(2, format!("p::{NAMESPACE}").as_bytes())]);
    assert_eq!(broken(&[], 0, 9), "transaction.mapping");
    assert_eq!(broken(&mapping(7, &limits), 0, 9), "transaction.serial");
    assert_eq!(broken(&mapping(7, &limits), 1, 9), "transaction.operation");
    // The keys of a party before their threshold.
    let party = joined(&[field(1, format!("p::{NAMESPACE}").as_bytes()), number(3, 0)]);
    assert_eq!(fault(16, &party), named("FieldNotSet", "signing_keys"));
}

#[test]
fn a_participant_stands_with_or_without_its_prefix() {
    let with = |text: &str| ParticipantId::parse_lenient(text).map(|participant| participant.to_string());
    assert_eq!(with(&format!("PAR::p::{NAMESPACE}")).unwrap(), format!("p::{NAMESPACE}"));
    assert_eq!(with(&format!("p::{NAMESPACE}")).unwrap(), format!("p::{NAMESPACE}"));
    // No participant with a prefix, but a unique identifier that happens to begin so.
    assert_eq!(with("PAR::abc").unwrap(), "PAR::abc");
    assert!(with("MED::p::abc").is_err());
    assert!(with("PAR").is_err());
}

#[test]
fn physical_synchronizer_ids_are_read_as_canton_splits_them() {
    let read = |text: &str| text.parse::<PhysicalSynchronizerId>().map(|id| id.to_string());
    assert_eq!(read("sync::abc::34-0").unwrap(), "sync::abc::34-0");
    // Empty parts at the end do not count.
    assert_eq!(read("sync::abc::34-0::").unwrap(), "sync::abc::34-0");
    assert_eq!(read("sync::abc::34-7-").unwrap(), "sync::abc::34-7");
    for text in
        ["sync::abc", "sync::abc::34", "sync::abc::33-0", "sync::abc::34--1", "sync::abc::34-0-1", "a::b::c::34-0", ""]
    {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn the_version_of_cantons_development_is_read_by_its_name_and_its_number() {
    let read = |text: &str| text.parse::<PhysicalSynchronizerId>().map(|id| (id.to_string(), id.protocol_version));
    for text in ["sync::abc::dev-1", "sync::abc::DeV-1", "sync::abc::2147483647-1"] {
        assert_eq!(read(text).unwrap(), ("sync::abc::dev-1".to_owned(), DEVELOPMENT_VERSION), "{text}");
    }
    assert!(read("sync::abc::develop-1").is_err());
    assert!(read("sync::abc::2147483646-1").is_err());
    // It is later than every other one of the same serial.
    let id = |text: &str| text.parse::<PhysicalSynchronizerId>().unwrap();
    assert!(id("sync::abc::dev-1") > id("sync::abc::35-1"));
    assert!(id("sync::abc::dev-1") < id("sync::abc::34-2"));
}

#[test]
fn a_namespace_that_is_too_long_even_for_a_party_is_no_text_for_canton() {
    let named_by = |length: usize| fault(1, &field(1, &vec![b'a'; length])).unwrap();
    assert_eq!(named_by(69).0, "InvariantViolation");
    assert_eq!(named_by(255).0, "InvariantViolation");
    assert_eq!(named_by(256).0, "StringConversionError");
    let signed_by = |length: usize| {
        let signature = joined(&[number(1, 3), field(2, &[0; 64]), field(3, &vec![b'a'; length])]);
        Signature::parse(&signature).map_err(|error| error.kind.canton_name())
    };
    assert_eq!(signed_by(255), Err("InvariantViolation"));
    assert_eq!(signed_by(256), Err("StringConversionError"));
}

#[test]
fn sequencer_addresses_mean_host_port_and_tls() {
    let successor = |endpoints: &[&str]| {
        let connection: Vec<u8> = endpoints.iter().flat_map(|endpoint| field(1, endpoint.as_bytes())).collect();
        joined(&[
            field(1, format!("SEQ::s::{NAMESPACE}").as_bytes()),
            field(2, format!("sync::{NAMESPACE}::35-1").as_bytes()),
            field(3, &connection),
        ])
    };
    let plain = must_read(18, &successor(&["https://a", "https://b:5"]));
    assert_eq!(plain, must_read(18, &successor(&["https://b:5/path", "https://a:443", "https://a"])));
    assert_ne!(plain, must_read(18, &successor(&["http://a:443", "http://b:5"])));
    assert_eq!(fault(18, &successor(&["https://a", "http://b"])), named("ValueConversionError", "endpoints"));
    assert_eq!(fault(18, &successor(&["https://a:70000", "ftp://b"])), named("ValueDeserializationError", "endpoints"));
    assert_eq!(fault(18, &successor(&["https://a:70000"])), named("ValueConversionError", "endpoints"));
    assert_eq!(fault(18, &successor(&[])), named("FieldNotSet", "endpoints"));
}
