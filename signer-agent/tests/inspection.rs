//! `inspect` on what is nearly topology data, and on transactions of which a part is stored already.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use canton_topology::{
    snapshot::{self, Item},
    transaction::SignedTransaction,
};

fn inspect(words: &[&str]) -> (bool, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_signer-agent")).arg("inspect").args(words).output();
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn data(words: &[&str]) -> Vec<serde_json::Value> {
    let (_, shown, told) = inspect(&[words, &["--json"]].concat());
    serde_json::from_str(&shown).unwrap_or_else(|_| panic!("{shown} {told}"))
}

fn recorded() -> Option<Vec<Item>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/canton/recordings/pv34/genesis.v2");
    let Ok(bytes) = std::fs::read(path) else {
        println!("skipped: the recorded genesis is not beside the project");
        return None;
    };
    Some(snapshot::read(&bytes).unwrap().1)
}

/// A field of bytes as protobuf writes it.
fn field(bytes: &[u8]) -> Vec<u8> {
    let length = [bytes.len() as u8 & 0x7f | 0x80, (bytes.len() >> 7) as u8 & 0x7f | 0x80, (bytes.len() >> 14) as u8];
    [&[0x0a], &length[..], bytes].concat()
}

#[test]
fn lists_in_one_message_are_read_in_a_wrapper_or_plain() {
    let Some(items) = recorded() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let plain: Vec<u8> = items.iter().flat_map(|item| field(&item.transaction.encode_wrapped())).collect();
    for list in [plain.clone(), [field(&plain), vec![0x10, 30]].concat()] {
        std::fs::write(&path, list).unwrap();
        let shown = data(&[path.to_str().unwrap()]);
        let hashes: Vec<&str> = shown.iter().map(|one| one["hash"].as_str().unwrap()).collect();
        let expected: Vec<String> = items.iter().map(|item| item.transaction.transaction.hash().to_string()).collect();
        assert_eq!(hashes, expected);
    }
}

#[test]
fn a_text_that_is_nearly_hex_is_told_where_it_breaks() {
    let Some(items) = recorded() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    let digits = hex::encode(items[0].transaction.encode_wrapped());
    let tell = |text: &str| {
        std::fs::write(&path, text).unwrap();
        inspect(&[path.to_str().unwrap()])
    };
    assert!(tell(&format!("0x{digits}")).0);
    assert!(tell(&format!("{digits}!")).2.contains(&format!("'!' at byte {} is not hex", digits.len())));
    let odd = &digits[1..];
    assert!(tell(odd).2.contains(&format!("ends too early at byte {}", odd.len())));
}

#[test]
fn a_v1_snapshot_that_is_cut_short_is_told_by_item_and_byte() {
    let Some(items) = recorded() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    let whole = snapshot::write(snapshot::Format::V1, &items);
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let (_, _, told) = inspect(&[path.to_str().unwrap()]);
    assert!(told.contains("snapshot.items[") && told.contains("the file ends within"), "{told}");
}

#[test]
fn what_is_stored_already_counts_beside_what_the_transaction_brings() {
    let Some(items) = recorded() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (state, path) = (folder.path().join("state"), folder.path().join("again"));
    std::fs::write(&state, snapshot::write(snapshot::Format::V2, &items)).unwrap();
    // An active definition, sent again with nobody's signature but a forged one.
    let is_definition = |item: &&Item| item.transaction.signers().len() > 2;
    let active = &items.iter().find(is_definition).unwrap().transaction;
    let forged = canton_topology::signature::Signature::new_ed25519([7; 64], "somebody".parse().unwrap());
    let again = SignedTransaction::new(active.transaction.clone(), vec![forged], true);
    std::fs::write(&path, again.encode_wrapped()).unwrap();
    let shown = data(&[path.to_str().unwrap(), "--state", state.to_str().unwrap()]);
    let authorization = &shown[0]["authorization"];
    assert_eq!(authorization["verdict"], "authorized", "{authorization}");
    assert_eq!(authorization["has-signed"].as_array().unwrap().len(), active.signers().len());

    let other: &str = "other::1220aa00000000000000000000000000000000000000000000000000000000000000::35-2";
    let words = [path.to_str().unwrap(), "--state", state.to_str().unwrap(), "--synchronizer", other];
    let (_, _, told) = inspect(&words);
    assert!(told.contains("InvalidSynchronizer"), "{told}");
}
