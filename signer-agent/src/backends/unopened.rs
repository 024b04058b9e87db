//! What stands in the place of a backend that did not open: its keys say why they do not sign.

use canton_topology::key::KeySpec;
use custody::keys::{Abilities, Held, KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose, to_sign::ToSign};

/// With the reason.
pub struct Unopened(pub String);

impl Unopened {
    fn reason(&self) -> KeyError {
        KeyError::Unable(self.0.clone())
    }
}

impl KeyBackend for Unopened {
    fn kind(&self) -> &'static str {
        "not-opened"
    }

    /// It can do all, as what it cannot do is not for this to say.
    fn abilities(&self) -> Abilities {
        Abilities { specs: &KeySpec::ALL, makes: true }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        Err(self.reason())
    }

    fn generate(&mut self, _: &NewKey) -> Result<Held, KeyError> {
        Err(self.reason())
    }

    fn find(&mut self, _: &str, _: Purpose) -> Result<Held, KeyError> {
        Err(self.reason())
    }

    fn sign(&mut self, _: &PinnedKey, _: &ToSign<'_>) -> Result<Outcome, KeyError> {
        Err(self.reason())
    }
}
