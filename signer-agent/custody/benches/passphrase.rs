//! What a wrong passphrase costs whoever guesses: the time and memory of one attempt, beside Argon2id alone.
//!
//! `cargo bench --workspace --bench passphrase`
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use custody::keys::key_file::KeyFile;
use secrecy::SecretString;

const ROUNDS: usize = 9;

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    KeyFile::create(&path, &SecretString::from("correct horse".to_owned())).unwrap();
    // As a new file has it: 64 MiB, three passes, one lane.
    let alone = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64 * 1024, 3, 1, Some(32)).unwrap());
    let (mut wrong, mut limit) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        wrong.push(timed(|| drop(KeyFile::open(&path, &SecretString::from("wrong horse".to_owned())).unwrap_err())));
        limit.push(timed(|| alone.hash_password_into(b"wrong horse", &[7; 16], &mut [0; 32]).unwrap()));
    }
    let (wrong, limit) = (median(wrong), median(limit));
    println!("a wrong passphrase costs {wrong:.1?} and 64 MiB; Argon2id alone {limit:.1?}");
    println!("ratio {:.2}", wrong.as_secs_f64() / limit.as_secs_f64());
}
