//! The parcel key: an X25519 key that opens what other owners' agents have sealed for this one. It signs nothing.

use std::sync::Arc;

use age::x25519::Identity;
use bech32::{ToBase32 as _, Variant, u5};
use protocol::parcel::Recipient;
use zeroize::{Zeroize as _, Zeroizing};

use crate::locked::{Locked, NotLocked, Secret32};

/// The human-readable part of an age identity, lower-case: its checksum is the same in capitals.
const IDENTITY_PREFIX: &str = "age-secret-key-";

/// An agent's parcel key.
#[derive(Clone)]
pub struct ParcelKey {
    secret: Arc<Locked<Secret32>>,
    recipient: Recipient,
}

impl std::fmt::Debug for ParcelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ParcelKey({})", self.recipient)
    }
}

impl ParcelKey {
    /// From the 32 bytes of an X25519 secret.
    ///
    /// # Errors
    /// [`NotLocked`].
    ///
    /// # Panics
    /// Never: the public half of a secret is always a recipient.
    pub fn from_secret(secret: Zeroizing<[u8; 32]>) -> Result<Self, NotLocked> {
        let public = identity(&secret).to_public().to_string();
        let recipient = public.parse().expect("a clamped secret times the base point is never of low order");
        Ok(Self { secret: Arc::new(Locked::new(Secret32(*secret))?), recipient })
    }

    /// The 32 bytes, to be encrypted.
    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.secret.0
    }

    /// The public half, as it stands on the owner's card.
    pub fn recipient(&self) -> Recipient {
        self.recipient
    }

    /// The key as age takes it, to open one file.
    pub fn identity(&self) -> Identity {
        identity(&self.secret.0)
    }
}

/// age takes a secret only as text, and so the text is made, read and wiped.
fn identity(secret: &[u8; 32]) -> Identity {
    let mut words = secret.to_base32();
    let text = bech32::encode(IDENTITY_PREFIX, &words, Variant::Bech32);
    words.fill(u5::default());
    // Otherwise the compiler may leave the filling out: nobody reads it.
    std::hint::black_box(&words);
    let mut text = text.expect("the prefix is a literal");
    let identity = text.parse().expect("what bech32 wrote of 32 bytes is an identity");
    text.zeroize();
    identity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_half_of_a_secret_is_stable() {
        let secret = std::array::from_fn(|index| index as u8 + 1);

        let key = ParcelKey::from_secret(Zeroizing::new(secret)).expect("a page can be locked");

        // As a ladder written after RFC 7748, section 5, computes it, which gives that section's own values.
        let expected = "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c";
        assert_eq!(hex::encode(key.recipient().as_bytes()), expected);
    }
}
