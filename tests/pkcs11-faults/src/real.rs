//! The library behind this one.

use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cryptoki_sys::{
    CK_FUNCTION_LIST, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_SESSION_INFO, CK_ULONG, CKF_SERIAL_SESSION, CKR_OK,
    Pkcs11,
};

use crate::order;

/// The library, and its functions.
pub struct Real {
    /// Keeps the functions where they are.
    _library: Pkcs11,
    /// The functions.
    pub functions: CK_FUNCTION_LIST,
}

static REAL: OnceLock<Option<Real>> = OnceLock::new();

/// A device that restarts has no call within it. SoftHSM has them still, and would work on with what is gone: so what ends
/// sessions waits until nobody is in it.
static CALLS: RwLock<()> = RwLock::new(());

/// For as long as a call is in the library behind.
pub fn within() -> RwLockReadGuard<'static, ()> {
    CALLS.read().unwrap_or_else(PoisonError::into_inner)
}

/// For as long as nobody else may be in it.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    CALLS.write().unwrap_or_else(PoisonError::into_inner)
}

/// The library; `None` where there is none at the path in the environment.
pub fn real() -> Option<&'static Real> {
    REAL.get_or_init(load).as_ref()
}

fn load() -> Option<Real> {
    let path = std::env::var_os(order::LIBRARY)?;
    // SAFETY: the path is SoftHSM's, whose start-up code does nothing but set itself up.
    let library = unsafe { Pkcs11::new(path) }.ok()?;
    let mut list = std::ptr::null_mut();
    // SAFETY: the function is the library's own, and the pointer is to a place for its answer.
    if unsafe { library.C_GetFunctionList(&mut list) } != CKR_OK || list.is_null() {
        return None;
    }
    // SAFETY: the library has answered with its list, which lives as long as it does.
    let functions = unsafe { *list };
    Some(Real { _library: library, functions })
}

/// Calls one function of the library behind, beside others.
macro_rules! call {
    ($function:ident $(, $argument:expr)*) => {{
        let _within = $crate::real::within();
        $crate::real::bare!($function $(, $argument)*)
    }};
}
pub(crate) use call;

/// The same for whoever is alone in it.
macro_rules! bare {
    ($function:ident $(, $argument:expr)*) => {
        match $crate::real::real().and_then(|real| real.functions.$function) {
            // SAFETY: the arguments are the caller's own, or made in this crate for this call; the function is that of
            // the library behind for which they are meant.
            Some(function) => unsafe { function($($argument),*) },
            None => cryptoki_sys::CKR_FUNCTION_NOT_SUPPORTED,
        }
    };
}
pub(crate) use bare;

/// Every slot.
fn slots() -> Vec<u64> {
    let mut slots = [0; 64];
    let mut count = slots.len() as u64;
    let done = bare!(C_GetSlotList, 1, slots.as_mut_ptr(), &mut count);
    if done == CKR_OK { slots[..count as usize].to_vec() } else { Vec::new() }
}

/// Closes every session of every token, as a device that restarts does.
pub fn lose_sessions() {
    let _alone = alone();
    for slot in slots() {
        let _ = bare!(C_CloseAllSessions, slot);
    }
}

/// Ends the library.
pub fn finalize() {
    let _alone = alone();
    let _ = bare!(C_Finalize, std::ptr::null_mut());
}

/// Some object of a token, other than one, chosen by a number.
pub fn other_object(session: CK_SESSION_HANDLE, than: CK_OBJECT_HANDLE, seed: u64) -> Option<CK_OBJECT_HANDLE> {
    let mut info = CK_SESSION_INFO::default();
    if call!(C_GetSessionInfo, session, &mut info) != CKR_OK {
        return None;
    }
    // In a session of its own: a search may be going on in the other.
    let mut another = 0;
    if call!(C_OpenSession, info.slotID, CKF_SERIAL_SESSION, std::ptr::null_mut(), None, &mut another) != CKR_OK {
        return None;
    }
    let (mut found, mut count) = ([0; 64], 0);
    let _ = call!(C_FindObjectsInit, another, std::ptr::null_mut(), 0);
    let _ = call!(C_FindObjects, another, found.as_mut_ptr(), found.len() as CK_ULONG, &mut count);
    let _ = call!(C_CloseSession, another);
    let others: Vec<CK_OBJECT_HANDLE> = found[..count as usize].iter().copied().filter(|one| *one != than).collect();
    let index = seed as usize % others.len().max(1);
    others.get(index).copied()
}
