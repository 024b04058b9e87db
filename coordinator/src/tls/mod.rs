//! TLS 1.3 with a certificate authority of our own. A client certificate may be missing at the handshake; the routes
//! that need one ask for it.

pub mod accept;
pub mod authority;

use std::sync::Arc;

use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier, version::TLS13};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use self::authority::{Authority, AuthorityError};

/// Makes `ring` the provider of this process. Call it first thing in every binary; a second call changes nothing.
pub fn install_crypto() {
    // It fails only where a provider is installed already, which is this one: the workspace has no other.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The server's side of TLS, with a fresh key and a fresh certificate for these host names and addresses.
///
/// # Errors
/// Where a name is not one, or the authority cannot sign.
pub fn server_config(authority: &Authority, names: &[String]) -> Result<ServerConfig, AuthorityError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate_der()?).map_err(|error| AuthorityError::Tls(error.to_string()))?;
    // Without a certificate a client may enroll and ask after our health; with one of another authority it gets nothing.
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| AuthorityError::Tls(error.to_string()))?;
    let (chain, key) = authority.server_certificate(names)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| AuthorityError::Tls(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| AuthorityError::Tls(error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo; `None` where the bytes are no certificate.
pub fn key_hash(certificate_der: &[u8]) -> Option<[u8; 32]> {
    let (_, certificate) = X509Certificate::from_der(certificate_der).ok()?;
    Some(Sha256::digest(certificate.public_key().raw).into())
}
