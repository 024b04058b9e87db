//! Sets of contracts.

use protocol::hosting::contract_set::ContractSet;

#[test]
fn sets_of_contracts_are_equal_whatever_their_order_and_differ_in_any_member() {
    let of = |ids: &[&str]| {
        let mut set = ContractSet::default();
        ids.iter().for_each(|id| set.add(id));
        set
    };
    assert_eq!(of(&["00aa", "00bb", "00cc"]), of(&["00cc", "00aa", "00bb"]));
    assert_eq!(of(&["00aa"]).with(&of(&["00bb", "00cc"])).contents(), of(&["00bb", "00cc", "00aa"]).contents());
    assert_ne!(of(&["00aa", "00bb"]).contents(), of(&["00aa", "00bc"]).contents());
    assert_ne!(of(&["00aa"]).contents(), of(&["00aa", "00aa"]).contents());
    let set = of(&["00aa", "00bb"]);
    assert_eq!(ContractSet::from_bytes(&set.to_bytes()), Some(set.clone()));
    assert_eq!(ContractSet::from_bytes(&set.to_bytes()[1..]), None);
    assert_eq!(ContractSet::from_bytes(&[set.to_bytes(), vec![0]].concat()), None);
    assert_eq!(hex::encode(set.contents().ids), STABLE_SET);
}

const STABLE_SET: &str = "aa642c90a850729e9d8d03e3fffb7eb547a62359e5d6b4bad10ebc9b5736592a";
