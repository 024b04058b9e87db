//! SoftHSM2 with tokens of its own, for the tests of the backend `pkcs11`: the library, and the tools of Debian's packages
//! `softhsm2` and `opensc`.
//!
//! SoftHSM reads where its tokens are from its environment, which a test cannot change in its own process. So a test that
//! loads the library runs itself again in a process with that environment.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use custody::keys::{
    KeyBackend,
    backends::Kinds,
    credential::{AskSecret, CredentialError},
    pkcs11,
};
use secrecy::SecretString;

/// Where distributions put the library.
const LIBRARIES: [&str; 3] =
    ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"];
const ENVIRONMENT: &str = "SOFTHSM2_CONF";
/// Says to a process that it is the one with the environment.
const ALONE: &str = "COUNTERSIGN_SOFTHSM_ALONE";
/// What the library that makes faults reads: where its orders are, and behind which library it stands.
const FAULTS_FOLDER: &str = "COUNTERSIGN_FAULTS_FOLDER";
const FAULTS_LIBRARY: &str = "COUNTERSIGN_FAULTS_LIBRARY";

/// The PIN of every token here.
pub const PIN: &str = "a pin 4711";
const SO_PIN: &str = "87654321";

/// Who knows no secret.
pub struct Nobody;

impl AskSecret for Nobody {
    fn ask(&mut self, _: &str, what: &str) -> Result<SecretString, CredentialError> {
        Err(CredentialError::NotGiven { what: what.to_owned(), reason: "nobody is here".to_owned() })
    }
}

/// A folder with tokens.
pub struct SoftHsm {
    folder: PathBuf,
    library: &'static str,
}

/// What lacks on this machine to run SoftHSM; `None` where it is all there.
fn lacking() -> Option<&'static str> {
    let has = |tool: &str| Command::new(tool).arg("--help").output().is_ok();
    if !LIBRARIES.iter().any(|path| Path::new(path).exists()) || !has("softhsm2-util") {
        return Some("SoftHSM2 is missing (Debian: softhsm2)");
    }
    if has("pkcs11-tool") { None } else { Some("pkcs11-tool is missing (Debian: opensc)") }
}

/// Runs a test of this binary, by its name, in a process whose SoftHSM has its tokens in `folder`. Where SoftHSM is not
/// installed, says so and runs nothing.
///
/// # Panics
/// Where the test does.
pub fn alone(name: &str, folder: &Path, test: impl FnOnce(&SoftHsm)) {
    if let Some(softhsm) = SoftHsm::here() {
        test(&softhsm);
        return;
    }
    let Some(softhsm) = SoftHsm::new(folder) else { return };
    let output = softhsm.again().args(["--exact", name, "--nocapture"]).output().expect("a test runs again");
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{error}");
    assert!(out.contains("1 passed"), "no test is called {name}:\n{out}\n{error}");
    println!("{out}");
}

fn library() -> Option<&'static str> {
    LIBRARIES.into_iter().find(|path| Path::new(path).exists())
}

impl SoftHsm {
    /// SoftHSM with its tokens in a folder; `None`, and a line that says so, where it is not installed.
    ///
    /// # Panics
    /// Where the folder cannot be written.
    pub fn new(folder: &Path) -> Option<Self> {
        if let Some(lacking) = lacking() {
            println!("skipped, no token to try: {lacking}");
            return None;
        }
        let tokens = folder.join("tokens");
        std::fs::create_dir_all(&tokens).expect("a folder for tokens");
        let text =
            format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
        std::fs::write(folder.join("softhsm2.conf"), text).expect("a configuration");
        library().map(|library| Self { folder: folder.to_owned(), library })
    }

    /// The one of this process, where it was started by [`again`](Self::again).
    pub fn here() -> Option<Self> {
        Some(Self { folder: std::env::var_os(ALONE)?.into(), library: library()? })
    }

    /// This very binary, to be run with the environment that the library needs.
    ///
    /// # Panics
    /// Never: a process has a binary.
    pub fn again(&self) -> Command {
        let binary = std::env::current_exe().expect("a process has a binary");
        let mut again = self.command(&binary.display().to_string());
        again.env(ALONE, &self.folder).env(FAULTS_FOLDER, &self.folder).env(FAULTS_LIBRARY, self.library);
        again
    }

    /// The library's path.
    pub fn library(&self) -> &Path {
        Path::new(self.library)
    }

    /// The library that stands in front of it and makes faults.
    ///
    /// # Panics
    /// Where it was not built.
    pub fn faulty_library(&self) -> PathBuf {
        let binary = std::env::current_exe().expect("a test has a binary");
        let path = binary.with_file_name("libpkcs11_faults.so");
        assert!(path.exists(), "{} is not built", path.display());
        path
    }

    /// The backend over a library, with a PIN and the rest of its section.
    ///
    /// # Panics
    /// Where the section does not read.
    pub fn backend(&self, library: &Path, pin: &str, rest: &str) -> Box<dyn KeyBackend> {
        let (kind, pin_file) = (pkcs11::KIND, self.pin_file(pin));
        let text = format!("kind = {kind:?}\nmodule = {library:?}\npin = {{ file = {pin_file:?} }}\n{rest}");
        let config = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let kinds = Kinds::default().with(kind, pkcs11::open);
        kinds.open("hsm", &config, &mut Nobody).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The variable that every process that loads the library needs.
    pub fn environment(&self) -> (&'static str, PathBuf) {
        (ENVIRONMENT, self.folder.join("softhsm2.conf"))
    }

    fn command(&self, program: &str) -> Command {
        let (name, value) = self.environment();
        let mut command = Command::new(program);
        command.env(name, value);
        command
    }

    /// Makes a token; its serial.
    ///
    /// # Panics
    /// Where the tool fails.
    pub fn make_token(&self, label: &str) -> String {
        let before = self.serials();
        let mut make = self.command("softhsm2-util");
        make.args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN]);
        must_run(&mut make);
        let made = self.serials().into_iter().find(|serial| !before.contains(serial));
        made.expect("a new token has a new serial")
    }

    fn serials(&self) -> Vec<String> {
        let shown = must_run(self.command("softhsm2-util").arg("--show-slots"));
        let serials = shown.lines().filter_map(|line| line.trim().strip_prefix("Serial number:"));
        serials.map(|serial| serial.trim().to_owned()).filter(|serial| !serial.is_empty()).collect()
    }

    /// `pkcs11-tool` on the token with that label, logged in; what it prints.
    ///
    /// # Panics
    /// Where the tool fails.
    pub fn tool(&self, label: &str, arguments: &[&str]) -> String {
        let mut tool = self.command("pkcs11-tool");
        tool.args(["--module", self.library, "--token-label", label, "--login", "--pin", PIN]).args(arguments);
        must_run(&mut tool)
    }

    /// A file with the PIN, that nobody else may read.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn pin_file(&self, pin: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.join(format!("pin-{}", pin.len()));
        std::fs::write(&path, pin).expect("a file with the PIN");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
        path
    }
}

/// Runs a tool; what it prints.
///
/// # Panics
/// Where it fails, with what it says.
pub fn must_run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {stdout} {stderr}");
    stdout.into_owned()
}
