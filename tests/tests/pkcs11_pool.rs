//! The sessions that the backend `pkcs11` keeps: one that fails or hangs is left, another one is there at once, and none
//! takes another one's handle. The library that makes faults says in which session was signed.
#![allow(clippy::unwrap_used)]

#[path = "pkcs11_faults/rig.rs"]
mod rig;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use custody::keys::{KeyBackend, NewKey, PinnedKey, Purpose, keyring::Keyring};
use rig::{NOW, Rig, TIME_LIMIT_LONG_MS, keyring, on_faults, open_with, sign, states};
use tests::softhsm::{PIN, SoftHsm};

/// No session can be opened, whatever is lost.
const NO_MORE: &str = "C_OpenSession error:30 4294967295 0";

fn open(softhsm: &SoftHsm, sessions: usize) -> Box<dyn KeyBackend> {
    open_with(softhsm, PIN, TIME_LIMIT_LONG_MS, &format!("sessions = {sessions}"))
}

fn with_a_key(softhsm: &SoftHsm, sessions: usize) -> (Keyring, PinnedKey) {
    softhsm.make_token("alice");
    let mut ring = keyring(open(softhsm, sessions));
    let spec = canton_topology::key::KeySpec::Ed25519;
    let wanted = NewKey { name: "ours".to_owned(), purpose: Purpose::Party, spec };
    let key = ring.generate("hsm", &wanted, NOW).unwrap().clone();
    (ring, key)
}

/// The sessions in which was signed since, each one every time.
fn signed_in(rig: &Rig, since: usize) -> Vec<String> {
    rig.lines("signs").split_off(since)
}

/// Waits until so many sessions more have found the key, which is searched for by both halves, and wait for what to do.
fn ready(rig: &Rig, since: usize, sessions: usize) -> BTreeSet<String> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let finds = rig.lines("finds").split_off(since);
        let both = |one: &&String| finds.iter().filter(|other| other == one).count() >= 2;
        let found: BTreeSet<String> = finds.iter().filter(both).cloned().collect();
        if found.len() == sessions && states().iter().all(|state| *state == 'S') {
            return found;
        }
        assert!(Instant::now() < until, "{finds:?}");
        std::thread::yield_now();
    }
}

/// A ring whose sessions are ready, which are these.
fn all_ready(softhsm: &SoftHsm, rig: &Rig, sessions: usize) -> (Keyring, PinnedKey, BTreeSet<String>) {
    let (mut ring, key) = with_a_key(softhsm, sessions);
    sign(&mut ring, &key, 0).unwrap();
    let found = ready(rig, 0, sessions);
    (ring, key, found)
}

#[test]
fn while_a_session_hangs_the_next_call_takes_another_at_once() {
    on_faults("while_a_session_hangs_the_next_call_takes_another_at_once", |softhsm, rig| {
        let (mut ring, key, found) = all_ready(softhsm, rig, 2);

        rig.order("C_Sign hang 1 0");
        let since = rig.count("signs");
        let refused = sign(&mut ring, &key, 1).unwrap_err().to_string();
        assert!(refused.contains("the next call takes another session"), "{refused}");
        let hung = signed_in(rig, since);
        assert_eq!(hung.len(), 1, "{hung:?}");

        // It hangs still.
        let finds = rig.count("finds");
        let before = Instant::now();
        sign(&mut ring, &key, 2).unwrap();
        assert!(before.elapsed() < Duration::from_millis(TIME_LIMIT_LONG_MS) / 2, "{:?}", before.elapsed());
        let used = signed_in(rig, since + 1);
        assert!(found.contains(&used[0]) && used[0] != hung[0], "{used:?} of {found:?}, where {hung:?} hangs");

        // Another one takes its place, and not itself when it comes back.
        rig.lift_until(2);
        let instead = ready(rig, finds, 1);
        rig.order("C_Sign error:30 1 0");
        let since = rig.count("signs");
        sign(&mut ring, &key, 3).unwrap();
        assert_eq!(signed_in(rig, since), [used, instead.into_iter().collect()].concat());
    });
}

#[test]
fn a_ready_session_needs_nothing_opened_and_without_one_there_is_nothing() {
    on_faults("a_ready_session_needs_nothing_opened_and_without_one_there_is_nothing", |softhsm, rig| {
        let (mut ring, key, _) = all_ready(softhsm, rig, 2);
        let mut alone = Keyring::new(vec![key.clone()], [("hsm".to_owned(), open(softhsm, 1))].into());
        sign(&mut alone, &key, 0).unwrap();

        // The next order lifts the one before, and what hung goes on to where it is not meant.
        rig.order("C_Sign hang 1 0");
        sign(&mut ring, &key, 1).unwrap_err();
        rig.order("C_SignInit hang 1 0");
        sign(&mut alone, &key, 1).unwrap_err();
        rig.order(NO_MORE);

        sign(&mut ring, &key, 2).unwrap();
        let refused = sign(&mut alone, &key, 2).unwrap_err().to_string();
        assert!(refused.contains("C_OpenSession answers DeviceError"), "{refused}");
    });
}

#[test]
fn a_session_finds_the_keys_before_it_is_asked_to_sign() {
    on_faults("a_session_finds_the_keys_before_it_is_asked_to_sign", |softhsm, rig| {
        let (mut ring, key, _) = all_ready(softhsm, rig, 2);
        let since = rig.count("signs");

        rig.order("C_Sign hang 1 0");
        sign(&mut ring, &key, 1).unwrap_err();
        rig.order("C_FindObjectsInit error:30 4294967295 0");
        sign(&mut ring, &key, 2).unwrap();

        assert_eq!(signed_in(rig, since).len(), 2);
    });
}

#[test]
fn a_session_that_fails_is_left_and_the_same_call_goes_on_in_another() {
    on_faults("a_session_that_fails_is_left_and_the_same_call_goes_on_in_another", |softhsm, rig| {
        let (mut ring, key, found) = all_ready(softhsm, rig, 2);

        let since = rig.count("signs");
        rig.order("C_Sign error:30 1 0");
        sign(&mut ring, &key, 1).unwrap();
        let tried = signed_in(rig, since);
        rig.lift();

        assert_eq!(tried.iter().cloned().collect::<BTreeSet<_>>(), found, "{tried:?}");
        let since = rig.count("signs");
        (2..50).for_each(|nonce| sign(&mut ring, &key, nonce).unwrap());
        assert!(!signed_in(rig, since).contains(&tried[0]), "the session that failed was used again");
    });
}

#[test]
fn after_the_token_was_away_no_session_of_before_is_used_and_the_pool_fills_again() {
    on_faults("after_the_token_was_away_no_session_of_before_is_used_and_the_pool_fills_again", |softhsm, rig| {
        let (mut ring, key, before) = all_ready(softhsm, rig, 3);

        let (since, finds) = (rig.count("signs"), rig.count("finds"));
        rig.order("C_Sign lose-sessions 1 0");
        sign(&mut ring, &key, 1).unwrap();
        // Two that were ready were tried, and the third was left with them.
        assert!(signed_in(rig, since).iter().filter(|one| before.contains(*one)).count() <= 2);
        rig.lift();
        let after = ready(rig, finds, 3);

        assert!(before.is_disjoint(&after), "{before:?}, {after:?}");
    });
}

#[test]
fn only_the_first_session_gives_the_pin() {
    on_faults("only_the_first_session_gives_the_pin", |softhsm, rig| {
        all_ready(softhsm, rig, 4);
        assert_eq!(rig.count("logins"), 1);
    });
}

#[test]
fn a_section_whose_library_another_one_began_anew_closes_no_session_of_it() {
    on_faults("a_section_whose_library_another_one_began_anew_closes_no_session_of_it", |softhsm, rig| {
        let (mut first, key) = with_a_key(softhsm, 1);
        let mut second = Keyring::new(vec![key.clone()], [("hsm".to_owned(), open(softhsm, 1))].into());
        sign(&mut first, &key, 0).unwrap();
        let old = rig.lines("signs");
        sign(&mut second, &key, 0).unwrap();

        // SoftHSM counts from 1 again.
        rig.order("C_Sign finalize 1 0");
        sign(&mut second, &key, 1).unwrap();
        rig.lift();
        assert_eq!(rig.lines("signs").last(), old.last(), "the number is another session's now");
        sign(&mut first, &key, 2).unwrap();
        assert_ne!(rig.lines("signs").last(), old.last(), "two sections in one session");

        rig.order(NO_MORE);
        sign(&mut second, &key, 3).unwrap();
    });
}

#[test]
fn more_sessions_than_a_token_gives_are_refused_by_name() {
    on_faults("more_sessions_than_a_token_gives_are_refused_by_name", |softhsm, rig| {
        let (_, key) = with_a_key(softhsm, 1);
        rig.order("C_GetTokenInfo few:2 4294967295 0");
        let ring = |sessions| Keyring::new(vec![key.clone()], [("hsm".to_owned(), open(softhsm, sessions))].into());

        let refused = sign(&mut ring(3), &key, 0).unwrap_err().to_string();
        assert!(refused.contains("`sessions`: the token gives 2 to one program (ulMaxSessionCount)"), "{refused}");
        sign(&mut ring(2), &key, 1).unwrap();

        let new = NewKey { name: "new".to_owned(), purpose: Purpose::Party, spec: key.public.spec() };
        let refused = ring(2).generate("hsm", &new, NOW).unwrap_err().to_string();
        assert!(refused.contains("a key is made in one more session"), "{refused}");
        ring(1).generate("hsm", &new, NOW).unwrap();
    });
}
