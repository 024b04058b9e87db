//! What a newcomer meets: help that can be copied, and no trace of a mistyped command.
#![allow(clippy::unwrap_used)]

use std::process::Command;

/// Every command with its words, the program's own included.
fn commands(command: &clap::Command, words: &str, into: &mut Vec<(String, clap::Command)>) {
    into.push((words.to_owned(), command.clone()));
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        commands(inner, &format!("{words} {}", inner.get_name()), into);
    }
}

#[test]
fn no_example_is_broken_inside_a_word_or_a_line_that_goes_on() {
    let mut all = Vec::new();
    commands(&signer_agent::cli::definition(), "signer-agent", &mut all);
    for (words, command) in all {
        let Some(example) = command.get_after_help().map(ToString::to_string) else { continue };
        for line in example.lines().filter(|line| line.ends_with('\\') || line.starts_with("  ")) {
            assert!(line.chars().count() <= 80, "`{words}`: {line:?} does not fit into a terminal");
        }
    }
}

#[test]
fn the_help_of_every_command_has_an_example_and_says_its_exit_codes() {
    let mut all = Vec::new();
    commands(&signer_agent::cli::definition(), "signer-agent", &mut all);
    for (words, mut command) in all {
        let help = command.render_long_help().to_string();
        assert!(help.contains("Example") && help.matches("Exit codes: 0 ").count() == 1, "`{words}`: {help}");
    }
}

#[test]
fn a_wrong_command_line_is_told_in_the_form_that_was_asked_for() {
    for words in [&["--json", "shwo"][..], &["approve", "--json"], &["--json", "inspect", "nowhere"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_signer-agent")).args(words).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &[][..]), "{words:?}");
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(told["error"].is_string() && told["name"].is_string(), "{told}");
    }
    let plain = Command::new(env!("CARGO_BIN_EXE_signer-agent")).arg("shwo").output().unwrap();
    assert!(plain.stdout.is_empty() && !plain.stderr.is_empty());
}

#[test]
fn what_could_never_come_to_an_end_is_refused_where_it_is_typed() {
    let refused = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_signer-agent")).arg("propose").args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    for hours in ["0", "2161"] {
        let told = refused(&["change-thresholds", "nobody", "--owners", "2", "--hours", hours]);
        assert!(told.contains("--hours") && told.contains("1..=2160"), "{told}");
    }
    for package in ["foo", &"A".repeat(64), &"a".repeat(65)] {
        let told = refused(&["host", "nobody", "--on", "dave", "--package", package]);
        assert!(told.contains("--package") && told.contains("expected 64 hex digits"), "{told}");
    }
}

#[test]
fn a_mistyped_folder_is_an_error_and_not_a_new_folder() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    for words in [&["list"][..], &["card"], &["book", "list"], &["run", "--passphrase-fd", "0"], &["status"]] {
        let agent = env!("CARGO_BIN_EXE_signer-agent");
        let output = Command::new(agent).arg("--data").arg(&nowhere).args(words).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {told}");
        assert!(told.contains("there is no data folder") && told.contains("signer-agent init"), "{words:?}: {told}");
        assert!(!nowhere.exists(), "{words:?}");
    }
}

#[test]
fn an_owner_who_is_not_made_leaves_no_folder_behind() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let synchronizer = format!("sync::1220{}", "ab".repeat(32));
    let words = ["init", "--name", "a b", "--participant", "http://127.0.0.1:1", "--synchronizer", &synchronizer];
    let output =
        Command::new(env!("CARGO_BIN_EXE_signer-agent")).arg("--data").arg(&nowhere).args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!nowhere.exists(), "{}", String::from_utf8_lossy(&output.stderr));
}
