//! The program at its command line: what is wrong is named once, with its file and its fix.

use std::{fs, process::Command};

fn refused(folder: &std::path::Path, words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_coordinator")).args(words).current_dir(folder).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words:?}: {told}");
    told
}

#[test]
fn a_missing_configuration_is_named_with_what_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let told = refused(folder.path(), &["serve", "--config", "nowhere.toml"]);
    assert!(told.contains("there is no file nowhere.toml") && told.contains("`coordinator init`"), "{told}");
}

#[test]
fn a_participant_that_cannot_be_reached_so_is_named_by_file_and_field_once() {
    let folder = tempfile::tempdir().unwrap();
    let synchronizer = format!("sync::1220{}", "ab".repeat(32));
    for (address, field) in [("nonsense", "field address: "), ("https://127.0.0.1:1", "field ca: ")] {
        let text = format!(
            "data = \"d\"\nlisten = \"127.0.0.1:0\"\n[participant]\naddress = \"{address}\"\nsynchronizer = \"{synchronizer}\"\n"
        );
        fs::write(folder.path().join("c.toml"), text).unwrap();
        let told = refused(folder.path(), &["serve", "--config", "c.toml"]);
        assert!(told.contains(&format!("c.toml: [participant]: {field}")), "{told}");
        assert_eq!(told.matches("field ").count(), 1, "{told}");
    }
}

#[test]
fn every_command_line_that_is_wrong_is_told_in_the_form_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(folder.path(), &["serve"]).starts_with("coordinator: there is no file coordinator.toml"));
    for words in [&["--json", "serve", "--nonsense"][..], &["--json", "check", "--config", "nowhere.toml"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_coordinator")).args(words).current_dir(folder.path()).output();
        let output = output.unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &[][..]), "{words:?}");
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["event"], "error", "{told}");
    }
}

#[test]
fn the_help_of_every_command_has_an_example_and_says_its_exit_codes() {
    for words in
        [&["--help"][..], &["serve", "--help"], &["check", "--help"], &["invite", "--help"], &["init", "--help"]]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_coordinator")).args(words).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains("Example") && help.contains("Exit codes: 0 "), "{words:?}: {help}");
    }
}
