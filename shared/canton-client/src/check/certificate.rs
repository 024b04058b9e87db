//! A certificate in words, so that a human sees which one is meant.

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::plain;

/// Whose it is, whose word it is, and how long it is good.
pub(super) fn describe(certificate: &CertificateDer<'_>) -> String {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate.as_ref()) else {
        return "a certificate that does not parse".to_owned();
    };
    let names = parsed.subject_alternative_name().ok().flatten().map(|names| {
        let names: Vec<String> = names.value.general_names.iter().map(|name| plain(&name.to_string())).collect();
        format!(", for {}", names.join(", "))
    });
    let (subject, issuer) = (plain(&parsed.subject().to_string()), plain(&parsed.issuer().to_string()));
    let names = names.unwrap_or_default();
    let (from, until) = (parsed.validity().not_before, parsed.validity().not_after);
    format!("the certificate of \"{subject}\"{names}, issued by \"{issuer}\", good from {from} until {until}")
}
