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
fn the_help_says_what_the_exit_codes_mean() {
    let help = signer_agent::cli::definition().render_long_help().to_string();
    assert!(help.contains("Exit codes: 0 done, 1 error, 2 not yet"), "{help}");
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
