//! Parcels over the service: in by pieces, out to whom they are for, and to nobody else.

use coordinator::tls::accept::Bounds;
use protocol::{
    api::{ParcelState, ParcelStatus},
    intent::CaseId,
    limits,
};
use sha2::{Digest as _, Sha256};

use crate::{
    statements::{now, raise_threshold},
    support::{
        Owner,
        client::{Api, Refusal, Service, TlsKey, read, request, slug},
        world::synchronizer,
    },
};

/// Alice sends to Bob; Carol is enrolled too.
struct Trio {
    service: Service,
    owners: [Owner; 3],
    keys: [(TlsKey, String); 3],
    case: CaseId,
}

fn name(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 + index / 300) as u8).collect()
}

impl Trio {
    async fn meet() -> Self {
        let service = Service::start().await;
        let owners = [1, 2, 3].map(Owner::new);
        let mut keys = Vec::new();
        for (owner, name) in owners.iter().zip(["alice", "bob", "carol"]) {
            let (invitation, key) = (service.invite(name).await, TlsKey::new());
            let answer = service.stranger().must_enroll(&request(&invitation, &key, owner)).await;
            keys.push((key, answer.client_certificate_pem));
        }
        let Ok(keys) = keys.try_into() else { unreachable!("three were enrolled") };
        let trio = Self { service, owners, keys, case: CaseId::from_bytes([1; 16]) };
        trio.open_case(1).await;
        trio
    }

    async fn open_case(&self, number: u8) {
        let intent = self.owners[0].intent(number, &synchronizer(), now(), raise_threshold(&self.owners));
        self.api(0).must_post(&intent).await;
    }

    fn api(&self, owner: usize) -> Api {
        let (key, certificate) = &self.keys[owner];
        Api::new(self.service.running.address(), &self.service.data(), Some(key.identity(certificate)))
    }

    /// A parcel from Alice to Bob.
    fn alices<'a>(&self, bytes: &'a [u8]) -> Parcel<'a> {
        let to = self.owners[1].namespace().to_string();
        Parcel { case: self.case.to_string(), name: name(bytes), to, length: bytes.len(), bytes }
    }

    async fn restart(self) -> Self {
        let service = Service::start_in(self.service.stop().await, None, Bounds::default()).await;
        Self { service, ..self }
    }
}

#[derive(Clone)]
struct Parcel<'a> {
    case: String,
    name: String,
    to: String,
    length: usize,
    bytes: &'a [u8],
}

impl Parcel<'_> {
    fn path(&self) -> String {
        format!("/v1/cases/{}/parcels/{}", self.case, self.name)
    }

    async fn put(&self, api: &Api, range: std::ops::Range<usize>) -> Result<ParcelStatus, Refusal> {
        let path = format!("{}/bytes?to={}&length={}&offset={}", self.path(), self.to, self.length, range.start);
        read(api.client.put(api.url(&path)).body(self.bytes[range].to_vec()).send().await.unwrap()).await
    }

    async fn must_put_all(&self, api: &Api) {
        self.put(api, 0..self.bytes.len()).await.unwrap();
        assert_eq!(self.settled(api).await.state, ParcelState::Complete);
    }

    async fn status(&self, api: &Api) -> Result<ParcelStatus, Refusal> {
        api.get(&self.path()).await
    }

    /// Asked until the check at the end is over.
    async fn settled(&self, api: &Api) -> ParcelStatus {
        for _ in 0..1_000 {
            let status = self.status(api).await.unwrap();
            if status.state != ParcelState::Checking {
                return status;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("the check does not end");
    }

    async fn get(&self, api: &Api, offset: usize, length: usize) -> Result<Vec<u8>, Refusal> {
        let path = format!("{}/bytes?offset={offset}&length={length}", self.path());
        let response = api.client.get(api.url(&path)).send().await.unwrap();
        if response.status().is_success() {
            return Ok(response.bytes().await.unwrap().to_vec());
        }
        read(response).await.map(|(): ()| Vec::new())
    }

    async fn delete(&self, api: &Api) -> Result<(), Refusal> {
        let response = api.client.delete(api.url(&self.path())).send().await.unwrap();
        if response.status().is_success() { Ok(()) } else { read(response).await }
    }
}

#[tokio::test]
async fn a_parcel_comes_in_pieces_and_goes_in_others() {
    let trio = Trio::meet().await;
    let (alice, bob) = (trio.api(0), trio.api(1));
    let bytes = content(200_000);
    let parcel = trio.alices(&bytes);

    let first = parcel.put(&alice, 0..70_000).await.unwrap();
    assert_eq!((first.received, first.length, first.state), (70_000, 200_000, ParcelState::Receiving));
    assert_eq!(slug(parcel.get(&bob, 0, 10).await), "parcel-incomplete");
    let last = parcel.put(&alice, 70_000..200_000).await.unwrap();
    assert_eq!((last.received, last.state), (200_000, ParcelState::Checking));
    let settled = parcel.settled(&bob).await;
    assert_eq!(settled.state, ParcelState::Complete);
    assert_eq!((settled.from, settled.to), (trio.owners[0].namespace().to_string(), parcel.to.clone()));

    assert_eq!(parcel.get(&bob, 0, 1).await.unwrap(), bytes[..1]);
    assert_eq!(parcel.get(&bob, 150_000, 100_000).await.unwrap(), bytes[150_000..]);
    assert_eq!(slug(parcel.get(&bob, 200_000, 1).await), "query-malformed");
    assert_eq!(slug(parcel.get(&bob, 0, 0).await), "query-malformed");
    assert_eq!(slug(parcel.get(&bob, 0, limits::PARCEL_CHUNK_BYTES_MAX + 1).await), "query-malformed");
}

#[tokio::test]
async fn only_the_sender_and_the_addressee_see_a_parcel() {
    let trio = Trio::meet().await;
    let (alice, carol) = (trio.api(0), trio.api(2));
    let bytes = content(1_000);
    let parcel = trio.alices(&bytes);
    parcel.must_put_all(&alice).await;

    assert_eq!(slug(parcel.status(&carol).await), "parcel-not-yours");
    assert_eq!(slug(parcel.get(&carol, 0, 10).await), "parcel-not-yours");
    assert_eq!(slug(parcel.delete(&carol).await), "parcel-unknown");
    assert_eq!(slug(parcel.delete(&trio.api(1)).await), "parcel-unknown", "the addressee cannot remove it either");
    let stranger = trio.service.stranger();
    assert_eq!(slug(parcel.status(&stranger).await), "certificate-missing");
    assert_eq!(slug(parcel.get(&stranger, 0, 10).await), "certificate-missing");
    assert_eq!(slug(parcel.put(&stranger, 0..10).await), "certificate-missing");
    assert_eq!(parcel.get(&alice, 0, 10).await.unwrap(), bytes[..10]);
}

#[tokio::test]
async fn nobody_squats_on_a_name_that_somebody_else_will_send() {
    let trio = Trio::meet().await;
    let (alice, bob, carol) = (trio.api(0), trio.api(1), trio.api(2));
    let bytes = content(5_000);
    let parcel = trio.alices(&bytes);
    // Carol has heard the name, and sends rubbish under it, to Bob too.
    let rubbish = vec![0; 5_000];
    let squat = Parcel { bytes: &rubbish, ..parcel.clone() };
    squat.put(&carol, 0..4_999).await.unwrap();

    parcel.must_put_all(&alice).await;

    assert_eq!(parcel.get(&bob, 0, 5_000).await.unwrap(), bytes);
    squat.put(&carol, 4_999..5_000).await.unwrap();
    assert_eq!(squat.settled(&carol).await.state, ParcelState::Refused);
    assert_eq!(parcel.get(&bob, 0, 5_000).await.unwrap(), bytes);
}

#[tokio::test]
async fn bytes_that_hash_to_something_else_are_refused_and_may_be_sent_anew() {
    let trio = Trio::meet().await;
    let alice = trio.api(0);
    let bytes = content(5_000);
    let mut wrong = bytes.clone();
    wrong[4_000] ^= 1;
    let parcel = trio.alices(&bytes);
    let changed = Parcel { bytes: &wrong, ..parcel.clone() };
    changed.put(&alice, 0..5_000).await.unwrap();

    let status = parcel.settled(&alice).await;

    assert_eq!((status.state, status.received), (ParcelState::Refused, 0));
    assert_eq!(slug(parcel.get(&trio.api(1), 0, 10).await), "parcel-incomplete");
    parcel.must_put_all(&alice).await;
}

#[tokio::test]
async fn a_piece_that_does_not_come_next_changes_nothing() {
    let trio = Trio::meet().await;
    let alice = trio.api(0);
    let bytes = content(1_000);
    let parcel = trio.alices(&bytes);
    assert_eq!(slug(parcel.put(&alice, 10..20).await), "parcel-offset");
    parcel.put(&alice, 0..100).await.unwrap();

    for range in [0..100, 99..200, 101..200] {
        assert_eq!(slug(parcel.put(&alice, range).await), "parcel-offset");
    }
    assert_eq!(slug(parcel.put(&alice, 100..100).await), "parcel-refused");
    let longer = Parcel { length: 1_001, ..parcel.clone() };
    assert_eq!(slug(longer.put(&alice, 100..200).await), "parcel-refused");
    let shorter = Parcel { length: 150, ..parcel.clone() };
    assert_eq!(slug(shorter.put(&alice, 100..200).await), "parcel-refused");
    let elsewhere = Parcel { to: trio.owners[2].namespace().to_string(), ..parcel.clone() };
    assert_eq!(slug(elsewhere.put(&alice, 100..200).await), "parcel-refused");

    assert_eq!(parcel.status(&alice).await.unwrap().received, 100);
    parcel.put(&alice, 100..1_000).await.unwrap();
    assert_eq!(parcel.settled(&alice).await.state, ParcelState::Complete);
}

#[tokio::test]
async fn a_parcel_needs_a_case_that_is_here_and_an_addressee_who_is_enrolled() {
    let trio = Trio::meet().await;
    let alice = trio.api(0);
    let bytes = content(100);
    let parcel = trio.alices(&bytes);

    let other = Parcel { case: CaseId::from_bytes([9; 16]).to_string(), ..parcel.clone() };
    assert_eq!(slug(other.put(&alice, 0..100).await), "case-unknown");
    assert_eq!(slug(other.status(&alice).await), "parcel-unknown");
    let nobody = Parcel { to: Owner::new(9).namespace().to_string(), ..parcel.clone() };
    assert_eq!(slug(nobody.put(&alice, 0..100).await), "parcel-refused");
    let no_name = Parcel { to: "::".to_owned(), ..parcel.clone() };
    assert_eq!(slug(no_name.put(&alice, 0..100).await), "query-malformed");

    assert_eq!(slug(parcel.status(&alice).await), "parcel-unknown");
}

#[tokio::test]
async fn t33_no_text_in_an_address_is_ever_a_path() {
    let trio = Trio::meet().await;
    let alice = trio.api(0);
    let bytes = content(100);
    let parcel = trio.alices(&bytes);
    let hash = parcel.name.clone();
    let names = [
        "..%2f..%2fidentity".to_owned(),
        format!("..%2f{}", &hash[3..]),
        hash.to_uppercase(),
        hash[1..].to_owned(),
        format!("{hash}0"),
        format!("{}%00", &hash[1..]),
        "%2fetc%2fpasswd".to_owned(),
    ];
    for name in names {
        let tricky = Parcel { name: name.clone(), ..parcel.clone() };
        assert_eq!(slug(tricky.put(&alice, 0..100).await), "parcel-unknown", "{name}");
        assert_eq!(slug(tricky.get(&alice, 0, 10).await), "parcel-unknown", "{name}");
        assert_eq!(slug(tricky.delete(&alice).await), "parcel-unknown", "{name}");
    }
    for case in ["..%2f..", "%2e%2e%2fx", "0"] {
        let tricky = Parcel { case: case.to_owned(), ..parcel.clone() };
        assert_eq!(slug(tricky.put(&alice, 0..100).await), "case-unknown", "{case}");
    }
    let kept = std::fs::read_dir(trio.service.data().join("parcels")).unwrap().count();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn t20_quotas_hold_for_one_owner_in_one_case_for_one_owner_and_for_all() {
    let trio = Trio::meet().await;
    let (alice, carol) = (trio.api(0), trio.api(2));
    // Each differs from the others in its first byte: 512 KiB, of which only one byte is sent.
    let contents: Vec<Vec<u8>> = (0..9).map(|number| vec![number; 512 << 10]).collect();
    let parcel = |number: usize, case: u8| Parcel {
        case: CaseId::from_bytes([case; 16]).to_string(),
        ..trio.alices(&contents[number])
    };
    trio.open_case(2).await;

    parcel(0, 1).put(&alice, 0..1).await.unwrap();
    parcel(1, 1).put(&alice, 0..1).await.unwrap();
    let refused = parcel(2, 1).put(&alice, 0..1).await.unwrap_err();
    assert!(refused.1.detail.contains("one owner's in one case would be 1572864 bytes"), "{}", refused.1.detail);
    parcel(2, 2).put(&alice, 0..1).await.unwrap();
    let refused = parcel(3, 2).put(&alice, 0..1).await.unwrap_err();
    assert!(refused.1.detail.contains("one owner's would be"), "{}", refused.1.detail);
    parcel(4, 1).put(&carol, 0..1).await.unwrap();
    let refused = parcel(5, 1).put(&carol, 0..1).await.unwrap_err();
    assert!(refused.1.detail.contains("everybody's would be"), "{}", refused.1.detail);
    assert_eq!(refused.0.as_u16(), 429);

    // What is taken back makes room.
    parcel(0, 1).delete(&alice).await.unwrap();
    parcel(5, 1).put(&carol, 0..1).await.unwrap();
}

#[tokio::test]
async fn one_owner_has_so_many_parcels_in_a_case_and_no_more() {
    let trio = Trio::meet().await;
    let alice = trio.api(0);
    for number in 0..limits::PARCELS_PER_OWNER_AND_CASE_MAX as u8 {
        trio.alices(&[number, 7]).put(&alice, 0..1).await.unwrap();
    }

    assert_eq!(slug(trio.alices(&[99, 7]).put(&alice, 0..1).await), "limit-reached");
}

#[tokio::test]
async fn a_piece_that_is_too_long_is_refused() {
    let trio = Trio::meet().await;
    let bytes = content(limits::PARCEL_CHUNK_BYTES_MAX + 1);

    assert_eq!(slug(trio.alices(&bytes).put(&trio.api(0), 0..bytes.len()).await), "body-too-long");
}

#[tokio::test]
async fn a_restart_forgets_no_byte_that_was_acknowledged() {
    let trio = Trio::meet().await;
    let bytes = content(9_000);
    let (parcel, done) = (trio.alices(&bytes), content(50));
    let done = trio.alices(&done);
    parcel.put(&trio.api(0), 0..4_000).await.unwrap();
    done.must_put_all(&trio.api(0)).await;

    let trio = trio.restart().await;

    assert_eq!(parcel.status(&trio.api(0)).await.unwrap().received, 4_000);
    assert_eq!(done.get(&trio.api(1), 0, 50).await.unwrap(), done.bytes);
    parcel.put(&trio.api(0), 4_000..9_000).await.unwrap();
    assert_eq!(parcel.settled(&trio.api(0)).await.state, ParcelState::Complete);
    assert_eq!(parcel.get(&trio.api(1), 0, 9_000).await.unwrap(), bytes);
}
