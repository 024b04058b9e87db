//! What `propose change` and `propose delegate` take.

use clap::Args;
use protocol::intent::Scope;

use super::Why;

#[derive(Args)]
pub struct ChangeSet {
    /// The party; its namespace suffices where only owners change.
    pub party: String,
    /// A new owner: a name of the book, or `me`. Once for each.
    #[arg(long = "add-owner", value_name = "NAME")]
    pub add_owners: Vec<String>,
    /// An owner who goes: a name of the book, `me`, or a namespace. Once for each.
    #[arg(long = "remove-owner", value_name = "NAME")]
    pub remove_owners: Vec<String>,
    /// How many owners must sign.
    #[arg(long)]
    pub owners: Option<u32>,
    /// A new host; `NAME=submission|confirmation|observation`, confirmation where absent. Where the party was used, the host
    /// takes its contracts over in a case of its own, after the rest.
    #[arg(long = "add-host", value_name = "NAME")]
    pub add_hosts: Vec<String>,
    /// A host that goes: a name of the book, `me`, or a participant's id.
    #[arg(long = "remove-host", value_name = "NAME")]
    pub remove_hosts: Vec<String>,
    /// A host that stays, and what it may do: `NAME=submission|confirmation|observation`.
    #[arg(long = "permission", value_name = "NAME=PERMISSION")]
    pub permissions: Vec<String>,
    /// How many hosts must confirm.
    #[arg(long)]
    pub confirmations: Option<u32>,
    /// Whose party key signs from then on.
    #[arg(long = "add-key", value_name = "NAME")]
    pub add_keys: Vec<String>,
    /// Whose party key signs no more: a name of the book, `me`, or the key's fingerprint.
    #[arg(long = "remove-key", value_name = "NAME")]
    pub remove_keys: Vec<String>,
    /// How many of the party's keys must sign.
    #[arg(long)]
    pub keys: Option<u32>,
    /// All in one offer. Each state that a part of it would make must be accepted by name.
    #[arg(long)]
    pub together: bool,
    #[command(flatten)]
    pub why: Why,
}

/// The scope of that name.
pub(super) fn scope(text: &str) -> Result<Scope, String> {
    let names = || Scope::ALL.map(Scope::name).join(", ");
    Scope::ALL.into_iter().find(|scope| scope.name() == text).ok_or_else(|| format!("expected one of {}", names()))
}
