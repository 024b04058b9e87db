//! The backend `pkcs11` against a library that loses sessions, takes one handle for another, answers errors and garbage,
//! and hangs. A failure is a signature released that is not the pinned key's over that message, or no good one soon
//! after a fault has ended: within a second where the machine does nothing else.
#![allow(clippy::unwrap_used)]

#[path = "pkcs11_faults/rig.rs"]
mod rig;

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use canton_topology::key::KeySpec;
use custody::keys::{KeyBackend, NewKey, PinnedKey, Purpose, keyring::Keyring};
use rand::{Rng as _, SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha8Rng;
use rig::{NOW, Rig, TIME_LIMIT_LONG_MS, keyring, on_faults, open_with, sign};
use tests::softhsm::{PIN, SoftHsm};

const SEED: u64 = 11;
const FAULTS: usize = 300;
const FAULTS_FULL: usize = 10_000;
/// Of the faults, so many in a hundred are calls that hang: each one lasts until the time limit.
const HANGS_PERCENT: usize = 1;
const TIME_LIMIT_MS: u64 = 250;
/// The next good signature comes within this, on a machine that does nothing else.
const RECOVERY_MAX_FULL: Duration = Duration::from_secs(1);
/// It does come on a machine that does much else.
const RECOVERY_MAX: Duration = Duration::from_secs(20);
/// Between two looks for a key that a call which hung makes when it comes back.
const POLL: Duration = Duration::from_millis(20);

/// Codes that a device may answer: lost sessions and handles, trouble with the device, nonsense.
const CODES: [&str; 16] = [
    "error:5",
    "error:6",
    "error:30",
    "error:31",
    "error:32",
    "error:54",
    "error:60",
    "error:70",
    "error:82",
    "error:90",
    "error:b0",
    "error:b3",
    "error:e0",
    "error:101",
    "error:150",
    "error:80000001",
];

/// Those that say that a token did not look at a PIN: after other ones it is not given a third time.
const CODES_OF_LOSS: [&str; 4] = ["error:32", "error:b0", "error:b3", "error:e0"];

/// What can be ordered, and of which function.
const KINDS: [(&str, &[&str]); 12] = [
    ("C_GetSlotList", &["error", "nothing", "finalize", "absurd"]),
    ("C_GetTokenInfo", &["error", "finalize"]),
    ("C_GetMechanismList", &["error", "lose-sessions"]),
    ("C_OpenSession", &["error", "finalize"]),
    ("C_Login", &["lost", "silent", "lose-sessions", "finalize"]),
    ("C_FindObjectsInit", &["error", "lose-sessions", "logout", "silent"]),
    ("C_FindObjects", &["error", "nothing", "swap", "swap", "absurd", "lose-sessions"]),
    ("C_FindObjectsFinal", &["error", "silent"]),
    ("C_GetAttributeValue", &["error", "swap", "flip", "zero", "short", "lose-sessions"]),
    ("C_SignInit", &["error", "swap", "swap", "swap", "silent", "lose-sessions", "logout", "finalize"]),
    ("C_Sign", &["error", "after:30", "after:b3", "silent", "flip", "flip", "zero", "short", "nothing"]),
    ("C_Sign", &["absurd", "replay", "replay", "other", "other", "lose-sessions", "logout", "finalize"]),
];

fn open(softhsm: &SoftHsm, pin: &str, time_limit_ms: u64) -> Box<dyn KeyBackend> {
    open_with(softhsm, pin, time_limit_ms, "")
}

/// A ring with a key of each curve.
fn with_keys(softhsm: &SoftHsm) -> (Keyring, Vec<PinnedKey>) {
    softhsm.make_token("alice");
    let mut ring = keyring(open(softhsm, PIN, TIME_LIMIT_LONG_MS));
    for spec in KeySpec::ALL {
        let wanted = NewKey { name: spec.name().to_owned(), purpose: Purpose::Party, spec };
        ring.generate("hsm", &wanted, NOW).unwrap();
    }
    let keys = ring.keys().to_vec();
    let ring = Keyring::new(keys.clone(), [("hsm".to_owned(), open(softhsm, PIN, TIME_LIMIT_MS))].into());
    (ring, keys)
}

/// What was seen.
#[derive(Default)]
struct Seen {
    recovery_max: Duration,
    faults: usize,
    orders: usize,
    signed_all_the_same: usize,
    refused: usize,
    by_kind: BTreeMap<String, usize>,
    recoveries: Vec<Duration>,
}

impl Seen {
    /// Orders a fault, signs while it is on, lifts it, and waits for the next good signature.
    fn one(&mut self, rig: &mut Rig, ring: &mut Keyring, key: &PinnedKey, words: &str, tries: usize) {
        let before = rig.count("hits");
        rig.order(words);
        self.orders += 1;
        for again in 0..tries {
            match sign(ring, key, (self.orders * 16 + again) as u64) {
                Ok(()) => self.signed_all_the_same += 1,
                Err(_) => self.refused += 1,
            }
        }
        let happened = rig.count("hits") - before;
        self.faults += happened;
        if happened > 0 {
            *self.by_kind.entry(words.split(' ').take(2).collect::<Vec<_>>().join(" ")).or_default() += happened;
        }
        rig.lift();
        let lifted = Instant::now();
        let mut nonce = (self.orders * 16 + 8) as u64;
        while let Err(error) = sign(ring, key, nonce) {
            assert!(lifted.elapsed() < self.recovery_max, "{words}: no good signature after the fault: {error}");
            nonce += 1 << 32;
        }
        let took = lifted.elapsed();
        assert!(took < self.recovery_max, "{words}: the next good signature took {took:?}");
        self.recoveries.push(took);
    }

    fn report(&mut self) {
        self.recoveries.sort_unstable();
        let at = |percent: usize| self.recoveries[(self.recoveries.len() - 1) * percent / 100];
        println!(
            "{} faults in {} orders; while they were on {} signatures were right all the same and {} were refused; \
             next good one after {:?} (half), {:?} (99 %), {:?} (worst)",
            self.faults,
            self.orders,
            self.signed_all_the_same,
            self.refused,
            at(50),
            at(99),
            at(100)
        );
        println!("{:?}", self.by_kind);
    }
}

#[test]
fn no_fault_of_a_library_releases_a_wrong_signature() {
    let is_full = std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some();
    let (wanted, recovery_max) = if is_full { (FAULTS_FULL, RECOVERY_MAX_FULL) } else { (FAULTS, RECOVERY_MAX) };
    on_faults("no_fault_of_a_library_releases_a_wrong_signature", |softhsm, rig| {
        let (mut ring, keys) = with_keys(softhsm);
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let mut seen = Seen { recovery_max, ..Seen::default() };
        let hangs = wanted * HANGS_PERCENT / 100;
        while seen.faults < wanted - hangs {
            let (function, kinds) = KINDS.choose(&mut random).unwrap();
            let kind = match *kinds.choose(&mut random).unwrap() {
                "error" => *CODES.choose(&mut random).unwrap(),
                "lost" => *CODES_OF_LOSS.choose(&mut random).unwrap(),
                other => other,
            };
            // What goes wrong once is made good by the second try; what stays is refused.
            let times = *[1, 1, 2, 3, u32::MAX].choose(&mut random).unwrap();
            let words = format!("{function} {kind} {times} {}", random.r#gen::<u32>());
            let key = keys.choose(&mut random).unwrap().clone();
            if random.gen_bool(0.5) || !function.starts_with("C_Sign") {
                // Most of the functions are only called when a session is opened.
                ring.backend("hsm").unwrap().doubted();
            }
            seen.one(rig, &mut ring, &key, &words, 2);
        }
        // By themselves: while a call hangs in SoftHSM, it must not be finalised.
        for _ in 0..hangs {
            let function =
                ["C_Sign", "C_SignInit", "C_Login", "C_FindObjects", "C_OpenSession"].choose(&mut random).unwrap();
            let key = keys.choose(&mut random).unwrap().clone();
            if !function.starts_with("C_Sign") {
                ring.backend("hsm").unwrap().doubted();
            }
            seen.one(rig, &mut ring, &key, &format!("{function} hang 1 0"), 1);
        }
        seen.report();
        assert!(seen.faults >= wanted && seen.refused > wanted / 20);
    });
}

#[test]
fn a_key_whose_making_goes_wrong_is_there_once_or_named() {
    on_faults("a_key_whose_making_goes_wrong_is_there_once_or_named", |softhsm, rig| {
        softhsm.make_token("alice");
        let mut ring = keyring(open(softhsm, PIN, TIME_LIMIT_LONG_MS));
        let faults = ["after:30 1 0", "after:30 9 0", "error:30 1 0", "error:30 9 0", "lose-sessions 1 0", "hang 1 0"];
        for (index, fault) in faults.into_iter().enumerate() {
            rig.order(&format!("C_GenerateKeyPair {fault}"));
            let name = format!("made-{index}");
            let wanted = NewKey { name: name.clone(), purpose: Purpose::Party, spec: KeySpec::P256 };
            let made = ring.generate("hsm", &wanted, NOW).cloned();
            rig.lift();

            let key = match made {
                Ok(key) => key,
                Err(error) => {
                    let words = error.to_string();
                    let named = words.split("its CKA_ID is ").nth(1).and_then(|rest| rest.split(':').next());
                    let named = named.unwrap_or_else(|| panic!("{fault}: {words}")).to_owned();
                    let until = Instant::now() + RECOVERY_MAX;
                    let taken = loop {
                        match ring.take("hsm", &named, &name, Purpose::Party, NOW) {
                            Ok(taken) => break Some(taken.clone()),
                            // The call that hung needs the library to itself when it comes back.
                            Err(_) if fault.starts_with("hang") && Instant::now() < until => thread::sleep(POLL),
                            Err(_) => break None,
                        }
                    };
                    let Some(taken) = taken else {
                        assert!(fault.starts_with("error"), "{fault}: {words}");
                        continue;
                    };
                    taken
                }
            };
            sign(&mut ring, &key, index as u64).unwrap_or_else(|error| panic!("{fault}: {error}"));
        }
    });
}

#[test]
fn a_wrong_pin_is_tried_once_and_never_again() {
    on_faults("a_wrong_pin_is_tried_once_and_never_again", |softhsm, rig| {
        softhsm.make_token("alice");
        let mut wrong = open(softhsm, "another pin", TIME_LIMIT_LONG_MS);

        let first = wrong.probe().unwrap_err().to_string();
        assert!(first.contains("the token does not take the PIN (PinIncorrect)"), "{first}");
        assert!(first.contains("not tried again") && !first.contains("another pin"), "{first}");
        assert_eq!(rig.count("logins"), 1);

        assert_eq!(wrong.probe().unwrap_err().to_string(), first);
        assert_eq!(wrong.find("01a3", Purpose::Party).unwrap_err().to_string(), first);
        assert_eq!(rig.count("logins"), 1);
        assert!(open(softhsm, PIN, TIME_LIMIT_LONG_MS).probe().is_ok());
    });
}

#[test]
fn a_pin_to_which_a_token_says_neither_yes_nor_no_is_given_twice_and_never_again() {
    on_faults("a_pin_to_which_a_token_says_neither_yes_nor_no_is_given_twice_and_never_again", |softhsm, rig| {
        softhsm.make_token("alice");
        let mut backend = open(softhsm, PIN, TIME_LIMIT_LONG_MS);
        // A token that was away has seen no PIN.
        for lost in CODES_OF_LOSS {
            rig.order(&format!("C_Login {lost} 4294967295 0"));
            backend.probe().unwrap_err();
        }
        rig.order("C_Login error:5 4294967295 0");
        let before = rig.count("logins");

        for _ in 0..3 {
            let refused = backend.probe().unwrap_err().to_string();
            assert!(refused.contains("the PIN was given 2 times") && refused.contains("GeneralError"), "{refused}");
            assert_eq!(rig.count("logins"), before + 2);
        }

        rig.lift();
        backend.probe().unwrap_err();
        assert_eq!(rig.count("logins"), before + 2);
    });
}

#[test]
fn the_answer_to_a_login_that_hung_is_waited_for_and_remembered() {
    on_faults("the_answer_to_a_login_that_hung_is_waited_for_and_remembered", |softhsm, rig| {
        softhsm.make_token("alice");
        let mut wrong = open(softhsm, "another pin", TIME_LIMIT_MS);
        rig.order("C_Login hang 1 0");

        let hung = wrong.probe().unwrap_err().to_string();
        assert!(hung.contains("did not answer within"), "{hung}");
        let refused = wrong.probe().unwrap_err().to_string();
        assert!(refused.contains("a login has not been answered yet"), "{refused}");

        rig.lift();
        let until = Instant::now() + RECOVERY_MAX;
        loop {
            let refused = wrong.probe().unwrap_err().to_string();
            if refused.contains("the token does not take the PIN (PinIncorrect)") {
                break;
            }
            assert!(Instant::now() < until, "{refused}");
            thread::sleep(POLL);
        }
        assert_eq!(rig.count("logins"), 1);
    });
}

#[test]
fn a_key_that_wants_its_pin_for_each_signature_gets_it() {
    on_faults("a_key_that_wants_its_pin_for_each_signature_gets_it", |softhsm, rig| {
        softhsm.make_token("alice");
        let make = ["--keypairgen", "--id", "01a3", "--always-auth", "--key-type", "EC:prime256v1"];
        softhsm.tool("alice", &make);
        let mut ring = keyring(open(softhsm, PIN, TIME_LIMIT_LONG_MS));
        let key = ring.take("hsm", "01a3", "ours", Purpose::Party, NOW).unwrap().clone();
        let before = rig.count("logins");

        for nonce in 0..3 {
            sign(&mut ring, &key, nonce).unwrap();
        }
        assert_eq!(rig.count("logins"), before + 3, "one for each");

        // SoftHSM itself takes no message in parts, and cannot be given the PIN in the only other way.
        let mut bare = Keyring::new(
            vec![key.clone()],
            [("hsm".to_owned(), softhsm.backend(softhsm.library(), PIN, "label = \"alice\"\naccept = [\"modifiable\", \"decrypt\", \"unwrap\", \"derive\", \"wrap\", \"sign-recover\"]"))].into(),
        );
        let refused = sign(&mut bare, &key, 9).unwrap_err().to_string();
        assert!(refused.contains("CKA_ALWAYS_AUTHENTICATE"), "{refused}");
    });
}
