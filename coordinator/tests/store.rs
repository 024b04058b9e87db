//! What every store must do. A new store is one more line at the end.

use std::{path::Path, sync::Arc, thread};

use canton_topology::Timestamp;
use coordinator::store::{
    Batch, Durable, Enrolment, Introduction, Invitation, Store, StoreError, Write,
    row::{self, CaseRow, Key},
    sled::SledStore,
};
use protocol::intent::CaseId;

/// Opens the store under test in a folder.
type Open = fn(&Path) -> Result<Arc<dyn Store>, StoreError>;

fn case(number: u8) -> CaseId {
    CaseId::from_bytes([number; 16])
}

fn statement(number: u8, position: u64, bytes: &[u8]) -> Write {
    Write::Statement { case: case(number), position, bytes: bytes.to_vec() }
}

fn must_append(store: &dyn Store, writes: Vec<Write>) -> Durable {
    store.append(Batch(writes)).wait().unwrap()
}

fn bytes_of(store: &dyn Store, number: u8) -> Vec<Vec<u8>> {
    store.load(case(number)).unwrap().into_iter().map(|stored| stored.bytes).collect()
}

fn what_is_appended_is_read_back_in_order(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();

    let first = must_append(store.as_ref(), vec![statement(1, 0, b"one"), statement(2, 0, b"two")]);
    let second = must_append(store.as_ref(), vec![statement(1, 1, b"three")]);

    assert_eq!((first, second), (Durable(2), Durable(3)));
    assert_eq!(*store.durable().borrow(), 3);
    assert_eq!(bytes_of(store.as_ref(), 1), [b"one".to_vec(), b"three".to_vec()]);
    let all: Vec<(u64, CaseId, u64)> =
        store.since(0, 10).unwrap().iter().map(|one| (one.sequence, one.case, one.position)).collect();
    assert_eq!(all, [(1, case(1), 0), (2, case(2), 0), (3, case(1), 1)]);
    assert_eq!(store.sequence_of(case(1), 1).unwrap(), Some(3));
    assert_eq!(store.sequence_of(case(1), 2).unwrap(), None);
}

fn everything_is_there_after_a_restart(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    must_append(store.as_ref(), vec![statement(1, 0, b"one"), Write::Settle(case(1)), statement(2, 0, b"two")]);
    must_append(store.as_ref(), vec![Write::Invitation(invitation()), Write::Enrolment(enrolment())]);
    drop(store);

    let store = open(folder.path()).unwrap();

    assert_eq!(*store.durable().borrow(), 2);
    assert_eq!(bytes_of(store.as_ref(), 1), [b"one".to_vec()]);
    assert_eq!(store.open_cases().unwrap(), [case(2)]);
    assert_eq!(store.invitation(&[7; 32]).unwrap(), Some(invitation()));
    assert_eq!(store.enrolment(&[9; 32]).unwrap(), Some(enrolment()));
    assert_eq!(store.enrolments().unwrap(), [enrolment()]);
    assert_eq!(must_append(store.as_ref(), vec![statement(2, 1, b"three")]), Durable(3));
    assert_eq!(store.check(3, &|| true), Ok(3));
    assert!(store.check(4, &|| true).is_err());
    assert_eq!(store.check(3, &|| false), Ok(0));
}

fn a_statement_of_the_greatest_length_is_read_back(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let long: Vec<u8> = (0..1 << 20).map(|index: u32| (index % 251) as u8).collect();

    must_append(store.as_ref(), vec![statement(1, 0, &long), statement(1, 1, b""), statement(1, 2, &long[..4096])]);
    drop(store);

    let store = open(folder.path()).unwrap();
    assert_eq!(bytes_of(store.as_ref(), 1), [long.clone(), Vec::new(), long[..4096].to_vec()]);
}

fn a_position_that_is_not_the_next_is_refused_and_nothing_of_its_batch_is_stored(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    must_append(store.as_ref(), vec![statement(1, 0, b"one")]);

    for position in [0, 2] {
        let batch = Batch(vec![statement(2, 0, b"other"), statement(1, position, b"two")]);
        let refused = store.append(batch).wait().unwrap_err();
        assert_eq!(refused, StoreError::NotNext { case: case(1), expected: 1, found: position });
    }

    assert_eq!(bytes_of(store.as_ref(), 2), Vec::<Vec<u8>>::new());
    assert_eq!(must_append(store.as_ref(), vec![statement(1, 1, b"two")]), Durable(2));
}

fn a_settled_case_is_open_again_after_another_statement(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    must_append(store.as_ref(), vec![statement(1, 0, b"one")]);
    must_append(store.as_ref(), vec![Write::Settle(case(1))]);
    assert_eq!(store.open_cases().unwrap(), []);

    must_append(store.as_ref(), vec![statement(1, 1, b"two")]);

    assert_eq!(store.open_cases().unwrap(), [case(1)]);
}

fn cases_are_listed_newest_first_in_pages(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    for number in [3, 1, 255, 2] {
        must_append(store.as_ref(), vec![statement(number, 0, b"one"), statement(number, 1, b"two")]);
    }

    assert_eq!(store.cases(None, 2).unwrap(), [case(255), case(3)]);
    assert_eq!(store.cases(Some(case(3)), 9).unwrap(), [case(2), case(1)]);
    assert_eq!(store.cases(Some(case(1)), 9).unwrap(), []);
}

fn since_stops_at_its_limit_and_goes_on_from_there(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    must_append(store.as_ref(), (0..25).map(|position| statement(1, position, b"x")).collect());

    let page = store.since(20, 3).unwrap();
    let rest = store.since(23, 100).unwrap();

    assert_eq!(page.iter().map(|one| one.sequence).collect::<Vec<_>>(), [21, 22, 23]);
    assert_eq!(rest.iter().map(|one| one.sequence).collect::<Vec<_>>(), [24, 25]);
    assert_eq!(store.since(25, 100).unwrap(), []);
    assert_eq!(store.since(u64::MAX, 100).unwrap(), []);
}

fn many_at_once_are_each_durable_and_in_the_order_of_their_calls(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();

    thread::scope(|scope| {
        for number in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for position in 0..50 {
                    let durable = must_append(store.as_ref(), vec![statement(number, position, &[number])]);
                    assert!(*store.durable().borrow() >= durable.0);
                }
            });
        }
    });

    assert_eq!(*store.durable().borrow(), 400);
    let all = store.since(0, 1000).unwrap();
    assert_eq!(all.len(), 400);
    for number in 0..8 {
        let positions: Vec<u64> = all.iter().filter(|one| one.case == case(number)).map(|one| one.position).collect();
        assert_eq!(positions, (0..50).collect::<Vec<_>>());
    }
}

fn a_waiter_is_woken_by_what_becomes_durable(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let mut durable = store.durable();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    let waiter =
        thread::spawn(move || runtime.block_on(async move { *durable.wait_for(|newest| *newest >= 1).await.unwrap() }));
    must_append(store.as_ref(), vec![statement(1, 0, b"one")]);

    assert_eq!(waiter.join().unwrap(), 1);
}

fn an_empty_batch_is_durable_after_everything_before_it(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    drop(store.append(Batch(vec![statement(1, 0, b"one")])));

    let durable = must_append(store.as_ref(), Vec::new());

    assert_eq!(durable, Durable(1));
    assert_eq!(bytes_of(store.as_ref(), 1), [b"one".to_vec()]);
}

fn a_second_process_is_told_that_the_store_is_in_use(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(folder.path()).unwrap();

    let refused = open(folder.path()).err().unwrap();

    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
}

fn introduction(owner: u8, bytes: &[u8]) -> Introduction {
    let owner = format!("1220{}", hex::encode([owner; 32])).parse().unwrap();
    Introduction { owner, bytes: bytes.to_vec() }
}

fn put(store: &dyn Store, introduction: &Introduction) {
    must_append(store, vec![Write::Introduction(introduction.clone())]);
}

fn an_introduction_takes_the_place_of_the_same_owner_s_and_is_there_after_a_restart(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let long = vec![7; protocol::limits::INTRODUCTION_BYTES_MAX];
    let (first, second, other) = (introduction(1, &long), introduction(1, b"short"), introduction(2, &long));
    put(store.as_ref(), &first);
    put(store.as_ref(), &other);
    assert_eq!(store.introduction(&first.owner).unwrap(), Some(first.clone()));

    put(store.as_ref(), &second);
    drop(store);

    let store = open(folder.path()).unwrap();
    assert_eq!(store.introduction(&first.owner).unwrap(), Some(second.clone()));
    assert_eq!(store.introduction(&other.owner).unwrap(), Some(other.clone()));
    assert_eq!(store.introduction(&introduction(3, b"").owner).unwrap(), None);
    let mut all = store.introductions(None, 9).unwrap();
    all.sort_by(|a, b| a.owner.cmp(&b.owner));
    assert_eq!(all, [second, other]);
    assert_eq!(store.since(0, 9).unwrap(), [], "they are no statements of a case");
}

fn introductions_are_listed_in_pages_each_once(open: Open) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let all: Vec<Introduction> = (1..=25).map(|owner| introduction(owner, &[owner; 5000])).collect();
    all.iter().for_each(|one| put(store.as_ref(), one));

    let mut listed: Vec<Introduction> = Vec::new();
    loop {
        let page = store.introductions(listed.last().map(|one| &one.owner), 4).unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }

    listed.sort_by(|a, b| a.owner.cmp(&b.owner));
    assert_eq!(listed, all);
}

fn invitation() -> Invitation {
    Invitation { token_hash: [7; 32], name: "alice".to_owned(), expires_at: Timestamp(5), used: Some([9; 32]) }
}

fn enrolment() -> Enrolment {
    Enrolment {
        tls_key_hash: [9; 32],
        name: "alice".to_owned(),
        certificate: vec![1, 2, 3],
        client_certificate_pem: "-----BEGIN".to_owned(),
        enrolled_at: Timestamp(6),
        replaced: false,
    }
}

macro_rules! every_property_holds_for {
    ($store:ident, $open:expr; $($property:ident),* $(,)?) => {
        mod $store {
            $(#[test]
            fn $property() {
                super::$property($open);
            })*
        }
    };
}

macro_rules! conforms {
    ($store:ident, $open:expr) => {
        every_property_holds_for! { $store, $open;
            what_is_appended_is_read_back_in_order,
            everything_is_there_after_a_restart,
            a_statement_of_the_greatest_length_is_read_back,
            a_position_that_is_not_the_next_is_refused_and_nothing_of_its_batch_is_stored,
            a_settled_case_is_open_again_after_another_statement,
            cases_are_listed_newest_first_in_pages,
            since_stops_at_its_limit_and_goes_on_from_there,
            many_at_once_are_each_durable_and_in_the_order_of_their_calls,
            a_waiter_is_woken_by_what_becomes_durable,
            an_empty_batch_is_durable_after_everything_before_it,
            a_second_process_is_told_that_the_store_is_in_use,
            an_introduction_takes_the_place_of_the_same_owner_s_and_is_there_after_a_restart,
            introductions_are_listed_in_pages_each_once,
        }
    };
}

fn open_sled(folder: &Path) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(SledStore::open(folder)?))
}

conforms!(sled, super::open_sled);

#[test]
fn sled_never_puts_a_statement_into_a_file_that_it_does_not_sync() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sled(folder.path()).unwrap();
    let long = vec![7; 1 << 20];

    for position in 0..20 {
        must_append(store.as_ref(), vec![statement(1, position, &long)]);
    }

    let blobs = std::fs::read_dir(folder.path().join("blobs")).unwrap().count();
    assert_eq!(blobs, 0);
}

/// Two cases of two statements each, after something was done to the rows.
fn altered(alter: impl FnOnce(&::sled::Db)) -> (tempfile::TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sled(folder.path()).unwrap();
    must_append(store.as_ref(), [1, 2].map(|number| statement(number, 0, b"one")).to_vec());
    must_append(store.as_ref(), [1, 2].map(|number| statement(number, 1, b"two")).to_vec());
    drop(store);
    let tree = ::sled::open(folder.path()).unwrap();
    alter(&tree);
    tree.flush().unwrap();
    drop(tree);
    let store = open_sled(folder.path()).unwrap();
    (folder, store)
}

fn damage(result: Result<impl std::fmt::Debug, StoreError>) -> String {
    match result {
        Err(StoreError::Damaged { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sled_with_a_case_whose_end_is_lost_does_not_show_the_rest_as_the_whole() {
    let (_folder, store) = altered(|tree| {
        tree.remove(Key::Position { case: case(1), position: 1 }.bytes()).unwrap();
    });

    assert_eq!(damage(store.load(case(1))), "it is gone");
    assert_eq!(bytes_of(store.as_ref(), 2).len(), 2);
}

#[test]
fn sled_with_a_case_that_is_not_among_the_cases_is_found_out() {
    let (_folder, store) = altered(|tree| {
        tree.remove(Key::Case(case(1)).bytes()).unwrap();
    });

    assert_eq!(damage(store.check(4, &|| true)), "a walk over the cases passes over it");
}

#[test]
fn sled_with_an_older_row_of_a_case_is_found_out() {
    let key = Key::Case(case(1)).bytes();
    let older = row::seal(&key, &CaseRow { statements: 1, is_open: true }.to_bytes());
    let (_folder, store) = altered(|tree| {
        tree.insert(&key, older).unwrap();
    });

    assert_eq!(damage(store.check(4, &|| true)), "it says 1 statements, and there are 2");
}
