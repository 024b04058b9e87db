//! What a power cut may leave of the embedded store: any mixture of the sectors that were written since the last sync.
//!
//! Failing means: a statement that was acknowledged is gone or altered and the store says nothing, or the store panics.
//! Losing what was never acknowledged is allowed, and so is a refusal that names the damage; how often that happens is
//! printed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use coordinator::store::{Batch, Store, StoreError, Write, sled::SledStore};
use protocol::intent::CaseId;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

const SECTOR: usize = 512;

/// Every file of a store's folder.
type Image = BTreeMap<PathBuf, Vec<u8>>;

fn image(folder: &Path) -> Image {
    let mut files = Image::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(one) = folders.pop() {
        for entry in fs::read_dir(&one).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // sled's own files come and go while the image is taken.
            if let Ok(bytes) = fs::read(&path) {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
    }
    files
}

fn lay_out(image: &Image) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in image {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

/// Each sector is the old one or, in so many of eight cases, the new one.
fn torn(old: &[u8], new: &[u8], eighths: u32, random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = old.to_vec();
    bytes.resize(new.len().max(old.len()), 0);
    for (index, sector) in new.chunks(SECTOR).enumerate() {
        if random.next_u32() % 8 < eighths {
            bytes[index * SECTOR..index * SECTOR + sector.len()].copy_from_slice(sector);
        }
    }
    bytes
}

/// The anchor is written after everything else is on the disk, so it is torn only beside files that are whole.
fn torn_image(old: &Image, new: &Image, random: &mut ChaCha8Rng) -> Image {
    let empty = Vec::new();
    let eighths = random.next_u32() % 9;
    let is_anchor_first = random.next_u32().is_multiple_of(4);
    let names = if eighths < 4 && !is_anchor_first { old.keys() } else { new.keys() };
    names
        .map(|name| {
            let (old, new) = (old.get(name).unwrap_or(&empty), new.get(name).unwrap_or(&empty));
            let bytes = match (name == Path::new("anchor"), is_anchor_first) {
                (false, false) | (true, true) => torn(old, new, eighths, random),
                (true, false) => old.clone(),
                (false, true) => new.clone(),
            };
            (name.clone(), bytes)
        })
        .collect()
}

fn case(number: u64) -> CaseId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    CaseId::from_bytes(bytes)
}

/// The statements of one batch; their content follows from their number.
fn batch(number: u64, random: &mut ChaCha8Rng) -> Batch {
    let statements = 1 + random.next_u32() % 3;
    let write = |position: u32| Write::Statement {
        case: case(number),
        position: u64::from(position),
        bytes: content(number, u64::from(position)),
    };
    let mut writes: Vec<Write> = (0..statements).map(write).collect();
    if number > 3 && random.next_u32().is_multiple_of(2) {
        writes.push(Write::Settle(case(number - 3)));
    }
    Batch(writes)
}

fn content(number: u64, position: u64) -> Vec<u8> {
    let seed = number * 31 + position;
    (0..200 + (seed * 97) % 6000).map(|index| (index * 7 + seed) as u8).collect()
}

/// Reads everything, by sequence and by case. `Ok` says how many statements there are, all as they were written.
fn must_be_unaltered(folder: &Path) -> Result<u64, StoreError> {
    let store = SledStore::open(folder)?;
    let last = *store.durable().borrow();
    assert_eq!(store.check(last, &|| true)?, last);
    let all = store.since(0, usize::MAX)?;
    let mut seen = 0;
    for (stored, sequence) in all.iter().zip(1..) {
        assert_eq!(stored.sequence, sequence);
        let number = u64::from_be_bytes(stored.case.as_bytes()[..8].try_into().unwrap());
        assert!(stored.bytes == content(number, stored.position), "statement {sequence} is altered");
        seen = sequence;
    }
    let listed = store.cases(None, usize::MAX)?;
    let cases: BTreeSet<CaseId> = all.iter().map(|stored| stored.case).collect();
    assert!(listed.iter().rev().eq(&cases), "a case is missing and nothing is said");
    for id in listed {
        let of_case = store.load(id)?;
        assert!(!of_case.is_empty());
        assert_eq!(of_case.len(), all.iter().filter(|stored| stored.case == id).count());
    }
    assert_eq!(*store.durable().borrow(), seen);
    // It goes on from there.
    let next = Write::Statement { case: case(u64::MAX), position: 0, bytes: vec![1] };
    assert_eq!(store.append(Batch(vec![next])).wait()?.0, seen + 1);
    Ok(seen)
}

#[test]
fn a_power_cut_during_a_commit_loses_nothing_that_was_acknowledged() {
    let (mut cuts, mut refusals, mut with_the_last) = (0, 0, 0);
    for seed in 0..6 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let folder = tempfile::tempdir().unwrap();
        let store = SledStore::open(folder.path()).unwrap();
        for number in 0..40 * (seed + 1) {
            store.append(batch(number, &mut random)).wait().unwrap();
        }
        for number in 1000..1004 {
            let before = *store.durable().borrow();
            let old = image(folder.path());
            let after = store.append(batch(number, &mut random)).wait().unwrap().0;
            let new = image(folder.path());
            for _ in 0..10 {
                cuts += 1;
                let cut = lay_out(&torn_image(&old, &new, &mut random));
                match must_be_unaltered(cut.path()) {
                    Ok(found) if found == before => {}
                    Ok(found) if found == after => with_the_last += 1,
                    Ok(found) => panic!("seed {seed}: {found} statements; {before} were acknowledged, {after} written"),
                    Err(refusal) => {
                        refusals += 1;
                        println!("refused: {refusal}");
                    }
                }
            }
        }
    }
    println!("{cuts} power cuts: {with_the_last} kept the last batch, {refusals} were refused by name");
    assert!(0 < with_the_last && with_the_last < cuts, "every cut did the same");
    assert_eq!(refusals, 0, "a power cut must not need a backup");
}

#[test]
fn a_file_that_was_cut_short_is_refused_by_name() {
    let (image, total) = a_full_store();
    let whole = &image[Path::new("db")];
    let mut refusals = 0;
    for part in 0..40 {
        let mut cut = image.clone();
        cut.insert("db".into(), whole[..whole.len() * part / 40].to_vec());
        match must_be_unaltered(lay_out(&cut).path()) {
            Ok(found) => assert_eq!(found, total, "statements are missing and nothing is said"),
            Err(_) => refusals += 1,
        }
    }
    println!("40 cuts: {refusals} were refused by name, the others took nothing away");
    assert!(refusals > 20);
}

#[test]
fn a_flipped_bit_is_never_taken_for_what_was_written() {
    let (image, total) = a_full_store();
    let whole = &image[Path::new("db")];
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut refusals = 0;
    for _ in 0..60 {
        let mut flipped = image.clone();
        let mut bytes = whole.clone();
        let at = random.next_u64() as usize % bytes.len();
        bytes[at] ^= 1 << (random.next_u32() % 8);
        flipped.insert("db".into(), bytes);
        match must_be_unaltered(lay_out(&flipped).path()) {
            Ok(found) => assert_eq!(found, total, "statements are missing and nothing is said"),
            Err(_) => refusals += 1,
        }
    }
    println!("60 flipped bits: {refusals} were refused by name, the others hit nothing that counts");
    // How much of the file counts depends on what sled wrote anew meanwhile: between a third and three quarters.
    assert!(refusals > 5);
}

fn a_full_store() -> (Image, u64) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path()).unwrap();
    for number in 0..100 {
        store.append(batch(number, &mut random)).wait().unwrap();
    }
    let total = *store.durable().borrow();
    (image(folder.path()), total)
}
