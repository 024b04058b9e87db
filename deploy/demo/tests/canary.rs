//! Secrets that are known here are looked for wherever an agent leaves anything: logs at their loudest, answers, errors,
//! arguments, the environment, its files, and what a crash leaves behind.
#![allow(clippy::unwrap_used)]

mod stage;

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::Path,
    process::Command,
};

use base64::Engine as _;
use canton_sandbox::network::Options;
use canton_topology::key::KeySpec;
use custody::keys::{pkcs8_file, secret_key::SecretKey};
use secrecy::SecretString;
use stage::{PASSPHRASE, Stage, for_owner, text};
use tests::softhsm::{PIN, SoftHsm};

/// The seed of a key that the owner brings along.
const SEED: &str = "canary-seed-0f-an-ed25519-key-!!";
const KEY_PASSPHRASE: &str = "canary of a file from elsewhere";

const BAO_TOKEN: &str = "s.canary-of-a-token-of-transit";
const AWS_SECRET: &str = "canary/of+an/aws/secret+access/key/0123456";
const GCP_TOKEN: &str = "ya29.canary-of-an-access-token-of-google";
const YUBI_PASSWORD: &str = "canary of a password of a yubihsm";

/// One secret in every form in which it could slip out.
struct Canary {
    name: &'static str,
    forms: Vec<String>,
}

impl Canary {
    fn new(name: &'static str, secret: &str) -> Self {
        let text = secret.to_owned();
        let secret = secret.as_bytes();
        let standard = base64::engine::general_purpose::STANDARD_NO_PAD.encode(secret);
        let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret);
        let listed = format!("{secret:?}");
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name, forms: vec![text, standard, url, listed, hex.to_uppercase(), hex] }
    }

    fn must_not_be_in(&self, bytes: &[u8], place: &str) {
        // Every form is ASCII, which this leaves as it is.
        let text = String::from_utf8_lossy(bytes);
        for form in &self.forms {
            assert!(!text.contains(form), "{} is in {place}, as {form}", self.name);
        }
    }
}

fn must_not_be_below(folder: &Path, canaries: &[Canary]) -> usize {
    let mut looked_at = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            looked_at += must_not_be_below(&path, canaries);
        } else if let Ok(bytes) = fs::read(&path) {
            canaries.iter().for_each(|canary| canary.must_not_be_in(&bytes, &path.display().to_string()));
            looked_at += 1;
        }
    }
    looked_at
}

/// A file of a key that is known here.
fn known_key(stage: &Stage) -> String {
    let path = stage.path("known.pem");
    let key = SecretKey::from_bytes(KeySpec::Ed25519, SEED.as_bytes()).unwrap();
    pkcs8_file::write(&path, &key, &SecretString::from(KEY_PASSPHRASE.to_owned()), pkcs8_file::Form::Pem).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Looks at a running agent, ends it as a crash would, and looks at what it left.
fn must_leave_nothing(stage: &mut Stage, owner: &str, canaries: &[Canary]) {
    let process = stage.agent(owner).id();
    for name in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{process}/{name}")).unwrap();
        canaries.iter().for_each(|canary| canary.must_not_be_in(&bytes, name));
    }
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let locked = status.lines().find(|line| line.starts_with("VmLck:")).unwrap();
    assert_ne!(locked.split_whitespace().nth(1), Some("0"), "no page is locked");

    // A crash leaves nothing behind.
    Command::new("kill").args(["-ABRT", &process.to_string()]).status().unwrap();
    let ended = stage.agent(owner).wait().unwrap();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
    assert!(stage.log_of(owner).contains("TRACE"), "the log is not at its loudest");
    let looked_at = must_not_be_below(stage.path("").as_path(), canaries);
    assert!(looked_at > 10, "only {looked_at} files");
}

#[test]
fn no_secret_is_anywhere_but_in_the_memory_of_the_agent() {
    let canaries = [
        Canary::new("the passphrase", PASSPHRASE),
        Canary::new("the seed of a key", SEED),
        Canary::new("the passphrase of a file from elsewhere", KEY_PASSPHRASE),
    ];
    // What finds nothing must be able to find something.
    let found =
        std::panic::catch_unwind(|| canaries[1].must_not_be_in(format!("x{:?}", SEED.as_bytes()).as_bytes(), "a text"));
    assert!(found.is_err());

    let mut stage = Stage::new(&["alice", "bob"], Options::default());
    stage.log_level = "trace";
    let file = known_key(&stage);
    let script = format!(
        "exec 5<<<\"$2\"; exec \"$1\" signer-agent --json --data \"$3\" keys import --pkcs8 {file} --key-passphrase-fd 5 \
         --purpose party --name known --passphrase-fd 4 4<<<\"$4\""
    );
    let imported = Command::new("bash")
        .args(["-c", &script, "bash", env!("CARGO_BIN_EXE_demo"), KEY_PASSPHRASE])
        .args([stage.path("alice").to_str().unwrap(), PASSPHRASE])
        .output()
        .unwrap();
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    fs::remove_file(&file).unwrap();
    stage.must("alice", &["keys", "retire", "party"]);
    for owner in ["alice", "bob"] {
        stage.kill_agent(owner);
        stage.start_agent(owner);
        stage.until(owner, &["status"], |value| !value["participant"].is_null());
    }

    // The keys are used, and things go wrong.
    let mut said = vec![imported.stdout, imported.stderr];
    let drilled = stage.must("alice", &["keys", "drill", "--all"]);
    assert_eq!(drilled["drills"].as_array().unwrap().len(), 2, "{drilled}");
    let words = ["create-party", "treasury", "--owner", "me", "--owner", "bob", "--threshold", "2", "--host", "me"];
    let more = ["--confirmations", "1", "--key", "bob", "--key-threshold", "1", "--accept", "every-owner-needed"];
    let case = text(&stage.propose("alice", &[&words[..], &more].concat()), "case");
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    stage.until_effective("bob", &case);
    let wrong = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["signer-agent", "--data", stage.path("alice").to_str().unwrap(), "keys", "backends"])
        .args(["--passphrase-fd", "0"])
        .stdin(fs::File::open("/dev/null").unwrap())
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    said.extend([wrong.stdout, wrong.stderr]);

    for bytes in &said {
        canaries.iter().for_each(|canary| canary.must_not_be_in(bytes, "an answer"));
    }
    must_leave_nothing(&mut stage, "alice", &canaries);
    assert_eq!(fs::metadata(stage.path("alice").join("keys")).unwrap().permissions().mode() & 0o777, 0o600);
}

/// A section for every kind of backend that has a secret of its own, each in a file of its own.
fn sections(folder: &Path, softhsm: &SoftHsm, serial: &str) -> String {
    let secret = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let (token, password) = (secret("bao", BAO_TOKEN), secret("yubi", YUBI_PASSWORD));
    let aws =
        secret("aws", &format!("[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {AWS_SECRET}\n"));
    let gcp = secret("gcp", GCP_TOKEN);
    let (module, pin) = (softhsm.library(), softhsm.pin_file(PIN));
    format!(
        "[backends.hsm]\nkind = \"pkcs11\"\nmodule = {module:?}\nserial = {serial:?}\npin = {{ file = {pin:?} }}\n\
         [backends.bao]\nkind = \"transit\"\naddress = \"https://127.0.0.1:1\"\ntoken = {{ file = {token:?} }}\n\
         [backends.aws]\nkind = \"aws-kms\"\nregion = \"eu-central-1\"\ncredentials = {aws:?}\nendpoint = \"https://127.0.0.1:1\"\n\
         [backends.gcp]\nkind = \"gcp-kms\"\nkey_ring = \"projects/p/locations/l/keyRings/r\"\ntoken_file = {gcp:?}\nendpoint = \"https://127.0.0.1:1\"\n\
         [backends.yubi]\nkind = \"yubihsm\"\nconnector = \"127.0.0.1:1\"\nauth_key = 2\npassword = {{ file = {password:?} }}\ndomains = [1]\naudit_log = {:?}\n",
        folder.join("audit.jsonl")
    )
}

/// One backend signs; those that are away are asked too, and say so.
#[test]
fn no_secret_of_a_backend_is_anywhere_but_in_its_own_file() {
    let folder = tempfile::tempdir().unwrap();
    let Some(softhsm) = SoftHsm::new(folder.path()) else { return };
    let canaries = [
        Canary::new("the PIN", PIN),
        Canary::new("the token of transit", BAO_TOKEN),
        Canary::new("the secret of AWS", AWS_SECRET),
        Canary::new("the token of Google", GCP_TOKEN),
        Canary::new("the password of the YubiHSM", YUBI_PASSWORD),
    ];
    let serial = softhsm.make_token("alice");
    let path = folder.path().join("backends.toml");
    fs::write(&path, sections(folder.path(), &softhsm, &serial)).unwrap();
    let (name, value) = softhsm.environment();
    let words = ["--backends", path.to_str().unwrap(), "--namespace-key", "hsm"];
    let environment = vec![(name.into(), value.into())];
    let mut stage = Stage::with_environment(&["alice"], Options::default(), environment, &for_owner("alice", &words));
    stage.log_level = "trace";
    stage.kill_agent("alice");
    stage.start_agent("alice");
    stage.until("alice", &["status"], |value| !value["participant"].is_null());

    let drilled = stage.must("alice", &["keys", "drill", "--all"]);
    let asked = stage.must_fail("alice", &["keys", "backends", "--passphrase-fd", "0"]);
    let away = asked["backends"].as_array().unwrap().iter().filter(|one| one["answers"] == false).count();
    assert_eq!(away, 4, "{asked}");

    for canary in &canaries {
        canary.must_not_be_in(format!("{drilled}{asked}").as_bytes(), "an answer");
    }
    must_leave_nothing(&mut stage, "alice", &canaries);
}
