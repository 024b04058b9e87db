//! A page of the runbook: its blocks of commands, played in one shell, and what they print.
#![allow(clippy::unwrap_used, dead_code)]

pub mod stand_in;

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use self::stand_in::StandIns;

const PATIENCE: Duration = Duration::from_secs(240);
/// Begins the line that the shell prints before each block.
const MARK: &str = "\u{1}block ";

/// Pages that were played one after the other in one shell.
pub struct Play {
    printed: Vec<(String, Vec<String>)>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbook").canonicalize().unwrap()
}

/// The commands of each `bash` block of a page.
fn blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(folder().join(page)).unwrap();
    let parts = text.split("```bash\n").skip(1);
    let blocks: Vec<String> = parts.map(|part| part.split("```").next().unwrap().to_owned()).collect();
    assert!(!blocks.is_empty(), "{page} has lost its commands");
    blocks
}

/// The page with what each block printed behind it.
fn with_output(page: &str, printed: &[String]) -> String {
    let text = fs::read_to_string(folder().join(page)).unwrap();
    let mut parts = text.split("```bash\n");
    let mut written = parts.next().unwrap().to_owned();
    for (part, printed) in parts.zip(printed) {
        let (commands, mut rest) = part.split_once("```\n").unwrap();
        if let Some(old) = rest.strip_prefix("\n```text\n") {
            rest = old.split_once("```\n").unwrap().1;
        }
        written.push_str(&format!("```bash\n{commands}```\n"));
        if !printed.is_empty() {
            written.push_str(&format!("\n```text\n{printed}```\n"));
        }
        written.push_str(rest);
    }
    written
}

/// The programs as a release build would leave them. Owners are sorted by the fingerprints of random keys in many places:
/// here each draws keys until the fingerprints are in the order of the names, and alice's party key before bob's, so that
/// a page has one order.
fn programs(folder: &Path) {
    let demo = env!("CARGO_BIN_EXE_demo");
    let agent = format!(
        r#"case " $* " in
*" init "*) ;;
*) exec '{demo}' signer-agent "$@" ;;
esac
case $2 in
alice*) first='[0-3]' party='[0-7]' ;;
bob-new*) first='[c-f]' party= ;;
bob*) first='[4-7]' party='[89a-f]' ;;
carol*) first='[89ab]' party= ;;
*) first='[c-f]' party= ;;
esac
is_in_order() {{
    echo "$made" | grep -q "^  owner: 1220$first" &&
        '{demo}' signer-agent --data "$1" keys show party --print fingerprint | grep -q "^1220$party"
}}
read -r passphrase <&3
while :; do
    made=$(printf '%s\n' "$passphrase" | '{demo}' signer-agent "$@" 3<&0 2>&1) || {{ echo "$made"; exit 1; }}
    if is_in_order "$2"; then echo "$made"; exit; fi
    rm -r "$2"
done"#
    );
    let plain = |role: &str| format!("exec '{demo}' {role} \"$@\"");
    for (name, body) in [("demo", plain("")), ("coordinator", plain("coordinator")), ("signer-agent", agent)] {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl Play {
    /// Plays pages in their order.
    pub fn of(pages: &[&str]) -> Self {
        let stage = tempfile::tempdir().unwrap();
        let (bin, walk) = (stage.path().join("bin"), stage.path().join("walk"));
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(&walk).unwrap();
        programs(&bin);
        std::os::unix::fs::symlink(folder().parent().unwrap(), stage.path().join("deploy")).unwrap();
        let mut script = "exec 2>&1\nset -u\ntrap 'echo \"(exit code $?)\"' ERR\n".to_owned();
        for block in pages.iter().flat_map(|page| blocks(page)) {
            script.push_str(&format!("printf '{MARK}\\n'\n{}", with_free_ports(&block)));
        }
        let output = run(&script, &bin, &walk);
        let stand_ins = StandIns::learned(&output, &[&walk.join("alice"), &walk.join("bob")]);
        let mark = format!("{MARK}\n");
        let mut outputs = output.split(&mark).skip(1).map(|printed| stand_ins.put(printed));
        let of_page = |page: &&str| ((*page).to_owned(), outputs.by_ref().take(blocks(page).len()).collect());
        Self { printed: pages.iter().map(of_page).collect() }
    }

    /// The page says what was printed, or is made to say it.
    pub fn must_print(&self, page: &str) {
        let (_, printed) = self.printed.iter().find(|(name, _)| name == page).unwrap();
        let written = with_output(page, printed);
        let path = folder().join(page);
        if std::env::var_os("COUNTERSIGN_WRITE_PAGES").is_some() {
            fs::write(&path, written).unwrap();
            return;
        }
        let stands = fs::read_to_string(&path).unwrap();
        assert!(
            stands == written,
            "{page} does not print what it says (- the page, + printed):\n{}\nWrite the pages anew with \
             COUNTERSIGN_WRITE_PAGES=1 cargo test --workspace --test runbook, and read the difference.",
            difference(&stands, &written)
        );
    }
}

/// Every port of a page is one that is free here.
fn with_free_ports(block: &str) -> String {
    let mut parts = block.split("listen = \"127.0.0.1:");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        text.push_str(&format!("listen = \"127.0.0.1:{port}{rest}"));
    }
    text
}

fn run(script: &str, bin: &Path, walk: &Path) -> String {
    let printed = walk.join("../printed");
    let mut shell = Command::new("bash")
        .args(["-c", script])
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .current_dir(walk)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&printed).unwrap())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while shell.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    // The shell has gone, or is late; what it started runs on.
    let _ = Command::new("kill").args(["-9", "--", &format!("-{}", shell.id())]).status();
    shell.wait().unwrap();
    assert!(Instant::now() < deadline, "late: {}", fs::read_to_string(&printed).unwrap());
    fs::read_to_string(&printed).unwrap()
}

/// The lines that differ, with what stands around them.
fn difference(before: &str, after: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    let behind = before[same..].iter().rev().zip(after[same..].iter().rev()).take_while(|(one, other)| one == other);
    let behind = behind.count();
    let context = before[same.saturating_sub(3)..same].iter().map(|line| format!("  {line}"));
    let gone = before[same..before.len() - behind].iter().map(|line| format!("- {line}"));
    let new = after[same..after.len() - behind].iter().map(|line| format!("+ {line}"));
    context.chain(gone).chain(new).collect::<Vec<_>>().join("\n")
}
