//! The kinds of key backends that a shipped agent has. Those that need no network are `custody`'s.

pub mod aws_kms;
pub mod gcp_kms;
pub mod participant;
pub mod service;
pub mod transit;
pub(crate) mod unopened;
pub mod yubihsm;

use canton_topology::key::{KeySpec, SigningPublicKey};
use custody::keys::{Purpose, backends::Kinds, external_command, pkcs11};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};

/// Every kind that a section of `agent.toml` can name. The encrypted file is always there, and needs no section.
pub fn shipped() -> Kinds {
    Kinds::default()
        .with(pkcs11::KIND, pkcs11::open)
        .with(external_command::KIND, external_command::open)
        .with(yubihsm::KIND, yubihsm::open)
        .with(participant::KIND, participant::open)
        .with(aws_kms::KIND, aws_kms::open)
        .with(gcp_kms::KIND, gcp_kms::open)
        .with(transit::KIND, transit::open)
}

/// A public key as a service shows it: SubjectPublicKeyInfo, or the 32 bytes of an Ed25519 key.
fn public_key(spec: KeySpec, bytes: &[u8], purpose: Purpose) -> Option<SigningPublicKey> {
    match <&[u8; 32]>::try_from(bytes) {
        Ok(raw) if spec == KeySpec::Ed25519 => SigningPublicKey::ed25519(raw, purpose.usage()).ok(),
        _ => SigningPublicKey::from_spki(spec, bytes, purpose.usage()).ok(),
    }
}

fn spki_of_pem(pem: &str) -> Option<Vec<u8>> {
    SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok().map(|der| der.to_vec())
}
