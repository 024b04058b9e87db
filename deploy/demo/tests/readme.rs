//! The README's walk by hand, as it stands there, command by command.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
};

/// The commands of the README's `bash` blocks. Its `sh` blocks build, and the tests are built already.
fn commands() -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let mut commands = String::new();
    let mut inside = false;
    for line in readme.lines() {
        match line {
            "```bash" => inside = true,
            "```" => inside = false,
            _ if inside => {
                commands.push_str(line);
                commands.push('\n');
            }
            _ => {}
        }
    }
    commands
}

/// The demo plays every part; these stand for the binaries that a release build would leave in one folder.
fn programs(folder: &Path) {
    let demo = env!("CARGO_BIN_EXE_demo");
    for (name, role) in [("demo", ""), ("coordinator", "coordinator"), ("signer-agent", "signer-agent")] {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\nexec '{demo}' {role} \"$@\"\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_newcomer_who_copies_the_commands_gets_a_party() {
    let folder = tempfile::tempdir().unwrap();
    let (programs_at, walk) = (folder.path().join("bin"), folder.path().join("walk"));
    fs::create_dir_all(&programs_at).unwrap();
    fs::create_dir_all(&walk).unwrap();
    programs(&programs_at);
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    std::os::unix::fs::symlink(deploy, folder.path().join("deploy")).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let commands = commands().replace("127.0.0.1:8443", &format!("127.0.0.1:{port}"));
    assert!(commands.contains("create-party"), "the README has lost its walk");

    let path = format!("{}:{}", programs_at.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash")
        .args(["-eu", "-c"])
        // A sandbox of an earlier walk is gone, and so must its addresses be.
        .arg(format!(
            "trap '[ $? = 0 ] || kill $(jobs -p)' EXIT\necho 'NODE1=http://127.0.0.1:1' > sandbox.env\n{commands}\n"
        ))
        .env("PATH", path)
        .current_dir(&walk)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let group = shell.id();
    let output = {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
        while shell.try_wait().unwrap().is_none() {
            if std::time::Instant::now() > deadline {
                let _ = Command::new("kill").args(["-9", "--", &format!("-{group}")]).status();
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        shell.wait_with_output().unwrap()
    };
    let text = String::from_utf8_lossy(&output.stdout);
    std::io::stderr().write_all(&output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("status: effective"), "{text}");
    // Its last step stopped everything.
    let walk = walk.to_str().unwrap();
    let started_here = |pid: &Path| fs::read_link(pid.join("cwd")).is_ok_and(|cwd| cwd.to_str() == Some(walk));
    let left = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()).filter(|pid| started_here(pid));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new(), "processes of the walk run on");
}

#[test]
fn the_walk_stops_waiting_for_what_has_died() {
    let folder = tempfile::tempdir().unwrap();
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbook/functions.sh");
    let script = format!(". '{}'\ntrue &\nDEAD=$!\nwait\nwaits $DEAD false", functions.display());
    let output = Command::new("bash").args(["-eu", "-c", &script]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("in vain: false"));
}
