//! Layouts, texts and numbers that never change.

use super::*;

#[test]
fn the_layout_of_intents_is_stable() {
    let found: Vec<String> =
        changes().into_iter().map(|change| format!("{} {}", change.name(), digest(&encode(&intent(change))))).collect();
    assert_eq!(found, STABLE_INTENTS);
}

#[test]
fn the_layout_of_what_comes_first_is_stable() {
    let found = afters().map(|after| digest(&encode(&Intent { after: Some(after), ..intent(changes().remove(3)) })));
    assert_eq!(found, STABLE_AFTERS);
}

#[test]
fn the_layout_of_what_is_verified_is_stable_byte_for_byte() {
    let claim = Claim::Verified { offer: StatementHash::from_bytes([2; 32]), on_ledger: true };
    assert_eq!(hex::encode(encode(&claim)), format!("010c{}01", "02".repeat(32)));
}

#[test]
fn the_numbers_of_accepted_dangers_are_stable() {
    let found: Vec<String> = Accepted::PLAIN.map(|(danger, name)| format!("{name} {}", encode(&danger)[1])).to_vec();
    assert_eq!(found, STABLE_DANGERS);
    let part: Accepted = format!("part:{}", "ab".repeat(32)).parse().unwrap();
    assert_eq!(hex::encode(encode(&part)), format!("0109{}", "ab".repeat(32)));
    assert_eq!(encode(&Accepted::Awakens(transaction(1)))[1], 8);
    assert_eq!(encode(&Accepted::HostOfUnusedParty)[1], 15);
}

#[test]
fn the_layout_of_a_raw_intent_is_stable_byte_for_byte() {
    assert_eq!(hex::encode(encode(&intent(changes().remove(3)))), STABLE_RAW_INTENT);
}

#[test]
fn the_layout_of_statements_is_stable() {
    let found: Vec<String> = one_of_each()
        .iter()
        .map(|statement| format!("{} {}", statement.kind().name(), digest(statement.bytes())))
        .collect();
    assert_eq!(found, STABLE_STATEMENTS);
}

#[test]
fn the_layout_of_outcomes_is_stable() {
    let found: Vec<String> = results().map(|result| digest(&encode(&outcome(result)))).to_vec();
    assert_eq!(found, STABLE_OUTCOMES);
}

#[test]
fn the_layout_of_a_chain_of_statements_is_stable() {
    let world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_approve("bob", &mut case);
    assert_eq!(digest(&case.checkpoint().head), STABLE_HEAD);
}

#[test]
fn the_text_and_the_code_of_a_card_are_stable() {
    let card = alice().card();
    assert_eq!(digest(card.text().as_bytes()), STABLE_CARD);
    assert_eq!(card.code(), STABLE_CARD_CODE);
    assert_eq!(Card::parse(&card.text()), Ok(card));
}

#[test]
fn an_invitation_is_stable_and_says_what_is_wrong_with_it() {
    let text = format!("countersign-enroll1/localhost:7000/{}/{}", "A".repeat(43), "ab".repeat(32));
    let invitation: Invitation = text.parse().unwrap();
    assert_eq!(invitation.to_string(), text);
    for (broken, expected) in [
        (text.replace("enroll1", "enroll2"), "not an invitation"),
        (text.replace(":7000", ""), "has no port"),
        (text.replace(&"A".repeat(43), &"A".repeat(42)), "the token is not 43 characters"),
        (text[..text.len() - 2].to_owned(), "CA key hash is not 64 hex digits"),
    ] {
        let error = broken.parse::<Invitation>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

// Digests are the first eight bytes of SHA-256. A change here is a new version of the layout, never a new number.
const STABLE_INTENTS: [&str; 12] = [
    "create-party bdd74823e4468d90",
    "membership ce4c20d270272c51",
    "delegate e29fd8888f2a7000",
    "raw 86b87292122b3c81",
    "void 2596f2059b133e05",
    "revoke e0a90b52ffd3603b",
    "rotate-owner-key 4384ef1416227463",
    "leave-host a386bcb01e12ab94",
    "migrate-keys 256dff9dfd508fd5",
    "create-party-with-key-mapping 1abcc253d294a682",
    "host-party 24bf5879a6431a37",
    "adopt a5432e51f5d605a2",
];
const STABLE_DANGERS: [&str; 13] = [
    "confirmation-out-of-reach 0",
    "signatures-out-of-reach 1",
    "every-owner-needed 2",
    "one-owner-suffices 3",
    "namespace-lost 4",
    "delegation-lost 5",
    "delegate-on-root 6",
    "owner-without-root 7",
    "any-part 10",
    "keys-dangle 11",
    "unlimited-delegate 12",
    "host-without-contracts 13",
    "party-keys-gone 14",
];
// Version, case, synchronizer, proposer, both times, reason, the change's number, its transactions, no accepted danger.
const STABLE_RAW_INTENT: &str = "01\
    01010101010101010101010101010101\
    0c73796e633a3a313232306161\
    44313232306466376639653866386231336134343338623532663538653438356566396336326464\
    3436323635623065383838613862363830333636633562363439623938\
    80897a8092f401\
    0762656361757365\
    03\
    0103010203\
    0000";
const STABLE_STATEMENTS: [&str; 9] = [
    "intent f831142d2238dbc1",
    "offer 23344e045bbe8ffe",
    "approval 8400ede080c31500",
    "contribution f545b11ccfaef46a",
    "decline 19c0d8fb27faec57",
    "withdrawal 5ad3fd3dc203efe8",
    "outcome 9756020447b70e16",
    "attestation d650d789efee5286",
    "question d63beb05b74fc8bc",
];
const STABLE_OUTCOMES: [&str; 4] = ["215ed94c428e8d2d", "7ba3e5df62a2175f", "271b743900f8f55f", "17ea3088ab17efc5"];
const STABLE_AFTERS: [&str; 2] = ["a5478b654cd354ed", "123703697cf96c46"];
const STABLE_HEAD: &str = "e89dd930acb3c398";
const STABLE_CARD: &str = "4c5c0f83052b40a3";
const STABLE_CARD_CODE: &str = "5631-b989-abc9-2133-d3a2";
