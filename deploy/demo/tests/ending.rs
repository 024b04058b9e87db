//! However the demo ends, nothing of it stays: no process, no folder with keys, no panic.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(60);

/// A demo whose temporary folder lies in `folder`.
fn demo(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--json")
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads its events until one of that kind; its output comes back, to be held open.
fn must_reach(demo: &mut Child, kind: &str) -> impl Sized + use<> {
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let wanted = format!("\"event\":\"{kind}\"");
    assert!(lines.any(|line| line.unwrap().contains(&wanted)), "no event {kind}");
    lines
}

fn must_become(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{what} in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes that were started with this folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap();
    let commands =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok());
    let commands = commands.map(|command| String::from_utf8_lossy(&command).replace('\0', " "));
    commands.filter(|command| command.contains(name)).collect()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_signal_ends_everybody_and_takes_the_keys_away() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = demo(folder.path());
        let output = must_reach(&mut demo, "proposed");
        assert!(processes_of(folder.path()).len() >= 5 && !is_empty(folder.path()), "nobody plays");

        kill_process(Pid::from_child(&demo), signal).unwrap();

        assert_eq!(demo.wait().unwrap().code(), Some(1), "{signal:?}");
        drop(output);
        assert_eq!(processes_of(folder.path()), Vec::<String>::new(), "{signal:?}");
        assert!(is_empty(folder.path()), "{signal:?}: a folder is left");
    }
}

#[test]
fn whoever_plays_ends_with_a_demo_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = demo(folder.path());
    let _output = must_reach(&mut demo, "agents");

    demo.kill().unwrap();
    demo.wait().unwrap();

    must_become("the players go", || processes_of(folder.path()).is_empty());
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = demo(folder.path());
    drop(must_reach(&mut demo, "network"));
    let has_gone_on = || processes_of(folder.path()).iter().any(|command| command.contains("signer-agent"));
    must_become("the story goes on", has_gone_on);

    kill_process(Pid::from_child(&demo), Signal::TERM).unwrap();

    demo.wait().unwrap();
    let mut told = String::new();
    demo.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("stopped by SIGTERM") && !told.contains("panicked"), "{told}");
}

#[test]
fn what_cannot_work_is_told_before_the_story_and_ends_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |words: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_demo")).args(words).env("TMPDIR", folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(output.stdout.is_empty(), "{words:?} began");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["--no-such-flag"]).contains("--no-such-flag"));
    assert!(refused(&["--export", "/no/such/folder/file"]).contains("--export /no/such/folder/file"));
    let chain = folder.path().join("chain.json");
    fs::write(&chain, "{").unwrap();
    for content in ["{", "{}", r#"{"items": [{}]}"#, r#"{"items": [{"signed_tx_b64": "!"}]}"#] {
        fs::write(&chain, content).unwrap();
        let told = refused(&["replay", chain.to_str().unwrap(), "--base", "/no/such/base"]);
        assert!(told.contains("chain.json"), "{content}: {told}");
    }
    assert!(is_empty_but(folder.path(), "chain.json"));
}

fn is_empty_but(folder: &Path, name: &str) -> bool {
    fs::read_dir(folder).unwrap().all(|entry| entry.unwrap().file_name() == name)
}
