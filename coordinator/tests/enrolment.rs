//! Enrolment by one string.

use std::time::Duration;

use canton_topology::Timestamp;
use coordinator::{
    data_folder::DataFolder,
    enrolment::invite,
    store::sled::SledStore,
    tls::{accept::Bounds, authority::Authority},
};
use protocol::api::{Base64, Directory};
use serde_json::Value;

use crate::support::{
    Owner,
    client::{Api, Service, TlsKey, request, slug},
    world::{World, synchronizer},
};

#[tokio::test]
async fn an_invitation_is_good_once() {
    let service = Service::start().await;
    let stranger = service.stranger();
    let invitation = service.invite("alice").await;
    let alice = Owner::new(1);
    stranger.must_enroll(&request(&invitation, &TlsKey::new(), &alice)).await;

    let again = stranger.enroll(&request(&invitation, &TlsKey::new(), &alice)).await;

    assert_eq!(slug(again), "token-refused");
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_certificate() {
    let service = Service::start().await;
    let stranger = service.stranger();
    let request = request(&service.invite("alice").await, &TlsKey::new(), &Owner::new(1));

    let first = stranger.must_enroll(&request).await;
    let second = stranger.must_enroll(&request).await;

    assert_eq!(first.client_certificate_pem, second.client_certificate_pem);
    assert_eq!((first.name.as_str(), first.coordinator), ("alice", second.coordinator));
}

#[tokio::test]
async fn a_token_that_was_used_by_one_key_gives_nothing_to_another_owner() {
    let service = Service::start().await;
    let stranger = service.stranger();
    let (invitation, keys) = (service.invite("alice").await, TlsKey::new());
    stranger.must_enroll(&request(&invitation, &keys, &Owner::new(1))).await;

    let other = stranger.enroll(&request(&invitation, &keys, &Owner::new(2))).await;

    assert_eq!(slug(other), "token-refused");
}

#[tokio::test]
async fn a_token_that_nobody_made_is_refused() {
    let service = Service::start().await;
    let mut request = request(&service.invite("alice").await, &TlsKey::new(), &Owner::new(1));

    for token in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        request.token = token.to_owned();
        assert_eq!(slug(service.stranger().enroll(&request).await), "token-refused");
    }
}

#[tokio::test]
async fn a_token_that_has_expired_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(&folder.path().join("data")).unwrap();
    let authority = Authority::open(&data).unwrap();
    let path = data.store();
    let invitation = tokio::task::spawn_blocking(move || {
        let store = SledStore::open(&path).unwrap();
        invite(&store, &authority, "alice", "127.0.0.1:1", Duration::from_secs(1), Timestamp(1)).unwrap()
    });
    let invitation = invitation.await.unwrap();
    let service = Service::start_in(folder, None, Bounds::default()).await;

    let refused = service.stranger().enroll(&request(&invitation, &TlsKey::new(), &Owner::new(1))).await;

    assert_eq!(slug(refused), "token-refused");
}

#[tokio::test]
async fn many_at_once_with_one_token_make_one_enrolment() {
    let service = Service::start().await;
    let (stranger, invitation) = (service.stranger(), service.invite("alice").await);
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (stranger, request) = (stranger.clone(), request(&invitation, &TlsKey::new(), &Owner::new(1)));
        tries.spawn(async move { stranger.enroll(&request).await.is_ok() });
    }

    let ended = tries.join_all().await;

    assert_eq!(ended.into_iter().filter(|enrolled| *enrolled).count(), 1);
}

#[tokio::test]
async fn a_refused_request_leaves_the_token_good() {
    let service = Service::start().await;
    let stranger = service.stranger();
    let good = request(&service.invite("alice").await, &TlsKey::new(), &Owner::new(1));
    let mut bad_csr = good.clone();
    bad_csr.csr_pem = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n".to_owned();
    let mut bad_certificate = good.clone();
    *bad_certificate.certificate.0.last_mut().unwrap() ^= 1;

    let refused = stranger.enroll(&bad_csr).await.unwrap_err();
    assert!(refused.1.detail.contains("csr_pem"), "{}", refused.1.detail);
    let refused = stranger.enroll(&bad_certificate).await.unwrap_err();
    assert!(refused.1.detail.contains("certificate"), "{}", refused.1.detail);

    stranger.must_enroll(&good).await;
}

#[tokio::test]
async fn a_name_belongs_to_its_first_owner() {
    let service = Service::start().await;
    service.enroll("alice", &Owner::new(1)).await;

    let other = request(&service.invite("alice").await, &TlsKey::new(), &Owner::new(2));

    assert_eq!(slug(service.stranger().enroll(&other).await), "enrolment-conflict");
}

#[tokio::test]
async fn an_identity_key_of_somebody_else_cannot_be_enrolled() {
    let service = Service::start().await;
    let alice = Owner::new(1);
    service.enroll("alice", &alice).await;
    let mut mallory = Owner::new(2);
    mallory.identity = alice.identity.clone();

    let taken = request(&service.invite("mallory").await, &TlsKey::new(), &mallory);

    assert_eq!(slug(service.stranger().enroll(&taken).await), "enrolment-conflict");
}

#[tokio::test]
async fn an_owner_who_enrolls_again_replaces_the_old_tls_key_at_once() {
    let service = Service::start().await;
    let alice = Owner::new(1);
    let before = service.enroll("alice", &alice).await;
    before.must_get::<Directory>("/v1/directory").await;

    let after = service.enroll("alice", &alice).await;

    assert_eq!(slug(before.get::<Value>("/v1/directory").await), "not-enrolled");
    let directory: Directory = after.must_get("/v1/directory").await;
    assert_eq!(directory.owners.len(), 1);
}

#[tokio::test]
async fn an_identity_for_another_synchronizer_is_refused() {
    let owners = [1, 2, 3].map(Owner::new);
    let service = Service::start_with(std::sync::Arc::new(World::of(&owners.each_ref(), 2))).await;
    let other = format!("other::1220{}", "cd".repeat(32)).parse().unwrap();
    let mut request = request(&service.invite("alice").await, &TlsKey::new(), &owners[0]);
    request.certificate = Base64(owners[0].certificate(&other).bytes().to_vec());

    let refused = service.stranger().enroll(&request).await.unwrap_err();

    assert!(refused.1.detail.contains(&synchronizer().to_string()), "{}", refused.1.detail);
}

#[tokio::test]
async fn enrolments_and_invitations_outlive_a_restart() {
    let service = Service::start().await;
    let (open, keys) = (service.invite("bob").await, TlsKey::new());
    let used = request(&service.invite("alice").await, &keys, &Owner::new(1));
    let certificate = service.stranger().must_enroll(&used).await.client_certificate_pem;

    let service = Service::start_in(service.stop().await, None, Bounds::default()).await;

    let alice = Api::new(service.running.address(), &service.data(), Some(keys.identity(&certificate)));
    alice.must_get::<Directory>("/v1/directory").await;
    assert_eq!(service.stranger().must_enroll(&used).await.client_certificate_pem, certificate);
    service.stranger().must_enroll(&request(&open, &TlsKey::new(), &Owner::new(2))).await;
}

#[tokio::test]
async fn a_name_that_could_mislead_is_refused() {
    let service = Service::start().await;
    let socket = service.data().join("control.sock");

    let refused = tokio::task::spawn_blocking(move || {
        coordinator::control::ask_invitation(&socket, "al\u{202e}ice", None).unwrap_err().to_string()
    });

    assert!(refused.await.unwrap().contains("letters, digits"));
}
