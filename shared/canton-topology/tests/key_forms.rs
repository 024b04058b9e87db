//! Keys in all forms that Canton's library (Bouncy Castle 1.84) takes or refuses: each line was put to it.
#![allow(clippy::unwrap_used)]

use canton_topology::{
    id::Fingerprint,
    key::{KeyError, KeySpec, KeyUsage, SigningPublicKey},
    wire::Exception,
};

const RAW: &str = "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c";
const X: &str = "51590b7a515140d2d784c85608668fdfef8c82fd1f5be52421554a0dc3d033ed";
const Y: &str = "e0c17da8904a727d8ae1bf36bf8a79260d012f00d4d80888d1d0bb44fda16da4";

fn read(spec: KeySpec, spki: &str) -> Result<SigningPublicKey, KeyError> {
    SigningPublicKey::from_spki(spec, &hex::decode(spki.replace(' ', "")).unwrap(), &[KeyUsage::Namespace])
}

fn thrown(spec: KeySpec, exception: Exception) -> KeyError {
    KeyError::Thrown { spec, exception }
}

fn usual() -> Fingerprint {
    SigningPublicKey::ed25519(&hex::decode(RAW).unwrap().try_into().unwrap(), &[KeyUsage::Namespace])
        .unwrap()
        .fingerprint()
}

#[test]
fn an_ed25519_key_is_named_by_its_point_in_whatever_form_it_is_written() {
    for form in [
        format!("302a 3005 06032b6570 032100{RAW}"),
        // NULL as the algorithm's parameters, and an octet string where the place of the OID has moved.
        format!("302c 3007 06032b6570 0500 032100{RAW}"),
        format!("30812c 3007 06032b6570 0500 032100{RAW}"),
        format!("30812c 3007 06032b6570 0400 032100{RAW}"),
        // Longer lengths than needed, and an end that is marked.
        format!("30812a 3005 06032b6570 032100{RAW}"),
        format!("302b 308105 06032b6570 032100{RAW}"),
        format!("3080 308105 06032b6570 032100{RAW} 0000"),
    ] {
        let Ok(key) = read(KeySpec::Ed25519, &form) else { panic!("{form}") };
        assert_eq!(key.fingerprint(), usual(), "{form}");
        assert_eq!(hex::encode(key.spki()), form.replace(' ', ""), "the bytes stay as they were written");
    }
}

#[test]
fn what_the_library_does_not_take_for_an_ed25519_key_is_refused() {
    for form in [
        // The place of the algorithm's last byte is the usual one, and what stands around it is not.
        format!("3080 3005 06032b6570 032100{RAW} 0000"),
        format!("3080 3080 06032b6570 0000 032100{RAW} 0000"),
        format!("302c 3007 06032b6570 0400 032100{RAW}"),
        format!("302a 3005 06032b6570 032101{RAW}"),
        format!("30812a 3005 06032b6570 032101{RAW}"),
        format!("302a 3005 06032b6571 032100{RAW}"),
        format!("302a 3005 06032b6570 032100{RAW} 00"),
        format!("302a 3005 06032b6570 032100{}", &RAW[2..]),
        "3080".to_owned(),
        String::new(),
    ] {
        assert!(read(KeySpec::Ed25519, &form).is_err(), "{form}");
    }
}

fn p256(point: &str) -> String {
    let bits = 1 + point.len() / 2;
    format!("30{:02x} 3013 06072a8648ce3d0201 06082a8648ce3d030107 03{bits:02x}00{point}", 23 + bits)
}

#[test]
fn bytes_that_are_no_sequence_make_the_library_throw() {
    let of = |form: &str| read(KeySpec::Ed25519, form).unwrap_err();
    assert_eq!(of(""), thrown(KeySpec::Ed25519, Exception::NullPointer));
    assert_eq!(of("0500"), thrown(KeySpec::Ed25519, Exception::IllegalState));
    assert_eq!(of(&format!("702a 3005 06032b6570 032100{RAW}")), thrown(KeySpec::Ed25519, Exception::IllegalState));
}

#[test]
fn points_of_a_curve_are_taken_in_the_forms_that_the_library_takes() {
    let even = |tag: &str| format!("{tag}{X}{Y}");
    for point in [even("04"), even("06"), format!("02{X}"), format!("0421 02{X}").replace(' ', "")] {
        let key = read(KeySpec::P256, &p256(&point)).unwrap_or_else(|error| panic!("{point}: {error}"));
        let written = Fingerprint::clone(&key.fingerprint());
        // The name is that of the bytes as they are.
        assert_eq!(written == read(KeySpec::P256, &p256(&even("04"))).unwrap().fingerprint(), point == even("04"));
    }
    for point in [even("07"), format!("05{X}"), "00".to_owned(), even("08"), format!("04{X}")] {
        assert!(read(KeySpec::P256, &p256(&point)).is_err(), "{point}");
    }
    assert!(read(KeySpec::P256, &p256(&even("04")).replacen("3059", "308159", 1)).is_ok());
}

#[test]
fn a_point_of_another_curve_is_none_and_one_beyond_the_field_makes_the_library_throw() {
    let small = p256(&format!("04{X}{Y}"));
    assert!(matches!(read(KeySpec::Secp256k1, &small), Err(KeyError::Bytes { .. })));
    let x = "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7";
    let large = format!("3046 3010 06072a8648ce3d0201 06052b81040022 03320003{x}");
    assert!(read(KeySpec::P384, &large).is_ok());
    assert_eq!(read(KeySpec::P256, &large).unwrap_err(), thrown(KeySpec::P256, Exception::IllegalArgument));
}
