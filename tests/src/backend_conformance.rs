//! What every key backend must do, whatever it is. A backend's own test calls [`conforms`] with a way to open it again; one
//! that makes no keys calls [`conforms_with_keys_taken`], with a way to make one beside it.

use canton_topology::{
    Timestamp,
    key::{KeySpec, SigningPublicKey},
};
use custody::keys::{
    KeyBackend, KeyError, KeyState, NewKey, Outcome, PinnedKey, Purpose,
    keyring::{Keyring, PinError},
    to_sign::ToSign,
};
use protocol::{
    drill::{Drill, WORDS},
    possession::Possession,
};

/// Opens the same backend once more, as after a restart.
pub type OpenAgain<'a> = dyn FnMut() -> Box<dyn KeyBackend> + 'a;

/// Makes a key beside a backend that makes none; how the backend finds it comes back.
pub type MakeBeside<'a> = dyn FnMut(&NewKey) -> String + 'a;

const SECTION: &str = "tried";
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// Tries a backend that makes keys with every curve that it claims; panics where it does not conform.
///
/// # Panics
/// Says what is wrong.
pub fn conforms(open: &mut OpenAgain<'_>) {
    let specs = open().abilities().specs;
    conforms_with(specs, open);
}

/// Tries it with some of its curves, where what stands behind it here has no others.
///
/// # Panics
/// Says what is wrong.
pub fn conforms_with(specs: &[KeySpec], open: &mut OpenAgain<'_>) {
    assert!(open().abilities().makes, "a backend that makes no keys is tried with keys that it takes");
    let mut first = |ring: &mut Keyring, wanted: &NewKey| ring.generate(SECTION, wanted, NOW).cloned();
    tried(specs, open, &mut first);
    keys_with_one_name_are_two(open, specs[0]);
}

/// Tries a backend that makes no keys; panics where it does not conform.
///
/// # Panics
/// Says what is wrong.
pub fn conforms_with_keys_taken(open: &mut OpenAgain<'_>, make: &mut MakeBeside<'_>) {
    assert!(!open().abilities().makes, "a backend that makes keys is tried with keys that it makes");
    let wanted = NewKey { name: "never".to_owned(), purpose: Purpose::Party, spec: open().abilities().specs[0] };
    let refused = keyring(Vec::new(), open()).generate(SECTION, &wanted, NOW).cloned();
    assert!(matches!(refused, Err(PinError::Key(KeyError::Unable(_)))), "it makes no keys, and said {refused:?}");
    let mut take = |ring: &mut Keyring, wanted: &NewKey| {
        let reference = make(wanted);
        ring.take(SECTION, &reference, &wanted.name, wanted.purpose, NOW).cloned()
    };
    let specs = open().abilities().specs;
    tried(specs, open, &mut take);
}

/// Has a backend hold one key more, and pins it.
type Pin<'a> = dyn FnMut(&mut Keyring, &NewKey) -> Result<PinnedKey, PinError> + 'a;

fn tried(specs: &[KeySpec], open: &mut OpenAgain<'_>, pin: &mut Pin<'_>) {
    let able = open().abilities().specs;
    assert!(!specs.is_empty() && specs.iter().all(|spec| able.contains(spec)), "{specs:?} are not among {able:?}");
    open().probe().expect("a backend that is there answers");
    for spec in specs {
        for purpose in [Purpose::Namespace, Purpose::Party] {
            a_key_of(*spec, purpose, open, pin);
        }
    }
    what_is_not_there_is_missing(open, specs[0], pin);
}

fn keyring(keys: Vec<PinnedKey>, backend: Box<dyn KeyBackend>) -> Keyring {
    Keyring::new(keys, [(SECTION.to_owned(), backend)].into())
}

fn a_key_of(spec: KeySpec, purpose: Purpose, open: &mut OpenAgain<'_>, pin: &mut Pin<'_>) {
    let mut ring = keyring(Vec::new(), open());
    let name = format!("{}-{purpose}", spec.name());
    let wanted = NewKey { name: name.clone(), purpose, spec };
    let made = pin(&mut ring, &wanted).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(made.public.spec(), spec, "{name}: another curve");
    must_sign(&mut ring, &made);

    // After a restart, by what was pinned and nothing else.
    let mut again = keyring(vec![made.clone()], open());
    must_sign(&mut again, &made);
    let found = open().find(&made.reference, purpose).unwrap_or_else(|error| panic!("{name}: not found: {error}"));
    assert_eq!(found.public, made.public, "{name}: found by its reference, another key");

    // Retired: nothing.
    let retired = PinnedKey { state: KeyState::Retired(NOW), ..made.clone() };
    let refused = keyring(vec![retired], open()).sign(&ToSign::drill(&drill(&made.public)));
    assert!(matches!(refused, Err(KeyError::Retired { .. })), "{name}: {refused:?}");

    // Pinned to another public half: what comes back is refused, whoever signed.
    let other = pin(&mut ring, &NewKey { name: format!("{name}-other"), purpose, spec });
    let other = other.unwrap_or_else(|error| panic!("{name}: {error}"));
    let swapped = PinnedKey { reference: other.reference.clone(), ..made.clone() };
    let refused = keyring(vec![swapped], open()).sign(&ToSign::drill(&drill(&made.public)));
    assert!(
        matches!(refused, Err(KeyError::NotThePinnedKey { .. } | KeyError::Missing { .. })),
        "{name}: a swapped reference gave {refused:?}"
    );
}

fn must_sign(ring: &mut Keyring, key: &PinnedKey) {
    let possession = Possession {
        key: key.public.clone(),
        purpose: key.purpose.name().to_owned(),
        owner: key.public.fingerprint().into(),
        card: [8; 32],
        coordinator: identity(),
        nonce: [9; 32],
    };
    for wanted in [ToSign::drill(&drill(&key.public)), ToSign::possession(&possession)] {
        let outcome = ring.sign(&wanted).unwrap_or_else(|error| panic!("{}: {error}", key.name));
        let Outcome::Signed(signature) = outcome else { panic!("{}: {outcome:?}", key.name) };
        // The keyring has verified it; this says that it did.
        assert_eq!(signature.verify(&key.public, wanted.message()), Ok(()), "{}", key.name);
    }
}

fn keys_with_one_name_are_two(open: &mut OpenAgain<'_>, spec: KeySpec) {
    let mut backend = open();
    let wanted = NewKey { name: "one-name".to_owned(), purpose: Purpose::Party, spec };
    let first = backend.generate(&wanted).expect("a key is made");
    let second = backend.generate(&wanted).expect("a second key of the same name is made");
    assert_ne!(first.public, second.public, "the second took the first one's place");
    assert_ne!(first.reference, second.reference, "both are found by one reference");
}

fn what_is_not_there_is_missing(open: &mut OpenAgain<'_>, spec: KeySpec, pin: &mut Pin<'_>) {
    let mut backend = open();
    let model = NewKey { name: "a-model".to_owned(), purpose: Purpose::Party, spec };
    let model = pin(&mut keyring(Vec::new(), open()), &model).expect("a key is there").reference;
    // The same form, another value: what is not there is missing, never "something like it".
    let absent: String = model.chars().map(|one| if one.is_ascii_hexdigit() { '0' } else { one }).collect();
    let refused = backend.find(&absent, Purpose::Party);
    assert!(matches!(refused, Err(KeyError::Missing { .. })), "{absent}: {refused:?}");
}

/// A drill of a key, as its owner would sign it.
///
/// # Panics
/// Never.
pub fn drill(key: &SigningPublicKey) -> Drill {
    Drill {
        words: WORDS.to_owned(),
        key: key.fingerprint(),
        owner: key.fingerprint().into(),
        synchronizer: format!("sync::1220{}", "0".repeat(64)).parse().expect("a synchronizer"),
        at: NOW,
        nonce: [7; 32],
    }
}

fn identity() -> protocol::identity::IdentityPublicKey {
    protocol::statement::SignStatements::identity(&ed25519_dalek::SigningKey::from_bytes(&[3; 32]))
}
