//! A topology transaction: the two readings of it, what is judged and what may be signed, never part without a word.

use canton_topology::{
    hash::TransactionHash,
    show::{self, Tree},
    transaction::Transaction,
};

/// See [`check`].
pub fn run(bytes: &[u8]) {
    let Ok(transaction) = Transaction::parse(bytes) else { return };
    assert_eq!(transaction.bytes(), bytes);
    assert_eq!(transaction.hash(), TransactionHash::of(bytes));
    check(&transaction);
    no_neighbour_shows_alike(&transaction);
}

/// What must hold of any transaction that reads.
pub fn check(transaction: &Transaction) {
    let bytes = transaction.bytes();
    assert_eq!(Transaction::parse(bytes).as_ref(), Ok(transaction));
    assert!(transaction.unshown().iter().all(|one| one.place.offset <= bytes.len()));
    let mapping = transaction.mapping();
    let _ = (mapping.namespace(), mapping.uid(), mapping.referenced(), mapping.restricted_to());
    let _ = mapping.mapped_signing_keys();
    let canton = mapping.as_canton_writes();
    assert_eq!(canton, *mapping, "Canton's own form is the same mapping");
    assert_eq!(canton.as_canton_writes().encode(), canton.encode(), "and its own Canton form");
    let built = Transaction::build(transaction.operation(), transaction.serial(), mapping);
    match Transaction::parse(built.bytes()) {
        Ok(again) => {
            assert_eq!(again.mapping(), mapping);
            assert_eq!(again.unique_key(), transaction.unique_key());
            assert!(again.unshown().is_empty(), "what we write is shown whole: {:?}", again.unshown());
            assert_eq!(again.bytes(), built.bytes());
            if transaction.unshown().is_empty() {
                says_the_same(transaction, &again);
            }
        }
        // Canton counts a mediator that stands there twice as two, and writes it once: what it writes it cannot read.
        Err(error) => assert!(!transaction.unshown().is_empty(), "signable, and not to be written: {error}"),
    }
}

/// A signable transaction and the one that is written from its view show the same, and then they are the same bytes;
/// but for the ways of old releases, which are shown and mean nothing else.
fn says_the_same(signable: &Transaction, built: &Transaction) {
    let (found, expected) = (show::transaction_tree(signable), show::transaction_tree(built));
    if found == expected {
        assert_eq!(signable.bytes(), built.bytes(), "shown alike, and not the same bytes");
        return;
    }
    assert_ne!(signable.bytes(), built.bytes(), "the same bytes, and not shown alike");
    // Old releases said by a delegation's flag alone what new ones write out.
    let is_legacy = !found.lines().iter().any(|line| line.path.contains(".can_sign_"));
    let (found, expected) = (without_old_ways(found, is_legacy), without_old_ways(expected, is_legacy));
    assert_eq!(found, expected, "the view says something else than the bytes");
}

/// A tree without retired fields, without the prefix of participants, and without a delegation's old flag and, where that
/// stands for it, its restriction. A message of which nothing is left is set all the same.
fn without_old_ways(tree: Tree, is_legacy: bool) -> Tree {
    match tree {
        Tree::Value(value) => Tree::Value(value),
        Tree::List(trees) => Tree::List(trees.into_iter().map(|tree| without_old_ways(tree, is_legacy)).collect()),
        Tree::Fields(fields) => {
            let kept: Vec<(&str, Tree)> = fields
                .into_iter()
                .filter(|(name, _)| !(is_old(name) || is_legacy && name.starts_with("can_sign_")))
                .map(|(name, tree)| match tree {
                    Tree::Value(value) if name == "participant_uid" => {
                        (name, Tree::Value(value.strip_prefix("PAR::").unwrap_or(&value).to_owned()))
                    }
                    tree => (name, without_old_ways(tree, is_legacy)),
                })
                .collect();
            if kept.is_empty() { Tree::Value("set".to_owned()) } else { Tree::Fields(kept) }
        }
    }
}

fn is_old(name: &str) -> bool {
    name.ends_with("_retired") || name == "is_root_delegation"
}

/// One flipped bit makes another hash; where both transactions may be signed, it is also seen.
fn no_neighbour_shows_alike(transaction: &Transaction) {
    let hash = transaction.hash();
    // The hash decides where: any place will do, as long as the same bytes always try the same ones.
    for pair in hash.as_bytes()[2..].chunks_exact(4) {
        let mut bytes = transaction.bytes().to_vec();
        let at = usize::from(u16::from_be_bytes([pair[0], pair[1]])) % bytes.len();
        bytes[at] ^= 1 << (pair[2] % 8);
        let Ok(neighbour) = Transaction::parse(&bytes) else { continue };
        assert_ne!(neighbour.hash(), hash);
        if neighbour.unshown().is_empty() && transaction.unshown().is_empty() {
            assert_ne!(show::transaction(&neighbour), show::transaction(transaction));
            assert_ne!(show::transaction_tree(&neighbour), show::transaction_tree(transaction));
        }
    }
}
