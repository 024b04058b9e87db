//! TLS done by hand: which certificate fails, whose fault it is, and whether ours was asked for.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        ResolvesClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{
    Line, certificate,
    greeting::{First, greet},
};
use crate::access::Access;

/// The handshake, and what the other end says after it.
pub(super) async fn look(stream: TcpStream, host: &str, access: &Access, patience: Duration) -> Line {
    let tried = "TLS";
    let (config, seen, ours) = match client(access) {
        Ok(parts) => parts,
        Err(reason) => return Line::wrong(tried, reason, "mend the files"),
    };
    let Ok(name) = ServerName::try_from(host.to_owned()) else {
        return Line::wrong(
            tried,
            format!("{host:?} can stand in no certificate"),
            "write a host name or an IP address",
        );
    };
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let mut stream = match timeout(patience, connecting).await {
        Err(_) => return Line::unknown(tried, "no handshake in time", "is this a TLS port?"),
        Ok(Err(error)) => return handshake(&error, host, &seen.description(), &ours),
        Ok(Ok(stream)) => stream,
    };
    // TLS 1.3 tells only now what the other end thinks of our certificate.
    match greet(&mut stream, patience).await {
        First::Settings => {
            let ours = match (ours.was_asked(), &ours.key) {
                (true, Some(_)) => "; our client certificate is accepted",
                (true, None) => "; it asks for a client certificate and does without",
                (false, Some(_)) => "; it asks for no client certificate, so that ours protects nothing",
                (false, None) => "",
            };
            Line::right(tried, format!("{}{ours}", seen.description()))
        }
        First::Failed(error) => handshake(&error, host, &seen.description(), &ours),
        First::Closed | First::Alert if ours.was_asked() => ours.refused("it closed the connection"),
        First::Closed | First::Alert | First::Other => Line::wrong(
            tried,
            "it answers TLS, and does not speak gRPC",
            "is this the JSON API, or a proxy without HTTP/2?",
        ),
        First::Nothing => Line::unknown(tried, "TLS is up, and no answer in time", "is this a gRPC port?"),
    }
}

/// What a failed handshake means.
fn handshake(error: &io::Error, host: &str, shown: &str, ours: &Ours) -> Line {
    let tried = "TLS";
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => {
            let (found, advice) = match wrong {
                CertificateError::UnknownIssuer => {
                    ("no authority in `ca` vouches for it".to_owned(), "put the authority that issued it into `ca`")
                }
                CertificateError::BadSignature => (
                    "an authority in `ca` has its issuer's name and another key".to_owned(),
                    "put the authority that issued it into `ca`; was it renewed?",
                ),
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                    format!("it is for other names than {host:?}"),
                    "reach the node by a name that the certificate is for, or have it issued for this one",
                ),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                    "it has expired".to_owned(),
                    "the node's operator must renew it; if it is new, set this machine's clock",
                ),
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    ("it is not good yet".to_owned(), "set this machine's clock, or the authority's")
                }
                other => (format!("it cannot be believed: {other:?}"), "let the node's operator have a new one issued"),
            };
            Line::wrong("TLS: the node's certificate", format!("{shown}: {found}"), advice)
        }
        Some(rustls::Error::AlertReceived(alert)) if is_about_us(*alert) => {
            ours.refused(&format!("it answered with the alert {alert:?}"))
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            Line::wrong(tried, "what answers does not speak TLS", "write http:// here, or turn TLS on at the node")
        }
        Some(other) => Line::wrong(tried, other.to_string(), "compare the TLS settings of both ends"),
        None if ours.was_asked() => ours.refused(&error.to_string()),
        None => Line::unknown(tried, error.to_string(), "is this a TLS port? See the node's log"),
    }
}

fn is_about_us(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::HandshakeFailure
    )
}

/// Our own certificate, and whether it was asked for.
#[derive(Debug)]
struct Ours {
    key: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl Ours {
    fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    fn refused(&self, how: &str) -> Line {
        let tried = "TLS: our client certificate";
        match self.key.as_ref().and_then(|key| key.cert.first()) {
            None => Line::wrong(
                tried,
                format!("the node asks for one, and none is configured; {how}"),
                "write `certificate` and `key` into its access",
            ),
            Some(ours) => Line::wrong(
                tried,
                format!("the node does not take {}; {how}", certificate::describe(ours)),
                "have it issued by the authority in the node's trust-collection-file",
            ),
        }
    }
}

impl ResolvesClientCert for Ours {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

/// Verifies as always, and remembers what was shown.
struct Seen {
    inner: Arc<WebPkiServerVerifier>,
    shown: Mutex<Option<CertificateDer<'static>>>,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen")
    }
}

impl Seen {
    fn description(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.as_ref().map_or_else(|| "no certificate".to_owned(), certificate::describe)
    }
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.clone().into_owned());
        self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// TLS as tonic does it, with eyes in it.
fn client(access: &Access) -> Result<(ClientConfig, Arc<Seen>, Arc<Ours>), String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    let ca = access.ca.as_ref().ok_or("field ca: missing")?;
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|error| format!("field ca: {error}"))? {
        let certificate = certificate.map_err(|error| format!("field ca: {error}"))?;
        roots.add(certificate).map_err(|error| format!("field ca: {error}"))?;
    }
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let inner = inner.build().map_err(|error| format!("field ca: {error}"))?;
    let seen = Arc::new(Seen { inner, shown: Mutex::new(None) });
    let key = own(access, &provider)?;
    let ours = Arc::new(Ours { key, asked: AtomicBool::new(false) });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&seen) as Arc<dyn ServerCertVerifier>)
        .with_client_cert_resolver(Arc::clone(&ours) as Arc<dyn ResolvesClientCert>);
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok((config, seen, ours))
}

fn own(access: &Access, provider: &CryptoProvider) -> Result<Option<Arc<CertifiedKey>>, String> {
    let (Some(certificate), Some(key)) = (&access.certificate, &access.key) else { return Ok(None) };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| format!("field certificate: {error}"))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("field key: {error}"))?;
    let key = CertifiedKey::from_der(chain, key, provider);
    key.map(Arc::new).map(Some).map_err(|error| format!("fields certificate and key: {error}"))
}
