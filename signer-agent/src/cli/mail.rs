//! `book mail` and `book confirm`: what the coordinator's mailbox holds, and the one way from there into the book.

use anyhow::bail;
use protocol::introduction::Expected;
use serde_json::{Value, json};

use super::{
    End,
    arguments::Confirm,
    book::ask_code,
    print::{self, Form},
    prove::described,
};
use crate::{
    coordinator_link::Link,
    folder::Folder,
    introductions::{self, Mail, ReadMail, Standing},
};

async fn read(folder: &Folder) -> anyhow::Result<Vec<Mail>> {
    let (config, enrolment) = (folder.config()?, folder.enrolment()?);
    let mailbox = Link::new(&enrolment)?.introductions().await?;
    let expected = Expected { coordinator: enrolment.coordinator, synchronizer: Some(config.synchronizer) };
    Ok(introductions::read(&mailbox, &expected, &folder.book()?, &folder.card()?.owner()))
}

pub async fn list(folder: &Folder, form: &Form) -> anyhow::Result<End> {
    let mut alarms = Vec::new();
    let mut shown = Vec::new();
    let mut is_well = true;
    for mail in read(folder).await? {
        match mail {
            Mail::Junk(error) => {
                is_well = false;
                shown.push(json!({ "verified": false, "refused": error.to_string() }));
            }
            Mail::Read(mail) => {
                let mut value = described(&mail.introduction);
                value["verified"] = mail.verdict.is_ok().into();
                value["refused"] = mail.verdict.as_ref().err().map(ToString::to_string).into();
                value["book"] = mail.standing.words().into();
                if mail.standing.is_alarming() {
                    alarms.push(mail.standing.words());
                }
                is_well &= mail.verdict.is_ok();
                shown.push(value);
            }
        }
    }
    let heading = match (alarms.is_empty(), is_well) {
        (false, _) => {
            "STOP: somebody whom the book knows comes with other keys; ask over another path before anything else"
        }
        (true, false) => "the mailbox; something in it does not verify",
        (true, true) => "the mailbox; nothing of it is believed before `book confirm`",
    };
    is_well &= alarms.is_empty();
    print::value(heading, &json!({ "alarms": alarms, "introductions": shown }), form)?;
    Ok(if is_well { End::Done } else { End::NotWell })
}

pub async fn confirm(folder: &Folder, confirm: &Confirm, form: &Form) -> anyhow::Result<End> {
    let candidates = candidates(read(folder).await?, &confirm.owner)?;
    let given = match &confirm.code {
        Some(given) => given.trim().to_owned(),
        None => ask_code()?,
    };
    // Somebody else may have put the same name into the mailbox: the code tells them apart.
    let Some(mail) = candidates.iter().find(|mail| mail.introduction.code() == given) else {
        let there: Vec<String> = candidates.iter().map(|mail| mail.introduction.code()).collect();
        bail!(
            "the code {given:?} is not that of {}, which is {}; either it was misheard, or somebody has changed the keys",
            confirm.owner,
            there.join(" or ")
        );
    };
    enter(folder, mail, confirm, form)
}

/// Everything in the mailbox under a name that verifies.
fn candidates(mailbox: Vec<Mail>, name: &str) -> anyhow::Result<Vec<ReadMail>> {
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for mail in mailbox {
        let Mail::Read(mail) = mail else { continue };
        if mail.introduction.card.name != name && mail.introduction.owner().to_string() != name {
            continue;
        }
        match &mail.verdict {
            Ok(()) => found.push(*mail),
            Err(error) => refused.push(error.to_string()),
        }
    }
    if found.is_empty() && refused.is_empty() {
        bail!("nobody called {name} is in the mailbox; `book mail` lists who is, and `keys prove` introduces");
    }
    if found.is_empty() {
        bail!("the introduction of {name} is not believed: {}", refused.join("; "));
    }
    Ok(found)
}

fn enter(folder: &Folder, mail: &ReadMail, confirm: &Confirm, form: &Form) -> anyhow::Result<End> {
    let introduction = &mail.introduction;
    let known_as = match &mail.standing {
        Standing::Own => bail!("this is the owner's own introduction; `me` needs no entry"),
        Standing::Changed { .. } if !confirm.replace => {
            bail!("{}; where its owner says so over another path, confirm with --replace", mail.standing.words())
        }
        Standing::OtherOwner { .. } if confirm.name.is_none() => {
            bail!("{}; confirm under another name with --name, or remove the old entry first", mail.standing.words())
        }
        Standing::Same { name } | Standing::Changed { name, .. } => Some(name.clone()),
        Standing::New | Standing::OtherOwner { .. } => None,
    };
    let name = confirm.name.clone().or(known_as).unwrap_or_else(|| introduction.card.name.clone());
    let mut book = folder.book()?;
    let entry = introduction.entry(&name);
    if confirm.replace {
        book.replace(entry)?;
    } else {
        book.add(entry)?;
    }
    folder.set_book(&book)?;
    let value: Value = json!({ "name": name, "owner": introduction.owner().to_string(), "code": introduction.code() });
    print::value("entered", &value, form)?;
    Ok(End::Done)
}
