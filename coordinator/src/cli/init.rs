//! `coordinator init`.

use std::{fs::OpenOptions, io::Write as _, path::Path};

use anyhow::Context as _;

use super::{End, Outcome, print};
use crate::config::SAMPLE;

pub fn init(path: &Path, json: bool) -> Outcome {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file =
        file.with_context(|| format!("{}: a file that is there already is never overwritten", path.display()))?;
    file.write_all(SAMPLE.as_bytes()).with_context(|| path.display().to_string())?;
    let path = path.display().to_string();
    if json {
        print::line(&serde_json::json!({ "event": "written", "file": path }).to_string());
    } else {
        print::line(&format!("{path} is written. Read it, then start: coordinator serve --config {path}"));
    }
    Ok(End::Done)
}
