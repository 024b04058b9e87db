//! Keys as objects of the device: their ids, algorithms and capabilities in our words.

use canton_topology::{key::KeySpec, show::escaped};
use custody::keys::KeyError;
use yubihsm::{Capability, asymmetric, domain::DOMAINS, object};

/// An id as it is pinned.
pub fn reference_of(id: object::Id) -> String {
    format!("0x{id:04x}")
}

/// The id that is pinned.
pub fn id_of(reference: &str) -> Result<object::Id, KeyError> {
    let id = reference.strip_prefix("0x").and_then(|digits| u16::from_str_radix(digits, 16).ok());
    id.ok_or_else(|| KeyError::Missing {
        reference: reference.to_owned(),
        reason: "a reference is the key's id in hex, such as 0x01a3".to_owned(),
    })
}

/// The curve of an algorithm, where Canton signs with it.
pub fn spec_of(algorithm: asymmetric::Algorithm) -> Option<KeySpec> {
    KeySpec::ALL.into_iter().find(|spec| algorithm_of(*spec) == algorithm)
}

/// The algorithm of a curve.
pub fn algorithm_of(spec: KeySpec) -> asymmetric::Algorithm {
    match spec {
        KeySpec::Ed25519 => asymmetric::Algorithm::Ed25519,
        KeySpec::P256 => asymmetric::Algorithm::EcP256,
        KeySpec::P384 => asymmetric::Algorithm::EcP384,
        KeySpec::Secp256k1 => asymmetric::Algorithm::EcK256,
    }
}

/// What a key may do: sign in the way of its curve, and nothing else.
pub fn capability_of(spec: KeySpec) -> Capability {
    match spec {
        KeySpec::Ed25519 => Capability::SIGN_EDDSA,
        KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1 => Capability::SIGN_ECDSA,
    }
}

/// What the device says of a key.
pub fn facts(info: &object::Info) -> Vec<(String, String)> {
    let domains = DOMAINS.iter().enumerate().filter(|(_, domain)| info.domains.contains(**domain));
    let domains: Vec<String> = domains.map(|(index, _)| (index + 1).to_string()).collect();
    vec![
        ("label".to_owned(), escaped(&info.label.to_string())),
        ("origin".to_owned(), format!("{:?}", info.origin).to_lowercase()),
        ("domains".to_owned(), domains.join(", ")),
        ("capabilities".to_owned(), names(info.capabilities)),
        ("sequence".to_owned(), info.sequence.to_string()),
    ]
}

/// What makes a key weaker than one that only signs.
pub fn weaknesses(info: &object::Info, spec: KeySpec) -> Vec<String> {
    let mut weaknesses = Vec::new();
    if info.capabilities.contains(Capability::EXPORTABLE_UNDER_WRAP) {
        weaknesses.push("it has exportable-under-wrap: whoever has a wrap key takes it away".to_owned());
    }
    let more = info.capabilities - capability_of(spec) - Capability::EXPORTABLE_UNDER_WRAP;
    if !more.is_empty() {
        weaknesses.push(format!("it may do more than sign: {}", names(more)));
    }
    if !info.capabilities.contains(capability_of(spec)) {
        weaknesses.push(format!("it may not sign: it lacks {}", names(capability_of(spec))));
    }
    weaknesses
}

/// Capabilities as Yubico's tools write them.
fn names(capabilities: Capability) -> String {
    let names = capabilities.iter_names().map(|(name, _)| name.to_lowercase().replace('_', "-"));
    names.collect::<Vec<_>>().join(", ")
}
