//! What Google Cloud KMS says, how it names algorithms and keys, and its checksum.

use canton_topology::key::KeySpec;
use serde::Deserialize;

use crate::backends::service::said;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub state: String,
    pub algorithm: String,
    #[serde(default)]
    protection_level: String,
    /// There where the key was brought from elsewhere.
    import_job: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublicKey {
    pub name: String,
    pub pem: String,
    pub pem_crc32c: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signed {
    pub name: String,
    pub signature: String,
    pub signature_crc32c: String,
    #[serde(default)]
    pub verified_digest_crc32c: bool,
    #[serde(default)]
    pub verified_data_crc32c: bool,
}

#[derive(Default, Deserialize)]
pub(super) struct Complaint {
    pub error: Wrong,
}

#[derive(Default, Deserialize)]
pub(super) struct Wrong {
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub message: String,
}

impl Version {
    pub fn facts(&self) -> Vec<(String, String)> {
        let imported = if self.import_job.is_some() { "yes" } else { "no" };
        let facts =
            [("protection", self.protection_level.as_str()), ("algorithm", &self.algorithm), ("imported", imported)];
        facts.map(|(name, fact)| (name.to_owned(), said(fact))).into()
    }
}

pub(super) fn algorithm(spec: KeySpec) -> &'static str {
    match spec {
        KeySpec::Ed25519 => "EC_SIGN_ED25519",
        KeySpec::P256 => "EC_SIGN_P256_SHA256",
        KeySpec::P384 => "EC_SIGN_P384_SHA384",
        KeySpec::Secp256k1 => "EC_SIGN_SECP256K1_SHA256",
    }
}

pub(super) fn spec(text: &str) -> Option<KeySpec> {
    KeySpec::ALL.into_iter().find(|spec| algorithm(*spec) == text)
}

/// `projects/…/locations/…/keyRings/…`.
pub(super) fn is_key_ring(text: &str) -> bool {
    is_path(text, &["projects", "locations", "keyRings"])
}

/// `projects/…/cryptoKeyVersions/1`.
pub(super) fn is_version(text: &str) -> bool {
    is_path(text, &["projects", "locations", "keyRings", "cryptoKeys", "cryptoKeyVersions"])
}

/// Collections and the names in them, by turns.
fn is_path(text: &str, collections: &[&str]) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let is_plain = |one: char| one.is_ascii_alphanumeric() || matches!(one, '-' | '_' | '.' | ':');
    let is_name = |name: &str| !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain);
    parts.len() == 2 * collections.len()
        && parts.chunks(2).zip(collections).all(|(pair, collection)| pair[0] == *collection && is_name(pair[1]))
}

/// CRC-32C (RFC 3720, appendix B.4), bit by bit: what is checked is short.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::{crc32c, is_key_ring, is_version};

    #[test]
    fn the_checksum_is_that_of_the_published_vectors() {
        assert_eq!(crc32c(b""), 0);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn only_a_whole_name_is_a_name() {
        let ring = "projects/example.org:p-1/locations/europe-west3/keyRings/r";
        assert!(is_key_ring(ring));
        let version = format!("{ring}/cryptoKeys/k/cryptoKeyVersions/1");
        assert!(is_version(&version) && !is_version(ring) && !is_key_ring(&version));
        for wrong in [
            "/cryptoKeys/k",
            "/cryptoKeys/../cryptoKeyVersions/1",
            "/cryptoKeys//cryptoKeyVersions/1",
            "/cryptoKeys/k/cryptoKeyVersions/1?x",
        ] {
            assert!(!is_version(&format!("{ring}{wrong}")), "{wrong}");
        }
    }
}
