//! Programs that lie, hang, flood and fork. Nothing of theirs is released, and nothing of them stays.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use custody::keys::{KeyBackend, KeyError, Outcome, Purpose, to_sign::ToSign};

use super::asking::{drill, drilled, opened, ring, secret};

/// Puts the id of what was asked into `$id`.
const READS: &str = r#"request=$(cat); id=${request#*\"id\":\"}; id=${id%%\"*}"#;

fn program(body: &str, more: &str) -> Box<dyn KeyBackend> {
    opened("/bin/sh", &["-c", body], more)
}

fn answering(answer: &str) -> Box<dyn KeyBackend> {
    program(&format!("{READS}; printf '%s' {}", quoted(answer)), "")
}

/// As an argument of a shell, with `$id` filled in.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

fn signature(over: &[u8]) -> String {
    let key = secret();
    hex::encode(key.sign(over, key.public(Purpose::Namespace).fingerprint()).bytes())
}

fn must_fail(backend: Box<dyn KeyBackend>, words: &str) -> String {
    let error = drilled(backend).expect_err("something was released");
    let text = format!("{error} {error:?}");
    assert!(text.contains(words), "{words:?} is not in {text}");
    text
}

/// Waits until a process is gone; one that nobody has waited for yet is.
fn must_end(pid: &str) {
    let until = Instant::now() + Duration::from_secs(10);
    let is_there = || {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
    };
    while is_there() {
        assert!(Instant::now() < until, "process {pid} still runs");
        std::thread::yield_now();
    }
}

#[test]
fn a_right_answer_is_released() {
    let message = drill(&secret().public(Purpose::Namespace)).message();
    let answer = format!(r#"{{"id":"$id","status":"signed","signature":"{}"}}"#, signature(&message));

    let Ok(Outcome::Signed(made)) = drilled(answering(&answer)) else { panic!("nothing was released") };

    assert_eq!(hex::encode(made.bytes()), signature(&message));
}

#[test]
fn a_signature_over_other_bytes_is_not_released() {
    let answer = format!(r#"{{"id":"$id","status":"signed","signature":"{}"}}"#, signature(b"something else"));
    must_fail(answering(&answer), "NotThePinnedKey");
    must_fail(answering(r#"{"id":"$id","status":"signed","signature":"00"}"#), "NotThePinnedKey");
}

#[test]
fn an_answer_to_another_question_is_refused_though_its_signature_is_right() {
    let message = drill(&secret().public(Purpose::Namespace)).message();
    let id = "0".repeat(64);
    let answer = format!(r#"{{"id":"{id}","status":"signed","signature":"{}"}}"#, signature(&message));
    must_fail(answering(&answer), "it answered another question");
}

#[test]
fn what_is_no_answer_is_refused_by_its_field() {
    for (answer, words) in [
        ("", "its answer does not read"),
        ("garbage", "its answer does not read"),
        (r#"{"id":"$id","status":"signed","signature":"00"} and more"#, "its answer does not read"),
        (r#"{"id":"$id","status":"signed","signature":"00","sure":true}"#, "unknown field `sure`"),
        (r#"{"id":"$id","id":"$id","status":"signed"}"#, "duplicate field `id`"),
        (r#"{"id":"$id","status":"signed"}"#, "no `signature`"),
        (r#"{"id":"$id","status":"signed","signature":"zz"}"#, "`signature` of its answer is not hex"),
        (r#"{"id":"$id","status":"pending"}"#, "no `note`"),
        (r#"{"id":"$id","status":"ready","note":"yes"}"#, "answers nothing that was asked"),
        (r#"{"id":"$id","status":"perhaps"}"#, "answers nothing that was asked"),
    ] {
        must_fail(answering(answer), words);
    }
}

#[test]
fn words_of_the_program_are_short_and_move_no_cursor() {
    let long = format!(r#"{{"id":"$id","status":"refused","reason":"\u001b[2J{}"}}"#, "x".repeat(5_000));

    let text = must_fail(answering(&long), "refuses to sign");

    assert!(!text.contains('\u{1b}') && text.len() < 1_500, "{text:?}");
}

#[test]
fn pending_comes_with_a_time_within_bounds() {
    for (said, expected) in [(r#","retry_after_s":90"#, 90), (r#","retry_after_s":0"#, 1), ("", 30)] {
        let answer = format!(r#"{{"id":"$id","status":"pending","note":"two officers must come"{said}}}"#);
        let note = "two officers must come".to_owned();
        let expected = Outcome::Pending { note, retry_after: Duration::from_secs(expected) };
        assert_eq!(drilled(answering(&answer)), Ok(expected));
    }
    let answer = r#"{"id":"$id","status":"pending","note":"","retry_after_s":18446744073709551615}"#;
    let Ok(Outcome::Pending { retry_after, .. }) = drilled(answering(answer)) else { panic!() };
    assert_eq!(retry_after, Duration::from_secs(3_600));
}

#[test]
fn the_same_thing_has_the_same_name_whenever_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let body = format!("{READS}; echo \"$id\" >> {}; exit 3", seen.display());
    let mut ring = ring(program(&body, ""));
    let public = secret().public(Purpose::Namespace);
    let mut other = drill(&public);
    other.nonce = [8; 32];

    for asked in [&drill(&public), &drill(&public), &other] {
        let error = ring.sign(&ToSign::drill(asked)).unwrap_err().to_string();
        assert!(error.contains("it ended with exit status: 3"), "{error}");
    }

    let seen = fs::read_to_string(seen).unwrap();
    let ids: Vec<&str> = seen.lines().collect();
    assert_eq!((ids.len(), ids[0] == ids[1], ids[0] == ids[2]), (3, true, false), "{ids:?}");
}

#[test]
fn a_program_that_hangs_is_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let body = format!("sleep 300 & echo $! > {0}; echo $$ >> {0}; exec sleep 300", pids.display());
    let begun = Instant::now();

    must_fail(program(&body, "timeout_s = 1"), "it did not end within 1 s");

    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    fs::read_to_string(pids).unwrap().lines().for_each(must_end);
}

#[test]
fn a_program_that_answers_and_leaves_another_behind_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let answer = quoted(r#"{"id":"$id","status":"pending","note":"later"}"#);
    // What stays behind holds the pipes open.
    let body = format!("{READS}; sleep 300 & echo $! > {}; printf '%s' {answer}", pids.display());
    let begun = Instant::now();

    assert!(matches!(drilled(program(&body, "")), Ok(Outcome::Pending { .. })));

    assert!(begun.elapsed() < Duration::from_secs(20), "it was waited for: {:?}", begun.elapsed());
    fs::read_to_string(pids).unwrap().lines().for_each(must_end);
}

#[test]
fn an_answer_without_end_is_cut_off_and_so_is_a_complaint() {
    must_fail(program("exec yes", ""), "it answered more than 65536 bytes");
    must_fail(program("exec yes >&2", "timeout_s = 1"), "it did not end within 1 s");
}

#[test]
fn what_stands_on_the_standard_error_is_in_no_error_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("stderr");
    let body = r"printf 'planted-secret\033[2J\nline two\n' >&2; exit 1";

    let text = must_fail(program(body, ""), "set `stderr_file` in [backends.office]");
    assert!(!text.contains("planted"), "{text}");
    let text = must_fail(program(body, &format!("stderr_file = {kept:?}")), "its standard error stands in");
    assert!(!text.contains("planted"), "{text}");

    assert_eq!(fs::read_to_string(&kept).unwrap(), "planted-secret\\u{1b}[2J\nline two\n");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    must_fail(program("yes >&2 & sleep 0.2; exit 1", &format!("stderr_file = {kept:?}")), "exit status: 1");
    assert!(fs::metadata(&kept).unwrap().len() <= 8 * 1024);
}

#[test]
fn a_program_gets_no_environment_and_no_word_as_an_argument() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, arguments) = (folder.path().join("environment"), folder.path().join("arguments"));
    let body = format!(
        "cat /proc/$$/environ > {}; tr '\\0' '\\n' < /proc/$$/cmdline > {}",
        environment.display(),
        arguments.display()
    );

    must_fail(program(&body, ""), "its answer does not read");

    assert_eq!(fs::read_to_string(environment).unwrap(), "");
    assert_eq!(fs::read_to_string(arguments).unwrap(), format!("/bin/sh\n-c\n{body}\n"));
}

#[test]
fn a_program_that_others_may_change_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signer");
    fs::copy("/bin/sh", &path).unwrap();
    let ask = |path: &Path| drilled(opened(path.to_str().unwrap(), &["-c", "exit 7"], ""));
    for mode in [0o775, 0o757] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = ask(&path).unwrap_err().to_string();
        assert!(error.contains("others may change it; run `chmod go-w"), "{error}");
    }
    assert!(matches!(ask(&folder.path().join("nowhere")), Err(KeyError::Backend(_))));
}
