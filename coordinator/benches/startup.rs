//! How long the coordinator takes to start on a store of 100,000 cases, of which a hundred are open.
//!
//! Beside each figure stands its limit, measured in the same run: reading as many bytes as the store has from its file.
//! On a virtual machine with two busy cores: 72 ms to start, 308 ms to read the store's 190 MB once, a ratio of 0.2.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::Read as _,
    path::Path,
    time::{Duration, Instant},
};

use canton_topology::{
    Timestamp,
    id::{Namespace, SynchronizerId},
    key::{KeyUsage, SigningPublicKey},
    signature::Signature,
};
use coordinator::{
    config::Config,
    parcels::ledger::Quotas,
    run::{Options, start_with},
    store::{Batch, Enrolment, Store as _, Write, sled::SledStore},
    tls::accept::Bounds,
};
use ed25519_dalek::SigningKey;
use protocol::{
    identity::{IdentityCertificate, IdentityClaim},
    intent::{CaseId, Change, Intent, Raw},
    statement::{SignStatements, Statement},
};

const CASES: u32 = 100_000;
const OPEN: u32 = 100;
const ROUNDS: usize = 5;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        data: folder.path().join("data"),
        listen: "127.0.0.1:0".parse().unwrap(),
        public_address: None,
        invitation_lifetime: Duration::from_secs(3600),
        log: "info".to_owned(),
        former: Vec::new(),
        participant: None,
        parcels: Quotas { owner_and_case: 1, owner: 1, total: 1, keep_free: 0, keep_micros: 1 },
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The first start makes the data folder and its keys.
    start(&runtime, &config);
    let store = store_folder(&config.data);
    let filling = Instant::now();
    fill(&store);
    println!("{CASES} cases stored in {:.1} s", filling.elapsed().as_secs_f64());
    let mut starts = Vec::new();
    let mut reads = Vec::new();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        starts.push(start(&runtime, &config));
        let reading = Instant::now();
        bytes = read_all(&store);
        reads.push(reading.elapsed());
    }
    starts.sort();
    reads.sort();
    let (start, read) = (starts[ROUNDS / 2], reads[ROUNDS / 2]);
    let ratio = start.as_secs_f64() / read.as_secs_f64();
    println!("start with {CASES} cases, {OPEN} of them open: {start:.1?} (median of {ROUNDS})");
    println!("reading the store's {:.1} MB once: {read:.1?}; ratio {ratio:.1}", bytes as f64 / 1e6);
}

/// From nothing to listening.
fn start(runtime: &tokio::runtime::Runtime, config: &Config) -> Duration {
    let options = Options { config: config.clone(), planner: protocol::plan::plan, bounds: Bounds::default() };
    let before = Instant::now();
    let running = runtime.block_on(start_with(options, None)).unwrap();
    let took = before.elapsed();
    runtime.block_on(running.stop());
    took
}

/// The folder with sled's file.
fn store_folder(data: &Path) -> std::path::PathBuf {
    let folders = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    folders.into_iter().find(|path| path.join("db").exists()).unwrap()
}

fn read_all(store: &Path) -> u64 {
    let mut bytes = Vec::new();
    fs::File::open(store.join("db")).unwrap().read_to_end(&mut bytes).unwrap() as u64
}

/// Each case with the intent that began it; all but a few are settled.
fn fill(folder: &Path) {
    let store = SledStore::open(folder).unwrap();
    let identity = SigningKey::from_bytes(&[7; 32]);
    let key = SigningPublicKey::ed25519(identity.verifying_key().as_bytes(), &[KeyUsage::Namespace]).unwrap();
    let proposer = Namespace::from(key.fingerprint());
    let synchronizer: SynchronizerId = format!("bench::1220{}", "ab".repeat(32)).parse().unwrap();
    let claim = IdentityClaim {
        namespace_key: key.clone(),
        identity: identity.identity(),
        synchronizer: synchronizer.clone(),
        issued_at: Timestamp(1),
    };
    let signature = Signature::new_ed25519(SignStatements::sign(&identity, &claim.message()), key.fingerprint());
    let enrolment = Enrolment {
        tls_key_hash: [9; 32],
        name: "alice".to_owned(),
        certificate: IdentityCertificate::new(claim, signature).unwrap().bytes().to_vec(),
        client_certificate_pem: String::new(),
        enrolled_at: Timestamp(1),
        replaced: false,
    };
    store.append(Batch(vec![Write::Enrolment(enrolment)])).wait().unwrap();
    for first in (0..CASES).step_by(1000) {
        let writes = (first..first + 1000).flat_map(|number| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
            let case = CaseId::from_bytes(id);
            let now = Timestamp(1_700_000_000_000_000);
            let intent = Intent {
                case,
                synchronizer: synchronizer.clone(),
                proposer: proposer.clone(),
                created_at: now,
                deadline: now.plus_micros(3_600_000_000),
                reason: "because a bench needs it".to_owned(),
                change: Change::Raw(Raw { transactions: vec![vec![number as u8; 400]] }),
                accepts: Vec::new(),
                after: None,
            };
            let bytes = Statement::sign(&intent, &identity).bytes().to_vec();
            let settle = (number >= OPEN).then_some(Write::Settle(case));
            [Some(Write::Statement { case, position: 0, bytes }), settle].into_iter().flatten()
        });
        store.append(Batch(writes.collect())).wait().unwrap();
    }
}
