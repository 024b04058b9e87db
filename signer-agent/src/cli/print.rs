//! What people read. Whatever came from others is escaped: no text of theirs can move the cursor or pass for ours.

use std::io::Write as _;

use canton_topology::show::escaped;
use serde_json::Value;

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
            line(&leaf(field));
        }
    }
    Ok(())
}

fn tree(value: &Value, depth: usize) {
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

fn leaf(value: &Value) -> String {
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
            match (&change["before"], &change["after"]) {
                (Value::Null, after) => line(&format!("  + {what}: {}", leaf(after))),
                (before, Value::Null) => line(&format!("  - {what}: {}", leaf(before))),
                (before, after) => line(&format!("  ~ {what}: {} -> {}", leaf(before), leaf(after))),
            }
        }
        for fact in difference["unchanged"].as_array().into_iter().flatten() {
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
    for field in value["fields"].as_array().into_iter().flatten() {
        line(&format!("  {} = {}", leaf(&field["path"]), leaf(&field["value"])));
    }
    for signature in value["signatures"].as_array().into_iter().flatten() {
        let (key, verdict) = (leaf(&signature["signed-by"]), leaf(&signature["verdict"]));
        line(&format!("  signed by {key} ({}): {verdict}", leaf(&signature["algorithm"])));
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
