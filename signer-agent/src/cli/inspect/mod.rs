//! `inspect`: topology data in words.
//!
//! With `--json` one array; for each transaction an object with `source`, `index`, `hash`, `unique-key`, `mapping`, `subject`,
//! `operation`, `serial`, `fields` (paths and values), `signable` and `not-shown` (what a signer would refuse), `proposal`,
//! `signatures` (`signed-by`, `algorithm`, `covers`, `verdict`), the times of a stored row, and with `--state` also
//! `authorization`.

mod authorization;
mod describe;
pub mod input;

use std::io::IsTerminal as _;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use self::{
    describe::Keys,
    input::{Entry, read_any, recognise},
};
use super::{
    End,
    arguments::Inspect,
    audit,
    print::{self, Form},
};

/// From how many transactions on a bar shows how far it is.
const BAR_FROM: usize = 200;

pub fn run(inspect: &Inspect, form: &Form) -> anyhow::Result<End> {
    let state = inspect.state.as_ref().map(|path| audit::state_of(path, inspect.synchronizer.as_ref())).transpose()?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut bad = Vec::new();
    for path in &inspect.files {
        let source = path.display().to_string();
        match read_any(path).and_then(|bytes| recognise(&bytes, &source)) {
            Ok(found) => entries.extend(found),
            // What is good in the other files is shown all the same.
            Err(error) => bad.push(format!("{source}: {error:#}")),
        }
    }
    let keys = Keys::of(&entries, state.as_ref());
    let bar = bar(entries.len(), form);
    let described = entries.iter().map(|entry| {
        bar.inc(1);
        describe::entry(entry, &keys, state.as_ref())
    });
    let described: Vec<Value> = described.collect();
    bar.finish_and_clear();
    if *form == Form::Json {
        // Where nothing reads, the error is the whole answer.
        if bad.is_empty() || !described.is_empty() {
            print::line(&Value::from(described).to_string());
        }
    } else {
        described.iter().for_each(print::transaction);
    }
    match bad.as_slice() {
        [] => Ok(End::Done),
        [only] => bail!("{only}"),
        many => bail!("{} files are not topology data:\n  {}", many.len(), many.join("\n  ")),
    }
}

fn bar(length: usize, form: &Form) -> ProgressBar {
    if length < BAR_FROM || *form == Form::Json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} transactions, {eta} to go");
    ProgressBar::new(length as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
