//! The pages of the runbook, played as they stand: each block of commands prints what the page says that it prints.
#![allow(clippy::unwrap_used)]

mod page;

use page::Play;

#[test]
fn the_page_of_simple_hosting_prints_what_it_says() {
    let play = Play::of(&["setup.md", "party.md", "W1.md"]);
    // The pages before the walk are the same for all of them.
    for page in ["setup.md", "party.md", "W1.md"] {
        play.must_print(page);
    }
}

#[test]
fn the_page_of_offline_replication_prints_what_it_says() {
    Play::of(&["setup.md", "party.md", "W2.md"]).must_print("W2.md");
}

#[test]
fn the_page_of_a_decentralized_party_prints_what_it_says() {
    Play::of(&["setup.md", "W3.md"]).must_print("W3.md");
}

#[test]
fn the_page_of_membership_prints_what_it_says() {
    Play::of(&["setup.md", "party.md", "membership.md"]).must_print("membership.md");
}
