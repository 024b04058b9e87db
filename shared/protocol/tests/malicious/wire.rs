//! Lies below the typed view: Canton ignores them, and an honest-looking transaction says more than it shows.

use canton_topology::transaction::Transaction;
use protocol::intent::Change;

use crate::{
    bytes::{Field, edit_at, fields, varint, write},
    mutant::{Mutant, honest},
    world::World,
};

/// Field numbers from the wrapper inwards.
const DATA: u32 = 1;
const MAPPING: u32 = 3;
const DEFINITION: u32 = 3;
const PARTY: u32 = 9;
const PARTICIPANTS: u32 = 3;

pub fn mutants(world: &World) -> Vec<Mutant> {
    let change = world.create_party();
    let honest = honest(world, &change);
    let all = [of_the_wrapper(&change, &honest), of_the_party(&change, &honest), of_the_owners(&change, &honest)];
    all.concat()
}

fn mutant(
    name: &'static str,
    change: &Change,
    honest: &[Transaction],
    at: (usize, &[u32]),
    edit: &dyn Fn(Vec<u8>) -> Vec<u8>,
) -> Mutant {
    let (index, path) = at;
    let mut mutant = Mutant::new(name, "NotShown", change, honest);
    mutant.offered[index] = edit_at(honest[index].bytes(), path, edit);
    assert_ne!(mutant.offered[index], honest[index].bytes(), "{name}");
    mutant
}

fn appended(extra: &[u8]) -> impl Fn(Vec<u8>) -> Vec<u8> {
    move |bytes| [bytes.as_slice(), extra].concat()
}

fn of_the_wrapper(change: &Change, honest: &[Transaction]) -> Vec<Mutant> {
    let versioned = |version: u64| {
        move |bytes: Vec<u8>| {
            let set = |field| match field {
                Field::Number(2, _) => Field::Number(2, version),
                other => other,
            };
            write(&fields(&bytes).into_iter().map(set).collect::<Vec<_>>())
        }
    };
    let without_version = |bytes: Vec<u8>| {
        write(&fields(&bytes).into_iter().filter(|field| !matches!(field, Field::Number(2, _))).collect::<Vec<_>>())
    };
    let reversed = |bytes: Vec<u8>| write(&fields(&bytes).into_iter().rev().collect::<Vec<_>>());
    let unknown = write(&[Field::Bytes(99, vec![1, 2, 3])]);
    vec![
        mutant("wrapper version 31", change, honest, (4, &[]), &versioned(31)),
        mutant("wrapper version 0", change, honest, (4, &[]), &without_version),
        mutant("the wrapper's fields swapped", change, honest, (4, &[]), &reversed),
        mutant("an unknown field in the wrapper", change, honest, (4, &[]), &appended(&unknown)),
        mutant("an unknown field in a transaction", change, honest, (0, &[DATA]), &appended(&unknown)),
        mutant("the serial of another wire type too", change, honest, (0, &[DATA]), &appended(&[0x12, 0x01, 0x05])),
        mutant("a second mapping behind the first", change, honest, (3, &[DATA]), &|bytes| {
            let again = fields(&bytes).into_iter().find(|field| matches!(field, Field::Bytes(MAPPING, _)));
            [bytes.clone(), write(&[again.unwrap()])].concat()
        }),
        mutant("a group beside a mapping", change, honest, (4, &[DATA]), &appended(&[0x7b, 0x7c])),
        Mutant { expected: "Unreadable", ..mutant("a trailing zero", change, honest, (4, &[]), &appended(&[0])) },
        Mutant {
            expected: "Unreadable",
            ..mutant("a group that does not end", change, honest, (4, &[DATA]), &appended(&[0x7b]))
        },
    ]
}

fn of_the_party(change: &Change, honest: &[Transaction]) -> Vec<Mutant> {
    let party = [DATA, MAPPING, PARTY];
    let overlong = |bytes: Vec<u8>| {
        let mut out = Vec::new();
        for field in fields(&bytes) {
            match field {
                Field::Number(2, value) => {
                    out.extend(varint(2 << 3));
                    out.extend([(value as u8) | 0x80, 0x00]);
                }
                other => out.extend(write(&[other])),
            }
        }
        out
    };
    vec![
        mutant("an unknown field in the party", change, honest, (4, &party), &appended(&[0x78, 0x01])),
        mutant("a threshold before the one that counts", change, honest, (4, &party), &|bytes| {
            [write(&[Field::Number(2, 7)]), bytes].concat()
        }),
        mutant("a threshold of more than 32 bits", change, honest, (4, &party), &|bytes| {
            let wide = |field| match field {
                Field::Number(2, value) => Field::Number(2, value | 1 << 40),
                other => other,
            };
            write(&fields(&bytes).into_iter().map(wide).collect::<Vec<_>>())
        }),
        mutant("a threshold with a byte more than it needs", change, honest, (4, &party), &overlong),
        mutant("a second member of the kinds of mapping", change, honest, (4, &[DATA, MAPPING]), &|bytes| {
            [write(&[Field::Bytes(1, vec![])]), bytes].concat()
        }),
        mutant("a host twice with a higher permission", change, honest, (4, &party), &|bytes| {
            let host = fields(&bytes).into_iter().find_map(|field| match field {
                Field::Bytes(PARTICIPANTS, content) => Some(content),
                Field::Bytes(..) | Field::Number(..) => None,
            });
            let raised = fields(&host.unwrap()).into_iter().map(|field| match field {
                Field::Number(2, _) => Field::Number(2, 3),
                other => other,
            });
            let twice = write(&[Field::Bytes(PARTICIPANTS, write(&raised.collect::<Vec<_>>()))]);
            let keys_at = fields(&bytes).iter().position(|field| matches!(field, Field::Bytes(6, _))).unwrap();
            let all = fields(&bytes);
            [write(&all[..keys_at]), twice, write(&all[keys_at..])].concat()
        }),
        mutant(
            "an unknown field in a host",
            change,
            honest,
            (4, &[DATA, MAPPING, PARTY, PARTICIPANTS]),
            &appended(&[0x78, 0x01]),
        ),
        mutant(
            "something inside the onboarding marker's neighbour",
            change,
            honest,
            (4, &[DATA, MAPPING, PARTY, PARTICIPANTS]),
            &appended(&[0x18, 0x01]),
        ),
        Mutant {
            expected: "Unreadable",
            ..mutant("a name that is not UTF-8", change, honest, (4, &[DATA, MAPPING, PARTY, 1]), &|_| vec![0xff, 0xfe])
        },
    ]
}

fn of_the_owners(change: &Change, honest: &[Transaction]) -> Vec<Mutant> {
    let definition = [DATA, MAPPING, DEFINITION];
    let owner = |bytes: &[u8]| fields(bytes).into_iter().find(|field| matches!(field, Field::Bytes(3, _))).unwrap();
    vec![
        mutant("an owner twice", change, honest, (3, &definition), &|bytes| {
            let again = write(&[owner(&bytes)]);
            [bytes, again].concat()
        }),
        Mutant {
            // Of a text that stands once for each owner, the path leads to the first.
            expected: "PlanMismatch",
            ..mutant("an owner's digits in capitals", change, honest, (3, &[DATA, MAPPING, DEFINITION, 3]), &|text| {
                text.to_ascii_uppercase()
            })
        },
        Mutant {
            expected: "PlanMismatch",
            same_meaning: true,
            ..mutant(
                "a host under its long name",
                change,
                honest,
                (4, &[DATA, MAPPING, PARTY, PARTICIPANTS, 1]),
                &|text| [b"PAR::".as_slice(), &text].concat(),
            )
        },
    ]
}
