//! Names of the reader's book in the place of ids.

use protocol::naming::with_names;

use crate::world::World;

#[test]
fn a_refusal_names_whom_the_book_knows_and_leaves_every_other_id_whole() {
    let world = World::with_party();
    let (bob, hash) = (world.owner("bob"), world.definition().hash());
    let (owner, host, party) = (bob.namespace(), bob.host(), world.party());
    let known = [(owner.to_string(), "bob"), (host.to_string(), "bob's participant")];
    let named = |text: &str| {
        with_names(text, |id| known.iter().find(|(known, _)| known == id).map(|(_, name)| (*name).to_owned()))
    };
    let hint = host.to_string().split_once("::").unwrap().0.to_owned();
    let (short, of_host) = (owner.short(), host.namespace().short());
    assert_eq!(named(&format!("by {owner}: wait")), format!("by bob ({short}…): wait"));
    assert_eq!(named(&format!("{owner}'s key, {owner}")), format!("bob ({short}…)'s key, bob ({short}…)"));
    assert_eq!(named(&format!("{host} lacks 2")), format!("bob's participant ({hint}::{of_host}…) lacks 2"));
    for whole in [format!("{party} and {hash}"), format!("owner bob ({owner})"), String::new(), "1220…".to_owned()] {
        assert_eq!(named(&whole), whole);
    }
}
