//! How answers are made wrong.

use std::sync::{Mutex, PoisonError};

use cryptoki_sys::{
    CK_ATTRIBUTE_PTR, CK_BYTE_PTR, CK_OBJECT_HANDLE, CK_OBJECT_HANDLE_PTR, CK_RV, CK_SESSION_HANDLE, CK_TOKEN_INFO_PTR,
    CK_ULONG, CK_ULONG_PTR, CK_UNAVAILABLE_INFORMATION, CKR_OK,
};

use crate::{
    order::Fault,
    real::{self, call},
};

/// The signature before the last, of which the last may be made a replay.
static SIGNATURE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Does something, or not, with what goes wrong around it.
pub fn around(fault: Option<(Fault, u64)>, session: CK_SESSION_HANDLE, act: impl FnOnce() -> CK_RV) -> CK_RV {
    match fault.map(|(fault, _)| fault) {
        Some(Fault::Error(code)) => return code,
        Some(Fault::Silent) => return CKR_OK,
        Some(Fault::After(code)) => {
            let _ = act();
            return code;
        }
        Some(Fault::LoseSessions) => real::lose_sessions(),
        Some(Fault::Logout) => {
            let _ = call!(C_Logout, session);
        }
        Some(Fault::Finalize) => real::finalize(),
        Some(
            Fault::Hang
            | Fault::Swap
            | Fault::Nothing
            | Fault::Flip
            | Fault::Zero
            | Fault::Short
            | Fault::Absurd
            | Fault::Replay
            | Fault::Other
            | Fault::Few(_),
        )
        | None => {}
    }
    act()
}

/// The object that is asked, or another one.
pub fn object(fault: Option<(Fault, u64)>, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> CK_OBJECT_HANDLE {
    match fault {
        Some((Fault::Swap, seed)) => real::other_object(session, object, seed).unwrap_or(object),
        _ => object,
    }
}

/// Makes a token small.
///
/// # Safety
/// `info` points to what a token says of itself.
pub unsafe fn token(fault: Option<(Fault, u64)>, info: CK_TOKEN_INFO_PTR) {
    if let Some((Fault::Few(sessions), _)) = fault {
        // SAFETY: the caller's place.
        unsafe { (*info).ulMaxSessionCount = sessions };
    }
}

/// Makes what a search found wrong.
///
/// # Safety
/// `count` points to a number, and `objects` to as many handles.
pub unsafe fn objects(
    fault: Option<(Fault, u64)>,
    session: CK_SESSION_HANDLE,
    objects: CK_OBJECT_HANDLE_PTR,
    count: CK_ULONG_PTR,
) {
    match fault {
        // SAFETY: the caller's number.
        Some((Fault::Nothing, _)) => unsafe { *count = 0 },
        // SAFETY: the caller's number.
        Some((Fault::Absurd, _)) => unsafe { *count = CK_ULONG::MAX },
        // SAFETY: the caller's number and handles.
        Some((Fault::Swap, seed)) => unsafe {
            if *count > 0 {
                *objects = real::other_object(session, *objects, seed).unwrap_or(*objects);
            }
        },
        _ => {}
    }
}

/// Makes the values of attributes wrong.
///
/// # Safety
/// `attributes` points to `count` attributes, each with its value and length.
pub unsafe fn attributes(fault: Option<(Fault, u64)>, attributes: CK_ATTRIBUTE_PTR, count: CK_ULONG) {
    let Some((fault, seed)) = fault else { return };
    // SAFETY: the caller's attributes.
    let attributes = unsafe { std::slice::from_raw_parts_mut(attributes, count as usize) };
    let index = seed as usize % attributes.len().max(1);
    let Some(attribute) = attributes.get_mut(index) else { return };
    if attribute.pValue.is_null() || attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION {
        return;
    }
    let length = attribute.ulValueLen as usize;
    // SAFETY: the caller's place, of that length.
    let value = unsafe { std::slice::from_raw_parts_mut(attribute.pValue.cast::<u8>(), length) };
    match fault {
        Fault::Flip => flip(value, seed),
        Fault::Zero => value.fill(0),
        Fault::Short => attribute.ulValueLen /= 2,
        _ => {}
    }
}

/// Makes a signature wrong.
///
/// # Safety
/// `length` points to a number, and `signature` is null or points to as many bytes.
pub unsafe fn signature(fault: Option<(Fault, u64)>, signature: CK_BYTE_PTR, length: CK_ULONG_PTR) {
    if signature.is_null() {
        if let Some((Fault::Absurd, _)) = fault {
            // SAFETY: the caller's number.
            unsafe { *length = CK_ULONG::MAX };
        }
        return;
    }
    // SAFETY: the caller's bytes, and their number.
    let bytes = unsafe { std::slice::from_raw_parts_mut(signature, *length as usize) };
    let right = bytes.to_vec();
    match fault {
        Some((Fault::Flip, seed)) => flip(bytes, seed),
        Some((Fault::Zero, _)) => bytes.fill(0),
        // SAFETY: the caller's number.
        Some((Fault::Short, _)) => unsafe { *length /= 2 },
        // SAFETY: the caller's number.
        Some((Fault::Nothing, _)) => unsafe { *length = 0 },
        Some((Fault::Replay, _)) => {
            let last = SIGNATURE.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == bytes.len() {
                bytes.copy_from_slice(&last);
            }
        }
        _ => {}
    }
    *SIGNATURE.lock().unwrap_or_else(PoisonError::into_inner) = right;
}

/// Changes one bit.
pub fn flip(bytes: &mut [u8], seed: u64) {
    let index = (seed / 8) as usize % bytes.len().max(1);
    if let Some(byte) = bytes.get_mut(index) {
        *byte ^= 1 << (seed % 8);
    }
}

/// The caller's bytes.
///
/// # Safety
/// `data` is null or points to `length` bytes.
pub unsafe fn copied(data: CK_BYTE_PTR, length: CK_ULONG) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's bytes.
    unsafe { std::slice::from_raw_parts(data, length as usize) }.to_vec()
}
