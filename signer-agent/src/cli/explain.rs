//! `explain`: what a refusal of a Canton node means, as a person met it in a log or a console.

use anyhow::bail;
use canton_client::explain::{Explanation, of};
use serde_json::json;

use super::{
    End,
    arguments::Explain,
    print::{self, Form},
};

pub fn run(explain: &Explain, form: &Form) -> anyhow::Result<End> {
    let Some(line) = found(&explain.text) else {
        bail!("no error id that this program knows stands in that text; an id looks like TOPOLOGY_SERIAL_MISMATCH");
    };
    print::value("what it means", &json!({ "id": line.id, "cause": line.cause, "fix": line.fix }), form)?;
    Ok(End::Done)
}

/// The first word of a text that is an id.
fn found(text: &str) -> Option<&'static Explanation> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.find_map(|word| of(word, text))
}
