//! Which signatures count: the right key's, in its curve's own algorithm and format, over the right message, once.
#![allow(clippy::unwrap_used)]

#[path = "fixture/write.rs"]
mod write;

use canton_topology::{
    hash::{MultiHash, TransactionHash},
    id::Namespace,
    key::{KeySpec, KeyUsage, SigningPublicKey},
    mapping::{DecentralizedNamespaceDefinition, Mapping},
    signature::{Signature, SignatureAlgorithm, SignatureError, SignatureFormat},
    transaction::{MultiSignatures, Operation, Serial, SignedTransaction, Transaction},
};
use ed25519_dalek::Signer as _;
use write::{field, joined, number, wrapped};

const MESSAGE: &[u8] = b"what is signed";

struct Ed25519(ed25519_dalek::SigningKey);

impl Ed25519 {
    fn new(seed: u8) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))
    }

    fn public(&self) -> SigningPublicKey {
        SigningPublicKey::ed25519(self.0.verifying_key().as_bytes(), &KeyUsage::ALL).unwrap()
    }

    fn sign(&self, message: &[u8]) -> Signature {
        Signature::new_ed25519(self.0.sign(message).to_bytes(), self.public().fingerprint())
    }
}

/// A P-256 key and its signature over [`MESSAGE`], with s as it came and negated.
fn p256() -> (SigningPublicKey, Vec<u8>, Vec<u8>) {
    use p256::pkcs8::EncodePublicKey as _;
    let secret = p256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap();
    let spki = secret.verifying_key().to_public_key_der().unwrap();
    let key = SigningPublicKey::from_spki(KeySpec::P256, spki.as_bytes(), &KeyUsage::ALL).unwrap();
    let signature: p256::ecdsa::Signature = secret.sign(MESSAGE);
    let (r, s) = signature.split_scalars();
    let other = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-s).to_bytes()).unwrap();
    (key, signature.to_der().as_bytes().to_vec(), other.to_der().as_bytes().to_vec())
}

/// The message `Signature` with these numbers for format and algorithm.
fn written(format: u8, bytes: &[u8], key: &SigningPublicKey, algorithm: u8) -> Signature {
    let signed_by = key.fingerprint().to_string();
    let message = joined(&[number(1, format), field(2, bytes), field(3, signed_by.as_bytes()), number(4, algorithm)]);
    Signature::parse(&message).unwrap()
}

fn transaction() -> Transaction {
    let owners: Vec<Namespace> = [1, 2].map(|seed| Namespace::from(Ed25519::new(seed).public().fingerprint())).to_vec();
    let namespace = canton_topology::id::decentralized_namespace(&owners);
    let mapping =
        Mapping::DecentralizedNamespaceDefinition(DecentralizedNamespaceDefinition { namespace, threshold: 1, owners });
    Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping)
}

#[test]
fn a_signature_of_another_key_is_refused_before_any_mathematics() {
    let (one, other) = (Ed25519::new(1), Ed25519::new(2));
    one.sign(MESSAGE).verify(&one.public(), MESSAGE).unwrap();
    assert_eq!(one.sign(MESSAGE).verify(&other.public(), MESSAGE), Err(SignatureError::WrongKey));
    let bytes = one.0.sign(MESSAGE).to_bytes();
    let claimed = Signature::new_ed25519(bytes, other.public().fingerprint());
    assert_eq!(claimed.verify(&one.public(), MESSAGE), Err(SignatureError::WrongKey));
    assert_eq!(claimed.verify(&other.public(), MESSAGE), Err(SignatureError::Invalid));
}

#[test]
fn a_session_keys_signature_is_refused_by_name() {
    let one = Ed25519::new(1);
    let session = Ed25519::new(9);
    let delegation = joined(&[
        field(1, session.public().spki()),
        number(2, 1),
        number(4, 1),
        number(5, 3),
        field(6, &one.0.sign(b"anything").to_bytes()),
    ]);
    let message = joined(&[
        number(1, 3),
        field(2, &one.0.sign(MESSAGE).to_bytes()),
        field(3, one.public().fingerprint().as_str().as_bytes()),
        number(4, 1),
        field(5, &delegation),
    ]);
    let signature = Signature::parse(&message).unwrap();
    assert_eq!(signature.verify(&one.public(), MESSAGE), Err(SignatureError::Delegated));
    assert_eq!(signature.encode(), message);
}

#[test]
fn format_and_algorithm_must_be_the_curves_own() {
    let one = Ed25519::new(1);
    let bytes = one.0.sign(MESSAGE).to_bytes();
    let verify = |format, algorithm| written(format, &bytes, &one.public(), algorithm).verify(&one.public(), MESSAGE);
    assert_eq!(verify(3, 1), Ok(()));
    assert_eq!(verify(3, 0), Ok(()));
    assert_eq!(verify(2, 1), Err(SignatureError::Format));
    assert_eq!(verify(3, 2), Err(SignatureError::Algorithm));
    let (key, der, _) = p256();
    let verify = |format, algorithm| written(format, &der, &key, algorithm).verify(&key, MESSAGE);
    assert_eq!(verify(2, 2), Ok(()));
    assert_eq!(verify(2, 0), Ok(()));
    assert_eq!(verify(3, 2), Err(SignatureError::Format));
    assert_eq!(verify(2, 3), Err(SignatureError::Algorithm));
    assert_eq!(verify(2, 1), Err(SignatureError::Algorithm));
}

#[test]
fn the_old_format_is_read_by_the_algorithm_or_by_the_length() {
    let one = Ed25519::new(1);
    let bytes = one.0.sign(MESSAGE).to_bytes();
    for algorithm in [0, 1] {
        let legacy = written(1, &bytes, &one.public(), algorithm);
        assert_eq!(legacy.format(), SignatureFormat::Concat);
        legacy.verify(&one.public(), MESSAGE).unwrap();
        // What is sent on is what was received.
        assert_eq!(Signature::parse(&legacy.encode()).unwrap(), legacy);
    }
    let (key, der, _) = p256();
    for algorithm in [0, 2] {
        let legacy = written(1, &der, &key, algorithm);
        assert_eq!(legacy.format(), SignatureFormat::Der);
        legacy.verify(&key, MESSAGE).unwrap();
    }
}

#[test]
fn both_forms_of_an_ecdsa_signature_count_and_no_byte_more_or_less() {
    let (key, der, negated) = p256();
    let verify =
        |der: &[u8]| Signature::new_ecdsa_der(der.to_vec(), key.fingerprint(), KeySpec::P256).verify(&key, MESSAGE);
    assert_eq!(verify(&der), Ok(()));
    assert_eq!(verify(&negated), Ok(()));
    assert_ne!(der, negated);
    assert_eq!(verify(&[der.as_slice(), &[0]].concat()), Err(SignatureError::Invalid));
    assert_eq!(verify(&der[..der.len() - 1]), Err(SignatureError::Invalid));
}

#[test]
fn a_key_of_cantons_tests_verifies_nothing() {
    let one = Ed25519::new(1);
    let raw = one.0.verifying_key().to_bytes();
    let message = joined(&[vec![16, 0x90, 0x4e], field(3, &raw), field(5, &[1]), number(6, 1)]);
    let symbolic = SigningPublicKey::parse(&message).unwrap();
    let signature = Signature::new_ed25519(one.0.sign(MESSAGE).to_bytes(), symbolic.fingerprint());
    assert_eq!(signature.verify(&symbolic, MESSAGE), Err(SignatureError::Key));
}

#[test]
fn points_beyond_the_prime_and_of_small_order_are_no_keys() {
    // y = 0 to 18 can also be written as p + y. None of these points is of the prime order, so that neither form is a key.
    let plain = |y: u8, sign: u8| {
        let mut bytes = [0; 32];
        (bytes[0], bytes[31]) = (y, sign << 7);
        bytes
    };
    let beyond = |y: u8, sign: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xed + y, 0x7f | sign << 7);
        bytes
    };
    let is_key = |bytes: [u8; 32]| SigningPublicKey::ed25519(&bytes, &[KeyUsage::Namespace]).is_ok();
    let all = || (0..19).flat_map(|y| [(y, 0), (y, 1)]);
    assert!(!all().any(|(y, sign)| is_key(plain(y, sign)) || is_key(beyond(y, sign))));
    // The point of order two.
    let mut order_two = [0xff; 32];
    (order_two[0], order_two[31]) = (0xec, 0x7f);
    assert!(!is_key(order_two));
}

#[test]
fn of_several_signatures_of_one_key_the_first_counts_and_a_single_one_before_one_over_many() {
    let (one, two) = (Ed25519::new(1), Ed25519::new(2));
    let transaction = transaction();
    let hash = transaction.hash();
    let other = TransactionHash::of(b"another transaction");
    let multi = MultiHash::of([&other, &hash]);
    let good = one.sign(hash.as_bytes());
    let bad = one.sign(b"something else");
    let many = |signatures: Vec<Signature>| vec![MultiSignatures { hashes: vec![other, hash], signatures }];

    let mut signed = SignedTransaction::new(transaction, vec![bad.clone(), good.clone()], false);
    signed.multi = many(vec![one.sign(multi.as_bytes()), two.sign(multi.as_bytes())]);
    let read = SignedTransaction::parse_plain(&signed.encode_plain()).unwrap();
    assert_eq!(read, signed);
    let distinct = read.distinct_signatures();
    assert_eq!(distinct.len(), 2);
    assert_eq!((&distinct[0].signature, &distinct[0].message), (&bad, hash.as_bytes()));
    assert!(distinct[0].covers.is_empty());
    assert_eq!((&distinct[1].signature, &distinct[1].message), (&two.sign(multi.as_bytes()), multi.as_bytes()));
    assert_eq!(distinct[1].covers, [other, hash]);
    distinct[1].signature.verify(&two.public(), &distinct[1].message).unwrap();

    signed.signatures.reverse();
    assert_eq!(signed.distinct_signatures()[0].signature, good);
}

#[test]
fn a_signed_transaction_needs_a_signature_and_its_own_hash_among_many() {
    let one = Ed25519::new(1);
    let transaction = transaction();
    let name = |signed: &SignedTransaction| {
        SignedTransaction::parse_plain(&signed.encode_plain()).map(|_| ()).map_err(|error| error.kind.canton_name())
    };
    let mut signed = SignedTransaction::new(transaction.clone(), Vec::new(), true);
    assert_eq!(name(&signed), Err("InvariantViolation"));
    let other = TransactionHash::of(b"another transaction");
    let entry = |hashes: &[TransactionHash], signatures: &[Signature]| MultiSignatures {
        hashes: hashes.to_vec(),
        signatures: signatures.to_vec(),
    };
    let signature = one.sign(MultiHash::of([&other]).as_bytes());
    signed.multi = vec![entry(&[other], std::slice::from_ref(&signature))];
    assert_eq!(name(&signed), Err("InvariantViolation"));
    signed.multi = vec![entry(&[], std::slice::from_ref(&signature))];
    assert_eq!(name(&signed), Err("FieldNotSet"));
    signed.multi = vec![entry(&[transaction.hash()], &[])];
    assert_eq!(name(&signed), Err("FieldNotSet"));
    signed.multi = vec![entry(&[transaction.hash()], &[signature])];
    assert_eq!(name(&signed), Ok(()));
}

#[test]
fn errors_in_a_signed_transaction_name_their_place_from_the_outside() {
    let inner = wrapped(&joined(&[number(1, 1), number(2, 1)]));
    let bytes = wrapped(&field(1, &inner));
    let error = SignedTransaction::parse_wrapped(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "signed.transaction.mapping (byte 6): missing; it is required");
}

#[test]
fn keys_and_signatures_come_back_from_their_texts() {
    let one = Ed25519::new(1);
    let (key, signature) = (one.public(), one.sign(MESSAGE));
    assert_eq!(key.to_string().parse::<SigningPublicKey>().unwrap(), key);
    assert_eq!(signature.to_string().parse::<Signature>().unwrap(), signature);
    let json = serde_json::to_string(&(&key, &signature)).unwrap();
    let back: (SigningPublicKey, Signature) = serde_json::from_str(&json).unwrap();
    assert_eq!(back, (key, signature));
    assert!("zz".parse::<SigningPublicKey>().is_err());
    assert!("00".parse::<Signature>().is_err());
    for spec in KeySpec::ALL {
        assert_eq!(spec.to_string().parse::<KeySpec>().unwrap(), spec);
        assert!(!SignatureAlgorithm::of(spec).name().is_empty());
    }
    assert!("ED25519".parse::<KeySpec>().unwrap_err().to_string().contains("EC_CURVE25519"));
}
