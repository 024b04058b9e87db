//! The only connection that an agent opens to the coordinator: TLS 1.3 to a pinned authority.

use std::{sync::Arc, time::Duration};

use canton_client::answer::{self, NotRead};
use protocol::{
    api::{
        Base64, Directory, EnrollRequest, EnrollResponse, HandOver, HandedOver, Inbox, Introduced, Introductions,
        Invitation, Nonce, PostIntroduction, PostStatement, Posted, Problem,
    },
    identity::IdentityCertificate,
    limits,
    statement::Statement,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::folder::Enrolment;

/// Why a call to the coordinator did not work.
#[derive(Debug, Error)]
pub enum LinkError {
    /// It cannot be reached, or is not who it should be.
    #[error("the coordinator cannot be reached: {0}")]
    Unreachable(String),
    /// It refused.
    #[error("the coordinator refused ({status} {slug}): {detail}", status = .0.status, slug = .0.kind, detail = .0.detail)]
    Refused(Problem),
    /// It answered something that does not read.
    #[error("the coordinator's answer does not read: {0}")]
    BadAnswer(String),
    /// TLS cannot be set up from what enrolment left behind.
    #[error("TLS: {0}")]
    Tls(String),
}

/// How long an answer may take beyond the time that was asked for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client of the coordinator, built once.
#[derive(Clone, Debug)]
pub struct Link {
    client: reqwest::Client,
    base: String,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn tls(error: impl std::fmt::Display) -> LinkError {
    LinkError::Tls(error.to_string())
}

fn client(config: ClientConfig, address: &str) -> Result<Link, LinkError> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .https_only(true)
        .no_proxy()
        .connect_timeout(PATIENCE)
        .build()
        .map_err(tls)?;
    Ok(Link { client, base: format!("https://{address}") })
}

/// Enrolls: a fresh TLS key, the owner's identity certificate, and an authority that is the one of the invitation.
///
/// # Errors
/// See [`LinkError`]. The invitation stays usable where the coordinator did not take it.
pub async fn enroll(invitation: &Invitation, certificate: &IdentityCertificate) -> Result<Enrolment, LinkError> {
    let pinned = Arc::new(PinnedAuthority { key_hash: invitation.ca_key_hash, found: std::sync::Mutex::new(None) });
    let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(&pinned) as Arc<dyn ServerCertVerifier>;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let link = client(config, &invitation.address)?;
    let key = KeyPair::generate().map_err(tls)?;
    let request = CertificateParams::default().serialize_request(&key).and_then(|csr| csr.pem()).map_err(tls)?;
    let body = EnrollRequest {
        token: invitation.token.clone(),
        csr_pem: request,
        certificate: Base64(certificate.bytes().to_vec()),
    };
    let answer: EnrollResponse = link.post("/v1/enroll", &body).await?;
    let found = pinned.found.lock().map_err(tls)?.clone();
    let ca = found.ok_or_else(|| LinkError::Tls("no authority was shown".to_owned()))?;
    Ok(Enrolment {
        address: invitation.address.clone(),
        ca_pem: pem("CERTIFICATE", &ca),
        coordinator: answer.coordinator,
        former: Vec::new(),
        client_certificate_pem: answer.client_certificate_pem,
        client_key_pem: key.serialize_pem(),
    })
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Takes a server whose chain holds the authority that the invitation pins, and verifies the server against it alone.
#[derive(Debug)]
struct PinnedAuthority {
    key_hash: [u8; 32],
    found: std::sync::Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let is_pinned = |der: &&CertificateDer<'_>| {
            X509Certificate::from_der(der)
                .is_ok_and(|(_, certificate)| Sha256::digest(certificate.public_key().raw)[..] == self.key_hash)
        };
        let other = || {
            rustls::Error::General(
                "the coordinator is not the one of the invitation: its authority's key differs".to_owned(),
            )
        };
        let authority = intermediates.iter().find(is_pinned).ok_or_else(other)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let verified = verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        if let Ok(mut found) = self.found.lock() {
            *found = Some(authority.to_vec());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl Link {
    /// A client from what enrolment left behind.
    ///
    /// # Errors
    /// [`LinkError::Tls`] where the certificates do not read.
    pub fn new(enrolment: &Enrolment) -> Result<Self, LinkError> {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(enrolment.ca_pem.as_bytes()).map_err(tls)?;
        roots.add(ca).map_err(tls)?;
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(enrolment.client_certificate_pem.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(tls)?;
        let key = PrivateKeyDer::from_pem_slice(enrolment.client_key_pem.as_bytes()).map_err(tls)?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(tls)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(tls)?;
        client(config, &enrolment.address)
    }

    /// Hands a statement in.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn post_statement(&self, statement: &Statement) -> Result<Posted, LinkError> {
        self.post("/v1/statements", &PostStatement { statement: Base64(statement.bytes().to_vec()) }).await
    }

    /// Hands a whole case over.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn hand_over(&self, statements: &[Statement]) -> Result<HandedOver, LinkError> {
        let statements = statements.iter().map(|statement| Base64(statement.bytes().to_vec())).collect();
        self.post("/v1/cases", &HandOver { statements }).await
    }

    /// What is new since a cursor; waits for it as long as asked.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn inbox(&self, after: u64, wait: Duration) -> Result<Inbox, LinkError> {
        let path = format!("/v1/inbox?after={after}&wait_ms={}", wait.as_millis());
        self.answer(self.client.get(format!("{}{path}", self.base)).timeout(wait + PATIENCE)).await
    }

    /// Who is enrolled.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn directory(&self) -> Result<Directory, LinkError> {
        self.answer(self.client.get(format!("{}/v1/directory", self.base)).timeout(PATIENCE)).await
    }

    /// Something for the owner's keys to answer.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn nonce(&self) -> Result<Nonce, LinkError> {
        self.answer(self.client.post(format!("{}/v1/nonces", self.base)).timeout(PATIENCE)).await
    }

    /// Puts the owner's introduction into the mailbox.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn introduce(&self, introduction: &Statement) -> Result<Introduced, LinkError> {
        let body = PostIntroduction { introduction: Base64(introduction.bytes().to_vec()) };
        self.post("/v1/introductions", &body).await
    }

    /// Everything in the mailbox, as far as its bounds allow.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn introductions(&self) -> Result<Vec<Base64>, LinkError> {
        let bytes_max = limits::INTRODUCTIONS_PER_ANSWER_MAX * limits::INTRODUCTION_BYTES_MAX * 3 / 2;
        let mut path = "/v1/introductions".to_owned();
        let mut all = Vec::new();
        // A coordinator that never comes to an end is not followed for ever.
        for _ in 0..limits::DIRECTORY_OWNERS_MAX {
            let body = Self::bounded(self.request(reqwest::Method::GET, &path, PATIENCE), bytes_max).await?;
            let page: Introductions =
                serde_json::from_slice(&body).map_err(|error| LinkError::BadAnswer(error.to_string()))?;
            let is_empty = page.introductions.is_empty();
            all.extend(page.introductions);
            match page.next {
                Some(next) if !is_empty && all.len() < limits::DIRECTORY_OWNERS_MAX => {
                    let next: String = next.chars().filter(|one| one.is_ascii_alphanumeric()).collect();
                    path = format!("/v1/introductions?after={next}");
                }
                Some(_) | None => break,
            }
        }
        all.truncate(limits::DIRECTORY_OWNERS_MAX);
        Ok(all)
    }

    async fn post<B: serde::Serialize, A: DeserializeOwned>(&self, path: &str, body: &B) -> Result<A, LinkError> {
        self.answer(self.client.post(format!("{}{path}", self.base)).timeout(PATIENCE).json(body)).await
    }

    /// A request to a path, with time for its answer.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str, time: Duration) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).timeout(time)
    }

    /// The body of an answer that may not be longer than so many bytes.
    pub(crate) async fn bounded(request: reqwest::RequestBuilder, bytes_max: usize) -> Result<Vec<u8>, LinkError> {
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = answer::bounded(response, bytes_max).await.map_err(|error| match error {
            NotRead::Broken(error) => unreachable(error),
            NotRead::TooLong { .. } => LinkError::BadAnswer(error.to_string()),
        })?;
        if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
    }

    async fn answer<A: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<A, LinkError> {
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| LinkError::BadAnswer(error.to_string()));
        }
        Err(refused(status, &body))
    }
}

fn unreachable(error: reqwest::Error) -> LinkError {
    LinkError::Unreachable(answer::causes(&error))
}

fn refused(status: reqwest::StatusCode, body: &[u8]) -> LinkError {
    let problem = serde_json::from_slice(body);
    problem.map_or_else(|_| LinkError::BadAnswer(format!("status {status}")), LinkError::Refused)
}
