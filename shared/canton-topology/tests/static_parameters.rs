//! What a synchronizer fixed at its birth: which keys and signatures it takes.
#![allow(clippy::unwrap_used)]

#[path = "fixture/key.rs"]
mod key;

use canton_topology::{
    id::{Member, MemberKind, UniqueIdentifier},
    judge::Verdict,
    key::{EncryptionKeySpec, EncryptionPublicKey, KeyFormat, KeyUsage},
    mapping::{Mapping, OwnerKey, OwnerToKeyMapping},
    rejection::{Rejection, SignatureRefusal},
    signature::SignatureFormat,
    state::{State, StaticParameters},
    transaction::Transaction,
};
use key::{Key, add, judge, must_stand, signed};

fn root_is_taken(parameters: StaticParameters) -> Verdict {
    let owner = Key::new(1);
    let root = owner.root();
    judge(&mut State::new(owner.synchronizer(), parameters), &signed(&root, &[owner.sign(&root)]))
}

#[test]
fn a_signature_in_a_format_that_the_synchronizer_does_not_take_does_not_count() {
    let refused =
        |reason| Verdict::Rejected(Rejection::SignatureCheckFailed { key: Key::new(1).fingerprint(), reason });
    assert!(matches!(root_is_taken(StaticParameters::default()), Verdict::Active { .. }));
    let signature_formats = [SignatureFormat::Der].into();
    let verdict = root_is_taken(StaticParameters { signature_formats, ..StaticParameters::default() });
    assert_eq!(verdict, refused(SignatureRefusal::SignatureFormat));
    // Every Ed25519 key is kept as SPKI.
    let key_formats = [KeyFormat::Raw].into();
    let verdict = root_is_taken(StaticParameters { key_formats, ..StaticParameters::default() });
    assert_eq!(verdict, refused(SignatureRefusal::KeyFormat));
}

/// The keys of a participant: one that signs, and a point of P-256 that decrypts.
fn keys(owner: &Key) -> Transaction {
    let spki = concat!(
        "3059301306072a8648ce3d020106082a8648ce3d030107034200",
        "0451590b7a515140d2d784c85608668fdfef8c82fd1f5be52421554a0dc3d033ed",
        "e0c17da8904a727d8ae1bf36bf8a79260d012f00d4d80888d1d0bb44fda16da4"
    );
    let decrypts = EncryptionPublicKey { format: 4, bytes: hex::decode(spki).unwrap(), scheme: 0, spec: 1 };
    let signs = owner.with_usage(&[KeyUsage::Namespace, KeyUsage::Protocol]);
    let uid = UniqueIdentifier::new("node", owner.namespace()).unwrap();
    let member = Member { kind: MemberKind::Participant, uid };
    let keys = vec![OwnerKey::Signing(signs), OwnerKey::Encryption(decrypts)];
    add(1, Mapping::OwnerToKeyMapping(OwnerToKeyMapping { member, keys }))
}

#[test]
fn a_participant_needs_an_encryption_key_of_a_kind_that_the_synchronizer_takes() {
    let owner = Key::new(1);
    let (root, keys) = (owner.root(), keys(&owner));
    for (encryption_keys, taken) in [(EncryptionKeySpec::P256, true), (EncryptionKeySpec::Rsa2048, false)] {
        let parameters = StaticParameters { encryption_keys: [encryption_keys].into(), ..StaticParameters::default() };
        let mut state = State::new(owner.synchronizer(), parameters);
        must_stand(&mut state, &signed(&root, &[owner.sign(&root)]));
        let verdict = judge(&mut state, &signed(&keys, &[owner.sign(&keys)]));
        assert_eq!(matches!(verdict, Verdict::Active { .. }), taken, "{verdict:?}");
        assert_eq!(
            matches!(verdict, Verdict::Rejected(Rejection::InvalidOwnerToKeyMapping { .. })),
            !taken,
            "{verdict:?}"
        );
    }
}
