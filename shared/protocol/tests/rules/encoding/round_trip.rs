//! Whatever can be said comes back as it was said.

use super::*;

fn a_change() -> impl Strategy<Value = Change> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    let slots = prop::collection::vec(any::<u8>().prop_map(slot), 0..4);
    let namespace = || alice().namespace();
    let thresholds = prop::option::of(any::<u32>());
    prop_oneof![
        (0..changes().len()).prop_map(|index| changes().swap_remove(index)),
        prop::collection::vec(bytes, 0..4).prop_map(|transactions| Change::Raw(Raw { transactions })),
        slots.prop_map(|slots| Change::Void(Void { case: case(), slots })),
        thresholds.prop_map(move |threshold| {
            let owners = OwnersChange { namespace: namespace(), add: Vec::new(), remove: Vec::new(), threshold };
            Change::Membership(Membership { owners: Some(owners), party: None, order: Order::Staged })
        }),
    ]
}

fn an_intent() -> impl Strategy<Value = Intent> {
    let after = prop::option::of(prop::sample::select(afters().to_vec()));
    (any::<[u8; 16]>(), any::<i64>(), any::<i64>(), "\\PC{0,40}", a_change(), after).prop_map(
        |(case, created_at, deadline, reason, change, after)| Intent {
            after,
            case: CaseId::from_bytes(case),
            created_at: Timestamp(created_at),
            deadline: Timestamp(deadline),
            reason,
            ..intent(change)
        },
    )
}

fn an_approval() -> impl Strategy<Value = Approval> {
    let signatures = prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..70)), 0..4);
    let checkpoint = prop::option::of((any::<u64>(), any::<[u8; 32]>()));
    (signatures, checkpoint, prop::option::of(any::<[u8; 32]>()), any::<[u8; 32]>()).prop_map(
        |(signatures, checkpoint, policy, offer)| Approval {
            offer: StatementHash::from_bytes(offer),
            policy,
            checkpoint: checkpoint.map(|(statements, head)| Checkpoint { statements, head }),
            signatures: signatures
                .into_iter()
                .map(|(byte, signature)| EncodedSignature { transaction: transaction(byte), signature })
                .collect(),
            ..approval()
        },
    )
}

fn comes_back<B: Body + PartialEq + std::fmt::Debug>(body: &B, seed: [u8; 32]) {
    let statement = Statement::sign(body, &SigningKey::from_bytes(&seed));
    let read = Statement::parse(statement.bytes()).unwrap();
    assert_eq!(read, statement);
    assert_eq!(read.open::<B>().unwrap(), *body);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_signed_is_read_as_it_was(intent in an_intent(), approval in an_approval(), seed in any::<[u8; 32]>()) {
        comes_back(&intent, seed);
        comes_back(&approval, seed);
    }

    #[test]
    fn no_two_encodings_mean_one_value(intent in an_intent(), at in any::<prop::sample::Index>(), mask in 1..=255_u8) {
        let bytes = encode(&intent);
        let mut other = bytes.clone();
        let index = at.index(bytes.len());
        other[index] ^= mask;
        if let Ok(read) = decode::<Intent>("intent", &other) {
            prop_assert_ne!(&read, &intent);
            prop_assert_eq!(encode(&read), other);
        }
    }

    #[test]
    fn whatever_bytes_come_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Statement::parse(&bytes);
        let mut versioned = bytes;
        versioned.insert(0, 1);
        let _ = Statement::parse(&versioned);
        let _ = decode::<Intent>("intent", &versioned);
        let _ = decode::<Offer>("offer", &versioned);
        let _ = decode::<Approval>("approval", &versioned);
    }

    #[test]
    fn a_cut_statement_is_refused(intent in an_intent(), at in any::<prop::sample::Index>()) {
        let statement = Statement::sign(&intent, &alice().identity);
        let cut = &statement.bytes()[..at.index(statement.bytes().len())];
        prop_assert!(Statement::parse(cut).is_err());
    }
}
