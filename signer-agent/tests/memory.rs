//! What of memory the agent refuses: keys that live there alone, and secrets that cannot be kept out of the swap.
#![allow(clippy::unwrap_used)]

use std::{
    io::Write as _,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::Path,
    process::{Command, Stdio},
};

use custody::keys::key_file::KeyFile;
use secrecy::SecretString;

const BINARY: &str = env!("CARGO_BIN_EXE_signer-agent");
const PASSPHRASE: &str = "correct horse battery staple";
/// `nobody`: root locks as much as it likes.
const NOBODY: u32 = 65_534;

/// An owner's folder, with more of `agent.toml`.
fn owner(data: &Path, more: &str) {
    let folder = signer_agent::folder::Folder::open(data).unwrap();
    KeyFile::create(&folder.keys(), &SecretString::from(PASSPHRASE.to_owned())).unwrap();
    let synchronizer = format!("sync::1220{}", "ab".repeat(32));
    let text =
        format!("name = \"alice\"\nsynchronizer = \"{synchronizer}\"\nparticipant = \"http://127.0.0.1:1\"\n{more}");
    std::fs::write(data.join("agent.toml"), text).unwrap();
}

#[test]
fn keys_in_memory_are_for_tests_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("owner");
    owner(&data, "[backends.ours]\nkind = \"memory\"\n");

    let mut command = Command::new(BINARY);
    command.arg("--data").arg(&data).args(["--json", "keys", "backends", "--passphrase-fd", "0"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = writeln!(child.stdin.take().unwrap(), "{PASSPHRASE}");
    let refused = child.wait_with_output().unwrap();

    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    let shown: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    let ours = shown["backends"].as_array().unwrap().iter().find(|one| one["section"] == "ours").unwrap();
    let words = "[backends.ours]: kind \"memory\" is none of this program's: aws-kms, command, gcp-kms, participant, \
                 pkcs11, transit, yubihsm";
    assert_eq!((&ours["kind"], &ours["answers"]), (&"not-opened".into(), &false.into()), "{ours}");
    assert!(ours["wrong"].as_str().unwrap().contains(words), "{ours}");
}

/// Whoever may lock no memory, as a user who is not root and whose limit is zero.
#[test]
fn where_no_memory_is_kept_out_of_the_swap_no_key_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Where the other user reaches it.
    let [binary, data, passphrase] = ["signer-agent", "owner", "passphrase"].map(|name| folder.path().join(name));
    std::fs::copy(BINARY, &binary).unwrap();
    std::fs::write(&passphrase, PASSPHRASE).unwrap();
    owner(&data, "");
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        let within = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path());
        within
            .chain([data.clone(), passphrase.clone()])
            .for_each(|path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap());
    }
    let with_limit = |limit: &str| {
        let mut shell = Command::new("/bin/sh");
        // A pipe of root's is not opened by name by another user, as a file is.
        shell.args(["-c", "ulimit -l \"$1\" || exit 77; shift; exec \"$@\" 3< \"$0\""]).arg(&passphrase).arg(limit);
        shell.arg(&binary).arg("--data").arg(&data).args(["keys", "backends", "--passphrase-fd", "3"]);
        if is_root {
            shell.uid(NOBODY).gid(NOBODY);
        }
        shell.output().unwrap()
    };

    let refused = with_limit("0");
    let error = String::from_utf8(refused.stderr).unwrap();
    if refused.status.code() == Some(77) {
        println!("skipped: this shell sets no limit of locked memory: {error}");
        return;
    }
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains("no memory can be kept out of the swap") && error.contains("ulimit -l 1024"), "{error}");

    // With as much as the error says, all is well.
    let done = with_limit("1024");
    match done.status.code() {
        Some(77) => println!("skipped: this user may not raise the limit to what the error says"),
        code => assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&done.stderr)),
    }
}
