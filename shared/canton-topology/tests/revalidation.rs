//! A stored history judged again: what stands wrongly there is named, and so is what nobody looked at.
#![allow(clippy::unwrap_used)]

#[path = "fixture/key.rs"]
mod key;

use canton_topology::{
    Timestamp,
    id::{PartyId, UniqueIdentifier},
    judge::Verifier,
    mapping::{Mapping, PartyHostingLimits},
    rejection::Rejection,
    revalidation::{Fault, Revalidation, revalidate},
    snapshot::Item,
    transaction::SignedTransaction,
};
use key::{Key, add, empty, signed};

fn item(transaction: SignedTransaction, at: i64, until: Option<i64>, rejection: Option<&str>) -> Item {
    let (sequenced, valid_from) = (Timestamp(at), Timestamp(at));
    let rejection = rejection.map(str::to_owned);
    Item { sequenced, valid_from, valid_until: until.map(Timestamp), transaction, rejection }
}

/// A root, two transactions of one chain, and one that is out of its turn and was refused.
fn history(owner: &Key) -> Vec<Item> {
    let sign = |serial, name: &str| {
        let party = PartyId::from(UniqueIdentifier::new(name, owner.namespace()).unwrap());
        let synchronizer = owner.synchronizer().logical;
        let limits = add(serial, Mapping::PartyHostingLimits(PartyHostingLimits { synchronizer, party }));
        signed(&limits, &[owner.sign(&limits)])
    };
    let root = owner.root();
    vec![
        item(signed(&root, &[owner.sign(&root)]), 1, None, None),
        item(sign(1, "party"), 2, Some(4), None),
        item(sign(9, "party"), 3, Some(3), Some("SerialMismatch")),
        item(sign(2, "party"), 4, None, None),
    ]
}

fn found(owner: &Key, items: &[Item]) -> Revalidation {
    revalidate(&mut empty(owner), &mut Verifier::default(), items)
}

#[test]
fn a_history_that_is_right_has_no_fault_in_whatever_order_its_rows_stand() {
    let owner = Key::new(1);
    let mut items = history(&owner);
    assert_eq!(found(&owner, &items), Revalidation::default());
    items.reverse();
    assert_eq!(found(&owner, &items), Revalidation::default());
}

#[test]
fn a_row_is_asked_whether_it_was_rightly_refused() {
    let owner = Key::new(1);
    let mut items = history(&owner);
    (items[1].rejection, items[1].valid_until) = (Some("because".to_owned()), Some(Timestamp(2)));
    let faults = found(&owner, &items).faults;
    assert!(faults.contains(&(1, Fault::NotRejected { reason: "because".to_owned() })), "{faults:?}");

    let mut items = history(&owner);
    items[2].rejection = None;
    let faults = found(&owner, &items).faults;
    assert!(matches!(faults.as_slice(), [(2, Fault::Rejected(Rejection::SerialMismatch { .. }))]), "{faults:?}");

    let mut items = history(&owner);
    items[2].valid_until = None;
    let expected = Some(Timestamp(3));
    assert_eq!(found(&owner, &items).faults, [(2, Fault::Ends { found: None, expected })]);
}

#[test]
fn a_row_that_calls_itself_a_proposal_and_lacks_nothing_is_named() {
    let owner = Key::new(1);
    let mut items = history(&owner);
    items[3].transaction.proposal = true;
    assert_eq!(found(&owner, &items).faults, [(3, Fault::Complete)]);
}

#[test]
fn signatures_that_serve_nothing_are_listed_and_are_no_fault() {
    let (owner, stranger) = (Key::new(1), Key::new(2));
    let mut items = history(&owner);
    items[3].transaction.signatures.push(stranger.forged());
    let found = found(&owner, &items);
    assert_eq!((found.faults, found.dropped), (Vec::new(), vec![(3, [stranger.fingerprint()].into())]));
}
