//! What the data folder keeps: what older agents wrote, and coordinators that were left behind.
#![allow(clippy::unwrap_used)]

use canton_topology::Timestamp;
use ed25519_dalek::SigningKey;
use protocol::{
    identity::IdentityPublicKey,
    intent::CaseId,
    statement::{SignStatements as _, StatementHash},
};
use signer_agent::{
    finish::{Record, Told},
    folder::{Enrolment, Folder},
};

#[test]
fn statements_that_were_kept_before_there_was_another_coordinator_still_read() {
    let data = tempfile::tempdir().unwrap();
    let folder = Folder::open(&data.path().join("owner")).unwrap();
    let line = "{\"sequence\":7,\"position\":0,\"statement\":\"AQID\"}\n";
    std::fs::write(data.path().join("owner/statements.jsonl"), line).unwrap();
    let (_, all) = folder.seen().unwrap();
    assert_eq!((all[0].sequence, all[0].coordinator), (7, None));
}

#[test]
fn what_was_handed_in_is_kept_in_names_that_people_can_read() {
    let data = tempfile::tempdir().unwrap();
    let folder = Folder::open(&data.path().join("owner")).unwrap();
    let record = Record {
        case: CaseId::from_bytes([1; 16]),
        offer: StatementHash::from_bytes([2; 32]),
        transactions: Vec::new(),
        at: Timestamp(3),
        by_command: true,
        answer: Told::Refused { reason: "no".to_owned() },
    };
    let (mut lines, none) = folder.submissions().unwrap();
    assert_eq!(none, []);
    lines.append(&record).unwrap();
    assert_eq!(folder.submissions().unwrap().1, [record]);
    let text = std::fs::read_to_string(data.path().join("owner/submissions.jsonl")).unwrap();
    assert!(text.contains("01010101-0101-0101-0101-010101010101") && text.contains(&"02".repeat(32)), "{text}");
}

#[test]
fn an_owner_remembers_every_coordinator_before_the_present_one() {
    let key = |seed: u8| -> IdentityPublicKey { SigningKey::from_bytes(&[seed; 32]).identity() };
    let enrolled = |seed| Enrolment {
        address: "localhost:1".to_owned(),
        ca_pem: String::new(),
        coordinator: key(seed),
        former: Vec::new(),
        client_certificate_pem: String::new(),
        client_key_pem: String::new(),
    };
    let mut again = enrolled(1);
    again.take_over_from(&enrolled(1));
    assert_eq!(again.former, [], "a new certificate of the same coordinator");

    let (mut second, mut third) = (enrolled(2), enrolled(3));
    second.take_over_from(&again);
    third.take_over_from(&second);
    let mut both = vec![key(1), key(2)];
    both.sort();
    assert_eq!((second.former, third.former), (vec![key(1)], both));
}
