use proptest::prelude::*;

use super::*;

fn key() -> KeyText {
    KeyText::from_random(KeyId::from_bits(0x0123_4567_89ab_cdef), &std::array::from_fn(|at| at as u8))
}

#[test]
fn a_key_has_the_documented_shape_and_is_the_same_for_the_same_random_numbers() {
    let text = key().expose().to_owned();
    assert!(text.starts_with("sk-weir-"));
    assert_eq!(text.len(), 80);
    assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [2, 4, 12, 52, 6]);
}

#[test]
fn two_generated_keys_differ_and_parse() {
    let (one, two) = (KeyText::generate().unwrap(), KeyText::generate().unwrap());
    assert_ne!(one, two);
    assert_eq!(KeyText::parse(one.expose()).unwrap(), one);
    let again = KeyText::generate_for(one.id()).unwrap();
    assert_eq!(again.id(), one.id());
    assert_ne!(again.hash(), one.hash());
}

#[test]
fn a_key_is_printed_by_its_id_only() {
    let key = key();
    assert_eq!(format!("{key:?}"), format!("sk-weir-{}-[secret]", key.id()));
}

#[test]
fn other_texts_are_refused_by_their_first_defect() {
    let good = key().expose().to_owned();
    for (text, error) in [
        ("", KeyTextError::Prefix),
        ("sk-1234", KeyTextError::Prefix),
        ("SK-WEIR-", KeyTextError::Prefix),
        ("sk-weir-", KeyTextError::Shape),
        (&good[..79], KeyTextError::Shape),
        (&format!("{good}0"), KeyTextError::Shape),
        (&good.replacen("-000", "000-", 1), KeyTextError::Shape),
        (&good.replace("-000g", "-000G"), KeyTextError::Character),
        (&good.replace("-000g", "-00é"), KeyTextError::Shape),
        (&good.replace("-000g", "-001g"), KeyTextError::Check),
    ] {
        assert_eq!(KeyText::parse(text).unwrap_err(), error, "{text}");
        assert!(!error.to_string().contains("000g"));
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_parsed(bits: u64, secret: [u8; 32]) {
        let key = KeyText::from_random(KeyId::from_bits(bits), &secret);
        let parsed = KeyText::parse(key.expose()).unwrap();
        prop_assert_eq!(parsed.id(), KeyId::from_bits(bits));
        prop_assert_eq!(parsed.hash(), key.hash());
    }

    #[test]
    fn every_wrong_character_is_found(bits: u64, secret: [u8; 32], at in 8usize..80, digit in 0usize..32) {
        let text = KeyText::from_random(KeyId::from_bits(bits), &secret).expose().to_owned();
        let mut bytes = text.clone().into_bytes();
        bytes[at] = DIGITS[digit];
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(KeyText::parse(&changed).is_ok(), changed == text);
    }

    #[test]
    fn exchanged_neighbours_are_found(bits: u64, secret: [u8; 32], at in 8usize..79) {
        let text = KeyText::from_random(KeyId::from_bits(bits), &secret).expose().to_owned();
        let mut bytes = text.clone().into_bytes();
        bytes.swap(at, at + 1);
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(KeyText::parse(&changed).is_ok(), changed == text);
    }

    #[test]
    fn no_text_is_a_panic(text in "(sk-weir-)?\\PC{0,90}") {
        let _ = KeyText::parse(&text);
        let _ = KeyId::parse(&text);
    }
}
