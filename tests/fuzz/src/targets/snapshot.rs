//! Exported topology in both file formats, and the answer of `ListAll`.

use canton_topology::{
    show,
    snapshot::{self, Format, Item},
};

/// What reads is written back to the same in both formats.
pub fn run(bytes: &[u8]) {
    if let Ok((_, items)) = snapshot::read(bytes) {
        check(&items);
    }
    if let Ok(items) = snapshot::read_items(bytes, 0) {
        check(&items);
    }
}

fn check(items: &[Item]) {
    for format in [Format::V1, Format::V2] {
        let written = snapshot::write(format, items);
        let (found, again) = snapshot::read(&written).expect("what we write reads");
        assert_eq!(found, format);
        assert_eq!(again, items);
    }
    for item in items {
        let _ = show::transaction(&item.transaction.transaction);
        let _ = item.time();
    }
}
