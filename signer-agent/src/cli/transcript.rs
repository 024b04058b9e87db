//! `keys transcript`: printed, and verified later by anybody.

use std::{io::Read as _, path::Path};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use protocol::{api::Base64, introduction::Introduction};
use serde_json::Value;

use super::{
    End,
    print::{self, Form},
    prove::described,
};
use crate::{
    folder::Folder,
    transcript::{self, BYTES_MAX},
};

/// The last introduction of the owner.
pub fn show(folder: &Folder, form: &Form) -> anyhow::Result<End> {
    let Base64(bytes) = folder.introduction()?;
    let text = transcript::render(&bytes)?;
    if *form == Form::Words {
        print::line(text.trim_end());
    } else {
        print::value("", &value(&bytes)?, form)?;
    }
    Ok(End::Done)
}

/// What stands in the text, for programs, and the signed bytes.
fn value(bytes: &[u8]) -> anyhow::Result<Value> {
    let introduction = Introduction::open(bytes)?;
    introduction.check_proofs()?;
    let mut value = described(&introduction);
    value["synchronizer"] = introduction.synchronizer.to_string().into();
    value["coordinator"] = introduction.coordinator.to_string().into();
    value["nonce"] = hex::encode(introduction.nonce).into();
    value["signed"] = STANDARD.encode(bytes).into();
    Ok(value)
}

/// A transcript from a file, of either form.
pub fn verify(path: &Path, form: &Form) -> anyhow::Result<End> {
    let named = || format!("--verify {}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(named)?;
    file.take(BYTES_MAX as u64 + 1).read_to_string(&mut text).with_context(named)?;
    if text.len() > BYTES_MAX {
        bail!("--verify {}: longer than the {BYTES_MAX} bytes that a transcript can have", path.display());
    }
    let introduction = match serde_json::from_str::<Value>(&text) {
        Ok(found) => verify_json(&found).with_context(named)?,
        Err(_) => transcript::verify(&text).with_context(named)?,
    };
    print::value("every word is signed, every key is proved; compare the code", &described(&introduction), form)?;
    Ok(End::Done)
}

fn verify_json(found: &Value) -> anyhow::Result<Introduction> {
    let signed = found["signed"].as_str().context("field signed: it is missing")?;
    let bytes = STANDARD.decode(signed).context("field signed: it is not base64")?;
    let expected = value(&bytes)?;
    let names =
        [found, &expected].into_iter().flat_map(|value| value.as_object().into_iter().flat_map(|one| one.keys()));
    for name in names {
        if found.get(name) != expected.get(name) {
            bail!("field {name}: somebody has changed it; what was signed says {}", expected[name]);
        }
    }
    Ok(Introduction::open(&bytes)?)
}
