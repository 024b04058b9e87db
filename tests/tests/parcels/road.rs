//! Three owners' agents and a coordinator in a process of its own, which can be killed and started again.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use canton_topology::{
    Timestamp,
    id::{Namespace, SynchronizerId},
    key::{KeyUsage, SigningPublicKey},
    signature::Signature,
};
use coordinator::{
    Options, config::Config, control::ask_invitation, parcels::ledger::Quotas, run, tls::accept::Bounds,
};
use custody::keys::parcel_key::ParcelKey;
use ed25519_dalek::SigningKey;
use protocol::{
    api::Invitation,
    book::{Addressee, Book, Card, Entry},
    identity::{IdentityCertificate, IdentityClaim},
    intent::{CaseId, Change, Intent, Raw},
    statement::{SignStatements, Statement},
};
use rand::RngCore as _;
use signer_agent::coordinator_link::{Link, enroll};
use zeroize::Zeroizing;

pub const ALICE: usize = 0;
pub const BOB: usize = 1;
pub const CAROL: usize = 2;

const DATA: &str = "COUNTERSIGN_TEST_COORDINATOR_DATA";
const LISTEN: &str = "COUNTERSIGN_TEST_COORDINATOR_LISTEN";

pub struct Road {
    pub case: CaseId,
    folder: tempfile::TempDir,
    listen: String,
    coordinator: Option<Child>,
    links: Vec<Link>,
}

fn synchronizer() -> SynchronizerId {
    format!("road::1220{}", "ab".repeat(32)).parse().unwrap()
}

fn key(owner: usize, purpose: u8) -> SigningKey {
    SigningKey::from_bytes(&[owner as u8 * 4 + purpose + 1; 32])
}

fn namespace_key(owner: usize) -> SigningPublicKey {
    SigningPublicKey::ed25519(key(owner, 0).verifying_key().as_bytes(), &[KeyUsage::Namespace]).unwrap()
}

pub fn secret_key(owner: usize) -> ParcelKey {
    ParcelKey::from_secret(Zeroizing::new([owner as u8 + 100; 32])).unwrap()
}

/// An owner, as somebody of the others' books.
pub fn addressee(owner: usize) -> Addressee {
    let card = Card {
        name: format!("owner{owner}"),
        namespace_key: namespace_key(owner),
        identity: SignStatements::identity(&key(owner, 1)),
        host: None,
        party_key: None,
        parcel_key: Some(secret_key(owner).recipient()),
    };
    let mut book = Book::default();
    book.add(Entry { name: card.name.clone(), card, more_keys: Vec::new() }).unwrap();
    book.addressee(&Namespace::from(namespace_key(owner).fingerprint())).unwrap()
}

/// In the child process: a coordinator until it is killed.
pub fn be_a_coordinator_where_told() {
    let (Ok(data), Ok(listen)) = (std::env::var(DATA), std::env::var(LISTEN)) else { return };
    let gib = 1 << 30;
    let config = Config {
        former: Vec::new(),
        data: data.into(),
        listen: listen.parse().unwrap(),
        public_address: None,
        invitation_lifetime: Duration::from_secs(3600),
        log: "info".to_owned(),
        participant: None,
        parcels: Quotas { owner_and_case: 2 * gib, owner: 2 * gib, total: 2 * gib, keep_free: 0, keep_micros: 1 << 40 },
    };
    let options = Options { config, planner: protocol::plan::plan, bounds: Bounds::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run(options, |_| {}, std::future::pending())).unwrap();
}

impl Road {
    pub async fn begin() -> Self {
        coordinator::tls::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        // Agents know the coordinator by its address, so it comes back to the same one.
        let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let case = CaseId::from_bytes([7; 16]);
        let mut road = Self { case, folder, listen, coordinator: None, links: Vec::new() };
        road.start_coordinator().await;
        for (owner, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
            road.enroll(owner, name).await;
        }
        road.link(ALICE).post_statement(&road.intent()).await.unwrap();
        road
    }

    async fn enroll(&mut self, owner: usize, name: &str) {
        let (socket, name) = (self.data().join("control.sock"), name.to_owned());
        let invitation = tokio::task::spawn_blocking(move || ask_invitation(&socket, &name, None)).await;
        let invitation: Invitation = invitation.unwrap().unwrap().parse().unwrap();
        let claim = IdentityClaim {
            namespace_key: namespace_key(owner),
            identity: SignStatements::identity(&key(owner, 1)),
            synchronizer: synchronizer(),
            issued_at: Timestamp(1),
        };
        let signature = SignStatements::sign(&key(owner, 0), &claim.message());
        let signature = Signature::new_ed25519(signature, namespace_key(owner).fingerprint());
        let certificate = IdentityCertificate::new(claim, signature).unwrap();
        let enrolment = enroll(&invitation, &certificate).await.unwrap();
        self.links.push(Link::new(&enrolment).unwrap());
    }

    fn intent(&self) -> Statement {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = Timestamp(now.as_micros() as i64);
        let intent = Intent {
            case: self.case,
            synchronizer: synchronizer(),
            proposer: self.namespace(ALICE),
            created_at: now,
            deadline: now.plus_micros(3_600_000_000),
            reason: "a party moves".to_owned(),
            change: Change::Raw(Raw { transactions: vec![vec![1, 2, 3]] }),
            accepts: Vec::new(),
            after: None,
        };
        Statement::sign(&intent, &key(ALICE, 1))
    }

    /// Starts it, and waits until it listens.
    pub async fn start_coordinator(&mut self) {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "this_process_is_a_coordinator_where_it_is_told_so", "--nocapture"])
            .env(DATA, self.data())
            .env(LISTEN, &self.listen)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.coordinator = Some(child);
        for _ in 0..1_000 {
            if tokio::net::TcpStream::connect(&self.listen).await.is_ok() && self.data().join("control.sock").exists() {
                return;
            }
            let ended = self.coordinator.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the coordinator has ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the coordinator does not come");
    }

    /// As a power cut does, but for the disk.
    pub fn kill_coordinator(&mut self) {
        let mut child = self.coordinator.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn link(&self, owner: usize) -> Link {
        self.links[owner].clone()
    }

    fn namespace(&self, owner: usize) -> Namespace {
        Namespace::from(namespace_key(owner).fingerprint())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("coordinator")
    }

    /// Everything that the coordinator keeps about parcels.
    pub fn coordinators_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.data().join("parcels")).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// A coordinator that checks what it gets, and gives something else.
    pub fn coordinator_flips_a_bit(&self) {
        let (path, mut content) =
            self.coordinators_files().into_iter().find(|(path, _)| path.extension().unwrap() == "bytes").unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(path, content).unwrap();
    }

    pub fn coordinators_peak_kib(&self) -> u64 {
        let id = self.coordinator.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        if let Some(mut child) = self.coordinator.take() {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A file that does not compress.
pub fn write_noise(path: &Path, length: u64) {
    let mut random = rand::rngs::mock::StepRng::new(7, 0x9e37_79b9_7f4a_7c15);
    let mut file = fs::File::create(path).unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut left = length;
    while left > 0 {
        let count = left.min(buffer.len() as u64) as usize;
        random.fill_bytes(&mut buffer[..count]);
        file.write_all(&buffer[..count]).unwrap();
        left -= count as u64;
    }
}
