//! Recorded keys, namespaces, multi-hashes and signatures: what Canton's own classes made of each.

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::{
    hash::{MultiHash, TransactionHash},
    id::{Namespace, decentralized_namespace},
    key::{KeySpec, KeyUsage, SigningPublicKey},
    signature::Signature,
};
use serde_json::Value;

use super::{Report, list, text};

/// Compares one recorded value.
pub(super) fn run(kind: &str, value: &Value, report: &mut Report) -> Result<()> {
    let place = format!("{kind} {}", value.get("note").and_then(Value::as_str).unwrap_or_default());
    let pairs = match kind {
        "signing_public_key" => key(value)?,
        "decentralized_namespace" => {
            let owners: Vec<Namespace> = parsed(value, "owners")?;
            vec![(decentralized_namespace(&owners).to_string(), text(value, "namespace")?.to_owned())]
        }
        "multi_hash" => {
            let hashes: Vec<TransactionHash> = parsed(value, "hashes")?;
            vec![(MultiHash::of(&hashes).to_string(), text(value, "combined")?.to_owned())]
        }
        "signature" => signature(value)?,
        other => bail!("unknown kind {other:?}"),
    };
    for (ours, canton) in pairs {
        if ours != canton {
            report.differs(&place, ours, canton);
        }
    }
    Ok(())
}

fn key(value: &Value) -> Result<Vec<(String, String)>> {
    let read = SigningPublicKey::parse(&bytes(value, "proto")?);
    let is_taken = value.get("ok").and_then(Value::as_bool).context("field ok is missing")?;
    let Ok(key) = read else { return Ok(vec![("refused".to_owned(), said(is_taken).to_owned())]) };
    let mut pairs = vec![("taken".to_owned(), said(is_taken).to_owned())];
    if is_taken {
        pairs.push((key.fingerprint().to_string(), text(value, "fingerprint")?.to_owned()));
        pairs.push((STANDARD.encode(key.spki()), text(value, "normalized_key")?.to_owned()));
        pairs.push((STANDARD.encode(key.normalised().encode()), text(value, "normalized_proto")?.to_owned()));
    }
    Ok(pairs)
}

fn said(is_taken: bool) -> &'static str {
    if is_taken { "taken" } else { "refused" }
}

fn signature(value: &Value) -> Result<Vec<(String, String)>> {
    let number = value.get("key_spec").and_then(Value::as_i64).context("field key_spec is missing")?;
    let spec = KeySpec::ALL.into_iter().find(|spec| *spec as i64 == number).context("field key_spec: no such curve")?;
    let key = SigningPublicKey::from_spki(spec, &bytes(value, "public_key_spki")?, &KeyUsage::ALL)?;
    let signature = bytes(value, "signature")?;
    let signature = match spec {
        KeySpec::Ed25519 => {
            let raw = signature.try_into().map_err(|_| anyhow::anyhow!("field signature: not 64 bytes"))?;
            Signature::new_ed25519(raw, key.fingerprint())
        }
        KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1 => {
            Signature::new_ecdsa_der(signature, key.fingerprint(), spec)
        }
    };
    let verdict = match signature.verify(&key, &hex::decode(text(value, "message")?)?) {
        Ok(()) => "verifies".to_owned(),
        Err(error) => error.to_string(),
    };
    let fingerprint = (key.fingerprint().to_string(), text(value, "fingerprint")?.to_owned());
    Ok(vec![fingerprint, (verdict, "verifies".to_owned())])
}

fn bytes(value: &Value, name: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text(value, name)?).with_context(|| format!("field {name}"))
}

fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    value: &Value,
    name: &str,
) -> Result<Vec<T>> {
    list(value, name).iter().map(|one| Ok(one.as_str().context("not a text")?.parse()?)).collect()
}
