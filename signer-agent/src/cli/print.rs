//! What people read. Whatever came from others is escaped: no text of theirs can move the cursor or pass for ours.

use canton_topology::show::escaped;
use serde_json::Value;

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
        Form::Json => println!("{value}"),
        Form::Words => {
            println!("{heading}");
            tree(value, 1);
        }
        Form::Field(name) => {
            let Some(field) = value.get(name) else {
                let names: Vec<&str> = value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                anyhow::bail!("--print {name}: the answer has no such field; it has {}", names.join(", "));
            };
            println!("{}", leaf(field));
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
        scalar => println!("{indent}{}", leaf(scalar)),
    }
}

fn branch(head: &str, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            println!("{head}");
            tree(value, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            println!("{head}");
            tree(value, depth + 1);
        }
        scalar => println!("{head} {}", leaf(scalar)),
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
        println!("{} {} ({})", text("kind"), text("subject"), text("operation"));
        println!("  serial {} -> {}", leaf(&difference["serial"]["before"]), leaf(&difference["serial"]["after"]));
        println!("  hash {}", text("transaction"));
        for change in difference["changes"].as_array().into_iter().flatten() {
            let what = leaf(&change["what"]);
            match (&change["before"], &change["after"]) {
                (Value::Null, after) => println!("  + {what}: {}", leaf(after)),
                (before, Value::Null) => println!("  - {what}: {}", leaf(before)),
                (before, after) => println!("  ~ {what}: {} -> {}", leaf(before), leaf(after)),
            }
        }
        for line in difference["unchanged"].as_array().into_iter().flatten() {
            println!("    {}", leaf(line));
        }
    }
}

/// Prints one inspected transaction.
pub fn transaction(value: &Value) {
    let text = |name: &str| leaf(&value[name]);
    println!("{} {} serial {} ({})", text("mapping"), text("subject"), text("serial"), text("operation"));
    println!("  hash {}", text("hash"));
    for field in value["fields"].as_array().into_iter().flatten() {
        println!("  {} = {}", leaf(&field["path"]), leaf(&field["value"]));
    }
    for signature in value["signatures"].as_array().into_iter().flatten() {
        println!("  signed by {} ({})", leaf(&signature["signed-by"]), leaf(&signature["algorithm"]));
    }
    for place in value["not-shown"].as_array().into_iter().flatten() {
        println!("  NOT SHOWN, a signer refuses: {}", leaf(place));
    }
}
