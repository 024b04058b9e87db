//! Every message, field, enum value and rpc that we declare is Canton's own: name, number, type and label.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, path::PathBuf};

use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use serde_json::Value;

/// `package.Message.field` (and rpcs and enum values) to a line that says everything about it.
type Facts = BTreeMap<String, String>;

fn recorded() -> Option<Facts> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/canton/vectors/node-api-schema.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: vectors/node-api-schema.json is not beside the project");
        return None;
    };
    let schema: Value = serde_json::from_str(&text).unwrap();
    let mut facts = Facts::new();
    for file in schema["files"].as_array().unwrap() {
        let package = file["package"].as_str().unwrap();
        recorded_messages(&mut facts, package, file);
        for service in file["services"].as_array().into_iter().flatten() {
            for rpc in service["rpcs"].as_array().unwrap() {
                let name = format!("{package}.{}/{}", text_of(service, "name"), text_of(rpc, "name"));
                let streams = (rpc["client_stream"] == true, rpc["server_stream"] == true);
                facts.insert(name, format!("{} -> {} {streams:?}", text_of(rpc, "request"), text_of(rpc, "response")));
            }
        }
    }
    Some(facts)
}

fn text_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn recorded_messages(facts: &mut Facts, prefix: &str, holder: &Value) {
    for message in holder["messages"].as_array().into_iter().flatten() {
        let name = format!("{prefix}.{}", text_of(message, "name"));
        for field in message["fields"].as_array().unwrap() {
            let label = match (field["repeated"] == true, field["optional"] == true, field.get("oneof")) {
                (true, _, _) => "repeated",
                (_, true, _) => "optional",
                (_, _, Some(_)) => "oneof",
                _ => "",
            };
            let kind = match text_of(field, "type") {
                "map" => format!("map {} {}", text_of(field, "key"), text_of(field, "value")),
                other => other.to_owned(),
            };
            let label = if kind.starts_with("map ") { "" } else { label };
            let line = format!("{} {label} {kind}", field["no"]);
            facts.insert(format!("{name}.{}", text_of(field, "name")), line);
        }
        recorded_messages(facts, &name, message);
    }
    for one in holder["enums"].as_array().into_iter().flatten() {
        for value in one["values"].as_array().unwrap() {
            let (value, number) = match value {
                Value::Array(pair) => (pair[0].as_str().unwrap(), &pair[1]),
                other => (text_of(other, "name"), other.get("no").or_else(|| other.get("number")).unwrap()),
            };
            facts.insert(format!("{prefix}.{}={value}", text_of(one, "name")), number.to_string());
        }
    }
}

fn declared() -> Facts {
    let set = FileDescriptorSet::decode(canton_proto::DESCRIPTORS).unwrap();
    let mut facts = Facts::new();
    for file in set.file.iter().filter(|file| file.package().starts_with("com.")) {
        for message in &file.message_type {
            declared_message(&mut facts, file.package(), message);
        }
        for service in &file.service {
            for rpc in &service.method {
                let name = format!("{}.{}/{}", file.package(), service.name(), rpc.name());
                let (input, output) = (&rpc.input_type()[1..], &rpc.output_type()[1..]);
                let streams = (rpc.client_streaming(), rpc.server_streaming());
                facts.insert(name, format!("{input} -> {output} {streams:?}"));
            }
        }
        for one in &file.enum_type {
            for value in &one.value {
                let name = format!("{}.{}={}", file.package(), one.name(), value.name());
                facts.insert(name, value.number().to_string());
            }
        }
    }
    facts
}

fn declared_message(facts: &mut Facts, prefix: &str, message: &DescriptorProto) {
    let name = format!("{prefix}.{}", message.name());
    let is_map = |inner: &&DescriptorProto| inner.options.as_ref().is_some_and(|options| options.map_entry());
    let maps: Vec<&DescriptorProto> = message.nested_type.iter().filter(is_map).collect();
    for field in &message.field {
        let entry = maps.iter().find(|entry| field.type_name().ends_with(&format!(".{}", entry.name())));
        let line = entry.map_or_else(|| declared_field(field), |entry| declared_map(field, entry));
        facts.insert(format!("{name}.{}", field.name()), line);
    }
    for inner in message.nested_type.iter().filter(|inner| !is_map(inner)) {
        declared_message(facts, &name, inner);
    }
    for one in &message.enum_type {
        for value in &one.value {
            facts.insert(format!("{name}.{}={}", one.name(), value.name()), value.number().to_string());
        }
    }
}

/// A map is written as one field, and compiled to a message of pairs.
fn declared_map(field: &FieldDescriptorProto, entry: &DescriptorProto) -> String {
    let kinds: Vec<String> = entry.field.iter().map(kind_of).collect();
    format!("{}  map {}", field.number(), kinds.join(" "))
}

fn kind_of(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message | Type::Enum => field.type_name()[1..].to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

fn declared_field(field: &FieldDescriptorProto) -> String {
    let label = if field.label() == Label::Repeated {
        "repeated"
    } else if field.proto3_optional() {
        "optional"
    } else if field.oneof_index.is_some() {
        "oneof"
    } else {
        ""
    };
    format!("{} {label} {}", field.number(), kind_of(field))
}

#[test]
fn everything_that_we_declare_is_canton_s_own() {
    let Some(recorded) = recorded() else { return };
    let declared = declared();
    assert!(declared.len() > 60, "only {} facts are declared", declared.len());
    for (name, line) in &declared {
        assert_eq!(recorded.get(name), Some(line), "{name}");
    }
}
