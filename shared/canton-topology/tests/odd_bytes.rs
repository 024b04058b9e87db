//! Bytes that say more than their meaning, and bytes that say nothing: each oddity is read as Canton reads it and named
//! where it stands, so that a signer can refuse by name.
#![allow(clippy::unwrap_used)]

#[path = "fixture/write.rs"]
mod write;

use canton_topology::{
    mapping::{Mapping, Restriction},
    show,
    transaction::Transaction,
    wire::{DecodeError, UnshownReason},
};
use write::{field, joined, mapping, number, transaction, wrapped};

const NAMESPACE: &str = "1220680fc736bff3dc912d30af7dd7b515bc753799b6b1d218b23b35912f6b83389a";
const OTHER: &str = "12206c63093c7592399520a55baa8bb65b4521684c1a3eedec63bf58c965177636f6";
const SPKI: &str = "302a300506032b65700321008a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

fn key() -> Vec<u8> {
    joined(&[number(2, 4), field(3, &hex::decode(SPKI).unwrap()), field(5, &[1]), number(6, 1)])
}

/// A root delegation's message.
fn root() -> Vec<u8> {
    joined(&[field(1, NAMESPACE.as_bytes()), field(2, &key()), field(4, &[])])
}

fn of_root(root: &[u8]) -> Vec<u8> {
    wrapped(&transaction(&mapping(1, root)))
}

/// The reason and path of the one thing that the bytes do not show, and what Canton reads all the same.
fn must_be_odd(bytes: &[u8]) -> (UnshownReason, String, Mapping) {
    let read = Transaction::parse(bytes).unwrap();
    let [unshown] = read.unshown() else { panic!("one finding expected: {:?}", read.unshown()) };
    assert!(unshown.place.offset <= bytes.len());
    (unshown.reason, unshown.place.path.clone(), read.mapping().clone())
}

fn must_refuse(bytes: &[u8]) -> DecodeError {
    Transaction::parse(bytes).unwrap_err()
}

#[test]
fn the_plain_form_shows_everything_and_is_cantons() {
    let read = Transaction::parse(&of_root(&root())).unwrap();
    assert!(read.unshown().is_empty());
    assert_eq!(read.hash().to_string(), "12208e874ddf3cdc9cbf0c62b7390e909170367bf79ec486f3a923e8d954102380d3");
    assert_eq!(read.unique_key().to_string(), "1220e321bb8d83f6da048d2e5054d41d95fdc910191a338d3c6e254044fbde483388");
    let lines: Vec<String> =
        show::transaction(&read).iter().map(|line| format!("{} = {}", line.path, line.value)).collect();
    assert_eq!(
        lines,
        [
            "operation = ADD_REPLACE".to_owned(),
            "serial = 1".to_owned(),
            format!("mapping.namespace_delegation.namespace = {NAMESPACE}"),
            format!("mapping.namespace_delegation.target_key.fingerprint = {NAMESPACE}"),
            "mapping.namespace_delegation.target_key.format = DER_X509_SUBJECT_PUBLIC_KEY_INFO".to_owned(),
            format!("mapping.namespace_delegation.target_key.public_key = {SPKI}"),
            "mapping.namespace_delegation.target_key.usage[0] = NAMESPACE".to_owned(),
            "mapping.namespace_delegation.target_key.key_spec = EC_CURVE25519".to_owned(),
            "mapping.namespace_delegation.can_sign_all_mappings = set".to_owned(),
        ]
    );
    let tree = serde_json::to_value(show::transaction_tree(&read)).unwrap();
    assert_eq!(tree["mapping"]["namespace_delegation"]["target_key"]["usage"][0], "NAMESPACE");
}

#[test]
fn an_unknown_field_is_named_wherever_it_stands() {
    let extra = field(15, b"nobody reads this");
    for (bytes, path) in [
        (joined(&[of_root(&root()), extra.clone()]), "transaction.#15"),
        (wrapped(&joined(&[transaction(&mapping(1, &root())), extra.clone()])), "transaction.#15"),
        (wrapped(&transaction(&joined(&[mapping(1, &root()), field(14, b"x")]))), "transaction.mapping.#14"),
        (of_root(&joined(&[root(), extra.clone()])), "transaction.mapping.namespace_delegation.#15"),
    ] {
        let (reason, found, _) = must_be_odd(&bytes);
        assert_eq!((reason, found.as_str()), (UnshownReason::UnknownField, path));
    }
    let in_key = joined(&[field(1, NAMESPACE.as_bytes()), field(2, &joined(&[key(), extra])), field(4, &[])]);
    let (reason, path, _) = must_be_odd(&of_root(&in_key));
    assert_eq!(reason, UnshownReason::UnknownField);
    assert_eq!(path, "transaction.mapping.namespace_delegation.target_key.#15");
}

#[test]
fn a_group_is_skipped_and_named() {
    let group = vec![15 << 3 | 3, 8, 1, 15 << 3 | 4];
    let (reason, _, _) = must_be_odd(&of_root(&joined(&[root(), group])));
    assert_eq!(reason, UnshownReason::Group);
}

#[test]
fn a_known_field_of_another_wire_type_is_skipped_and_named() {
    let (reason, path, _) = must_be_odd(&of_root(&joined(&[root(), number(1, 7)])));
    assert_eq!(reason, UnshownReason::WrongWireType);
    assert_eq!(path, "transaction.mapping.namespace_delegation.namespace");
}

#[test]
fn of_a_repeated_singular_field_the_last_one_wins_and_is_named() {
    let twice = joined(&[field(1, OTHER.as_bytes()), root()]);
    let (reason, path, read) = must_be_odd(&of_root(&twice));
    assert_eq!(reason, UnshownReason::Repeated);
    assert_eq!(path, "transaction.mapping.namespace_delegation.namespace");
    assert_eq!(read.namespace().as_str(), NAMESPACE);
}

#[test]
fn a_second_member_of_a_oneof_wins_and_is_named() {
    let twice = joined(&[root(), field(5, &[])]);
    let bytes = of_root(&twice);
    // As the root of a namespace it may not be restricted so; for another namespace it may.
    assert_eq!(must_refuse(&bytes).kind.canton_name(), "InvariantViolation");
    let twice = joined(&[field(1, OTHER.as_bytes()), field(2, &key()), field(4, &[]), field(5, &[])]);
    let (reason, _, read) = must_be_odd(&of_root(&twice));
    assert_eq!(reason, UnshownReason::Repeated);
    let Mapping::NamespaceDelegation(read) = read else { panic!("a delegation is expected") };
    assert_eq!(read.restriction, Restriction::AllButNamespaceDelegations);
}

#[test]
fn a_message_in_two_parts_is_merged_and_named() {
    let halves = joined(&[
        field(1, NAMESPACE.as_bytes()),
        field(2, &joined(&[number(2, 4), field(3, &hex::decode(SPKI).unwrap())])),
        field(2, &joined(&[field(5, &[1]), number(6, 1)])),
        field(4, &[]),
    ]);
    let (reason, _, read) = must_be_odd(&of_root(&halves));
    assert_eq!(reason, UnshownReason::Repeated);
    assert_eq!(read, *Transaction::parse(&of_root(&root())).unwrap().mapping());
}

#[test]
fn a_number_with_more_bytes_than_it_needs_is_named() {
    let long = joined(&[number(1, 1), vec![2 << 3, 0x81, 0x80, 0x00], field(3, &mapping(1, &root()))]);
    let (reason, path, _) = must_be_odd(&wrapped(&long));
    assert_eq!((reason, path.as_str()), (UnshownReason::Overlong, "transaction.serial"));
    // The same of a tag and of a length.
    let tag = joined(&[vec![0x88, 0x00, 1], number(2, 1), field(3, &mapping(1, &root()))]);
    assert_eq!(must_be_odd(&wrapped(&tag)).0, UnshownReason::Overlong);
    let length = joined(&[field(1, NAMESPACE.as_bytes()), field(2, &key()), vec![4 << 3 | 2, 0x80, 0x00]]);
    assert_eq!(must_be_odd(&of_root(&length)).0, UnshownReason::Overlong);
}

#[test]
fn a_number_beyond_its_width_is_cut_and_named() {
    // 2^32 + 1 as a serial is 1 to Canton.
    let wide = joined(&[number(1, 1), vec![2 << 3, 0x81, 0x80, 0x80, 0x80, 0x10], field(3, &mapping(1, &root()))]);
    let bytes = wrapped(&wide);
    assert_eq!(must_be_odd(&bytes).0, UnshownReason::TooWide);
    assert_eq!(Transaction::parse(&bytes).unwrap().serial().get(), 1);
}

#[test]
fn a_default_that_is_written_out_is_named() {
    let (reason, path, _) = must_be_odd(&of_root(&joined(&[
        field(1, NAMESPACE.as_bytes()),
        field(2, &key()),
        number(3, 0),
        field(4, &[]),
    ])));
    assert_eq!(reason, UnshownReason::WrittenDefault);
    assert_eq!(path, "transaction.mapping.namespace_delegation.is_root_delegation");
}

#[test]
fn a_list_of_numbers_that_is_not_packed_is_named() {
    let spki = field(3, &hex::decode(SPKI).unwrap());
    let loose = joined(&[number(2, 4), spki.clone(), number(5, 1), number(6, 1)]);
    let root = |key: &[u8]| joined(&[field(1, NAMESPACE.as_bytes()), field(2, key), field(4, &[])]);
    assert_eq!(must_be_odd(&of_root(&root(&loose))).0, UnshownReason::NotPacked);
    let in_two = joined(&[number(2, 4), spki, field(5, &[1]), field(5, &[4]), number(6, 1)]);
    assert_eq!(must_be_odd(&of_root(&root(&in_two))).0, UnshownReason::NotPacked);
}

#[test]
fn a_field_out_of_its_order_is_named() {
    let turned = joined(&[number(2, 1), number(1, 1), field(3, &mapping(1, &root()))]);
    let (reason, path, _) = must_be_odd(&wrapped(&turned));
    assert_eq!((reason, path.as_str()), (UnshownReason::OutOfOrder, "transaction.operation"));
}

#[test]
fn two_lists_in_turns_are_two_lists() {
    let member = |name: &str| format!("{name}::{NAMESPACE}");
    let state = joined(&[
        field(1, member("sync").as_bytes()),
        number(2, 2),
        field(4, member("o1").as_bytes()),
        field(3, member("a1").as_bytes()),
        field(4, member("o2").as_bytes()),
        field(3, member("a2").as_bytes()),
    ]);
    let read = Transaction::parse(&wrapped(&transaction(&mapping(13, &state)))).unwrap();
    assert!(read.unshown().iter().all(|unshown| unshown.reason == UnshownReason::OutOfOrder));
    assert_eq!(read.unshown().len(), 2);
    let Mapping::SequencerSynchronizerState(state) = read.mapping() else { panic!("sequencers are expected") };
    let names = |members: &[canton_topology::id::Member]| -> Vec<String> {
        members.iter().map(|member| member.uid.identifier().to_owned()).collect()
    };
    assert_eq!(names(&state.active), ["a1", "a2"]);
    assert_eq!(names(&state.observers), ["o1", "o2"]);
}

#[test]
fn a_wrapper_of_another_version_is_read_and_named() {
    for version in [0, 29, 31, 127] {
        let mut bytes = field(1, &transaction(&mapping(1, &root())));
        bytes.extend(if version == 0 { Vec::new() } else { number(2, version) });
        assert_eq!(must_be_odd(&bytes).0, UnshownReason::WrapperVersion, "{version}");
    }
}

#[test]
fn what_canton_joins_or_rounds_is_named() {
    let owners = joined(&[
        field(1, NAMESPACE.as_bytes()),
        number(2, 1),
        field(3, NAMESPACE.as_bytes()),
        field(3, OTHER.as_bytes()),
        field(3, NAMESPACE.as_bytes()),
    ]);
    let (reason, path, _) = must_be_odd(&wrapped(&transaction(&mapping(3, &owners))));
    assert_eq!(reason, UnshownReason::Dropped);
    assert_eq!(path, "transaction.mapping.decentralized_namespace_definition.owners[2]");

    let host = |permission| joined(&[field(1, format!("p::{OTHER}").as_bytes()), number(2, permission)]);
    let hosts = joined(&[
        field(1, format!("party::{NAMESPACE}").as_bytes()),
        number(2, 1),
        field(3, &host(2)),
        field(3, &host(1)),
    ]);
    let (reason, path, _) = must_be_odd(&wrapped(&transaction(&mapping(9, &hosts))));
    assert_eq!(reason, UnshownReason::Dropped);
    assert_eq!(path, "transaction.mapping.party_to_participant.participants[0].permission");

    // A second and one nanosecond: Canton counts microseconds.
    let time = joined(&[number(1, 1), number(2, 1)]);
    let announcement = joined(&[field(1, format!("sync::{NAMESPACE}::35-1").as_bytes()), field(2, &time)]);
    let (reason, path, _) = must_be_odd(&wrapped(&transaction(&mapping(17, &announcement))));
    assert_eq!(reason, UnshownReason::Dropped);
    assert_eq!(path, "transaction.mapping.synchronizer_upgrade_announcement.upgrade_time.nanos");
}

#[test]
fn old_releases_forms_are_shown_and_may_be_signed() {
    // The flag instead of the restriction.
    let legacy = joined(&[field(1, NAMESPACE.as_bytes()), field(2, &key()), number(3, 1)]);
    let read = Transaction::parse(&of_root(&legacy)).unwrap();
    assert!(read.unshown().is_empty());
    assert_eq!(read.mapping(), Transaction::parse(&of_root(&root())).unwrap().mapping());
    assert_ne!(show::transaction(&read), show::transaction(&Transaction::parse(&of_root(&root())).unwrap()));
    // A participant with its prefix.
    let certificate =
        joined(&[field(1, format!("PAR::p::{OTHER}").as_bytes()), field(2, format!("sync::{NAMESPACE}").as_bytes())]);
    assert!(Transaction::parse(&wrapped(&transaction(&mapping(5, &certificate)))).unwrap().unshown().is_empty());
    // The id that keys once carried: text or not, Canton does not look.
    for id in [NAMESPACE.as_bytes(), b"\xff"] {
        let key = joined(&[field(1, id), key()]);
        let old = joined(&[field(1, NAMESPACE.as_bytes()), field(2, &key), field(4, &[])]);
        let read = Transaction::parse(&of_root(&old)).unwrap();
        assert!(read.unshown().is_empty());
        let shown = show::transaction(&read);
        assert!(shown.iter().any(|line| line.path.ends_with("target_key.id_retired")));
    }
}

#[test]
fn bytes_that_are_no_message_are_refused_with_their_place() {
    let good = of_root(&root());
    for (bytes, offset) in [
        (joined(&[good.clone(), vec![0]]), good.len()),
        (joined(&[good.clone(), vec![15 << 3 | 6]]), good.len() + 1),
        (joined(&[good.clone(), vec![15 << 3 | 7]]), good.len() + 1),
        (joined(&[good.clone(), vec![15 << 3 | 4]]), good.len() + 1),
        (joined(&[good.clone(), vec![15 << 3 | 3]]), good.len() + 1),
        (joined(&[good.clone(), vec![15 << 3 | 2, 5, 1]]), good.len() + 2),
        (joined(&[good.clone(), vec![0x80]]), good.len() + 1),
        (joined(&[good.clone(), [vec![15 << 3], vec![0xff; 11]].concat()]), good.len() + 1),
        (good[..good.len() - 1].to_vec(), good.len() - 1),
    ] {
        let error = must_refuse(&bytes);
        assert_eq!(error.kind.canton_name(), "BufferException", "{error}");
        assert_eq!(error.place.offset, offset, "{error}");
    }
}

#[test]
fn a_text_that_is_not_utf8_is_refused_even_where_another_overrides_it() {
    let error = must_refuse(&of_root(&joined(&[field(1, &[0xff, 0xfe]), root()])));
    assert_eq!(error.kind.canton_name(), "BufferException");
    assert_eq!(error.place.path, "transaction.mapping.namespace_delegation.namespace");
}

#[test]
fn nesting_without_end_is_refused() {
    let mut groups = vec![15 << 3 | 3; 10_000];
    groups.extend(vec![15 << 3 | 4; 10_000]);
    let error = must_refuse(&of_root(&joined(&[root(), groups])));
    assert_eq!(error.kind.canton_name(), "BufferException", "{error}");
}

#[test]
fn every_refusal_names_the_field_and_what_was_expected() {
    let no_key = joined(&[field(1, NAMESPACE.as_bytes()), field(4, &[])]);
    let error = must_refuse(&of_root(&no_key));
    assert_eq!(error.kind.canton_name(), "FieldNotSet");
    assert_eq!(
        error.to_string(),
        "transaction.mapping.namespace_delegation.target_key (byte 10): missing; it is required"
    );
    let operation = joined(&[number(1, 3), number(2, 1), field(3, &mapping(1, &root()))]);
    assert_eq!(
        must_refuse(&wrapped(&operation)).to_string(),
        "transaction.operation (byte 4): value 3 does not exist in this enumeration"
    );
    let serial = joined(&[number(1, 1), field(3, &mapping(1, &root()))]);
    assert_eq!(
        must_refuse(&wrapped(&serial)).to_string(),
        "transaction.serial (byte 3): 0: must be from 1 to 2147483647"
    );
    let name = joined(&[field(1, b"no/fingerprint"), field(2, &key()), field(4, &[])]);
    assert_eq!(
        must_refuse(&of_root(&name)).to_string(),
        "transaction.mapping.namespace_delegation.namespace (byte 12): \"no/fingerprint\" has the character '/'; only \
         ASCII letters, digits, space, ':', '-' and '_' are taken"
    );
}

#[test]
fn a_message_in_very_many_parts_costs_no_more_than_its_bytes() {
    // Two lists, value by value in turns, in parts of one value: a million parts of one mapping.
    let part = joined(&[field(5, &[]), field(4, &[])]);
    let state = mapping(12, &part).repeat(1_000_000);
    let error = must_refuse(&wrapped(&transaction(&state)));
    assert_eq!(error.kind.canton_name(), "ValueConversionError", "{error}");
}
