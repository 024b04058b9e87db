//! The keys that live in a participant: listed and made, never taken out.

use canton_proto::canton::crypto::{
    admin::v30::{
        GenerateSigningKeyRequest, ListKeysFilters, ListMyKeysRequest, vault_service_client::VaultServiceClient,
    },
    v30::{KeyPurpose, SigningPublicKey as KeyMessage, public_key},
};
use canton_topology::{
    id::Fingerprint,
    key::{KeySpec, KeyUsage, SigningPublicKey},
};
use prost::Message as _;

use crate::{error::NodeError, participant::Participant};

/// A signing key of a participant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultKey {
    /// The name that the node knows it by; several keys may have it.
    pub name: String,
    /// The public half.
    pub public: SigningPublicKey,
    /// The key of the node's key management service that it is, where it is one.
    pub kms_key: Option<String>,
}

impl Participant {
    /// The signing keys that the node holds: those whose fingerprint begins with that text.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn signing_keys(&self, fingerprint: &str) -> Result<Vec<VaultKey>, NodeError> {
        let filters = ListKeysFilters {
            fingerprint: fingerprint.to_owned(),
            name: String::new(),
            purpose: vec![KeyPurpose::Signing as i32],
            usage: Vec::new(),
        };
        let mut client = VaultServiceClient::new(self.connection.quick().await?);
        let answer = client.list_my_keys(ListMyKeysRequest { filters: Some(filters) }).await;
        let answer = answer.map_err(|status| NodeError::from_status(&status, false))?.into_inner();
        let mut keys = Vec::new();
        for metadata in answer.private_keys_metadata {
            let named = metadata.public_key_with_name.unwrap_or_default();
            let Some(public_key::Key::SigningPublicKey(key)) = named.public_key.and_then(|key| key.key) else {
                continue;
            };
            keys.push(VaultKey { name: named.name, public: read(&key)?, kms_key: metadata.kms_key_id });
        }
        Ok(keys)
    }

    /// The one signing key with that fingerprint; `None` where the node has none.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn signing_key(&self, fingerprint: &Fingerprint) -> Result<Option<VaultKey>, NodeError> {
        let keys = self.signing_keys(fingerprint.as_str()).await?;
        Ok(keys.into_iter().find(|key| key.public.fingerprint_ref() == fingerprint))
    }

    /// Makes a signing key in the node.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn generate_signing_key(
        &self,
        name: &str,
        spec: KeySpec,
        usage: &[KeyUsage],
    ) -> Result<SigningPublicKey, NodeError> {
        let request = GenerateSigningKeyRequest {
            key_spec: spec as i32,
            name: name.to_owned(),
            usage: usage.iter().map(|usage| *usage as i32).collect(),
        };
        let mut client = VaultServiceClient::new(self.connection.quick().await?);
        let answer = client.generate_signing_key(request).await;
        let answer = answer.map_err(|status| NodeError::from_status(&status, true))?.into_inner();
        read(&answer.public_key.ok_or_else(|| NodeError::BadAnswer("no public key".to_owned()))?)
    }
}

fn read(key: &KeyMessage) -> Result<SigningPublicKey, NodeError> {
    SigningPublicKey::parse(&key.encode_to_vec()).map_err(|error| NodeError::BadAnswer(format!("a key: {error}")))
}
