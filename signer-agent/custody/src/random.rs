//! The operating system's random numbers, and a look at whether they are random at all.

use rand_core::{OsRng, RngCore as _};
use thiserror::Error;
use zeroize::Zeroizing;

/// The operating system gives no random numbers, or the same ones again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the operating system's random numbers repeat, or there are none; no key is made from them")]
pub struct NotRandom;

/// Random bytes for a secret: drawn twice, and refused where both draws are equal.
///
/// # Errors
/// [`NotRandom`].
pub fn secret<const N: usize>() -> Result<Zeroizing<[u8; N]>, NotRandom> {
    let (mut first, mut second) = (Zeroizing::new([0; N]), Zeroizing::new([0; N]));
    fill(first.as_mut())?;
    fill(second.as_mut())?;
    if first == second || *first == [0; N] { Err(NotRandom) } else { Ok(first) }
}

/// Fills a slice with random bytes.
///
/// # Errors
/// [`NotRandom`] where the system gives none.
pub fn fill(bytes: &mut [u8]) -> Result<(), NotRandom> {
    OsRng.try_fill_bytes(bytes).map_err(|_| NotRandom)
}
