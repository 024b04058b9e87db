//! A PKCS#11 library that stands in front of SoftHSM2 and does to its caller, by order, what devices do: loses sessions,
//! takes one handle for another, answers errors and garbage, hangs. For tests alone.
//!
//! It also gathers what is signed in parts and has it signed at once, as OpenSC's library does: SoftHSM2 takes no parts for
//! CKM_ECDSA and CKM_EDDSA.

mod order;
mod parts;
mod real;
mod wrong;

use std::sync::OnceLock;

use cryptoki_sys::{
    CK_ATTRIBUTE_PTR, CK_BBOOL, CK_BYTE_PTR, CK_FLAGS, CK_FUNCTION_LIST, CK_FUNCTION_LIST_PTR_PTR, CK_INFO_PTR,
    CK_MECHANISM_PTR, CK_MECHANISM_TYPE_PTR, CK_NOTIFY, CK_OBJECT_HANDLE, CK_OBJECT_HANDLE_PTR, CK_RV,
    CK_SESSION_HANDLE, CK_SESSION_HANDLE_PTR, CK_SESSION_INFO_PTR, CK_SLOT_ID, CK_SLOT_ID_PTR, CK_TOKEN_INFO_PTR,
    CK_ULONG, CK_ULONG_PTR, CK_USER_TYPE, CK_VOID_PTR, CKR_GENERAL_ERROR, CKR_OK,
};

use crate::{
    order::{Fault, fault, note},
    real::{alone, bare, call, real},
    wrong::around,
};

/// The functions, with those that can go wrong in the place of the real ones.
struct Functions(CK_FUNCTION_LIST);

// SAFETY: it is a list of functions and is never changed.
unsafe impl Sync for Functions {}
// SAFETY: as above.
unsafe impl Send for Functions {}

static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();

/// The standard's entry.
///
/// # Safety
/// `list` is null or points to a place for the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    let functions = FUNCTIONS.get_or_init(|| real().map(|real| Functions(wrapped(real.functions))));
    match functions {
        Some(functions) if !list.is_null() => {
            // SAFETY: the caller's place; the list lives as long as the process, and nobody writes to it.
            unsafe { *list = (&raw const functions.0).cast_mut() };
            CKR_OK
        }
        _ => CKR_GENERAL_ERROR,
    }
}

fn wrapped(real: CK_FUNCTION_LIST) -> CK_FUNCTION_LIST {
    CK_FUNCTION_LIST {
        C_GetSlotList: Some(get_slot_list),
        C_GetTokenInfo: Some(get_token_info),
        C_GetMechanismList: Some(get_mechanism_list),
        C_OpenSession: Some(open_session),
        C_Login: Some(login),
        C_FindObjectsInit: Some(find_objects_init),
        C_FindObjects: Some(find_objects),
        C_FindObjectsFinal: Some(find_objects_final),
        C_GetAttributeValue: Some(get_attribute_value),
        C_GenerateKeyPair: Some(generate_key_pair),
        C_SignInit: Some(sign_init),
        C_Sign: Some(sign),
        C_SignUpdate: Some(sign_update),
        C_SignFinal: Some(sign_final),
        C_Initialize: Some(initialize),
        C_Finalize: Some(finalize),
        C_GetInfo: Some(get_info),
        C_CloseSession: Some(close_session),
        C_GetSessionInfo: Some(get_session_info),
        ..real
    }
}

unsafe extern "C" fn get_slot_list(present: CK_BBOOL, slots: CK_SLOT_ID_PTR, count: CK_ULONG_PTR) -> CK_RV {
    let fault = fault("C_GetSlotList");
    if let Some((Fault::Nothing, _)) = fault {
        // SAFETY: the caller's place for a number.
        unsafe { *count = 0 };
        return CKR_OK;
    }
    around(fault, 0, || call!(C_GetSlotList, present, slots, count))
}

unsafe extern "C" fn get_token_info(slot: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR) -> CK_RV {
    let fault = fault("C_GetTokenInfo");
    let done = around(fault, 0, || call!(C_GetTokenInfo, slot, info));
    if done == CKR_OK {
        // SAFETY: the caller's place, which was just written to.
        unsafe { wrong::token(fault, info) };
    }
    done
}

unsafe extern "C" fn initialize(arguments: CK_VOID_PTR) -> CK_RV {
    let _alone = alone();
    bare!(C_Initialize, arguments)
}

unsafe extern "C" fn finalize(reserved: CK_VOID_PTR) -> CK_RV {
    let _alone = alone();
    bare!(C_Finalize, reserved)
}

unsafe extern "C" fn get_info(info: CK_INFO_PTR) -> CK_RV {
    call!(C_GetInfo, info)
}

unsafe extern "C" fn close_session(session: CK_SESSION_HANDLE) -> CK_RV {
    call!(C_CloseSession, session)
}

unsafe extern "C" fn get_session_info(session: CK_SESSION_HANDLE, info: CK_SESSION_INFO_PTR) -> CK_RV {
    call!(C_GetSessionInfo, session, info)
}

unsafe extern "C" fn get_mechanism_list(slot: CK_SLOT_ID, list: CK_MECHANISM_TYPE_PTR, count: CK_ULONG_PTR) -> CK_RV {
    around(fault("C_GetMechanismList"), 0, || call!(C_GetMechanismList, slot, list, count))
}

unsafe extern "C" fn open_session(
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    application: CK_VOID_PTR,
    notify: CK_NOTIFY,
    session: CK_SESSION_HANDLE_PTR,
) -> CK_RV {
    around(fault("C_OpenSession"), 0, || call!(C_OpenSession, slot, flags, application, notify, session))
}

unsafe extern "C" fn login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: CK_BYTE_PTR,
    length: CK_ULONG,
) -> CK_RV {
    note("logins", &user.to_string());
    around(fault("C_Login"), session, || call!(C_Login, session, user, pin, length))
}

unsafe extern "C" fn find_objects_init(session: CK_SESSION_HANDLE, wanted: CK_ATTRIBUTE_PTR, count: CK_ULONG) -> CK_RV {
    note("finds", &session.to_string());
    around(fault("C_FindObjectsInit"), session, || call!(C_FindObjectsInit, session, wanted, count))
}

unsafe extern "C" fn find_objects(
    session: CK_SESSION_HANDLE,
    objects: CK_OBJECT_HANDLE_PTR,
    most: CK_ULONG,
    count: CK_ULONG_PTR,
) -> CK_RV {
    let fault = fault("C_FindObjects");
    let done = around(fault, session, || call!(C_FindObjects, session, objects, most, count));
    if done == CKR_OK {
        // SAFETY: the caller's places, which were just written to, `most` handles long.
        unsafe { wrong::objects(fault, session, objects, count) };
    }
    done
}

unsafe extern "C" fn find_objects_final(session: CK_SESSION_HANDLE) -> CK_RV {
    around(fault("C_FindObjectsFinal"), session, || call!(C_FindObjectsFinal, session))
}

unsafe extern "C" fn get_attribute_value(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    attributes: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
) -> CK_RV {
    let fault = fault("C_GetAttributeValue");
    let object = wrong::object(fault, session, object);
    let done = around(fault, session, || call!(C_GetAttributeValue, session, object, attributes, count));
    if done == CKR_OK {
        // SAFETY: the caller's list, `count` long, with places that were just written to.
        unsafe { wrong::attributes(fault, attributes, count) };
    }
    done
}

unsafe extern "C" fn generate_key_pair(
    session: CK_SESSION_HANDLE,
    mechanism: CK_MECHANISM_PTR,
    public: CK_ATTRIBUTE_PTR,
    public_count: CK_ULONG,
    private: CK_ATTRIBUTE_PTR,
    private_count: CK_ULONG,
    public_key: CK_OBJECT_HANDLE_PTR,
    private_key: CK_OBJECT_HANDLE_PTR,
) -> CK_RV {
    around(fault("C_GenerateKeyPair"), session, || {
        call!(
            C_GenerateKeyPair,
            session,
            mechanism,
            public,
            public_count,
            private,
            private_count,
            public_key,
            private_key
        )
    })
}

unsafe extern "C" fn sign_init(
    session: CK_SESSION_HANDLE,
    mechanism: CK_MECHANISM_PTR,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    note("signs", &session.to_string());
    let fault = fault("C_SignInit");
    let key = wrong::object(fault, session, key);
    around(fault, session, || call!(C_SignInit, session, mechanism, key))
}

unsafe extern "C" fn sign(
    session: CK_SESSION_HANDLE,
    data: CK_BYTE_PTR,
    length: CK_ULONG,
    signature: CK_BYTE_PTR,
    signature_length: CK_ULONG_PTR,
) -> CK_RV {
    let fault = fault("C_Sign");
    // SAFETY: the caller's data, `length` long.
    let mut bytes = unsafe { wrong::copied(data, length) };
    if let Some((Fault::Other, seed)) = fault {
        wrong::flip(&mut bytes, seed);
    }
    let done =
        around(fault, session, || call!(C_Sign, session, bytes.as_mut_ptr(), length, signature, signature_length));
    if done == CKR_OK {
        // SAFETY: the caller's places, which were just written to.
        unsafe { wrong::signature(fault, signature, signature_length) };
    }
    done
}

unsafe extern "C" fn sign_update(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, length: CK_ULONG) -> CK_RV {
    // SAFETY: the caller's data, `length` long.
    let bytes = unsafe { wrong::copied(data, length) };
    around(fault("C_SignUpdate"), session, || {
        parts::add(session, &bytes);
        CKR_OK
    })
}

unsafe extern "C" fn sign_final(
    session: CK_SESSION_HANDLE,
    signature: CK_BYTE_PTR,
    signature_length: CK_ULONG_PTR,
) -> CK_RV {
    let mut bytes = parts::of(session);
    let length = bytes.len() as CK_ULONG;
    around(fault("C_SignFinal"), session, || {
        call!(C_Sign, session, bytes.as_mut_ptr(), length, signature, signature_length)
    })
}
