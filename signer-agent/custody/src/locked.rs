//! Memory for secrets: pages of their own that the system never writes to its swap, wiped before they are given back.

use std::{
    fmt,
    ops::Deref,
    sync::{Mutex, MutexGuard, PoisonError},
};

use region::LockGuard;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The system keeps no memory out of its swap for us.
#[derive(Debug, Error)]
#[error(
    "no memory can be kept out of the swap: {0}; raise the limit with `ulimit -l 1024`, or LimitMEMLOCK=1M in the unit"
)]
pub struct NotLocked(region::Error);

/// A secret in pages of its own. Two locks on one page would end with the first one's end, so no two secrets share one.
#[repr(C, align(4096))]
struct Pages<T>(T);

/// A secret in locked memory. It is wiped when it is dropped, and then unlocked.
pub struct Locked<T: ZeroizeOnDrop> {
    secret: Option<Box<Pages<T>>>,
    guard: Option<LockGuard>,
}

/// Held while pages are taken or given back: between a secret's wiping and its unlocking no other secret may move into
/// its pages, or it would be unlocked with them.
static PAGES: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    PAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: ZeroizeOnDrop> Locked<T> {
    /// Moves a secret into locked memory.
    ///
    /// # Errors
    /// [`NotLocked`]; the secret is wiped then.
    pub fn new(secret: T) -> Result<Self, NotLocked> {
        let _alone = alone();
        let secret = Box::new(Pages(secret));
        let guard = region::lock(std::ptr::from_ref(secret.as_ref()), size_of::<Pages<T>>()).map_err(NotLocked)?;
        Ok(Self { secret: Some(secret), guard: Some(guard) })
    }
}

impl<T: ZeroizeOnDrop> Drop for Locked<T> {
    fn drop(&mut self) {
        let _alone = alone();
        // Wiped while its pages are locked still.
        self.secret = None;
        self.guard = None;
    }
}

impl<T: ZeroizeOnDrop> Deref for Locked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.secret.as_ref().expect("it is there until it is dropped").0
    }
}

impl<T: ZeroizeOnDrop> fmt::Debug for Locked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locked(..)")
    }
}

/// 32 secret bytes.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret32(pub(crate) [u8; 32]);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// How much memory of this process is locked, in kB.
    fn locked() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmLck:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn a_secret_s_pages_are_locked_for_as_long_as_it_lives_and_no_secret_unlocks_another_s() {
        let before = locked();
        let first = Locked::new(Secret32([1; 32])).unwrap();
        let second = Locked::new(Secret32([2; 32])).unwrap();
        assert_eq!(locked(), before + 8);
        drop(first);
        assert_eq!(locked(), before + 4);
        assert_eq!(second.0, [2; 32]);
        drop(second);
        assert_eq!(locked(), before);
    }
}
