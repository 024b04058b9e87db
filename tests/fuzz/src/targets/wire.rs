//! The wire reader, with a message of every kind of field and every label.

use canton_topology::wire::{
    read,
    schema::{Field, Kind, Schema},
    skim,
};

static COLOURS: [(i32, &str); 2] = [(1, "RED"), (2, "GREEN")];

static MESSAGE: Schema = Schema {
    name: "Message",
    fields: &[
        Field::one(1, "int32", Kind::Int32),
        Field::one(2, "uint32", Kind::Uint32),
        Field::one(3, "message", Kind::Message(&MESSAGE)),
        Field::one(4, "int64", Kind::Int64),
        Field::one(5, "text", Kind::Text),
        Field::one(6, "bytes", Kind::Bytes),
        Field::one(7, "flag", Kind::Bool),
        Field::one_of(8, "text_member", Kind::Text),
        Field::one_of(9, "message_member", Kind::Message(&MESSAGE)),
        Field::one_of(10, "number_member", Kind::Int64),
        Field::many(11, "numbers", Kind::Int32),
        Field::many(12, "unsigned", Kind::Uint32),
        Field::many(13, "messages", Kind::Message(&MESSAGE)),
        Field::many(14, "texts", Kind::Text),
        Field::many(15, "flags", Kind::Bool),
        Field::many(16, "colours", Kind::Enum(&COLOURS)),
        Field::optional(17, "optional_number", Kind::Int64),
        Field::optional(18, "optional_message", Kind::Message(&MESSAGE)),
        Field::retired(19, "retired"),
    ],
};

/// Reading and skimming agree; what is written back reads the same; and exactly the bytes that are written back as they
/// stood are shown whole.
pub fn run(bytes: &[u8]) {
    let mut unshown = Vec::new();
    let message = match (read(&MESSAGE, bytes, 0, "message", &mut unshown), skim(&MESSAGE, bytes, 0, "message")) {
        (Ok(message), Ok(skimmed)) => {
            assert_eq!(message.encode(), skimmed.encode());
            message
        }
        (Err(error), Err(skimmed)) => {
            assert_eq!(error, skimmed);
            assert!(error.place.offset <= bytes.len(), "{error} is beyond the bytes");
            return;
        }
        (read, skimmed) => panic!("read: {:?}; skimmed: {:?}", read.err(), skimmed.err()),
    };
    let written = message.encode();
    assert_eq!(written.len(), message.length());
    assert_eq!(written == bytes, unshown.is_empty(), "canonical or not; not shown: {unshown:?}");
    assert!(unshown.iter().all(|one| one.place.offset <= bytes.len()), "{unshown:?} is beyond the bytes");
    let again = read(&MESSAGE, &written, 0, "message", &mut unshown).expect("what we write reads");
    assert_eq!(again.encode(), written);
}
