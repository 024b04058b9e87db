//! The mailbox of introductions over TLS: what is taken, what is not, and what is there after a restart.

use std::sync::Arc;

use canton_topology::Timestamp;
use coordinator::{
    mailbox::{Mailbox, MailboxError},
    register::Member,
    store::sled::SledStore,
    tls::accept::Bounds,
};
use protocol::{
    api::{Base64, Introduced, Introductions, Nonce, PostIntroduction},
    book::Card,
    identity::IdentityPublicKey,
    introduction::{IntroducedKey, Introduction, NAMESPACE},
    limits,
    statement::{SignStatements as _, Statement},
};

use crate::support::{
    Owner,
    client::{Api, Refusal, Service, TlsKey, must_invite, read, request, slug},
    world::synchronizer,
};

async fn nonce(api: &Api) -> [u8; 32] {
    let nonce: Nonce = read(api.client.post(api.url("/v1/nonces")).send().await.unwrap()).await.unwrap();
    nonce.nonce.0.try_into().unwrap()
}

async fn post(api: &Api, introduction: &[u8]) -> Result<Introduced, Refusal> {
    let body = PostIntroduction { introduction: Base64(introduction.to_vec()) };
    read(api.client.post(api.url("/v1/introductions")).json(&body).send().await.unwrap()).await
}

async fn mailbox(api: &Api) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut path = "/v1/introductions".to_owned();
    loop {
        let page: Introductions = api.must_get(&path).await;
        all.extend(page.introductions.into_iter().map(|one| one.0));
        let Some(next) = page.next else { return all };
        path = format!("/v1/introductions?after={next}");
    }
}

fn blank(owner: &Owner, coordinator: IdentityPublicKey, nonce: [u8; 32]) -> Introduction {
    let card = Card {
        name: "somebody".to_owned(),
        namespace_key: owner.key.clone(),
        identity: owner.identity.identity(),
        host: None,
        party_key: None,
        parcel_key: None,
    };
    Introduction { card, synchronizer: synchronizer(), coordinator, nonce, at: Timestamp(1), keys: Vec::new() }
}

/// With the answer of the owner's one key.
fn proved(mut introduction: Introduction, owner: &Owner) -> Introduction {
    let proof = owner.sign_bytes(&introduction.possession(&owner.key, NAMESPACE).message()).encode();
    let (key, purpose) = (owner.key.clone(), NAMESPACE.to_owned());
    introduction.keys = vec![IntroducedKey { key, purpose, backend: "memory".to_owned(), proof, attestation: None }];
    introduction
}

fn signed(introduction: &Introduction, owner: &Owner) -> Vec<u8> {
    Statement::sign(introduction, &owner.identity).bytes().to_vec()
}

async fn introduction(api: &Api, owner: &Owner) -> Vec<u8> {
    let blank = blank(owner, api.coordinator().await, nonce(api).await);
    signed(&proved(blank, owner), owner)
}

#[tokio::test]
async fn what_one_introduces_the_others_read_and_it_survives_a_restart() {
    let service = Service::start().await;
    let (alice, bob) = (Owner::new(1), Owner::new(2));
    let (api, reader) = (service.enroll("alice", &alice).await, service.enroll("bob", &bob).await);
    let first = introduction(&api, &alice).await;
    let posted = post(&api, &first).await.unwrap();
    assert_eq!(mailbox(&reader).await, std::slice::from_ref(&first));

    // The same bytes again, as after an answer that was lost; then newer ones.
    assert_eq!(post(&api, &first).await.unwrap(), posted);
    let second = introduction(&api, &alice).await;
    post(&api, &second).await.unwrap();
    assert_eq!(mailbox(&reader).await, std::slice::from_ref(&second));
    assert_eq!(slug(post(&api, &first).await), "nonce-refused", "the earlier one does not come back");

    let folder = service.stop().await;
    let service = Service::start_in(folder, None, Bounds::default()).await;
    let invitation = must_invite(&service.data(), "carol").await;
    let keys = TlsKey::new();
    let answer = service.stranger().must_enroll(&request(&invitation, &keys, &Owner::new(3))).await;
    let reader =
        Api::new(service.running.address(), &service.data(), Some(keys.identity(&answer.client_certificate_pem)));
    assert_eq!(mailbox(&reader).await, [second]);
}

#[tokio::test]
async fn t40_a_nonce_is_good_once_and_for_whom_it_was_given() {
    let service = Service::start().await;
    let (alice, bob) = (Owner::new(1), Owner::new(2));
    let (api, other) = (service.enroll("alice", &alice).await, service.enroll("bob", &bob).await);
    let coordinator = api.coordinator().await;

    // Made up; bob's; used; and the oldest of too many.
    let made_up = signed(&proved(blank(&alice, coordinator, [9; 32]), &alice), &alice);
    assert_eq!(slug(post(&api, &made_up).await), "nonce-refused");
    let bobs = signed(&proved(blank(&alice, coordinator, nonce(&other).await), &alice), &alice);
    assert_eq!(slug(post(&api, &bobs).await), "nonce-refused");
    let given = nonce(&api).await;
    post(&api, &signed(&proved(blank(&alice, coordinator, given), &alice), &alice)).await.unwrap();
    let mut again = blank(&alice, coordinator, given);
    again.at = Timestamp(2);
    assert_eq!(slug(post(&api, &signed(&proved(again, &alice), &alice)).await), "nonce-refused");
    let oldest = nonce(&api).await;
    for _ in 0..limits::NONCES_PER_OWNER_MAX {
        nonce(&api).await;
    }
    let late = signed(&proved(blank(&alice, coordinator, oldest), &alice), &alice);
    assert_eq!(slug(post(&api, &late).await), "nonce-refused");
}

#[tokio::test]
async fn t40_nobody_introduces_somebody_else() {
    let service = Service::start().await;
    let (alice, mallory) = (Owner::new(1), Owner::new(2));
    let (api, hostile) = (service.enroll("alice", &alice).await, service.enroll("mallory", &mallory).await);
    let honest = introduction(&api, &alice).await;

    // Alice's own words by mallory's connection; alice's name with mallory's identity key; mallory's signature.
    assert_eq!(slug(post(&hostile, &honest).await), "speaker-refused");
    let mut posing = blank(&alice, api.coordinator().await, nonce(&hostile).await);
    posing.card.identity = mallory.identity.identity();
    assert_eq!(slug(post(&hostile, &signed(&proved(posing.clone(), &alice), &mallory)).await), "speaker-refused");
    assert_eq!(slug(post(&api, &signed(&proved(posing, &alice), &mallory)).await), "speaker-refused");
    let own = blank(&alice, api.coordinator().await, nonce(&api).await);
    assert_eq!(slug(post(&api, &signed(&proved(own, &alice), &mallory)).await), "introduction-refused");
    assert_eq!(mailbox(&api).await, Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn t40_a_proof_from_elsewhere_or_of_nobody_and_junk_are_refused_and_use_no_nonce_up() {
    let service = Service::start().await;
    let alice = Owner::new(1);
    let api = service.enroll("alice", &alice).await;
    let (coordinator, given) = (api.coordinator().await, nonce(&api).await);

    let elsewhere = blank(&alice, Owner::new(9).identity.identity(), given);
    let replayed = Introduction { coordinator, ..proved(elsewhere.clone(), &alice) };
    let mut nobody = proved(blank(&alice, coordinator, given), &alice);
    nobody.keys[0].proof = Owner::new(5).sign_bytes(b"something").encode();
    for refused in [&proved(elsewhere, &alice), &replayed, &nobody, &blank(&alice, coordinator, given)] {
        assert_eq!(slug(post(&api, &signed(refused, &alice)).await), "introduction-refused");
    }
    for junk in [vec![], vec![1; 100], vec![1; limits::INTRODUCTION_BYTES_MAX + 1]] {
        assert_eq!(slug(post(&api, &junk).await), "introduction-refused");
    }
    assert_eq!(slug(post(&service.stranger(), &[1]).await), "certificate-missing");

    post(&api, &signed(&proved(blank(&alice, coordinator, given), &alice), &alice)).await.unwrap();
}

#[tokio::test]
async fn t40_whoever_floods_the_mailbox_has_one_place_in_it() {
    let service = Service::start().await;
    let (alice, mallory) = (Owner::new(1), Owner::new(2));
    let (api, hostile) = (service.enroll("alice", &alice).await, service.enroll("mallory", &mallory).await);
    let honest = introduction(&api, &alice).await;
    post(&api, &honest).await.unwrap();

    for _ in 0..50 {
        let flood = introduction(&hostile, &mallory).await;
        post(&hostile, &flood).await.unwrap();
    }

    let mailbox = mailbox(&api).await;
    assert_eq!(mailbox.len(), 2);
    assert!(mailbox.contains(&honest));
}

#[tokio::test]
async fn a_mailbox_longer_than_an_answer_is_read_in_pages() {
    let service = Service::start().await;
    let count = limits::INTRODUCTIONS_PER_ANSWER_MAX as u8 + 3;
    let mut last = None;
    for seed in 1..=count {
        let owner = Owner::new(seed);
        let api = service.enroll(&format!("owner{seed}"), &owner).await;
        post(&api, &introduction(&api, &owner).await).await.unwrap();
        last = Some(api);
    }

    let mailbox = mailbox(&last.unwrap()).await;

    let owners: std::collections::BTreeSet<_> =
        mailbox.iter().map(|bytes| Introduction::open(bytes).unwrap().owner()).collect();
    assert_eq!((mailbox.len(), owners.len()), (usize::from(count), usize::from(count)));
}

#[test]
fn t40_a_nonce_that_has_expired_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SledStore::open(&folder.path().join("store")).unwrap());
    let (alice, coordinator) = (Owner::new(1), Owner::new(9).identity.identity());
    let mailbox = Mailbox::new(store, coordinator, Some(synchronizer()));
    let member = Member {
        name: "alice".to_owned(),
        owner: alice.namespace(),
        identity: alice.identity.identity(),
        certificate: Vec::new(),
    };
    let answered = |given: Nonce| {
        let nonce = given.nonce.0.try_into().unwrap();
        signed(&proved(blank(&alice, coordinator, nonce), &alice), &alice)
    };
    let (stale, fresh) = (mailbox.nonce(&member.owner, Timestamp(0)), mailbox.nonce(&member.owner, Timestamp(1)));
    assert_eq!(stale.expires_at, limits::NONCE_MICROS_MAX);

    let at = Timestamp(limits::NONCE_MICROS_MAX);
    let late = mailbox.post(&member, answered(stale), at);
    let in_time = mailbox.post(&member, answered(fresh), at);

    assert!(matches!(late, Err(MailboxError::Nonce)), "{late:?}");
    in_time.unwrap();
}
