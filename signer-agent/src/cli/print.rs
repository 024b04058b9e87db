//! What people read. Whatever came from others is escaped: no text of theirs can move the cursor or pass for ours.

use std::io::Write as _;

use canton_topology::{
    Timestamp,
    show::{escaped, moment},
};
use serde_json::{Map, Value};

/// One line of output. A reader who has left, such as `head`, is no error.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// How an answer is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Words,
    /// One JSON line.
    Json,
    /// One field alone.
    Field(String),
}

/// Prints an answer: one JSON line, one field, or a heading and all fields.
///
/// # Errors
/// Where the answer has no such field.
pub fn value(heading: &str, value: &Value, form: &Form) -> anyhow::Result<()> {
    match form {
        Form::Json => line(&value.to_string()),
        Form::Words => {
            line(heading);
            tree(value, 1);
        }
        Form::Field(name) => {
            let Some(field) = value.get(name) else {
                let names: Vec<&str> = value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                anyhow::bail!("--print {name}: the answer has no such field; it has {}", names.join(", "));
            };
            let is_empty = field.as_array().is_some_and(Vec::is_empty) || field.as_object().is_some_and(Map::is_empty);
            // What has parts is no single word: a script gets it as JSON.
            let has_parts = (field.is_array() || field.is_object()) && !is_empty;
            line(&if has_parts { field.to_string() } else { leaf(field) });
        }
    }
    Ok(())
}

/// Every field of a value, indented.
pub(super) fn tree(value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                branch(&format!("{indent}{name}:"), field, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                branch(&format!("{indent}-"), item, depth);
            }
        }
        scalar => line(&format!("{indent}{}", leaf(scalar))),
    }
}

fn branch(head: &str, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            line(head);
            tree(value, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            line(head);
            tree(value, depth + 1);
        }
        scalar => line(&format!("{head} {}", leaf(scalar))),
    }
}

/// One value in words.
pub(super) fn leaf(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => escaped(text),
        Value::Number(number) => number.to_string(),
        Value::Array(_) | Value::Object(_) => "none".to_owned(),
    }
}

/// Prints what `show` knows of a change: before and after, line by line.
pub fn differences(show: &Value) {
    for difference in show["differences"].as_array().into_iter().flatten() {
        let text = |name: &str| leaf(&difference[name]);
        line(&format!("{} {} ({})", text("kind"), text("subject"), text("operation")));
        line(&format!(
            "  serial {} -> {}",
            leaf(&difference["serial"]["before"]),
            leaf(&difference["serial"]["after"])
        ));
        line(&format!("  hash {}", text("transaction")));
        for change in difference["changes"].as_array().into_iter().flatten() {
            let what = leaf(&change["what"]);
            // That there is one, its serial says.
            if what == "mapping" {
                continue;
            }
            match (&change["before"], &change["after"]) {
                (Value::Null, after) => line(&format!("  + {what}: {}", leaf(after))),
                (before, Value::Null) => line(&format!("  - {what}: {}", leaf(before))),
                (before, after) => line(&format!("  ~ {what}: {} -> {}", leaf(before), leaf(after))),
            }
        }
        for fact in difference["unchanged"].as_array().into_iter().flatten().filter(|fact| *fact != "mapping: yes") {
            line(&format!("    {}", leaf(fact)));
        }
    }
    let verdict = &show["verdict"];
    for (name, heading) in [("goes-with-it", "goes with it"), ("consequences", "consequence")] {
        for text in verdict[name].as_array().into_iter().flatten() {
            line(&format!("{heading}: {}", leaf(text)));
        }
    }
    if let Some(stage) = show["stage"].as_str() {
        line(&format!("this is {}", escaped(stage)));
    }
    for stage in verdict["later"].as_array().into_iter().flatten() {
        line("a later stage, not signed yet:");
        for text in stage.as_array().into_iter().flatten() {
            line(&format!("    {}", leaf(text)));
        }
    }
    for danger in show["verdict"]["dangers"].as_array().into_iter().flatten() {
        line(&format!("DANGER, which the intent accepts: {}", leaf(danger)));
    }
}

/// Prints one inspected transaction.
pub fn transaction(value: &Value) {
    let text = |name: &str| leaf(&value[name]);
    line(&format!("{} {} serial {} ({})", text("mapping"), text("subject"), text("serial"), text("operation")));
    line(&format!("  hash {}", text("hash")));
    line(&format!("  unique key {}", text("unique-key")));
    line(if value["proposal"] == true {
        "  sent as a proposal: signatures may be missing"
    } else {
        "  sent as complete: refused where a signature is missing"
    });
    let time = |name: &str| value[name].as_i64().map(|microseconds| moment(Timestamp(microseconds)));
    if let Some(from) = time("valid-from") {
        let until = time("valid-until").map_or_else(|| "; it still is".to_owned(), |until| format!(" until {until}"));
        line(&format!("  valid from {from}{until}"));
    }
    for field in value["fields"].as_array().into_iter().flatten() {
        line(&format!("  {} = {}", leaf(&field["path"]), leaf(&field["value"])));
    }
    for signature in value["signatures"].as_array().into_iter().flatten() {
        let (key, verdict) = (leaf(&signature["signed-by"]), leaf(&signature["verdict"]));
        line(&format!("  signed by {key} ({}): {verdict}", leaf(&signature["algorithm"])));
        let covers: Vec<String> = signature["covers"].as_array().into_iter().flatten().map(leaf).collect();
        if !covers.is_empty() {
            line(&format!("    over {} transactions together: {}", covers.len(), covers.join(", ")));
        }
    }
    if value["authorization"].is_object() {
        line("  authorization:");
        tree(&value["authorization"], 2);
    }
    if value["signable"] == true {
        line("  signable: every byte is shown");
    }
    for place in value["not-shown"].as_array().into_iter().flatten() {
        line(&format!("  NOT SIGNABLE, Canton takes it and does not say: {}", leaf(place)));
    }
}
