//! A token behind the library that makes faults, and a keyring over it.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use canton_topology::Timestamp;
use custody::keys::{KeyBackend, KeyError, Outcome, PinnedKey, keyring::Keyring, to_sign::ToSign};
use protocol::drill::Drill;
use tests::{
    backend_conformance::drill,
    softhsm::{SoftHsm, alone},
};

pub const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
/// Where only what is meant to hang may take so long, on a busy machine too.
pub const TIME_LIMIT_LONG_MS: u64 = 5_000;

/// Orders, and what came of them.
pub struct Rig {
    folder: PathBuf,
    orders: usize,
}

impl Rig {
    pub fn order(&mut self, words: &str) {
        self.orders += 1;
        self.write(&format!("{} {words}", self.orders));
    }

    pub fn lift(&self) {
        self.write("");
    }

    /// Lifts an order to hang, and waits until so many threads call the library still. A signature is two calls: the
    /// second one of what hung would take the next order upon itself.
    pub fn lift_until(&self, threads: usize) {
        self.lift();
        let until = Instant::now() + Duration::from_secs(60);
        while states().len() > threads {
            assert!(Instant::now() < until, "what hung never came back");
            std::thread::yield_now();
        }
    }

    fn write(&self, line: &str) {
        // Whole or not at all: the library reads it at any time.
        std::fs::write(self.folder.join("next-order"), line).unwrap();
        std::fs::rename(self.folder.join("next-order"), self.folder.join("order")).unwrap();
    }

    pub fn count(&self, name: &str) -> usize {
        self.lines(name).len()
    }

    pub fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// Runs a test of its binary, by its name, with the library in a process of its own.
pub fn on_faults(name: &str, test: impl FnOnce(&SoftHsm, &mut Rig)) {
    let folder = tempfile::tempdir().unwrap();
    alone(name, folder.path(), |softhsm| {
        let mut rig = Rig { folder: softhsm.folder().to_owned(), orders: 0 };
        rig.lift();
        test(softhsm, &mut rig);
        // SoftHSM does not survive a call that comes back while the process ends.
        rig.lift_until(0);
    });
}

/// What the threads do that call the library: `S` for those that sleep.
pub fn states() -> Vec<char> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let stats = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    // `7 (pkcs11) S …`
    stats.filter_map(|stat| stat.split_once("(pkcs11) ")?.1.chars().next()).collect()
}

/// The backend, with the rest of its section.
pub fn open_with(softhsm: &SoftHsm, pin: &str, time_limit_ms: u64, rest: &str) -> Box<dyn KeyBackend> {
    let accept = r#"accept = ["modifiable", "decrypt", "unwrap", "derive", "sign-recover", "wrap"]"#;
    let rest = format!("label = \"alice\"\ntime_limit_ms = {time_limit_ms}\n{accept}\n{rest}");
    softhsm.backend(&softhsm.faulty_library(), pin, &rest)
}

/// A ring without keys.
pub fn keyring(backend: Box<dyn KeyBackend>) -> Keyring {
    Keyring::new(Vec::new(), [("hsm".to_owned(), backend)].into())
}

/// Signs something that was never signed before; panics where what comes out is not what was asked for.
pub fn sign(ring: &mut Keyring, key: &PinnedKey, nonce: u64) -> Result<(), KeyError> {
    let mut fresh: Drill = drill(&key.public);
    fresh.nonce[..8].copy_from_slice(&nonce.to_be_bytes());
    let wanted = ToSign::drill(&fresh);
    match ring.sign(&wanted)? {
        Outcome::Signed(signature) => {
            assert_eq!(signature.verify(&key.public, wanted.message()), Ok(()), "a wrong signature was released");
            Ok(())
        }
        pending @ Outcome::Pending { .. } => panic!("{pending:?}"),
    }
}
