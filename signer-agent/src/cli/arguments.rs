//! What can be said on the command line.

mod book;
mod change_set;
mod keys;
mod propose;

use std::path::PathBuf;

use canton_topology::{
    hash::TransactionHash,
    id::{Fingerprint, PhysicalSynchronizerId, SynchronizerId},
};
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use protocol::{
    difference::DifferenceClass,
    limits::{COORDINATOR_SUBMITS_WITHIN_MICROS, DEADLINE_MICROS_MAX},
};

pub use self::{
    book::{AddCard, Book, Confirm},
    change_set::ChangeSet,
    keys::{ChangePassphrase, DrillKeys, ExportKey, ImportKey, KeyPlaces, Keys, KeysWith, NewKey, Prove},
    propose::{CreateParty, Propose, ProposeHost},
};

/// The default of `run --submit-after`, in seconds.
const SUBMIT_AFTER: u64 = (COORDINATOR_SUBMITS_WITHIN_MICROS / 1_000_000).unsigned_abs();

/// The longest time to sign, in hours.
const HOURS_MAX: u64 = DEADLINE_MICROS_MAX.unsigned_abs() / 3_600_000_000;

/// One owner's signer agent.
#[derive(Parser)]
#[command(version, after_help = "Example: signer-agent --data alice list")]
pub struct Arguments {
    /// The owner's data folder.
    #[arg(long, env = "SIGNER_AGENT_DATA", default_value = "signer-agent-data", global = true)]
    pub data: PathBuf,
    /// Answer as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but this field of the answer, for scripts.
    #[arg(long, global = true, value_name = "FIELD", conflicts_with = "json")]
    pub print: Option<String>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Makes keys and a configuration.
    #[command(
        after_help = "Example: signer-agent --data alice init --name alice \\\n  --synchronizer sync::1220… --participant http://127.0.0.1:5002"
    )]
    Init(Init),
    /// Enrolls at a coordinator with the one string of its invitation.
    #[command(after_help = "Example: signer-agent --data alice enroll countersign-enroll1/127.0.0.1:7400/…/…")]
    Enroll(Enroll),
    /// Looks step by step at how the owner's participant is reached, and says what is wrong and what to do.
    #[command(
        after_help = "Example: signer-agent --data alice check\n\nExit codes: 0 all is right, 1 something is wrong, 2 it cannot be \
                      known yet. It changes nothing, and needs no passphrase."
    )]
    Check,
    /// Prints the owner's own card and its code.
    #[command(after_help = "Example: signer-agent --data alice card")]
    Card,
    /// The owner's local list of names and keys.
    #[command(subcommand, after_help = "Example: signer-agent --data alice book add countersign-card2:… --code 1f3a-…")]
    Book(Book),
    /// The owner's keys: which there are, and where each lives.
    #[command(subcommand, after_help = "Example: signer-agent --data alice keys list")]
    Keys(Keys),
    /// Runs the agent: follows the coordinator and its own participant until it is stopped.
    #[command(
        after_help = "Example: signer-agent --data alice run --yes-to threshold-raise\n\nIt stops in order on SIGTERM and SIGINT.\n\nExit codes: 0 it was stopped, 1 error."
    )]
    Run(Run),
    /// How the running agent is.
    #[command(after_help = "Example: signer-agent --data alice status")]
    Status,
    /// Every case at a glance.
    #[command(after_help = "Example: signer-agent --data alice list --json")]
    List,
    /// One case: what would change, who has signed, who is missing, what is alive.
    #[command(after_help = "Example: signer-agent --data alice show 0198f0c1")]
    Show(Case),
    /// Wants a change.
    #[command(subcommand, after_help = "Example: signer-agent --data alice propose add-owner PARTY dora --threshold 3")]
    Propose(Propose),
    /// The steps of a case, and this owner's part in them.
    #[command(subcommand, after_help = "Example: signer-agent --data alice workflow show 0198f0c1")]
    Workflow(Workflow),
    /// Signs what a case offers, after showing it.
    #[command(
        after_help = "Example: signer-agent --data bob approve 0198f0c1\n\nExit codes: 0 approved, 1 refused or an error, 2 not yet: a step comes first, a key has not answered, or you did not type yes."
    )]
    Approve(Approve),
    /// Asks now whoever holds a key and has not signed yet what was approved; the agent asks by itself too.
    #[command(
        after_help = "Example: signer-agent --data bob wake 0198f0c1\n\nExit codes: 0 nothing waits any more, 1 error, 2 a signature is still waited for."
    )]
    Wake(Wake),
    /// Writes what a key that lives elsewhere has to sign, after verifying it as if the key were here.
    #[command(
        after_help = "Example: signer-agent --data alice hash 0198f0c1 --out proposal.hash\n         openssl pkeyutl -sign -rawin -inkey holder.pem \\\n           -in proposal.hash -out proposal.sig"
    )]
    Hash(Hash),
    /// Brings the signature of a key that lives elsewhere.
    #[command(after_help = "Example: signer-agent --data alice contribute 0198f0c1 --signature proposal.sig")]
    Contribute(Contribute),
    /// Says no, with a reason.
    #[command(after_help = "Example: signer-agent --data carol decline 0198f0c1 --reason 'not before the audit'")]
    Decline(Reasoned),
    /// Takes one's own intent back. Given signatures stay alive: see `void`.
    #[command(after_help = "Example: signer-agent --data alice withdraw 0198f0c1 --reason 'wrong threshold'")]
    Withdraw(Reasoned),
    /// Wants the serials of a case consumed, so that its given signatures die.
    #[command(after_help = "Example: signer-agent --data alice void 0198f0c1 --reason 'withdrawn'")]
    Void(Reasoned),
    /// Proposals on the synchronizer that no case knows, such as those of a Canton console.
    #[command(subcommand, after_help = "Example: signer-agent --data alice foreign list")]
    Foreign(Foreign),
    /// Wants the change of a case again, after another transaction took its serial: a new case on what stands now.
    ///
    /// What the winner changed stays. Where both changed the same thing in different ways, it refuses and names both.
    #[command(after_help = "Example: signer-agent --data alice rebase 0198f0c1")]
    Rebase(Rebase),
    /// Hands a complete case in by the owner's own participant, without waiting for the coordinator.
    #[command(after_help = "Example: signer-agent --data alice submit 0198f0c1")]
    Submit(Case),
    /// Gives cases to a coordinator that took over from another one; `enroll` there first.
    #[command(after_help = "Example: signer-agent --data alice hand-over --all")]
    HandOver(HandOver),
    /// Says what an error of a Canton node means, and what to do: an id, or a line of its log.
    #[command(after_help = "Example: signer-agent explain ACS_COMMITMENT_MISMATCH")]
    Explain(Explain),
    /// Shows topology data in words: a transaction, a signed one, or a snapshot; raw, hex, base64 or gzip.
    #[command(after_help = "Example: signer-agent inspect snapshot.gz")]
    Inspect(Inspect),
    /// Judges a whole exported topology history again and says whether every row is rightly there.
    #[command(after_help = "Example: signer-agent audit snapshot.gz")]
    Audit(Audit),
}

#[derive(Args)]
pub struct Explain {
    /// The id, or the text in which it stands.
    pub text: String,
}

#[derive(Args)]
pub struct Init {
    /// The owner's name on its card: letters, digits, '-', '_', '.'.
    #[arg(long)]
    pub name: String,
    /// The logical synchronizer that the keys are pinned to: NAME::FINGERPRINT.
    #[arg(long)]
    pub synchronizer: SynchronizerId,
    /// The admin API of the owner's participant.
    #[arg(long)]
    pub participant: String,
    /// The certificate authority of the participant, a PEM file; needed for https.
    #[arg(long, value_name = "FILE")]
    pub participant_ca: Option<PathBuf>,
    /// Our certificate, a PEM file, where the participant asks for one.
    #[arg(long, value_name = "FILE", requires = "participant_key")]
    pub participant_certificate: Option<PathBuf>,
    /// The key of our certificate, a PEM file.
    #[arg(long, value_name = "FILE", requires = "participant_certificate")]
    pub participant_key: Option<PathBuf>,
    /// The file of the token that the participant asks for. Read anew for each call.
    #[arg(long, value_name = "FILE")]
    pub participant_token: Option<PathBuf>,
    /// A file with all of these as TOML: ca, certificate, key, token, and [oauth] for an account that fetches tokens.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["participant_ca", "participant_certificate", "participant_token"])]
    pub participant_access: Option<PathBuf>,
    /// The Ledger API of the same participant; needed only to move parties with contracts.
    #[arg(long, value_name = "ADDRESS")]
    pub ledger: Option<String>,
    /// The same file for the Ledger API; where it is absent, the participant's access counts for both.
    #[arg(long, value_name = "FILE", requires = "ledger")]
    pub ledger_access: Option<PathBuf>,
    #[command(flatten)]
    pub places: KeyPlaces,
    #[command(flatten)]
    pub passphrase: Passphrase,
}

#[derive(Args)]
pub struct Passphrase {
    /// Read the passphrase from this file descriptor instead of asking. 0 is the standard input.
    #[arg(long, value_name = "FD")]
    pub passphrase_fd: Option<u32>,
    /// Read the PIN or token of a key backend from a file descriptor instead of asking. Once for each.
    #[arg(long = "secret-fd", value_name = "SECTION=FD", value_parser = secret_fd)]
    pub secret_fds: Vec<(String, u32)>,
}

fn secret_fd(text: &str) -> Result<(String, u32), String> {
    let read = text.split_once('=').and_then(|(section, fd)| Some((section.to_owned(), fd.parse().ok()?)));
    read.ok_or_else(|| "expected the name of a section of [backends], `=`, and a descriptor, such as hsm=4".to_owned())
}

#[derive(Args)]
pub struct Enroll {
    /// The string that `coordinator invite` printed.
    pub invitation: String,
    #[command(flatten)]
    pub passphrase: Passphrase,
}

#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// Sign without asking where the whole change is of exactly this class.
    #[arg(long, value_enum)]
    pub yes_to: Vec<Rule>,
    /// How long the coordinator has for what it does, in seconds, before this agent offers what its owner proposed, or
    /// hands in what its owner approved.
    #[arg(long, value_name = "SECONDS", default_value_t = SUBMIT_AFTER)]
    pub submit_after: u64,
    /// How much is logged, on the standard error. No level shows a secret.
    #[arg(long, value_enum, default_value = "info")]
    pub log: LogLevel,
}

/// How much is logged.
#[derive(Clone, Copy, ValueEnum)]
pub enum LogLevel {
    /// What happens.
    Info,
    /// What it is made of.
    Debug,
    /// Everything, also from the libraries.
    Trace,
}

/// A class of changes that a rule may permit. Nothing that adds, removes, lowers or came as bytes is among them.
#[derive(Clone, Copy, ValueEnum)]
pub enum Rule {
    /// Thresholds grow, and nothing else changes.
    ThresholdRaise,
    /// What is active is said once more.
    Unchanged,
}

impl From<Rule> for DifferenceClass {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::ThresholdRaise => Self::ThresholdRaise,
            Rule::Unchanged => Self::Unchanged,
        }
    }
}

#[derive(Args)]
pub struct Case {
    /// The case: its id, or enough of its beginning or end.
    pub case: String,
}

#[derive(Args)]
pub struct Wake {
    /// The case: its id, or enough of its beginning or end; all of them where absent.
    pub case: Option<String>,
}

#[derive(Subcommand)]
pub enum Workflow {
    /// The checklist: who does what, how far it is, and what to do now.
    #[command(after_help = "Example: signer-agent --data alice workflow show 0198f0c1")]
    Show(Case),
    /// Does this owner's part. What a human must confirm is asked for at a terminal, or named with --confirm.
    #[command(
        after_help = "Example: signer-agent --data dave workflow run 0198f0c1 --confirm disconnect\n\nExit codes: 0 every step is done, 1 error, 2 something is left, and it says what and whose."
    )]
    Run(WorkflowRun),
}

#[derive(Args)]
pub struct WorkflowRun {
    #[command(flatten)]
    pub case: Case,
    /// A step that is to be done, by its name in `workflow show`. Once for each.
    #[arg(long, value_name = "STEP")]
    pub confirm: Vec<String>,
    /// The node's database is backed up, and this says where.
    #[arg(long, value_name = "WORDS")]
    pub backup: Option<String>,
    /// An archive (DAR) of packages that the node lacks, to be uploaded and vetted. Once for each.
    #[arg(long = "archive", value_name = "FILE")]
    pub archives: Vec<PathBuf>,
    /// The sealed snapshot, where it came by hand.
    #[arg(long, value_name = "FILE")]
    pub sealed: Option<PathBuf>,
}

#[derive(Args)]
pub struct Hash {
    #[command(flatten)]
    pub case: Case,
    /// The key, by its fingerprint; the one that is missing, where not named.
    #[arg(long, value_name = "FINGERPRINT")]
    pub key: Option<Fingerprint>,
    /// Which transaction, where the key has several to sign.
    #[arg(long, value_name = "HASH")]
    pub transaction: Option<TransactionHash>,
    /// Where the 34 bytes are written.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Contribute {
    #[command(flatten)]
    pub case: Case,
    /// The key, by its fingerprint; the one that is missing, where not named.
    #[arg(long, value_name = "FINGERPRINT")]
    pub key: Option<Fingerprint>,
    /// The signature as `openssl` writes it.
    #[arg(long, value_name = "FILE")]
    pub signature: PathBuf,
}

#[derive(Args)]
pub struct Approve {
    #[command(flatten)]
    pub case: Case,
    /// The offer that was looked at; without it the difference is shown and asked about.
    #[arg(long)]
    pub offer: Option<String>,
    /// Sign although this key signed that transaction for the same serial. Both stay usable.
    #[arg(long, value_name = "HASH")]
    pub release: Option<TransactionHash>,
}

#[derive(Args)]
pub struct Reasoned {
    #[command(flatten)]
    pub case: Case,
    /// Why; everybody sees it.
    #[arg(long)]
    pub reason: String,
}

#[derive(Subcommand)]
pub enum Foreign {
    /// All of them at a glance, within bounds for each namespace that signed.
    #[command(after_help = "Example: signer-agent --data alice foreign list")]
    List,
    /// One of them: what would change, who has signed, who is missing, what is dangerous.
    #[command(after_help = "Example: signer-agent --data alice foreign show 1220…")]
    Show {
        /// The transaction's hash, all of it.
        transaction: TransactionHash,
    },
    /// Makes a case of one of them, exactly as it is, for owners to sign.
    #[command(after_help = "Example: signer-agent --data alice foreign adopt 1220… --reason 'made by us in a console'")]
    Adopt {
        /// The transaction's hash, all of it.
        transaction: TransactionHash,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Args)]
pub struct Rebase {
    #[command(flatten)]
    pub case: Case,
    /// Why; the old case's reason where absent. Everybody sees it.
    #[arg(long)]
    pub reason: Option<String>,
    /// How long it may be signed, in hours.
    #[arg(long, default_value_t = 24, value_parser = value_parser!(u64).range(1..=HOURS_MAX))]
    pub hours: u64,
    /// Accept a danger that a refusal named. Once for each; every owner sees it.
    #[arg(long, value_name = "DANGER")]
    pub accept: Vec<String>,
}

#[derive(Args)]
pub struct HandOver {
    /// The case: its id, or enough of its beginning or end.
    #[arg(required_unless_present = "all")]
    pub case: Option<String>,
    /// All that are not over.
    #[arg(long, conflicts_with = "case")]
    pub all: bool,
}

#[derive(Args)]
pub struct Why {
    /// Why; everybody sees it.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// How long it may be signed, in hours.
    #[arg(long, default_value_t = 24, value_parser = value_parser!(u64).range(1..=HOURS_MAX))]
    pub hours: u64,
    /// Accept a danger that a refusal named. Once for each; every owner sees it.
    #[arg(long, value_name = "DANGER")]
    pub accept: Vec<String>,
}

#[derive(Args)]
pub struct Audit {
    /// The snapshot, of either export format; gzip, hex and base64 are recognised.
    pub snapshot: PathBuf,
    /// The physical synchronizer, where the rows do not name it: NAME::FINGERPRINT::VERSION-SERIAL.
    #[arg(long)]
    pub synchronizer: Option<PhysicalSynchronizerId>,
}

#[derive(Args)]
pub struct Inspect {
    /// Files, or `-` for the standard input.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// A snapshot of the topology that each transaction would meet: says who must sign, who is missing, every smallest
    /// way to complete it, and what Canton would answer.
    #[arg(long, value_name = "SNAPSHOT")]
    pub state: Option<PathBuf>,
    /// The physical synchronizer of --state, where its rows do not name it: NAME::FINGERPRINT::VERSION-SERIAL.
    #[arg(long, requires = "state")]
    pub synchronizer: Option<PhysicalSynchronizerId>,
}
