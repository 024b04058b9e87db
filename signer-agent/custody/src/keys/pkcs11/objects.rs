//! Key pairs on a token: found by CKA_ID and public key. Labels are for people, and find nothing.

use std::collections::BTreeMap;

use canton_topology::key::SigningPublicKey;
use cryptoki::{
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::Session,
};

use super::{attributes::Attributes, curve, failure::Failure};
use crate::keys::{KeyError, Purpose};

/// Longest CKA_ID that is taken, in bytes.
const ID_BYTES_MAX: usize = 64;

/// A key pair.
pub(super) struct Pair {
    /// The private half, in the session in which it was found.
    pub private: ObjectHandle,
    /// The public half.
    pub public: SigningPublicKey,
    /// What the token says of the private half.
    pub attributes: Attributes,
}

/// CKA_ID of a reference, which is its hex digits.
///
/// # Errors
/// [`KeyError::Missing`].
pub(super) fn id_of(reference: &str) -> Result<Vec<u8>, KeyError> {
    let id = hex::decode(reference).ok().filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
    id.ok_or_else(|| KeyError::Missing {
        reference: reference.to_owned(),
        reason: format!("a token's keys are found by the hex digits of CKA_ID, 1 to {ID_BYTES_MAX} bytes"),
    })
}

/// How many private keys have that CKA_ID.
///
/// # Errors
/// [`Failure::Lost`].
pub(super) fn count(session: &Session, id: &[u8]) -> Result<usize, Failure> {
    Ok(of_class(session, ObjectClass::PRIVATE_KEY, id)?.len())
}

/// The only pair with that CKA_ID.
///
/// # Errors
/// [`KeyError::Missing`] where there is none, or another one beside it.
pub(super) fn find(session: &Session, id: &[u8], purpose: Purpose) -> Result<Pair, Failure> {
    let missing = |reason: String| Failure::Key(KeyError::Missing { reference: hex::encode(id), reason });
    let private = match of_class(session, ObjectClass::PRIVATE_KEY, id)?[..] {
        [] => return Err(missing("the token has no private key with that CKA_ID".to_owned())),
        [one] => one,
        ref several => {
            let reason = "private keys have that CKA_ID; give each one of its own";
            return Err(missing(format!("{} {reason}", several.len())));
        }
    };
    let publics = publics(session, id, purpose)?;
    let mut of_pair = publics.into_values();
    let public = match (of_pair.next(), of_pair.next()) {
        (Some(public), None) => public,
        (Some(one), Some(other)) => {
            let (one, other) = (one.fingerprint(), other.fingerprint());
            let reason = format!("public keys of {one} and {other} both have that CKA_ID; give each one of its own");
            return Err(missing(reason));
        }
        (None, _) => {
            let reason = "the token has no public key of a curve of Canton's beside it; write the public half to it, \
                          with the same CKA_ID";
            return Err(missing(reason.to_owned()));
        }
    };
    Ok(Pair { private, public, attributes: Attributes::read(session, private)? })
}

fn of_class(session: &Session, class: ObjectClass, id: &[u8]) -> Result<Vec<ObjectHandle>, Failure> {
    let template = [Attribute::Class(class), Attribute::Token(true), Attribute::Id(id.to_vec())];
    Ok(session.find_objects(&template)?)
}

/// The different public keys with that CKA_ID, by fingerprint.
fn publics(session: &Session, id: &[u8], purpose: Purpose) -> Result<BTreeMap<String, SigningPublicKey>, Failure> {
    let mut found = BTreeMap::new();
    for object in of_class(session, ObjectClass::PUBLIC_KEY, id)? {
        let (mut parameters, mut point) = (Vec::new(), Vec::new());
        for attribute in session.get_attributes(object, &[AttributeType::EcParams, AttributeType::EcPoint])? {
            match attribute {
                Attribute::EcParams(written) => parameters = written,
                Attribute::EcPoint(written) => point = written,
                _ => return Err(Failure::Lost("C_GetAttributeValue answers what was not asked".to_owned())),
            }
        }
        if let Some(public) = curve::public_key(&parameters, &point, purpose) {
            found.insert(public.fingerprint().to_string(), public);
        }
    }
    Ok(found)
}
