//! The mailbox as its reader sees it, whoever has written into it; and transcripts, whoever has retyped them.
#![allow(clippy::unwrap_used)]

use canton_topology::{
    Timestamp,
    id::SynchronizerId,
    key::{KeyUsage, SigningPublicKey},
    signature::Signature,
};
use ed25519_dalek::SigningKey;
use protocol::{
    api::Base64,
    book::{Book, Card},
    introduction::{Expected, IntroducedKey, Introduction, IntroductionError, NAMESPACE, PARTY},
    statement::{SignStatements, Statement},
};
use signer_agent::{
    introductions::{Mail, ReadMail, Standing, read},
    transcript::{TranscriptError, render, verify},
};

/// An owner, made from a number.
struct Owner {
    namespace: SigningKey,
    party: SigningKey,
    identity: SigningKey,
}

impl Owner {
    fn new(seed: u8) -> Self {
        let key = |index: u8| SigningKey::from_bytes(&[seed ^ (index << 5); 32]);
        Self { namespace: key(1), party: key(2), identity: key(3) }
    }

    fn card(&self, name: &str) -> Card {
        Card {
            name: name.to_owned(),
            namespace_key: public(&self.namespace, KeyUsage::Namespace),
            identity: SignStatements::identity(&self.identity),
            host: None,
            party_key: Some(public(&self.party, KeyUsage::Protocol)),
            parcel_key: None,
        }
    }

    fn introduction(&self, card: Card, coordinator: u8) -> Introduction {
        let mut made = Introduction {
            card,
            synchronizer: synchronizer(),
            coordinator: coordinator_key(coordinator),
            nonce: [7; 32],
            at: Timestamp(1_700_000_000_000_000),
            keys: Vec::new(),
        };
        let keys = [(&self.namespace, KeyUsage::Namespace, NAMESPACE), (&self.party, KeyUsage::Protocol, PARTY)];
        for (secret, usage, purpose) in keys {
            let key = public(secret, usage);
            let message = made.possession(&key, purpose).message();
            let proof = Signature::new_ed25519(SignStatements::sign(secret, &message), key.fingerprint()).encode();
            let (purpose, backend) = (purpose.to_owned(), "encrypted-file".to_owned());
            made.keys.push(IntroducedKey { key, purpose, backend, proof, attestation: None });
        }
        made
    }

    fn signed(&self, introduction: &Introduction) -> Base64 {
        Base64(Statement::sign(introduction, &self.identity).bytes().to_vec())
    }

    fn mail(&self, name: &str) -> Base64 {
        self.signed(&self.introduction(self.card(name), 1))
    }
}

fn public(key: &SigningKey, usage: KeyUsage) -> SigningPublicKey {
    SigningPublicKey::ed25519(&key.verifying_key().to_bytes(), &[usage]).unwrap()
}

fn coordinator_key(seed: u8) -> protocol::identity::IdentityPublicKey {
    SignStatements::identity(&SigningKey::from_bytes(&[seed; 32]))
}

fn synchronizer() -> SynchronizerId {
    format!("sync::1220{}", "ab".repeat(32)).parse().unwrap()
}

/// What alice, whose book knows bob, makes of one piece of mail.
fn read_one(mail: &Base64, book: &Book) -> Mail {
    let expected = Expected { coordinator: coordinator_key(1), synchronizer: Some(synchronizer()) };
    let own = Owner::new(1).card("alice").owner();
    read(std::slice::from_ref(mail), &expected, book, &own).remove(0)
}

fn must_read(mail: &Base64, book: &Book) -> ReadMail {
    match read_one(mail, book) {
        Mail::Read(read) => *read,
        Mail::Junk(error) => panic!("{error}"),
    }
}

fn knows_bob() -> Book {
    let bob = Owner::new(2);
    let mut book = Book::default();
    book.add(bob.introduction(bob.card("bob"), 1).entry("bob")).unwrap();
    book
}

#[test]
fn what_stands_in_the_book_what_is_new_and_what_is_ones_own_are_told_apart() {
    let (alice, bob, carol) = (Owner::new(1), Owner::new(2), Owner::new(3));
    let book = knows_bob();
    for (mail, expected) in [
        (alice.mail("alice"), Standing::Own),
        (bob.mail("bob"), Standing::Same { name: "bob".to_owned() }),
        (carol.mail("carol"), Standing::New),
    ] {
        let read = must_read(&mail, &book);
        assert_eq!((read.standing.is_alarming(), read.verdict), (false, Ok(())));
        assert_eq!(read.standing, expected);
    }
}

#[test]
fn t40_a_known_name_with_another_fingerprint_is_an_alarm() {
    let mallory = Owner::new(9);

    let read = must_read(&mallory.mail("bob"), &knows_bob());

    // Its proofs are mallory's own, and good: what gives it away is the book.
    assert_eq!(read.verdict, Ok(()));
    let known = Owner::new(2).card("bob").owner();
    assert_eq!(read.standing, Standing::OtherOwner { name: "bob".to_owned(), known });
    assert!(read.standing.is_alarming() && read.standing.words().starts_with("CHANGED"));
}

#[test]
fn t40_every_changed_field_of_a_known_owner_is_an_alarm_that_names_it() {
    type Edit = fn(&mut Card);
    let edits: [(&str, Edit); 5] = [
        ("identity key", |card| card.identity = coordinator_key(8)),
        ("party key", |card| card.party_key = None),
        ("participant", |card| card.host = Some(format!("node::{}", card.owner()).parse().unwrap())),
        ("name on the card", |card| card.name = "bobby".to_owned()),
        ("parcel key", |card| card.parcel_key = [9; 32].try_into().ok()),
    ];
    for (field, edit) in edits {
        let mut bob = Owner::new(2);
        let mut card = bob.card("bob");
        edit(&mut card);
        if field == "identity key" {
            bob.identity = SigningKey::from_bytes(&[8; 32]);
        }
        let read = must_read(&bob.signed(&bob.introduction(card, 1)), &knows_bob());
        let Standing::Changed { name, what } = &read.standing else { panic!("{field}: {:?}", read.standing) };
        assert_eq!(name, "bob");
        assert!(what.iter().any(|one| one.starts_with(field)), "{field}: {what:?}");
        assert!(read.standing.is_alarming());
    }
}

#[test]
fn t40_what_a_hostile_coordinator_makes_of_an_introduction_is_junk_or_refused() {
    let (bob, mallory) = (Owner::new(2), Owner::new(9));
    let honest = bob.introduction(bob.card("bob"), 1);
    let book = Book::default();

    // Its own signature under bob's words; a byte exchanged anywhere; something else altogether.
    assert!(matches!(read_one(&mallory.signed(&honest), &book), Mail::Junk(IntroductionError::Signer { .. })));
    let bytes = bob.signed(&honest).0;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(matches!(read_one(&Base64(changed), &book), Mail::Junk(_)), "byte {at}");
    }
    assert!(matches!(read_one(&Base64(b"junk".to_vec()), &book), Mail::Junk(_)));

    // From another coordinator; and bob's keys with an identity key of mallory's.
    let elsewhere = must_read(&bob.signed(&bob.introduction(bob.card("bob"), 2)), &book);
    assert!(matches!(elsewhere.verdict, Err(IntroductionError::OtherCoordinator { .. })));
    let mut posing = honest;
    posing.card.identity = SignStatements::identity(&mallory.identity);
    let posing = must_read(&mallory.signed(&posing), &book);
    assert!(matches!(posing.verdict, Err(IntroductionError::Proof { .. })), "{:?}", posing.verdict);
}

#[test]
fn a_transcript_is_verified_as_it_was_printed() {
    let bob = Owner::new(2);
    let introduction = bob.introduction(bob.card("bob"), 1);

    let text = render(&bob.signed(&introduction).0).unwrap();

    assert_eq!(verify(&text).unwrap(), introduction);
    // What printers and editors do to it.
    assert_eq!(verify(&text.replace('\n', "\r\n")).unwrap(), introduction);
    assert_eq!(verify(&format!("{text}\n\n")).unwrap(), introduction);
    for expected in
        ["Owner:         bob", "Code:", "Nonce:", "Held by:       encrypted-file", "Time:          2023-11-14"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 80), "{text}");
    let print = bob.card("bob").namespace_key.fingerprint().to_string();
    let joined: String = text.split_whitespace().collect();
    assert!(joined.contains(&print), "the groups are the fingerprint's");
}

#[test]
fn no_line_of_a_transcript_can_be_changed_left_out_or_added() {
    let bob = Owner::new(2);
    let text = render(&bob.signed(&bob.introduction(bob.card("bob"), 1)).0).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let refused = |lines: &[&str]| verify(&lines.join("\n")).is_err();
        let mut without = lines.clone();
        without.remove(at);
        assert!(refused(&without), "line {at} left out: {line:?}");
        let mut added = lines.clone();
        added.insert(at, "  Verified by:   everybody");
        assert!(refused(&added), "a line before {at}");
        if let Some(last) = line.chars().last() {
            let changed = format!("{}{}", &line[..line.len() - 1], if last == 'a' { 'b' } else { 'a' });
            let mut other = lines.clone();
            other[at] = &changed;
            assert!(refused(&other), "line {at} changed: {changed:?}");
        }
    }
    let renamed = text.replace("Owner:         bob", "Owner:         bop");
    let error = verify(&renamed).unwrap_err();
    assert!(matches!(error, TranscriptError::Changed { line: 3, .. }), "{error}");
}

#[test]
fn a_transcript_of_unproved_keys_is_never_made() {
    let (bob, carol) = (Owner::new(2), Owner::new(3));
    let mut lying = bob.introduction(bob.card("bob"), 1);
    lying.keys[1].proof = carol.introduction(carol.card("carol"), 1).keys[1].proof.clone();

    let refused = render(&bob.signed(&lying).0);

    assert!(matches!(refused, Err(IntroductionError::Proof { .. })));
}
