//! `hash` and `contribute`: the way of a signature whose key lives on a machine of its own.

use anyhow::Context as _;
use protocol::api::Base64;

use super::{
    End,
    arguments::{Contribute, Hash},
    print::Form,
    talk,
};
use crate::{
    control::{self, Answer, Request},
    folder::Folder,
};

/// Writes the 34 bytes that a key has to sign.
pub async fn hash(folder: &Folder, hash: &Hash, form: &Form) -> anyhow::Result<End> {
    let request = Request::Hash { case: hash.case.case.clone(), key: hash.key.clone() };
    let mut answer = control::ask(&folder.socket(), &request).await?;
    if let (Answer::Done { value }, Some(path)) = (&mut answer, &hash.out) {
        let hashes: Vec<&str> =
            value["hashes"].as_array().into_iter().flatten().filter_map(|one| one["transaction"].as_str()).collect();
        let chosen = match (&hash.transaction, hashes.as_slice()) {
            (Some(wanted), all) => all.iter().find(|one| **one == wanted.to_string()).copied(),
            (None, [one]) => Some(*one),
            (None, _) => None,
        };
        let chosen = chosen
            .with_context(|| format!("name one of the transactions with --transaction: {}", hashes.join(", ")))?;
        let bytes = hex::decode(chosen).context("the agent's answer does not read")?;
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        value["written"] = path.display().to_string().into();
    }
    talk::finish(answer, false, form)
}

/// Brings a signature back.
pub async fn contribute(folder: &Folder, contribute: &Contribute, form: &Form) -> anyhow::Result<End> {
    let path = &contribute.signature;
    let bytes = std::fs::read(path).with_context(|| format!("--signature {}", path.display()))?;
    let request = Request::Contribute {
        case: contribute.case.case.clone(),
        key: contribute.key.clone(),
        signature: Base64(bytes),
    };
    talk::finish(control::ask(&folder.socket(), &request).await?, false, form)
}
