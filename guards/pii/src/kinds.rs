//! Kinds of personal data, each recognised from its first byte. Numbers that have check digits must have right ones.

/// A kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A mail address.
    Email,
    /// A phone number: international, or of ten digits in groups of 3, 3 and 4.
    Phone,
    /// The number of a payment card.
    Card,
    /// The number of a bank account.
    Iban,
    /// A social security number of the United States, with hyphens.
    UsSsn,
}

/// The longest mail address, in bytes.
const MAX_ADDRESS_LEN: usize = 254;

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Email, Self::Phone, Self::Card, Self::Iban, Self::UsSsn];

    /// What it is called in options, annotations and masks.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::UsSsn => "us-ssn",
        }
    }

    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The length of what this text begins with, if it is of this kind.
    pub(crate) fn length(self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Email => email(text),
            Self::Phone => phone(text),
            Self::Card => card(text),
            Self::Iban => iban(text),
            Self::UsSsn => grouped(text, &[3, 2, 4], b"-"),
        }
    }
}

/// Whether personal data may begin with this byte.
pub(crate) fn may_begin(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'(' | b'_')
}

/// Whether a byte belongs to the same word as what follows it.
pub(crate) fn is_inside(byte: u8) -> bool {
    is_local(byte)
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
}

fn run(text: &[u8], is_kind: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|byte| is_kind(**byte)).count()
}

/// Whether a word ends here.
fn ends(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

fn email(text: &[u8]) -> Option<usize> {
    let text = text.get(..text.len().min(MAX_ADDRESS_LEN))?;
    let local = run(text, is_local);
    let domain = text.get(local..)?.strip_prefix(b"@")?;
    let mut length = run(domain, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    // A full stop at the end belongs to the sentence.
    while length > 0 && matches!(domain.get(length - 1), Some(b'.' | b'-')) {
        length -= 1;
    }
    let domain = domain.get(..length)?;
    let dot = domain.iter().rposition(|byte| *byte == b'.')?;
    let top = domain.get(dot + 1..)?;
    let is_top = top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic);
    (is_top && dot > 0 && local > 0).then_some(local + 1 + length)
}

fn phone(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'+' => {
            let (length, digits) = spaced_digits(text.get(1..)?, b" -./()", 15);
            ((8..=15).contains(&digits.len()) && ends(text, length + 1)).then_some(length + 1)
        }
        b'(' => {
            let rest = text.get(1..)?;
            let area = run(rest, |byte| byte.is_ascii_digit());
            let after = rest.get(area..)?.strip_prefix(b")")?;
            let space = run(after, |byte| byte == b' ');
            let length = grouped(after.get(space..)?, &[3, 4], b"-. ")?;
            (area == 3 && space <= 1).then_some(5 + space + length)
        }
        _ => grouped(text, &[3, 3, 4], b"-. "),
    }
}

/// The length of groups of so many digits, with one of the separators between them.
fn grouped(text: &[u8], groups: &[usize], separators: &[u8]) -> Option<usize> {
    let mut at = 0;
    for (nth, group) in groups.iter().enumerate() {
        if nth > 0 {
            at += usize::from(text.get(at).is_some_and(|byte| separators.contains(byte)));
            if !text.get(at - 1).is_some_and(|byte| separators.contains(byte)) {
                return None;
            }
        }
        if run(text.get(at..)?, |byte| byte.is_ascii_digit()) != *group {
            return None;
        }
        at += group;
    }
    ends(text, at).then_some(at)
}

/// The digits at the beginning, up to `most`, and the length up to the last of them. At most two separators stand
/// between digits.
fn spaced_digits(text: &[u8], separators: &[u8], most: usize) -> (usize, Vec<u8>) {
    let (mut digits, mut length, mut apart) = (Vec::new(), 0, 0);
    for (at, byte) in text.iter().enumerate() {
        if byte.is_ascii_digit() {
            digits.push(byte - b'0');
            (length, apart) = (at + 1, 0);
            if digits.len() > most {
                break;
            }
        } else if separators.contains(byte) && apart < 2 {
            apart += 1;
        } else {
            break;
        }
    }
    (length, digits)
}

fn card(text: &[u8]) -> Option<usize> {
    let (length, digits) = spaced_digits(text, b" -", 19);
    let is_card = (13..=19).contains(&digits.len()) && matches!(digits.first(), Some(2..=6));
    (is_card && ends(text, length) && luhn(&digits)).then_some(length)
}

/// The check of card numbers (ISO/IEC 7812-1, annex B).
fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let value = |(at, digit): (usize, &u8)| u32::from(if at % 2 == 1 { doubled(*digit) } else { *digit });
    digits.iter().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

fn iban(text: &[u8]) -> Option<usize> {
    let head = text.get(..4)?;
    let is_head = head.iter().take(2).all(u8::is_ascii_uppercase) && head.iter().skip(2).all(u8::is_ascii_digit);
    if !is_head {
        return None;
    }
    // It may go on with spaces and words: the longest beginning that has right check digits counts.
    let (mut symbols, mut found) = (Vec::new(), None);
    let mut before = b'x';
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b' ' if before != b' ' => {}
            b'A'..=b'Z' | b'0'..=b'9' if symbols.len() < 34 => symbols.push(*byte),
            _ => break,
        }
        before = *byte;
        if symbols.len() >= 15 && before != b' ' && ends(text, at + 1) && is_checked(&symbols) {
            found = Some(at + 1);
        }
    }
    found
}

/// The check of account numbers (ISO 13616).
fn is_checked(symbols: &[u8]) -> bool {
    let (head, rest) = symbols.split_at(4.min(symbols.len()));
    let step = |sum: u32, symbol: &u8| match symbol {
        b'0'..=b'9' => (sum * 10 + u32::from(symbol - b'0')) % 97,
        _ => (sum * 100 + u32::from(symbol - b'A') + 10) % 97,
    };
    rest.iter().chain(head).fold(0, step) == 1
}
