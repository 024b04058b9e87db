//! Everything that is read from a text: identifiers, hashes, names, cards, invitations.

use std::{fmt::Display, str::FromStr};

use canton_topology::{
    hash::{MultiHash, TransactionHash, UniqueKey},
    id::{
        Fingerprint, Member, Namespace, ParticipantId, PartyId, PhysicalSynchronizerId, SynchronizerId,
        UniqueIdentifier,
    },
    key::{KeySpec, KeyUsage, SigningPublicKey},
    mapping::Code,
    show,
    signature::Signature,
};
use protocol::{
    api::Invitation,
    book::Card,
    identity::IdentityPublicKey,
    intent::CaseId,
    parcel::{ContentHash, Recipient},
    statement::StatementHash,
};

/// What reads prints as something that reads the same; identifiers print as they were written.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    exact::<Fingerprint>(text);
    exact::<Namespace>(text);
    exact::<UniqueIdentifier>(text);
    exact::<PartyId>(text);
    exact::<ParticipantId>(text);
    exact::<SynchronizerId>(text);
    exact::<Member>(text);
    exact::<KeySpec>(text);
    exact::<KeyUsage>(text);
    exact::<Recipient>(text);
    exact::<ContentHash>(text);
    // Canton takes these in more than one spelling.
    stable::<PhysicalSynchronizerId>(text);
    stable::<TransactionHash>(text);
    stable::<UniqueKey>(text);
    stable::<MultiHash>(text);
    stable::<StatementHash>(text);
    stable::<IdentityPublicKey>(text);
    stable::<CaseId>(text);
    stable::<SigningPublicKey>(text);
    stable::<Signature>(text);
    exact_but_for_space::<Invitation>(text);
    let _ = text.parse::<Code>();
    if let Ok(participant) = ParticipantId::parse_lenient(text) {
        assert_eq!(participant.to_string().parse(), Ok(participant));
    }
    if let Ok(card) = Card::parse(text) {
        assert_eq!(card.text(), text.trim(), "two texts of one card");
        assert_eq!(Card::parse(&card.text()), Ok(card));
    }
    let escaped = show::escaped(text);
    assert!(!escaped.chars().any(char::is_control), "a control character reaches the terminal: {escaped:?}");
}

fn read<T: FromStr + Display + PartialEq>(text: &str) -> Option<String> {
    let value = text.parse::<T>().ok()?;
    let printed = value.to_string();
    assert!(printed.parse::<T>().is_ok_and(|again| again == value), "{text:?} prints as {printed:?}");
    Some(printed)
}

fn stable<T: FromStr + Display + PartialEq>(text: &str) {
    let _ = read::<T>(text);
}

fn exact<T: FromStr + Display + PartialEq>(text: &str) {
    if let Some(printed) = read::<T>(text) {
        assert_eq!(printed, text);
    }
}

fn exact_but_for_space<T: FromStr + Display + PartialEq>(text: &str) {
    if let Some(printed) = read::<T>(text) {
        assert!(printed.eq_ignore_ascii_case(text.trim()), "{text:?} prints as {printed:?}");
    }
}
