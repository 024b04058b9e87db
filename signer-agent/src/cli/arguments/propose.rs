//! What can be proposed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use protocol::intent::Scope;

use super::{
    Why,
    change_set::{ChangeSet, scope},
};
#[derive(Subcommand)]
pub enum Propose {
    /// A new decentralized party, in one call.
    #[command(
        after_help = "Example: signer-agent --data alice propose create-party treasury \\\n  --owner me --owner bob --owner carol --threshold 2 \\\n  --host me --host bob --host carol --confirmations 2 \\\n  --key me --key bob --key-threshold 2"
    )]
    CreateParty(CreateParty),
    /// One more owner.
    #[command(after_help = "Example: signer-agent --data alice propose add-owner treasury::1220… dora --threshold 3")]
    AddOwner {
        /// The party, or its namespace.
        party: String,
        /// The new owner's name in the book.
        owner: String,
        /// How many owners must sign from then on.
        #[arg(long)]
        threshold: u32,
        #[command(flatten)]
        why: Why,
    },
    /// Other thresholds.
    #[command(after_help = "Example: signer-agent --data alice propose change-thresholds treasury::1220… --owners 3")]
    ChangeThresholds {
        /// The party.
        party: String,
        /// How many owners must sign.
        #[arg(long)]
        owners: Option<u32>,
        /// How many hosts must confirm.
        #[arg(long)]
        confirmations: Option<u32>,
        /// How many of the party's keys must sign.
        #[arg(long)]
        keys: Option<u32>,
        #[command(flatten)]
        why: Why,
    },
    /// One more host of a party. Looks whether the party was ever used, and picks the way: simple, or with its contracts
    /// carried over while the new host is disconnected.
    #[command(after_help = "Example: signer-agent --data alice propose host treasury::1220… --on dave")]
    Host(ProposeHost),
    /// Other owners, hosts, keys and thresholds, as one change set; in stages, what takes power away first. Looks whether the
    /// party was ever used: each new host then takes its contracts over in a case of its own.
    #[command(
        after_help = "Example: signer-agent --data alice propose change treasury::1220… \\\n           --remove-owner carol --add-owner dora \\\n           --remove-host carol --add-host dora \\\n           --remove-key carol --add-key dora"
    )]
    Change(ChangeSet),
    /// An owner in the place of another.
    #[command(after_help = "Example: signer-agent --data alice propose replace-owner treasury::1220… carol dora")]
    ReplaceOwner {
        /// The party, or its namespace.
        party: String,
        /// The owner who goes: a name of the book, `me`, or a namespace.
        old: String,
        /// The owner who comes: a name of the book, or `me`.
        new: String,
        #[command(flatten)]
        why: Why,
    },
    /// One owner less.
    #[command(
        after_help = "Example: signer-agent --data alice propose remove-owner treasury::1220… carol --threshold 2"
    )]
    RemoveOwner {
        /// The party, or its namespace.
        party: String,
        /// The owner who goes: a name of the book, `me`, or a namespace.
        owner: String,
        /// How many owners must sign from then on; as before where absent.
        #[arg(long)]
        threshold: Option<u32>,
        #[command(flatten)]
        why: Why,
    },
    /// One owner under another key, without downtime: its root, then the swap, then the old root's revocation.
    #[command(
        after_help = "Example: signer-agent --data bob propose rotate-key treasury::1220… me bob-new --accept delegation-lost"
    )]
    RotateKey {
        /// The party, or its namespace.
        party: String,
        /// The owner as it is: a name of the book, `me`, or a namespace.
        old: String,
        /// The name in the book of the card with the new key.
        new: String,
        /// Leave the old key's root as it is.
        #[arg(long)]
        keep_old: bool,
        #[command(flatten)]
        why: Why,
    },
    /// A key that may sign for a namespace, as far as its scope goes.
    #[command(after_help = "Example: signer-agent --data alice propose delegate alice-office --scope owner")]
    Delegate {
        /// Whose namespace key: a name of the book.
        to: String,
        /// What it may sign.
        #[arg(long, value_parser = scope)]
        scope: Scope,
        /// The namespace: a name of the book or the namespace itself; the own one where absent.
        #[arg(long)]
        namespace: Option<String>,
        #[command(flatten)]
        why: Why,
    },
    /// A key that may sign for a namespace no more, for good. Shows what goes with it.
    #[command(after_help = "Example: signer-agent --data alice propose revoke alice-office --accept delegation-lost")]
    Revoke {
        /// The key: its fingerprint, or a name of the book.
        key: String,
        /// The namespace: a name of the book or the namespace itself; the own one where absent.
        #[arg(long)]
        namespace: Option<String>,
        #[command(flatten)]
        why: Why,
    },
    /// A host leaves a party by itself; those who stay must be enough to confirm.
    #[command(after_help = "Example: signer-agent --data carol propose leave-host treasury::1220…")]
    LeaveHost {
        /// The party.
        party: String,
        /// Whose participant: a name of the book, `me`, or a participant's id.
        #[arg(long, default_value = "me")]
        host: String,
        #[command(flatten)]
        why: Why,
    },
    /// A party's keys move from their own mapping into the party's, and the old mapping goes.
    #[command(after_help = "Example: signer-agent --data alice propose migrate-keys treasury::1220…")]
    MigrateKeys {
        /// The party.
        party: String,
        #[command(flatten)]
        why: Why,
    },
    /// Transactions as they are.
    #[command(after_help = "Example: signer-agent --data alice propose raw transaction.hex")]
    Raw {
        /// Files of wrapped transactions: raw, hex or base64.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Args)]
pub struct ProposeHost {
    /// The party.
    pub party: String,
    /// Whose participant is to host it: a name of the book, or `me`.
    #[arg(long)]
    pub on: String,
    /// Whose participant knows the party's contracts; one in the book that hosts it, where not named.
    #[arg(long)]
    pub from: Option<String>,
    /// Whose participant counts the contracts too; another one in the book that hosts it, where not named.
    #[arg(long)]
    pub second: Option<String>,
    /// What the new host may do: submission, confirmation or observation.
    #[arg(long, default_value = "confirmation")]
    pub permission: String,
    /// How many hosts must confirm from then on.
    #[arg(long)]
    pub confirmations: Option<u32>,
    /// An owner who may sign before the new host is disconnected. Once for each; together they can complete nothing.
    #[arg(long)]
    pub ahead: Vec<String>,
    /// A package that the new host must have vetted, by id; of a party that was never used. Once for each.
    #[arg(long = "package", value_name = "ID", value_parser = package)]
    pub packages: Vec<String>,
    /// The party was never used: nothing has to be carried over.
    #[arg(long, conflicts_with = "replicate")]
    pub simple: bool,
    /// The contracts are carried over.
    #[arg(long)]
    pub replicate: bool,
    #[command(flatten)]
    pub why: Why,
}

/// Canton takes more for a package's id than a compiler writes; nobody could ever vet what is mistyped.
fn package(text: &str) -> Result<String, String> {
    let is_id = text.len() == 64 && text.bytes().all(|one| matches!(one, b'0'..=b'9' | b'a'..=b'f'));
    is_id
        .then(|| text.to_owned())
        .ok_or_else(|| "expected 64 hex digits, as whoever made the archive names them".to_owned())
}

#[derive(Args)]
pub struct CreateParty {
    /// The part of the party's id before `::`.
    pub hint: String,
    /// An owner: a name of the book, or `me`. Once for each.
    #[arg(long = "owner", required = true)]
    pub owners: Vec<String>,
    /// How many owners must sign a change.
    #[arg(long)]
    pub threshold: u32,
    /// A host: a name of the book, or `me`; `NAME=submission|confirmation|observation`, confirmation where absent.
    #[arg(long = "host", required = true)]
    pub hosts: Vec<String>,
    /// How many hosts must confirm.
    #[arg(long)]
    pub confirmations: u32,
    /// Whose party key signs for the party. Once for each.
    #[arg(long = "key")]
    pub keys: Vec<String>,
    /// How many of these keys must sign.
    #[arg(long, default_value_t = 0)]
    pub key_threshold: u32,
    /// Put the keys into a mapping of their own, as participants before release 3.5 want it.
    #[arg(long)]
    pub key_mapping: bool,
    #[command(flatten)]
    pub why: Why,
}
