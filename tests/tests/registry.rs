//! The registry of everything that is ever signed: a signature of one row verifies as that row alone, whatever the key, and
//! nothing that ships signs anything past it.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use canton_topology::{
    Timestamp,
    key::{KeySpec, SigningPublicKey},
    mapping::{Mapping, NamespaceDelegation},
    signature::Signature,
    transaction::{Operation, Serial, Transaction},
};
use custody::{
    journal::{Journal, JournalSlot},
    keys::{
        KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
        encrypted_file::{self, EncryptedFile},
        key_file::{Identity, KeyFile},
        keyring::Keyring,
        to_sign::ToSign,
    },
};
use protocol::{
    drill::{Drill, WORDS},
    identity::{IdentityClaim, IdentityPublicKey},
    possession::Possession,
    registry::{Kind, Shape},
    statement::SignStatements,
};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256, Sha384};

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// One owner's real keys of every curve and purpose, as the shipped program holds them.
struct Keys {
    ring: Keyring,
    identity: Identity,
    journal: Journal,
    _folder: tempfile::TempDir,
}

impl Keys {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = SecretString::from("correct horse".to_owned());
        let file = KeyFile::create(&folder.path().join("keys"), &passphrase).unwrap();
        let identity = file.identity();
        let backend: Box<dyn KeyBackend> = Box::new(EncryptedFile::new(file));
        let section = encrypted_file::SECTION;
        let mut ring = Keyring::new(Vec::new(), [(section.to_owned(), backend)].into());
        for spec in KeySpec::ALL {
            for purpose in [Purpose::Namespace, Purpose::Party] {
                let name = format!("{}-{purpose}", spec.name());
                ring.generate(section, &NewKey { name, purpose, spec }, NOW).unwrap();
            }
        }
        let journal = Journal::open(&folder.path().join("journal")).unwrap();
        Self { ring, identity, journal, _folder: folder }
    }

    /// What this key answers when it is asked for a row. `None` where nothing can even ask.
    fn sign(&mut self, key: &PinnedKey, shape: Shape) -> Option<(Vec<u8>, Result<Signature, KeyError>)> {
        let transaction = root(&key.public);
        let recorded;
        let wanted = match shape {
            Shape::TopologyTransaction => {
                let slot = JournalSlot {
                    key: key.fingerprint().clone(),
                    synchronizer: synchronizer().parse().unwrap(),
                    unique_key: transaction.unique_key(),
                    serial: Serial::FIRST,
                };
                recorded = self.journal.reserve(&slot, transaction.hash(), None, NOW).unwrap();
                ToSign::transaction(&recorded, &transaction).unwrap()
            }
            Shape::Ours(Kind::Identity) => ToSign::certificate(&claim(&key.public, self.identity.identity())),
            Shape::Ours(Kind::Possession) => ToSign::possession(&possession(key, self.identity.identity())),
            Shape::Ours(Kind::Drill) => ToSign::drill(&drill(&key.public)),
            Shape::PreparedTransaction | Shape::Ours(_) => return None,
        };
        assert_eq!((wanted.shape(), Shape::of(wanted.message())), (shape, Some(shape)));
        let message = wanted.message().to_vec();
        let outcome = self.ring.sign(&wanted).map(|outcome| match outcome {
            Outcome::Signed(signature) => signature,
            Outcome::Pending { note, .. } => panic!("{note}"),
        });
        Some((message, outcome))
    }
}

fn synchronizer() -> String {
    format!("sync::1220{}", "ab".repeat(32))
}

fn root(key: &SigningPublicKey) -> Transaction {
    let root = Mapping::NamespaceDelegation(NamespaceDelegation::root(key.clone()));
    Transaction::build(Operation::AddReplace, Serial::FIRST, &root)
}

fn claim(key: &SigningPublicKey, identity: IdentityPublicKey) -> IdentityClaim {
    let synchronizer = synchronizer().parse().unwrap();
    IdentityClaim { namespace_key: key.clone(), identity, synchronizer, issued_at: NOW }
}

fn possession(key: &PinnedKey, coordinator: IdentityPublicKey) -> Possession {
    Possession {
        key: key.public.clone(),
        purpose: key.purpose.name().to_owned(),
        owner: key.fingerprint().clone().into(),
        card: [8; 32],
        coordinator,
        nonce: [9; 32],
    }
}

fn drill(key: &SigningPublicKey) -> Drill {
    Drill {
        words: WORDS.to_owned(),
        key: key.fingerprint(),
        owner: key.fingerprint().into(),
        synchronizer: synchronizer().parse().unwrap(),
        at: NOW,
        nonce: [7; 32],
    }
}

/// Every message of a row into which somebody might turn a message that was signed: its content under another prefix, all
/// of it under another prefix, its hashes, its beginning and its end in the lengths of Canton's.
fn read_as(row: Shape, message: &[u8]) -> Vec<Vec<u8>> {
    let content = message.iter().position(|byte| *byte == b'\n').map_or(message, |end| &message[end + 1..]);
    let (sha256, sha384) = (Sha256::digest(message), Sha384::digest(message));
    let parts: [&[u8]; 5] = [message, content, &sha256, &sha384, &message[message.len().min(2)..]];
    match row {
        Shape::Ours(kind) => parts.iter().filter_map(|part| kind.message(part)).collect(),
        Shape::PreparedTransaction => {
            let cut = parts.iter().filter(|part| part.len() >= 32);
            cut.flat_map(|part| [part[..32].to_vec(), part[part.len() - 32..].to_vec()]).collect()
        }
        Shape::TopologyTransaction => {
            let cut = parts.iter().filter(|part| part.len() >= 32);
            let hashes = cut.flat_map(|part| [part[..32].to_vec(), part[part.len() - 32..].to_vec()]);
            hashes.map(|hash| [[0x12, 0x20].as_slice(), &hash].concat()).collect()
        }
    }
}

/// Holds one signature against every row; how many messages it was held against.
fn only_as(made: Shape, message: &[u8], verifies: impl Fn(&[u8]) -> bool, who: &str) -> usize {
    assert!(verifies(message), "{who}: {} does not verify as itself", made.name());
    let mut tried = 0;
    for row in Shape::all() {
        for other in read_as(row, message) {
            assert_eq!(Shape::of(&other), Some(row), "{who}: {} read as {}", made.name(), row.name());
            let is_it = row == made && other == message;
            assert_eq!(verifies(&other), is_it, "{who}: {} verifies as {}", made.name(), row.name());
            tried += 1;
        }
        let is_itself = Shape::of(message) == Some(row);
        assert_eq!(is_itself, row == made, "{who}: {} is taken for {}", made.name(), row.name());
    }
    tried
}

#[test]
fn t09_a_signature_of_one_row_verifies_as_that_row_alone_for_keys_of_every_curve() {
    let mut keys = Keys::new();
    let (mut signed, mut tried) = (BTreeMap::<&str, usize>::new(), 0);
    for key in keys.ring.keys().to_vec() {
        for made in Shape::all() {
            let Some((message, Ok(signature))) = keys.sign(&key, made) else { continue };
            let verifies = |message: &[u8]| signature.verify(&key.public, message).is_ok();
            tried += only_as(made, &message, verifies, &key.name);
            *signed.entry(made.name()).or_default() += 1;
        }
    }
    // Four curves for two purposes; a party key certifies no identity.
    let expected = [("drill", 8), ("identity", 4), ("possession", 8), ("topology-transaction", 8)];
    assert_eq!(signed, expected.into());
    assert!(tried > 28 * 15, "{tried}");
}

#[test]
fn t09_a_key_for_one_purpose_refuses_what_is_for_another() {
    let mut keys = Keys::new();
    for key in keys.ring.keys().to_vec().iter().filter(|key| key.purpose == Purpose::Party) {
        let (_, refused) = keys.sign(key, Shape::Ours(Kind::Identity)).unwrap();
        let expected = KeyError::Purpose { key: key.fingerprint().clone(), purpose: Purpose::Party, what: "identity" };
        assert_eq!(refused, Err(expected), "{}", key.name);
    }
}

#[test]
fn t09_a_statement_of_one_kind_verifies_as_that_kind_alone_by_the_identity_key_of_the_file() {
    let keys = Keys::new();
    let identity = keys.identity.identity();
    let payload = [5; 100];
    for kind in Kind::ALL {
        let message = kind.message(&payload).unwrap();
        let signature = keys.identity.sign(&message);
        only_as(Shape::Ours(kind), &message, |message| identity.verifies(message, &signature), kind.name());
    }
}

#[test]
fn t09_what_a_key_elsewhere_signs_as_a_prepared_transaction_verifies_as_nothing_else() {
    for spec in KeySpec::ALL {
        for purpose in [Purpose::Namespace, Purpose::Party] {
            let secret = custody::keys::secret_key::SecretKey::generate(spec).unwrap();
            let public = secret.public(purpose);
            // As dangerous as can be: the very hash that an ECDSA key of ours signs.
            for hash in [Sha256::digest(drill(&public).message()), Sha256::digest(root(&public).hash().as_bytes())] {
                let signature = secret.sign(&hash, public.fingerprint());
                let verifies = |message: &[u8]| signature.verify(&public, message).is_ok();
                only_as(Shape::PreparedTransaction, &hash, verifies, spec.name());
                assert!(!verifies(&drill(&public).message()) && !verifies(root(&public).hash().as_bytes()));
            }
        }
    }
}

/// What goes through a row by its type: a body has its kind, a keyring and a backend take a `ToSign` alone.
const DOORS: [&str; 2] = ["Statement::sign(", "keyring.sign("];

/// Every other place in shipped code that signs, or puts a signature together, and the row of it.
const SIGNERS: [(&str, &str); 10] = [
    ("shared/canton-client/src/participant.rs", "the participant signs a topology transaction with a key of its own"),
    ("shared/canton-topology/src/planner.rs", "a signature of zeros, to ask which keys could sign"),
    ("shared/canton-topology/src/signature/mod.rs", "puts signatures together, makes none"),
    ("shared/protocol/src/plan.rs", "a signature of zeros, to ask which keys could sign"),
    ("shared/protocol/src/statement/mod.rs", "`Statement::sign`: a body's kind, and identity keys for it alone"),
    ("signer-agent/custody/src/keys/key_file.rs", "the identity key, for `Statement::sign`"),
    ("signer-agent/custody/src/keys/pkcs11/curve.rs", "puts together what a token has signed, for the backend"),
    ("signer-agent/custody/src/keys/pkcs11/signing.rs", "has a token sign, for the backend"),
    ("signer-agent/custody/src/keys/secret_key.rs", "software keys, for backends"),
    ("signer-agent/src/actor.rs", "asks the participant: a topology transaction"),
];

/// Where backends are: only the keyring calls them, with a `ToSign`.
const BACKENDS: [&str; 2] = ["signer-agent/custody/src/keys/", "signer-agent/src/backends/"];

/// What makes a signature, wherever it is called.
const CALLS: [&str; 8] = [
    "sign(",
    "sign::<",
    "try_sign(",
    "sign_prehash(",
    "sign_recoverable(",
    "sign_digest(",
    "new_ed25519(",
    "new_ecdsa_der(",
];

const SHIPPED: [&str; 6] = [
    "coordinator",
    "signer-agent",
    "signer-agent/custody",
    "shared/protocol",
    "shared/canton-client",
    "shared/canton-topology",
];

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Whether a line of code signs otherwise than through a door.
fn signs(line: &str) -> bool {
    let mut code = line.split("//").next().unwrap_or_default().to_owned();
    for door in DOORS {
        code = code.replace(door, "");
    }
    let is_longer = |before: &str| before.chars().last().is_some_and(|one| one.is_alphanumeric() || one == '_');
    CALLS.iter().any(|call| code.match_indices(call).any(|(at, _)| !is_longer(&code[..at])))
}

#[test]
fn t09_nothing_that_ships_signs_past_the_registry() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for folder in SHIPPED {
        rust_files(&workspace.join(folder).join("src"), &mut files);
    }
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for file in files.iter().filter(|file| file.file_name().is_some_and(|name| name != "tests.rs")) {
        let text = fs::read_to_string(file).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines: Vec<String> =
            shipped.lines().filter(|line| signs(line)).map(|line| line.trim().to_owned()).collect();
        let name = file.strip_prefix(workspace).unwrap().display().to_string();
        let is_backend = BACKENDS.iter().any(|folder| name.starts_with(folder)) && text.contains("ToSign");
        if !lines.is_empty() && !is_backend {
            found.insert(name, lines);
        }
    }
    let known: BTreeSet<&str> = SIGNERS.iter().map(|(file, _)| *file).collect();
    let new: Vec<_> = found.iter().filter(|(file, _)| !known.contains(file.as_str())).collect();
    assert!(new.is_empty(), "signs, and is not in the list: say which row it goes through: {new:#?}");
    let gone: Vec<_> = known.iter().filter(|file| !found.contains_key(**file)).collect();
    assert!(gone.is_empty(), "is in the list, and signs no more: {gone:#?}");
}

#[test]
fn the_search_for_signers_sees_what_it_should() {
    for line in
        ["key.sign(message)", "SignStatements::sign(&key, b)", "k.sign_prehash(h)", "Signature::new_ed25519(s, f)"]
    {
        assert!(signs(line), "{line}");
    }
    for line in ["Statement::sign(&body, &key)", "custody.keyring.sign(&wanted)", "resign(x)", "// key.sign(message)"] {
        assert!(!signs(line), "{line}");
    }
}
