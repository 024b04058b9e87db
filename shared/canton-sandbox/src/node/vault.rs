//! The node's own keys.

use canton_proto::canton::crypto::{
    admin::v30::{
        GenerateSigningKeyRequest, GenerateSigningKeyResponse, ListKeysFilters, ListMyKeysRequest, ListMyKeysResponse,
        PrivateKeyMetadata, vault_service_server::VaultService,
    },
    v30::{PublicKey, PublicKeyWithName, SigningKeySpec, SigningPublicKey, public_key},
};
use canton_topology::key::KeyUsage;
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::Api;
use crate::{genesis::NodeKey, refused::Refused};

fn to_message(key: &NodeKey) -> Result<SigningPublicKey, Status> {
    let message = SigningPublicKey::decode(key.public().encode().as_slice());
    message.map_err(|error| Status::internal(error.to_string()))
}

fn usage(number: i32) -> Option<KeyUsage> {
    match number {
        1 => Some(KeyUsage::Namespace),
        3 => Some(KeyUsage::SequencerAuthentication),
        4 => Some(KeyUsage::Protocol),
        5 => Some(KeyUsage::ProofOfOwnership),
        _ => None,
    }
}

fn passes(filters: Option<&ListKeysFilters>, name: &str, key: &NodeKey) -> bool {
    let Some(filters) = filters else { return true };
    let purpose = filters.purpose.is_empty() || filters.purpose.contains(&1);
    let wanted: Vec<KeyUsage> = filters.usage.iter().filter_map(|number| usage(*number)).collect();
    let used = filters.usage.is_empty() || wanted.iter().any(|usage| key.public().usage().contains(usage));
    purpose && used && name.contains(&filters.name) && key.fingerprint().as_str().starts_with(&filters.fingerprint)
}

#[tonic::async_trait]
impl VaultService for Api {
    async fn list_my_keys(&self, request: Request<ListMyKeysRequest>) -> Result<Response<ListMyKeysResponse>, Status> {
        let filters = request.into_inner().filters;
        let keys = self.0.standing().keys.clone();
        let mut private_keys_metadata = Vec::new();
        for (name, key) in keys.iter().filter(|(name, key)| passes(filters.as_ref(), name, key)) {
            let public_key = PublicKey { key: Some(public_key::Key::SigningPublicKey(to_message(key)?)) };
            private_keys_metadata.push(PrivateKeyMetadata {
                public_key_with_name: Some(PublicKeyWithName { public_key: Some(public_key), name: name.clone() }),
                wrapper_key_id: None,
                kms_key_id: None,
            });
        }
        Ok(Response::new(ListMyKeysResponse { private_keys_metadata }))
    }

    async fn generate_signing_key(
        &self,
        request: Request<GenerateSigningKeyRequest>,
    ) -> Result<Response<GenerateSigningKeyResponse>, Status> {
        let GenerateSigningKeyRequest { key_spec, name, usage: wanted } = request.into_inner();
        if !matches!(SigningKeySpec::try_from(key_spec), Ok(SigningKeySpec::EcCurve25519 | SigningKeySpec::Unspecified))
        {
            return Err(Status::unimplemented("the sandbox makes Ed25519 keys only"));
        }
        let wanted = wanted.iter().map(|number| usage(*number).ok_or_else(|| Refused::not_set("usage")));
        let wanted: Vec<KeyUsage> = wanted.collect::<Result<_, _>>()?;
        if wanted.is_empty() {
            return Err(Refused::not_set("usage").into());
        }
        let key = NodeKey::generate(&wanted);
        let public_key = Some(to_message(&key)?);
        self.0.standing().keys.push((name, key));
        Ok(Response::new(GenerateSigningKeyResponse { public_key }))
    }
}
