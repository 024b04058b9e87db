//! Our certificate authority: made at the first start, kept in the data folder. It vouches for transport only: what an
//! owner says is believed because of its identity key.

use std::time::{Duration, SystemTime};

use rand_core::{OsRng, RngCore as _};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::key_hash;
use crate::data_folder::{DataFolder, DataFolderError};

const KEY_FILE: &str = "ca.key.pem";
const CERTIFICATE_FILE: &str = "ca.cert.pem";

const DAY: Duration = Duration::from_secs(24 * 3600);
/// An agent pins the authority, so its end would be the end of every enrolment.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(50 * 365 * 24 * 3600);
/// A server certificate is made at every start.
const SERVER_LIFETIME: Duration = Duration::from_secs(5 * 365 * 24 * 3600);
/// What a client may do is decided by its enrolment at every request; an expiry would only lock it out.
const CLIENT_LIFETIME: Duration = Duration::from_secs(20 * 365 * 24 * 3600);

/// The authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    key_hash: [u8; 32],
}

/// Why the authority does not do what it should.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// Its files.
    #[error(transparent)]
    Files(#[from] DataFolderError),
    /// One of its two files is there without the other, or does not read.
    #[error(
        "the certificate authority in {folder}: {reason}; restore both {KEY_FILE} and {CERTIFICATE_FILE} from a backup, or remove both and enroll every owner again"
    )]
    Unusable {
        /// The data folder.
        folder: String,
        /// What is wrong.
        reason: String,
    },
    /// A host name or address is not one.
    #[error("{name:?} cannot stand in a certificate: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The certificate request is not one, or is not signed by its own key.
    #[error("csr_pem: {0}; expected a PKCS#10 request in PEM, signed by the key that it is for")]
    Request(String),
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Sign(String),
    /// The TLS library refuses.
    #[error("TLS: {0}")]
    Tls(String),
}

impl Authority {
    /// The authority of a data folder, made where there is none.
    ///
    /// # Errors
    /// Where its files cannot be read or written, or are not a pair.
    pub fn open(folder: &DataFolder) -> Result<Self, AuthorityError> {
        let unusable =
            |reason: String| AuthorityError::Unusable { folder: folder.path().display().to_string(), reason };
        match (folder.read(KEY_FILE)?, folder.read(CERTIFICATE_FILE)?) {
            (Some(key), Some(certificate)) => {
                Self::load(&key, certificate).map_err(|error| unusable(error.to_string()))
            }
            // A first start that was interrupted between the two files has given nothing to anybody.
            (None | Some(_), None) => {
                let (key, certificate) = create().map_err(|error| AuthorityError::Sign(error.to_string()))?;
                folder.keep(KEY_FILE, &key)?;
                folder.keep(CERTIFICATE_FILE, &certificate)?;
                Self::load(&key, certificate).map_err(|error| unusable(error.to_string()))
            }
            (None, Some(_)) => Err(unusable(format!("{KEY_FILE} is gone"))),
        }
    }

    fn load(key: &str, certificate_pem: String) -> Result<Self, AuthorityError> {
        let sign = |error: rcgen::Error| AuthorityError::Sign(error.to_string());
        let der = der(&certificate_pem)?;
        let key = KeyPair::from_pem(key).map_err(sign)?;
        let key_hash = key_hash(&der).ok_or_else(|| AuthorityError::Tls("its certificate does not read".to_owned()))?;
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(sign)?;
        Ok(Self { issuer, certificate_pem, key_hash })
    }

    /// SHA-256 of its SubjectPublicKeyInfo: what an invitation names and an agent pins.
    pub fn key_hash(&self) -> [u8; 32] {
        self.key_hash
    }

    /// Its certificate, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Its certificate, DER.
    ///
    /// # Errors
    /// Never for an authority that was opened.
    pub fn certificate_der(&self) -> Result<CertificateDer<'static>, AuthorityError> {
        der(&self.certificate_pem)
    }

    /// A chain (server, authority) and the key for these names. The authority comes along, because an agent that
    /// enrolls knows only its hash.
    ///
    /// # Errors
    /// Where a name cannot stand in a certificate.
    pub fn server_certificate(
        &self,
        names: &[String],
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), AuthorityError> {
        let mut params = CertificateParams::default();
        for name in names {
            let bad = |error: rcgen::Error| AuthorityError::Name { name: name.clone(), reason: error.to_string() };
            let one = CertificateParams::new(vec![name.clone()]).map_err(bad)?;
            params.subject_alt_names.extend(one.subject_alt_names);
        }
        describe(&mut params, "Countersign coordinator", SERVER_LIFETIME);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let sign = |error: rcgen::Error| AuthorityError::Sign(error.to_string());
        let key = KeyPair::generate().map_err(sign)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(sign)?;
        let chain = vec![certificate.der().clone(), self.certificate_der()?];
        Ok((chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }

    /// A client certificate for the key of a request. Nothing of the request but its key is taken over.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn client_certificate(&self, request: ClientRequest, name: &str) -> Result<String, AuthorityError> {
        let mut request = request.request;
        request.params = CertificateParams::default();
        describe(&mut request.params, name, CLIENT_LIFETIME);
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = request.signed_by(&self.issuer);
        certificate.map(|certificate| certificate.pem()).map_err(|error| AuthorityError::Sign(error.to_string()))
    }
}

/// A certificate request whose own key has signed it.
pub struct ClientRequest {
    request: CertificateSigningRequestParams,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_hash: [u8; 32],
}

impl ClientRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// Where it does not read, or its own key did not sign it.
    pub fn parse(csr_pem: &str) -> Result<Self, AuthorityError> {
        let request = CertificateSigningRequestParams::from_pem(csr_pem);
        let request = request.map_err(|error| AuthorityError::Request(error.to_string()))?;
        let key_hash = Sha256::digest(request.public_key.subject_public_key_info()).into();
        Ok(Self { request, key_hash })
    }
}

fn create() -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    describe(&mut params, "Countersign coordinator authority", AUTHORITY_LIFETIME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let certificate = params.self_signed(&key)?;
    Ok((key.serialize_pem(), certificate.pem()))
}

fn describe(params: &mut CertificateParams, name: &str, lifetime: Duration) {
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let mut serial = [0u8; 16];
    OsRng.fill_bytes(&mut serial);
    // A serial is a positive number.
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let now = SystemTime::now();
    // Clocks differ.
    params.not_before = (now - DAY).into();
    params.not_after = (now + lifetime).into();
}

fn der(pem: &str) -> Result<CertificateDer<'static>, AuthorityError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| AuthorityError::Tls(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&parent.path().join("data")).unwrap();
        (parent, folder)
    }

    #[test]
    fn the_authority_is_the_same_after_a_restart() {
        let (_parent, folder) = folder();

        let first = Authority::open(&folder).unwrap();
        let second = Authority::open(&folder).unwrap();

        assert_eq!(first.key_hash(), second.key_hash());
        assert_eq!(first.certificate_pem(), second.certificate_pem());
    }

    #[test]
    fn an_authority_without_its_key_is_refused_by_name() {
        let (_parent, folder) = folder();
        Authority::open(&folder).unwrap();
        std::fs::remove_file(folder.path().join(KEY_FILE)).unwrap();

        let refused = Authority::open(&folder).err().unwrap();

        assert!(refused.to_string().contains("ca.key.pem is gone"), "{refused}");
    }

    #[test]
    fn nothing_but_the_key_of_a_request_is_certified() {
        let (_parent, folder) = folder();
        let authority = Authority::open(&folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["coordinator.example".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "somebody else");
        let request = params.serialize_request(&key).unwrap().pem().unwrap();

        let request = ClientRequest::parse(&request).unwrap();
        let key_hash_of_request = request.key_hash;
        let made = authority.client_certificate(request, "alice").unwrap();

        let der = der(&made).unwrap();
        assert_eq!(key_hash(&der), Some(key_hash_of_request));
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert!(!certificate.is_ca());
        assert_eq!(certificate.subject().to_string(), "CN=alice");
        assert!(certificate.subject_alternative_name().unwrap().is_none());
    }

    #[test]
    fn a_request_that_its_key_did_not_sign_is_refused() {
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap();
        let mut der = request.der().to_vec();
        *der.last_mut().unwrap() ^= 1;

        let refused = ClientRequest::parse(&pem_of(&der)).err().unwrap();

        assert!(matches!(refused, AuthorityError::Request(_)), "{refused}");
    }

    fn pem_of(der: &[u8]) -> String {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n")
    }
}
