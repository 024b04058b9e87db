//! Keys that are made on the token and never leave it.

use cryptoki::{
    error::{Error, RvError},
    object::Attribute,
    session::Session,
};

use super::{
    curve,
    failure::Failure,
    objects::{self, Pair},
    signing,
    token::Open,
};
use crate::keys::{KeyError, NewKey};

/// Makes a key pair with that CKA_ID. Where there is one already, as of a first try whose answer was lost, it is that one.
///
/// # Errors
/// See [`Failure`].
pub(super) fn generate(open: &mut Open, id: &[u8], wanted: &NewKey) -> Result<Pair, Failure> {
    let spec = wanted.spec;
    for needed in [curve::generation(spec).mechanism_type(), signing::mechanism(spec)] {
        if !open.can(needed) {
            let words = format!("--spec {}: the token has no {needed}", spec.name());
            return Err(Failure::Key(KeyError::Unable(words)));
        }
    }
    if objects::count(&open.session, id)? == 0 {
        let session = open.writing()?;
        pair(&session, id, wanted).map_err(|error| match error {
            Error::Pkcs11(code, _) if is_about_the_curve(code) => {
                let words = format!("--spec {}: the token does not make keys of that curve ({code:?})", spec.name());
                Failure::Key(KeyError::Unable(words))
            }
            other => other.into(),
        })?;
    }
    objects::find(&open.session, id, wanted.purpose)
}

fn pair(session: &Session, id: &[u8], wanted: &NewKey) -> Result<(), Error> {
    let private = private_template(id, wanted);
    let mut failed = None;
    for parameters in curve::parameters(wanted.spec) {
        let public = public_template(id, wanted, parameters);
        match session.generate_key_pair(&curve::generation(wanted.spec), &public, &private) {
            Ok(_) => return Ok(()),
            // The other way of writing the curve may be the token's.
            Err(Error::Pkcs11(code, function)) if is_about_the_curve(code) => {
                failed = Some(Error::Pkcs11(code, function));
            }
            Err(error) => return Err(error),
        }
    }
    Err(failed.unwrap_or(Error::InvalidValue))
}

fn is_about_the_curve(code: RvError) -> bool {
    matches!(
        code,
        RvError::CurveNotSupported
            | RvError::DomainParamsInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateInconsistent
            | RvError::KeySizeRange
    )
}

/// Every use but signing is said to be none: a token may have other defaults.
fn private_template(id: &[u8], wanted: &NewKey) -> Vec<Attribute> {
    vec![
        Attribute::KeyType(curve::key_type(wanted.spec)),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Sign(true),
        Attribute::SignRecover(false),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
        Attribute::Id(id.to_vec()),
        Attribute::Label(wanted.name.as_bytes().to_vec()),
    ]
}

fn public_template(id: &[u8], wanted: &NewKey, parameters: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::KeyType(curve::key_type(wanted.spec)),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Modifiable(false),
        Attribute::Verify(true),
        Attribute::Encrypt(false),
        Attribute::Wrap(false),
        Attribute::EcParams(parameters.to_vec()),
        Attribute::Id(id.to_vec()),
        Attribute::Label(wanted.name.as_bytes().to_vec()),
    ]
}
