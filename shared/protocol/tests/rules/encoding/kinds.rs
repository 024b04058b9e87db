//! A signature of one kind is of no other kind.

use super::*;

#[test]
fn a_signature_of_one_kind_verifies_as_that_kind_alone() {
    let signer = alice().identity;
    let identity = SignStatements::identity(&signer);
    let payload = encode(&approval());
    for made in Kind::ALL {
        let signature = SignStatements::sign(&signer, &made.message(&payload).unwrap());
        for read in Kind::ALL {
            assert_eq!(
                identity.verifies(&read.message(&payload).unwrap(), &signature),
                made == read,
                "{made:?} {read:?}"
            );
        }
        assert!(!identity.verifies(&payload, &signature), "nor without a kind");
    }
}

#[test]
fn a_statement_whose_kind_is_exchanged_is_none() {
    for statement in one_of_each() {
        let bytes = statement.bytes();
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            let mut other = bytes.to_vec();
            other[1] = u8::try_from(index).unwrap();
            let parsed = Statement::parse(&other);
            if kind == statement.kind() {
                assert_eq!(parsed, Ok(statement.clone()));
            } else {
                assert_eq!(parsed, Err(StatementError::NotSigned { signer: statement.signer(), kind }));
            }
        }
    }
}

#[test]
fn no_prefix_begins_another_and_no_message_has_the_length_of_one_of_cantons() {
    for a in Kind::ALL {
        let prefix = a.message(&[]).unwrap_or_default();
        for b in Kind::ALL.into_iter().filter(|b| *b != a) {
            assert!(!b.message(&[0; 64]).unwrap().starts_with(&prefix) || prefix.is_empty());
        }
        for length in 0..64 {
            let total = a.message(&vec![0; length]).map(|message| message.len());
            assert!(!matches!(total, Some(32 | 34)), "{a:?} {length}");
        }
    }
}

#[test]
fn only_its_own_kind_opens_a_statement() {
    for statement in one_of_each() {
        let opens = [
            statement.open::<Intent>().is_ok(),
            statement.open::<Offer>().is_ok(),
            statement.open::<Approval>().is_ok(),
            statement.open::<Contribution>().is_ok(),
            statement.open::<Decline>().is_ok(),
            statement.open::<Withdrawal>().is_ok(),
            statement.open::<Outcome>().is_ok(),
            statement.open::<Attestation>().is_ok(),
            statement.open::<Question>().is_ok(),
        ];
        assert_eq!(opens.into_iter().filter(|opens| *opens).count(), 1, "{statement:?}");
        assert_eq!(statement.case(), Ok(case()));
    }
}

#[test]
fn an_unknown_version_is_refused_with_its_number_and_the_fix() {
    let mut bytes = encode(&decline());
    bytes[0] = 2;
    let error = decode::<Decline>("decline", &bytes).unwrap_err();
    assert_eq!(error, EncodingError::UnknownVersion { what: "decline", found: 2 });
    assert!(error.to_string().contains("upgrade"));
    assert_eq!(decode::<Decline>("decline", &[]), Err(EncodingError::Empty { what: "decline" }));
    let long = vec![1; limits::STATEMENT_BYTES_MAX + 1];
    assert!(matches!(decode::<Decline>("decline", &long), Err(EncodingError::TooLong { .. })));
}

#[test]
fn a_second_way_to_write_the_same_value_is_refused() {
    let good = encode(&vec![5_u8]);
    assert_eq!(good, [1, 1, 5]);
    assert_eq!(decode::<Vec<u8>>("bytes", &good), Ok(vec![5]));
    let overlong = [1, 0x81, 0x00, 5];
    assert_eq!(decode::<Vec<u8>>("bytes", &overlong), Err(EncodingError::NotCanonical { what: "bytes" }));
    let trailing = [1, 1, 5, 0];
    assert_eq!(decode::<Vec<u8>>("bytes", &trailing), Err(EncodingError::NotCanonical { what: "bytes" }));
}
