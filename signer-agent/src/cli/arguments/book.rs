//! What can be said about the book.

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Book {
    /// Enters a card whose code was compared over a second path.
    #[command(after_help = "Example: signer-agent --data alice book add countersign-card2:… --code 1f3a-…")]
    Add(AddCard),
    /// Lists the introductions in the coordinator's mailbox, with what is true of them. It enters none.
    #[command(
        after_help = "Example: signer-agent --data alice book mail\n\nExit codes: 0 done, 1 one does not verify, or differs from what stands in the book."
    )]
    Mail,
    /// Enters an introduction of the mailbox whose code was compared over a second path.
    #[command(after_help = "Example: signer-agent --data alice book confirm bob --code 1f3a-…")]
    Confirm(Confirm),
    /// Prints the book.
    #[command(after_help = "Example: signer-agent --data alice book list")]
    List,
    /// Takes an entry out.
    #[command(after_help = "Example: signer-agent --data alice book remove bob")]
    Remove {
        /// The entry's name.
        name: String,
    },
}

#[derive(Args)]
pub struct AddCard {
    /// The card.
    pub card: String,
    /// The name to know it by; the card's own where absent.
    #[arg(long)]
    pub name: Option<String>,
    /// The code that its owner read aloud; asked for where absent.
    #[arg(long)]
    pub code: Option<String>,
}

#[derive(Args)]
pub struct Confirm {
    /// The name on the card.
    pub owner: String,
    /// The code that the owner read aloud; asked for where absent.
    #[arg(long)]
    pub code: Option<String>,
    /// The name to know it by; the card's own where absent.
    #[arg(long)]
    pub name: Option<String>,
    /// Take the place of what stands in the book of the same owner.
    #[arg(long)]
    pub replace: bool,
}
