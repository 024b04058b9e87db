//! What a signature through the keyring costs, verified against the pinned key, over one of the token alone.
//!
//! Both sign on the same SoftHSM2 in one process, one after the other in turns, each message a new one. The limit is 1.3.
//! On a virtual machine with two busy cores: Ed25519 1.29, secp256k1 1.28, P-256 2.17. On idle ones, where the thread that
//! calls the library takes some 60 us to wake: 1.60, 1.47, 2.96, and P-384 1.99. On both NIST curves verifying alone costs
//! nearly what SoftHSM2's signature does, which OpenSSL makes: 37 us and 43, 481 and 566. A device that takes milliseconds
//! is far below with each.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use canton_topology::{Timestamp, key::KeySpec};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::{Attribute, ObjectClass, ObjectHandle},
    session::Session,
};
use custody::keys::{NewKey, Outcome, Purpose, keyring::Keyring, to_sign::ToSign};
use sha2::{Digest as _, Sha256, Sha384};
use tests::{
    backend_conformance::drill,
    softhsm::{PIN, SoftHsm},
};

const ROUNDS: usize = 2_000;
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

fn main() {
    if let Some(softhsm) = SoftHsm::here() {
        return measure(&softhsm);
    }
    let folder = tempfile::tempdir().unwrap();
    if let Some(softhsm) = SoftHsm::new(folder.path()) {
        assert!(softhsm.again().status().unwrap().success());
    }
}

fn measure(softhsm: &SoftHsm) {
    softhsm.make_token("alice");
    let backend = softhsm.backend(softhsm.library(), PIN, "label = \"alice\"");
    let mut ring = Keyring::new(Vec::new(), [("hsm".to_owned(), backend)].into());
    for spec in KeySpec::ALL {
        let wanted = NewKey { name: spec.name().to_owned(), purpose: Purpose::Party, spec };
        let key = ring.generate("hsm", &wanted, NOW).unwrap().clone();
        let (session, private) = raw(softhsm, &hex::decode(&key.reference).unwrap());
        let (mut through, mut alone, mut verified) = (Vec::new(), Vec::new(), Vec::new());
        let mut message = drill(&key.public);
        for round in 0..ROUNDS {
            message.nonce[..8].copy_from_slice(&(round as u64).to_be_bytes());
            let wanted = ToSign::drill(&message);
            let before = Instant::now();
            let outcome = ring.sign(&wanted);
            through.push(before.elapsed());

            let Ok(Outcome::Signed(signature)) = outcome else { panic!("{outcome:?}") };
            let before = Instant::now();
            signature.verify(&key.public, wanted.message()).unwrap();
            verified.push(before.elapsed());

            let (mechanism, bytes) = of(spec, wanted.message());
            let before = Instant::now();
            session.sign(&mechanism, private, &bytes).unwrap();
            alone.push(before.elapsed());
        }
        let (through, alone, verified) = (median(through), median(alone), median(verified));
        let ratio = through.as_secs_f64() / alone.as_secs_f64();
        println!(
            "{}: keyring {through:.1?}, of which verification {verified:.1?}; C_Sign {alone:.1?}; ratio {ratio:.2} \
             (medians of {ROUNDS})",
            spec.name()
        );
    }
}

fn raw(softhsm: &SoftHsm, id: &[u8]) -> (Session, ObjectHandle) {
    let library = Pkcs11::new(softhsm.library()).unwrap();
    // The backend has initialised it and is logged in: both are the process's.
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap_err();
    let slot = library.get_slots_with_initialized_token().unwrap()[0];
    let session = library.open_ro_session(slot).unwrap();
    let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(id.to_vec())];
    let private = session.find_objects(&template).unwrap()[0];
    (session, private)
}

fn of(spec: KeySpec, message: &[u8]) -> (Mechanism<'static>, Vec<u8>) {
    match spec {
        KeySpec::Ed25519 => (Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)), message.to_vec()),
        KeySpec::P256 | KeySpec::Secp256k1 => (Mechanism::Ecdsa, Sha256::digest(message).to_vec()),
        KeySpec::P384 => (Mechanism::Ecdsa, Sha384::digest(message).to_vec()),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
