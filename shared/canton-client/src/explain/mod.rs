//! What every refusal of a node means, in words for people: its cause, what mends it, and what the same call is worth
//! afterwards. The words stand here alone; what a program does about a refusal stands in `error`.

mod connectivity;
mod general;
mod packages;
mod parties;
mod topology;

use std::fmt;

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Canton's error id; the name of the gRPC code, such as `InvalidArgument`, where Canton hides it; or a name of our own.
    pub id: &'static str,
    /// Words of Canton's that tell this line from others of its id; empty where it is the id's only or last line. They
    /// choose an explanation, and never what is done.
    pub words: &'static str,
    /// What the same call is worth.
    pub then: Then,
    /// Why the node says so.
    pub cause: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// What the same call is worth after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It passes by itself: the same call may work later.
    Again,
    /// What was wanted stands already, or nearly so: reading it back tells.
    Done,
    /// The same call works once somebody has mended something.
    Mend,
    /// The same call is refused for ever: it takes another one.
    Other,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cause: {}; what to do: {}", self.cause, self.fix)
    }
}

const fn line(id: &'static str, then: Then, cause: &'static str, fix: &'static str) -> Explanation {
    Explanation { id, words: "", then, cause, fix }
}

impl Explanation {
    /// The same for one of several meanings of an id.
    const fn only(self, words: &'static str) -> Self {
        Self { words, ..self }
    }
}

/// Every line.
pub fn all() -> impl Iterator<Item = &'static Explanation> {
    [topology::LINES, packages::LINES, parties::LINES, connectivity::LINES, general::LINES].into_iter().flatten()
}

/// What a refusal means, by its id and Canton's own words.
#[must_use]
pub fn of(id: &str, words: &str) -> Option<&'static Explanation> {
    all().find(|line| line.id == id && words.contains(line.words))
}

/// The same of a text that begins with the id, as refusals are kept and sent on: `ID: words`, or whatever a
/// [`NodeError`](crate::error::NodeError) writes.
#[must_use]
pub fn of_text(text: &str) -> Option<&'static Explanation> {
    parts(text).find_map(|(id, words)| of(id, words))
}

/// Whether a text is a refusal whose reason Canton keeps to itself and to its own log.
#[must_use]
pub fn is_redacted(text: &str) -> bool {
    text.contains(REDACTED)
}

/// How each refusal begins whose reason Canton hides.
const REDACTED: &str = "An error occurred. Please contact the operator";

/// The id under which the node's log has a call, where Canton tells it.
#[must_use]
pub fn trace_id(text: &str) -> Option<&str> {
    let after = ["with tid ", "(trace id "].into_iter().find_map(|before| text.split_once(before))?.1;
    let id = after.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    (!id.is_empty()).then_some(id)
}

/// Every place where a text could begin with an id: its beginning, and after each colon.
fn parts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let starts = std::iter::once(0).chain(text.match_indices(": ").map(|(at, colon)| at + colon.len()));
    starts.filter_map(move |start| text[start..].split_once(": ").filter(|(name, _)| is_name(name)))
}
