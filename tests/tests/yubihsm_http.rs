//! The backend `yubihsm` over HTTP, as it speaks to Yubico's connector: a relay to the device in software, which answers
//! as a broken connector, or one that somebody has taken over, may. A failure is a test that dies or waits for ever, where
//! the backend should say what is wrong and go on.
#![allow(clippy::unwrap_used)]

#[path = "yubihsm_http/relay.rs"]
mod relay;

use std::time::{Duration, Instant};

use canton_topology::{Timestamp, key::KeySpec};
use custody::keys::{
    KeyBackend, NewKey, Purpose,
    backends::Kinds,
    credential::{AskSecret, CredentialError},
    keyring::Keyring,
};
use relay::{Fault, Relay};
use secrecy::SecretString;
use signer_agent::backends::yubihsm::{KIND, open};
use tests::backend_conformance::conforms_with;

/// Where nothing is meant to take so long, on a busy machine too.
const TIME_LIMIT_LONG_MS: u64 = 60_000;
const TIME_LIMIT_MS: u64 = 1_000;
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

struct Told;

impl AskSecret for Told {
    fn ask(&mut self, _: &str, _: &str) -> Result<SecretString, CredentialError> {
        Ok(SecretString::from("password".to_owned()))
    }
}

fn backend(relay: &Relay, time_limit_ms: u64) -> Box<dyn KeyBackend> {
    let text =
        format!("kind = {KIND:?}\nconnector = \"{}\"\nauth_key = 1\ntime_limit_ms = {time_limit_ms}", relay.address());
    let config: toml::Table = toml::from_str(&text).unwrap();
    let opened = Kinds::default().with(KIND, open).open("hsm", &config, &mut Told);
    opened.unwrap_or_else(|error| panic!("{error}"))
}

fn new_key(name: &str) -> NewKey {
    NewKey { name: name.to_owned(), purpose: Purpose::Party, spec: KeySpec::Ed25519 }
}

#[test]
fn the_device_conforms_over_http() {
    // The device has 16 sessions and frees none: one curve is what they suffice for.
    let relay = Relay::start();
    conforms_with(&[KeySpec::Ed25519], &mut || backend(&relay, TIME_LIMIT_LONG_MS));
}

#[test]
fn an_answer_at_which_the_client_panics_fails_by_name_and_the_next_call_is_answered() {
    for fault in [Fault::WithoutMac, Fault::HeadersWithoutEnd] {
        let relay = Relay::start();
        let mut backend = backend(&relay, TIME_LIMIT_LONG_MS);
        backend.probe().unwrap();

        relay.order(fault);
        let refused = backend.probe().unwrap_err().to_string();
        assert!(refused.contains("what the connector answers makes no sense at all"), "{fault:?}: {refused}");

        relay.lift();
        backend.probe().unwrap_or_else(|error| panic!("after {fault:?}: {error}"));
    }
}

#[test]
fn an_answer_in_two_segments_or_none_fails_by_name_and_the_next_call_is_answered() {
    for fault in [Fault::TwoSegments, Fault::Nonsense, Fault::Closed] {
        let relay = Relay::start();
        let mut backend = backend(&relay, TIME_LIMIT_LONG_MS);
        let key = backend.generate(&new_key("ours")).unwrap();

        relay.order(fault);
        backend.find(&key.reference, Purpose::Party).unwrap_err();

        relay.lift();
        let found = backend.find(&key.reference, Purpose::Party);
        assert_eq!(found.unwrap_or_else(|error| panic!("after {fault:?}: {error}")).public, key.public);
    }
}

#[test]
fn a_connector_that_drips_is_left_when_the_time_is_over() {
    let relay = Relay::start();
    let mut backend = backend(&relay, TIME_LIMIT_MS);
    backend.probe().unwrap();

    relay.order(Fault::Drips);
    let before = Instant::now();
    let refused = backend.probe().unwrap_err().to_string();
    assert!(refused.contains("did not answer within 1000 ms (`time_limit_ms`)"), "{refused}");
    assert!(before.elapsed() < Duration::from_millis(TIME_LIMIT_MS * 10), "{:?}", before.elapsed());

    relay.lift();
    backend.probe().unwrap();
}

#[test]
fn no_more_than_a_few_calls_wait_for_a_connector_that_hangs() {
    let relay = Relay::start();
    let mut backend = backend(&relay, TIME_LIMIT_MS / 10);
    relay.order(Fault::Drips);

    let mut last = String::new();
    for _ in 0..5 {
        last = backend.probe().unwrap_err().to_string();
    }

    assert!(last.contains("too many calls hang at the connector"), "{last}");
}

#[test]
fn a_key_whose_making_is_not_answered_is_named() {
    let relay = Relay::start();
    let mut ring = Keyring::new(Vec::new(), [("hsm".to_owned(), backend(&relay, TIME_LIMIT_LONG_MS))].into());
    // The first question of a session asks for a free id; the answer to the second is lost, and the device has made the key.
    ring.backend("hsm").unwrap().probe().unwrap();
    relay.order_after(1, Fault::Closed);

    let refused = ring.generate("hsm", &new_key("ours"), NOW).unwrap_err().to_string();

    relay.lift();
    let named = refused.split("it is ").nth(1).and_then(|rest| rest.split(':').next());
    let named = named.unwrap_or_else(|| panic!("{refused}"));
    ring.take("hsm", named, "ours", Purpose::Party, NOW).unwrap_or_else(|error| panic!("{refused}: {error}"));
}
