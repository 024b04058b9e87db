//! Parcels: what is a recipient, and what is a parcel's name.

use protocol::{
    book::{Book, Entry, NoAddressee},
    parcel::{ContentHash, NotARecipient, Recipient},
};

use crate::world::Owner;

/// A recipient of the age specification's own examples.
const AGE: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

#[test]
fn the_text_of_a_recipient_is_the_one_of_age() {
    let recipient: Recipient = AGE.parse().unwrap();
    assert_eq!(recipient.to_string(), AGE);
    assert_eq!(hex::encode(recipient.as_bytes()), "132c442be010fbd57e72603328aa76e71fccc1503aae219327d14d9c9993f472");
    assert_eq!(Recipient::try_from(*recipient.as_bytes()), Ok(recipient));
}

#[test]
fn a_text_that_is_not_exactly_a_recipient_is_refused() {
    let identity = "AGE-SECRET-KEY-1QQPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQ8JVYKV";
    let one_more = format!("{AGE}q");
    for text in ["", "age1", &AGE[..61], &AGE.to_uppercase(), &AGE.replace("zvky", "zvkq"), &one_more, identity] {
        assert_eq!(text.parse::<Recipient>(), Err(NotARecipient::Text), "{text}");
    }
}

#[test]
fn a_key_of_low_order_is_no_recipient() {
    // RFC 7748 leaves these to the protocol. Whatever is sealed to one of them, anybody can open.
    let low = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for text in low {
        let mut bytes: [u8; 32] = hex::decode(text).unwrap().try_into().unwrap();
        assert_eq!(Recipient::try_from(bytes), Err(NotARecipient::LowOrder), "{text}");
        // X25519 ignores the highest bit.
        bytes[31] |= 0x80;
        assert_eq!(Recipient::try_from(bytes), Err(NotARecipient::LowOrder), "{text} with its highest bit");
    }
}

#[test]
fn a_parcels_name_has_one_text_and_no_path_is_one() {
    let text = "ab".repeat(32);
    let hash: ContentHash = text.parse().unwrap();
    assert_eq!((hash, hash.to_string()), (ContentHash::from_bytes([0xab; 32]), text.clone()));
    let (upper, longer, dots) = (text.to_uppercase(), format!("{text}00"), format!("../{}", &text[3..]));
    let with_zero = format!("{}\0{}", &text[..31], &text[32..]);
    for other in ["", "..", "/etc/passwd", &text[1..], &upper, &longer, &dots, &with_zero] {
        assert!(other.parse::<ContentHash>().is_err(), "{other}");
    }
}

#[test]
fn t40_only_who_stands_in_the_book_with_a_parcel_key_can_be_sealed_to() {
    let (bob, carol) = (Owner::new("bob"), Owner::new("carol"));
    let mut book = Book::default();
    book.add(Entry { name: "bob".to_owned(), card: bob.card(), more_keys: Vec::new() }).unwrap();
    let mut card = carol.card();
    card.parcel_key = None;
    book.add(Entry { name: "caro".to_owned(), card, more_keys: Vec::new() }).unwrap();

    let found = book.addressee(&bob.namespace()).unwrap();
    assert_eq!((found.owner(), Some(found.recipient())), (&bob.namespace(), bob.card().parcel_key.as_ref()));
    assert_eq!(book.addressee(&carol.namespace()), Err(NoAddressee::NoKey { name: "caro".to_owned() }));
    let dora = Owner::new("dora").namespace();
    assert_eq!(book.addressee(&dora), Err(NoAddressee::Unknown(dora)));
}

#[test]
fn another_recipient_is_another_card() {
    let card = Owner::new("bob").card();
    let mut swapped = card.clone();
    swapped.parcel_key = Owner::new("mallory").card().parcel_key;
    assert_ne!(swapped.code(), card.code(), "the code that is read aloud covers it");
}
