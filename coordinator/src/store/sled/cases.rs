//! What is known of each case without its statements.

use std::collections::HashMap;

use protocol::intent::CaseId;

use super::{broken, value};
use crate::store::{
    StoreError,
    row::{self, CaseRow, Key},
};

/// What is known of a case; nothing where there is no such case.
pub(super) fn one(tree: &::sled::Tree, case: CaseId) -> Result<CaseRow, StoreError> {
    let key = Key::Case(case);
    value(tree, &key)?.map_or_else(|| Ok(CaseRow::default()), |value| read(&key.bytes(), &value))
}

fn read(key: &[u8], value: &[u8]) -> Result<CaseRow, StoreError> {
    let damaged = || StoreError::Damaged { row: row::name(key), reason: "it is not of a case".to_owned() };
    CaseRow::from_bytes(value).ok_or_else(damaged)
}

/// One row of a walk over the cases.
pub(super) fn listed(entry: ::sled::Result<(::sled::IVec, ::sled::IVec)>) -> Result<(CaseId, CaseRow), StoreError> {
    let (key, row) = entry.map_err(|error| broken("cases", &error))?;
    let case_row = read(&key, row::open(&key, &row)?)?;
    let id: Option<[u8; 16]> = key.get(1..).and_then(|bytes| bytes.try_into().ok());
    let id = id.ok_or_else(|| StoreError::Damaged { row: row::name(&key), reason: "no case id".to_owned() })?;
    Ok((CaseId::from_bytes(id), case_row))
}

/// Holds a walk over the cases against the statements that were found of each.
pub(super) fn must_list(tree: &::sled::Tree, mut found: HashMap<CaseId, u64>) -> Result<(), StoreError> {
    // Cases and statements that came since are there as well.
    for one in tree.scan_prefix(b"o").map(listed) {
        let (case, CaseRow { statements, .. }) = one?;
        if let Some(found) = found.remove(&case).filter(|found| *found > statements) {
            let reason = format!("it says {statements} statements, and there are {found}");
            return Err(StoreError::Damaged { row: row::name(&Key::Case(case).bytes()), reason });
        }
    }
    if let Some((case, _)) = found.into_iter().next() {
        let reason = "a walk over the cases passes over it".to_owned();
        return Err(StoreError::Damaged { row: row::name(&Key::Case(case).bytes()), reason });
    }
    Ok(())
}
