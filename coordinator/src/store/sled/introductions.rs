//! Introductions in small rows, since one may be longer than a row: the first piece begins with the length of all.

use canton_topology::id::Namespace;
use protocol::{encoding, limits::INTRODUCTION_BYTES_MAX};
use sha2::{Digest, Sha256};

use super::{broken, commit::Commit, decode, value};
use crate::store::{
    Introduction, StoreError,
    row::{self, CHUNK_BYTES_MAX, Key},
};

/// More pieces than the longest introduction has, with its owner's name.
const CHUNKS_MAX: u16 = (INTRODUCTION_BYTES_MAX / CHUNK_BYTES_MAX) as u16 + 2;
/// How the first piece begins.
const LENGTH_BYTES: usize = 4;

/// Puts one in the place of the owner's earlier one.
pub(super) fn put(commit: &mut Commit, introduction: &Introduction) {
    let owner = hash_of(&introduction.owner);
    let value = encoding::encode(introduction);
    let length = u32::try_from(value.len()).expect("an introduction is at most 64 KiB");
    let value = [length.to_be_bytes().as_slice(), &value].concat();
    let mut pieces = value.chunks(CHUNK_BYTES_MAX);
    for chunk in 0..CHUNKS_MAX {
        let key = Key::Introduction { owner, chunk };
        match pieces.next() {
            Some(piece) => commit.put(&key, piece),
            None => commit.remove(&key),
        }
    }
}

/// The owner's.
pub(super) fn one(tree: &::sled::Tree, owner: &Namespace) -> Result<Option<Introduction>, StoreError> {
    read(tree, hash_of(owner))
}

/// Those after an owner's.
pub(super) fn after(
    tree: &::sled::Tree,
    owner: Option<&Namespace>,
    limit: usize,
) -> Result<Vec<Introduction>, StoreError> {
    let mut from = owner
        .map_or_else(|| b"m".to_vec(), |owner| Key::Introduction { owner: hash_of(owner), chunk: u16::MAX }.bytes());
    let mut found = Vec::new();
    while found.len() < limit {
        let next = tree.get_gt(&from).map_err(|error| broken("introductions", &error))?;
        let Some((key, _)) = next.filter(|(key, _)| key.first() == Some(&b'm')) else { break };
        let owner: Option<[u8; 32]> = key.get(1..33).and_then(|bytes| bytes.try_into().ok());
        let damaged = |reason: &str| StoreError::Damaged { row: row::name(&key), reason: reason.to_owned() };
        let owner = owner.ok_or_else(|| damaged("no owner"))?;
        found.push(read(tree, owner)?.ok_or_else(|| damaged("its first piece is gone"))?);
        from = Key::Introduction { owner, chunk: u16::MAX }.bytes();
    }
    Ok(found)
}

fn read(tree: &::sled::Tree, owner: [u8; 32]) -> Result<Option<Introduction>, StoreError> {
    let piece = |chunk: u16| value(tree, &Key::Introduction { owner, chunk });
    let Some(first) = piece(0)? else { return Ok(None) };
    let name = Key::Introduction { owner, chunk: 0 }.bytes();
    let damaged = |reason: &str| StoreError::Damaged { row: row::name(&name), reason: reason.to_owned() };
    let (length, begin) = first.split_first_chunk::<LENGTH_BYTES>().ok_or_else(|| damaged("it is too short"))?;
    let length = u32::from_be_bytes(*length) as usize;
    let mut bytes = begin.to_vec();
    let mut next = 1;
    while bytes.len() < length {
        bytes.extend(piece(next)?.ok_or_else(|| damaged("a later piece is gone"))?);
        next += 1;
    }
    let introduction: Introduction = decode(&name, "introduction", &bytes)?;
    if hash_of(&introduction.owner) == owner { Ok(Some(introduction)) } else { Err(damaged("it is another owner's")) }
}

fn hash_of(owner: &Namespace) -> [u8; 32] {
    Sha256::digest(owner.to_string()).into()
}
