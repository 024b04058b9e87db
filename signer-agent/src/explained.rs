//! What a node's refusal means, as it goes to the owner beside the refusal itself.

use canton_client::explain;
use serde::{Deserialize, Serialize};

/// What a refusal means: why, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Why it is so.
    pub cause: String,
    /// What to do.
    pub fix: String,
}

impl From<&explain::Explanation> for Explained {
    fn from(line: &explain::Explanation) -> Self {
        Self { cause: line.cause.to_owned(), fix: line.fix.to_owned() }
    }
}

impl Explained {
    /// Its fields, put beside those of what it explains.
    pub fn write(self, into: &mut serde_json::Value) {
        into["cause"] = self.cause.into();
        into["fix"] = self.fix.into();
    }

    /// What a text means that tells of a node's refusal.
    pub fn of_text(text: &str) -> Option<Self> {
        explain::of_text(text).map(Self::from)
    }
}
