//! A signature by the one key of a token that has the pinned public half.

use canton_topology::{
    key::{KeySpec, SigningPublicKey},
    signature::Signature,
};
use cryptoki::{
    error::{Error, RvError},
    mechanism::MechanismType,
    object::ObjectHandle,
    session::UserType,
};

use super::{curve, failure::Failure, login::give_pin, objects, token::Open};
use crate::keys::{KeyError, Purpose};

/// A key that was found in the open session.
#[derive(Clone, Copy)]
pub(super) struct Usable {
    private: ObjectHandle,
    wants_pin_each_time: bool,
}

/// The key that is asked for.
#[derive(PartialEq, Eq)]
pub(super) struct Sought {
    /// CKA_ID.
    pub id: Vec<u8>,
    /// The pinned public half.
    pub public: SigningPublicKey,
    /// What the key is for.
    pub purpose: Purpose,
}

/// Signs. What comes out is not verified yet.
///
/// # Errors
/// See [`Failure`].
pub(super) fn sign(open: &mut Open, wanted: &Sought, message: &[u8]) -> Result<Signature, Failure> {
    let key = found(open, wanted)?;
    let spec = wanted.public.spec();
    let given = if key.wants_pin_each_time {
        with_pin(open, key.private, spec, message)?
    } else {
        let (mechanism, bytes) = curve::signing(spec, message);
        open.session.sign(&mechanism, key.private, &bytes)?
    };
    let signature = curve::signature(spec, &given, wanted.public.fingerprint());
    signature.ok_or_else(|| Failure::Lost("what C_Sign gave is no signature of that curve".to_owned()))
}

/// The key in this session: as it was found, or found now and looked at again, as what it may do can have changed since it
/// was pinned.
///
/// # Errors
/// See [`Failure`].
pub(super) fn found(open: &mut Open, wanted: &Sought) -> Result<Usable, Failure> {
    if let Some(key) = open.found.get(&wanted.id) {
        return Ok(*key);
    }
    let pair = objects::find(&open.session, &wanted.id, wanted.purpose)?;
    if pair.public.fingerprint() != wanted.public.fingerprint() {
        let reason = format!(
            "another key has that CKA_ID: {}, and pinned is {}; give each one of its own, or restore the pinned one",
            pair.public.fingerprint(),
            wanted.public.fingerprint()
        );
        return Err(Failure::Key(KeyError::Missing { reference: hex::encode(&wanted.id), reason }));
    }
    let weaknesses = pair.attributes.weaknesses(&open.settings.accept);
    if !weaknesses.is_empty() {
        let words =
            format!("key {} is weaker than when it was pinned: {}", wanted.public.fingerprint(), weaknesses.join("; "));
        return Err(Failure::Key(KeyError::Unable(words)));
    }
    let key = Usable { private: pair.private, wants_pin_each_time: pair.attributes.wants_pin_each_time() };
    open.found.insert(wanted.id.clone(), key);
    Ok(key)
}

/// Between C_SignInit and the signature the token takes the PIN, and so the message goes in parts: the wrapper of the
/// library has no way to sign in one part what was begun before.
fn with_pin(open: &Open, key: ObjectHandle, spec: KeySpec, message: &[u8]) -> Result<Vec<u8>, Failure> {
    let hashing = curve::hashing(spec);
    let (mechanism, bytes) =
        if open.can(hashing.mechanism_type()) { (hashing, message.to_vec()) } else { curve::signing(spec, message) };
    open.session.sign_init(&mechanism, key)?;
    give_pin(&open.session, UserType::ContextSpecific, &open.settings)?;
    let given = open.session.sign_update(&bytes).and_then(|()| open.session.sign_final());
    given.map_err(|error| match error {
        Error::Pkcs11(RvError::OperationNotInitialized | RvError::FunctionNotSupported, _) => {
            let words = "the key wants its PIN for each signature (CKA_ALWAYS_AUTHENTICATE), and this token does not \
                         sign in parts, which is the way to give it; make the key without that attribute";
            Failure::Key(KeyError::Unable(words.to_owned()))
        }
        other => other.into(),
    })
}

/// The mechanisms that a curve needs to sign.
pub(super) fn mechanism(spec: KeySpec) -> MechanismType {
    curve::signing(spec, &[]).0.mechanism_type()
}
