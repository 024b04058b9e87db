//! What can be said about keys.

use std::path::PathBuf;

use canton_topology::key::KeySpec;
use clap::{Args, Subcommand, ValueEnum};
use custody::keys::{Purpose, pkcs8_file};

use super::Passphrase;
use crate::custodian::Place;

/// Where the keys of a new owner are to be.
#[derive(Args)]
pub struct KeyPlaces {
    /// A file with the sections [backends.NAME] of agent.toml; needed where a key is not to live in the encrypted file.
    #[arg(long, value_name = "FILE")]
    pub backends: Option<PathBuf>,
    /// Where the namespace key lives: a section, in which it is made, or SECTION:REFERENCE for one that is there.
    #[arg(long, value_name = "PLACE", default_value = "file")]
    pub namespace_key: Place,
    /// Where the party key lives, in the same way.
    #[arg(long, value_name = "PLACE", default_value = "file")]
    pub party_key: Place,
    /// The curve of keys that are made.
    #[arg(long, value_enum, default_value = "ed25519")]
    pub spec: Curve,
}

#[derive(Subcommand)]
pub enum Keys {
    /// Every key at a glance.
    #[command(after_help = "Example: signer-agent --data alice keys list")]
    List,
    /// One key, with its public half.
    #[command(after_help = "Example: signer-agent --data alice keys show namespace")]
    Show {
        /// Its name or fingerprint.
        key: String,
    },
    /// Which backends are built in and configured, which answer now, and what is wrong with those that do not.
    #[command(
        after_help = "Example: signer-agent --data alice keys backends\n\nExit codes: 0 all answer, 1 one does not."
    )]
    Backends(KeysWith),
    /// Makes a key where it is to live.
    #[command(after_help = "Example: signer-agent --data alice keys generate --in hsm --purpose party --name treasury")]
    Generate(NewKey),
    /// Takes a key that is there: in a backend, or in a PKCS#8 file for the encrypted file.
    #[command(
        after_help = "Example: signer-agent --data alice keys import --from hsm --reference 01a3 \\\n           --purpose party --name treasury\n         signer-agent --data alice keys import --pkcs8 treasury.pem \\\n           --purpose party --name treasury"
    )]
    Import(ImportKey),
    /// Writes a key of the encrypted file as PKCS#8, encrypted under a passphrase of its own. No other backend gives keys out.
    #[command(after_help = "Example: signer-agent --data alice keys export treasury --out treasury.pem")]
    Export(ExportKey),
    /// Puts the encrypted file under another passphrase.
    #[command(after_help = "Example: signer-agent --data alice keys passphrase")]
    Passphrase(ChangePassphrase),
    /// Has keys sign something inert, after a look at whether Canton would take their word. The agent must run.
    #[command(
        after_help = "Example: signer-agent --data alice keys drill --all\n         signer-agent --data alice keys drill treasury\n\nExit codes: 0 all work, 1 one does not, 2 one has not answered yet."
    )]
    Drill(DrillKeys),
    /// Has keys prove to the coordinator's nonce that they are held, and puts the owner's introduction into its mailbox.
    #[command(
        after_help = "Example: signer-agent --data alice keys prove\n\nExit codes: 0 done, 1 error, 2 a custodian has not answered yet: run it again later."
    )]
    Prove(Prove),
    /// A printable record of the owner's last introduction, signed by its identity key.
    #[command(
        after_help = "Example: signer-agent --data alice keys transcript > alice.txt\n         signer-agent keys transcript --verify alice.txt"
    )]
    Transcript(Transcript),
    /// Lets a key sign nothing any more.
    #[command(after_help = "Example: signer-agent --data alice keys retire treasury")]
    Retire {
        /// Its name or fingerprint.
        key: String,
    },
}

#[derive(Args)]
pub struct DrillKeys {
    /// Their names or fingerprints.
    #[arg(required_unless_present = "all")]
    pub keys: Vec<String>,
    /// Every active key: worth it before a change that would need them.
    #[arg(long, conflicts_with = "keys")]
    pub all: bool,
}

#[derive(Args)]
pub struct KeysWith {
    #[command(flatten)]
    pub passphrase: Passphrase,
}

#[derive(Args)]
pub struct Prove {
    /// Keys, by name or fingerprint; all that sign where none is named. The card's namespace key always answers: it vouches
    /// for the card.
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// What the maker of a device says of a key, as a file: it is carried with the key. Once for each.
    #[arg(long = "attestation", value_name = "KEY=FILE", value_parser = attestation)]
    pub attestations: Vec<(String, PathBuf)>,
    #[command(flatten)]
    pub with: KeysWith,
}

fn attestation(text: &str) -> Result<(String, PathBuf), String> {
    let read = text.split_once('=').map(|(key, file)| (key.to_owned(), PathBuf::from(file)));
    read.ok_or_else(|| "expected a key's name, `=`, and a file, such as treasury=attestation.pem".to_owned())
}

#[derive(Args)]
pub struct Transcript {
    /// Verify this transcript, of whomever, instead of printing one. Needs no data folder.
    #[arg(long, value_name = "FILE")]
    pub verify: Option<PathBuf>,
}

#[derive(Args)]
pub struct NewKey {
    /// The section of [backends] in agent.toml; `file` is the encrypted file.
    #[arg(long = "in", value_name = "SECTION", default_value = "file")]
    pub backend: String,
    /// What it is for.
    #[arg(long, value_enum)]
    pub purpose: KeyPurpose,
    /// A name for it.
    #[arg(long)]
    pub name: String,
    /// Its curve.
    #[arg(long, value_enum, default_value = "ed25519")]
    pub spec: Curve,
    #[command(flatten)]
    pub with: KeysWith,
}

#[derive(Args)]
pub struct ImportKey {
    /// The section of [backends] in agent.toml whose backend holds it.
    #[arg(long = "from", value_name = "SECTION", requires = "reference", required_unless_present = "pkcs8")]
    pub backend: Option<String>,
    /// How the backend finds it, such as a token's CKA_ID: the pages of deploy/ say what it is for each kind.
    #[arg(long, requires = "backend")]
    pub reference: Option<String>,
    /// A PKCS#8 file, PEM or DER, as openssl writes it.
    #[arg(long, value_name = "FILE", conflicts_with = "backend")]
    pub pkcs8: Option<PathBuf>,
    /// Read that file's passphrase from this file descriptor instead of asking.
    #[arg(long, value_name = "FD", requires = "pkcs8")]
    pub key_passphrase_fd: Option<u32>,
    /// Take a file in which the key is not encrypted, because nobody else could ever read it.
    #[arg(long, requires = "pkcs8")]
    pub accept_plaintext: bool,
    /// What it is for.
    #[arg(long, value_enum)]
    pub purpose: KeyPurpose,
    /// A name for it.
    #[arg(long)]
    pub name: String,
    #[command(flatten)]
    pub with: KeysWith,
}

#[derive(Args)]
pub struct ExportKey {
    /// Its name or fingerprint.
    pub key: String,
    /// Where it is written; never over a file that is there.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How it is written; openssl reads both.
    #[arg(long, value_enum, default_value = "pem")]
    pub form: Pkcs8Form,
    /// Read the passphrase of the new file from this file descriptor instead of asking.
    #[arg(long, value_name = "FD")]
    pub key_passphrase_fd: Option<u32>,
    #[command(flatten)]
    pub with: KeysWith,
}

#[derive(Args)]
pub struct ChangePassphrase {
    /// Read the new passphrase from this file descriptor instead of asking.
    #[arg(long, value_name = "FD")]
    pub new_passphrase_fd: Option<u32>,
    #[command(flatten)]
    pub with: KeysWith,
}

/// How a PKCS#8 file is written.
#[derive(Clone, Copy, ValueEnum)]
pub enum Pkcs8Form {
    /// Lines of text.
    Pem,
    /// The bare bytes.
    Der,
}

impl From<Pkcs8Form> for pkcs8_file::Form {
    fn from(form: Pkcs8Form) -> Self {
        match form {
            Pkcs8Form::Pem => Self::Pem,
            Pkcs8Form::Der => Self::Der,
        }
    }
}

/// What a key is for.
#[derive(Clone, Copy, ValueEnum)]
pub enum KeyPurpose {
    /// Signs topology for the owner's namespace.
    Namespace,
    /// Signs for parties, inline.
    Party,
}

impl From<KeyPurpose> for Purpose {
    fn from(purpose: KeyPurpose) -> Self {
        match purpose {
            KeyPurpose::Namespace => Self::Namespace,
            KeyPurpose::Party => Self::Party,
        }
    }
}

/// The curves that Canton signs with.
#[derive(Clone, Copy, ValueEnum)]
pub enum Curve {
    /// EC_CURVE25519
    Ed25519,
    /// EC_P256
    P256,
    /// EC_P384
    P384,
    /// EC_SECP256K1
    Secp256k1,
}

impl From<Curve> for KeySpec {
    fn from(curve: Curve) -> Self {
        match curve {
            Curve::Ed25519 => Self::Ed25519,
            Curve::P256 => Self::P256,
            Curve::P384 => Self::P384,
            Curve::Secp256k1 => Self::Secp256k1,
        }
    }
}
