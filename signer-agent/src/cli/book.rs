//! `card` and `book`: who one is, and whom one knows.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::bail;
use protocol::book::{Card, Entry};
use serde_json::{Value, json};

use super::{
    End,
    arguments::{AddCard, Book},
    mail,
    print::{self, Form},
};
use crate::folder::Folder;

pub fn card(folder: &Folder, form: &Form) -> anyhow::Result<End> {
    let card = folder.card()?;
    print::value("hand the card over by any path and read the code aloud by another", &described(&card), form)?;
    Ok(End::Done)
}

fn described(card: &Card) -> Value {
    json!({
        "name": card.name,
        "owner": card.owner().to_string(),
        "identity": card.identity.to_string(),
        "participant": card.host.as_ref().map(ToString::to_string),
        "party-key": card.party_key.as_ref().map(|key| key.fingerprint().to_string()),
        "parcel-key": card.parcel_key.as_ref().map(ToString::to_string),
        "code": card.code(),
        "card": card.text(),
    })
}

pub async fn run(folder: &Folder, command: &Book, form: &Form) -> anyhow::Result<End> {
    match command {
        Book::Mail => mail::list(folder, form).await,
        Book::Confirm(confirm) => mail::confirm(folder, confirm, form).await,
        Book::Add(add) => self::add(folder, add, form),
        Book::List => {
            let book = folder.book()?;
            let entries: Vec<Value> = book
                .entries()
                .iter()
                .map(|entry| {
                    let mut value = described(&entry.card);
                    value["name"] = json!(entry.name);
                    value["code"] = json!(entry.code());
                    let more: Vec<String> = entry.more_keys.iter().map(|key| key.fingerprint().to_string()).collect();
                    value["more-keys"] = json!(more);
                    value
                })
                .collect();
            print::value("the book", &json!({ "entries": entries }), form)?;
            Ok(End::Done)
        }
        Book::Remove { name } => {
            let mut book = folder.book()?;
            if !book.remove(name) {
                bail!("{name} is not in the book; `book list` shows who is");
            }
            folder.set_book(&book)?;
            print::value("removed", &json!({ "removed": name }), form)?;
            Ok(End::Done)
        }
    }
}

fn add(folder: &Folder, add: &AddCard, form: &Form) -> anyhow::Result<End> {
    let card = Card::parse(&add.card)?;
    if card.owner() == folder.card()?.owner() {
        bail!("this is the owner's own card; `me` needs no entry");
    }
    let code = card.code();
    let given = match &add.code {
        Some(given) => given.trim().to_owned(),
        None => ask_code()?,
    };
    if given != code {
        bail!("the code {given:?} is not this card's; either it was misheard, or somebody has changed the card");
    }
    let name = add.name.clone().unwrap_or_else(|| card.name.clone());
    let mut book = folder.book()?;
    book.add(Entry { name: name.clone(), card: card.clone(), more_keys: Vec::new() })?;
    folder.set_book(&book)?;
    print::value("entered", &json!({ "name": name, "owner": card.owner().to_string() }), form)?;
    Ok(End::Done)
}

pub(super) fn ask_code() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        eprint!("The code that the card's owner reads aloud: ");
        std::io::stderr().flush()?;
    }
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        bail!("no code was given; compare it with the card's owner over a second path and pass it with --code");
    }
    Ok(line.trim().to_owned())
}
