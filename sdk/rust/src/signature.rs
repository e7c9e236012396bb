//! Signatures and encrypted thinking that travel through clients of other formats.
//!
//! Clients return blocks of thinking untouched. So a dialect puts a value of another issuer in the place of its
//! format's own signature, wrapped as `weir.ISSUER.USE.ID.VALUE`, and unwraps it when it comes back: it returns to the
//! service that made it, and to no other. `USE` is one of [`Use`]'s letters, `ID` the reasoning part's or tool call's
//! id and often empty. Each dialect decides which values it does not wrap: usually those of its own family.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::names::IdRule;
use crate::types::{Part, PartSignature, Signature, TextPart};

/// The prefix of every wrapped value.
const HEAD: &str = "weir.";
/// The prefix in base64, without the character that depends on what follows.
const ENCODED_HEAD: &str = "d2Vpci";

/// What a wrapped value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The signature of the thinking beside it.
    Thinking,
    /// Encrypted thinking.
    Encrypted,
    /// The signature of the tool call that follows.
    NextCall,
    /// The signature of the part before it.
    Previous,
}

impl Use {
    const ALL: [Self; 4] = [Self::Thinking, Self::Encrypted, Self::NextCall, Self::Previous];

    const fn letter(self) -> &'static str {
        match self {
            Self::Thinking => "s",
            Self::Encrypted => "e",
            Self::NextCall => "t",
            Self::Previous => "p",
        }
    }
}

/// A value that a client sent back.
#[derive(Debug, PartialEq)]
pub struct Carried {
    /// The use of the value; `None` for one that was not wrapped.
    pub purpose: Option<Use>,
    /// The id in the wrapped value.
    pub id: Option<String>,
    /// The value, and its issuer.
    pub signature: Signature,
}

impl Carried {
    /// A value that was not wrapped.
    pub fn bare(value: &str, issuer: &str) -> Self {
        let signature = Signature { issuer: issuer.to_owned(), value: value.to_owned() };
        Self { purpose: None, id: None, signature }
    }

    /// Whether the value is encrypted thinking.
    pub fn is_encrypted(&self) -> bool {
        self.purpose == Some(Use::Encrypted)
    }
}

/// Wraps a value that a client shall send back.
pub fn wrap(signature: &Signature, purpose: Use, id: Option<&str>) -> String {
    let id = id.filter(|id| !id.contains('.')).unwrap_or_default();
    [HEAD, &signature.issuer, ".", purpose.letter(), ".", id, ".", &signature.value].concat()
}

/// Wraps a value in base64, for formats in which such values are bytes.
pub fn wrap_bytes(signature: &Signature, purpose: Use, id: Option<&str>) -> String {
    STANDARD.encode(wrap(signature, purpose, id))
}

/// Unwraps a value; `None` if it is not wrapped.
pub fn unwrap(value: &str) -> Option<Carried> {
    let mut pieces = value.strip_prefix(HEAD)?.splitn(4, '.');
    let issuer = pieces.next()?.to_owned();
    let letter = pieces.next()?;
    let purpose = Use::ALL.into_iter().find(|purpose| purpose.letter() == letter);
    let id = Some(pieces.next()?.to_owned()).filter(|id| !id.is_empty());
    let signature = Signature { issuer, value: pieces.next()?.to_owned() };
    purpose.map(|purpose| Carried { purpose: Some(purpose), id, signature })
}

/// Whether base64 begins like a wrapped value.
pub fn is_wrapped(value: &str) -> bool {
    value.starts_with(ENCODED_HEAD)
}

/// The value of a signature from one of these issuers.
pub fn own_value<'a>(signature: Option<&'a Signature>, issuers: &[&str]) -> Option<&'a str> {
    let own = signature.filter(|signature| issuers.contains(&signature.issuer.as_str()));
    own.map(|signature| signature.value.as_str())
}

/// Gives a tool call the signature that preceded it. A signature with an id is for the call of that id only, in the
/// spelling that the format's rule for ids makes of it. Other parts stay as they are.
pub fn sign_call(part: &mut Part, next_call: &mut Option<Carried>, ids: &IdRule) {
    if let Part::ToolCall(call) = part
        && let Some(carried) = next_call.take()
        && carried.id.is_none_or(|id| ids.fit(&id) == call.id)
    {
        call.signature = Some(carried.signature);
    }
}

/// Signs the last part. If it has a signature of its own, this one came with an empty text behind it.
pub fn sign_last(parts: &mut Vec<Part>, signature: Signature) {
    let signed = match parts.last_mut() {
        Some(Part::Text(text)) => &mut text.signature,
        Some(Part::ToolCall(call)) => &mut call.signature,
        _ => return,
    };
    if signed.is_some() {
        return parts.push(Part::Text(TextPart { signature: Some(signature), ..TextPart::new("") }));
    }
    *signed = Some(signature);
}

/// Signature and encrypted form of a part of a stream, kept until the part ends: both come last in their block (C-30).
#[derive(Debug, Default)]
pub struct Pending {
    /// The part's signature.
    pub signature: Option<Signature>,
    /// The part's encrypted thinking.
    pub encrypted: Option<Signature>,
}

impl Pending {
    /// Adds a signature, or the next piece of one: some providers send them in pieces.
    pub fn add(&mut self, event: PartSignature) {
        let place = if event.encrypted { &mut self.encrypted } else { &mut self.signature };
        match place {
            Some(known) if known.issuer == event.signature.issuer => known.value.push_str(&event.signature.value),
            _ => *place = Some(event.signature),
        }
    }

    /// Takes the value for the format's place of a signature, and its use. Encrypted thinking of other families goes
    /// there too, if the part has text; without text it needs a separate block.
    pub fn take_voucher(
        &mut self,
        has_words: bool,
        is_own: impl FnOnce(&Signature) -> bool,
    ) -> Option<(Signature, Use)> {
        if let Some(signature) = self.signature.take() {
            return Some((signature, Use::Thinking));
        }
        let foreign = self.encrypted.take_if(|value| has_words && !is_own(value))?;
        Some((foreign, Use::Encrypted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ToolCall;

    fn signature(issuer: &str, value: &str) -> Signature {
        Signature { issuer: issuer.into(), value: value.into() }
    }

    #[test]
    fn c32_a_wrapped_value_comes_back_to_its_issuer_whole() {
        let foreign = signature("gemini", "a.b=.c/+ü");
        for (purpose, id) in Use::ALL.into_iter().zip([Some("call_1"), None, None, Some("x")]) {
            let carried = unwrap(&wrap(&foreign, purpose, id)).unwrap();
            assert_eq!((carried.purpose, carried.id.as_deref()), (Some(purpose), id));
            assert_eq!(carried.signature, foreign);
            assert!(is_wrapped(&wrap_bytes(&foreign, purpose, id)));
        }
    }

    #[test]
    fn an_id_that_would_break_the_wrapping_stays_behind() {
        let carried = unwrap(&wrap(&signature("a", "b"), Use::NextCall, Some("1.2"))).unwrap();
        assert_eq!(carried, Carried { purpose: Some(Use::NextCall), id: None, signature: signature("a", "b") });
    }

    #[test]
    fn a_signature_with_an_id_is_for_the_call_of_that_id_only() {
        let carried = |id: Option<&str>| {
            Some(Carried { purpose: Some(Use::NextCall), id: id.map(str::to_owned), signature: signature("a", "b") })
        };
        for (id, is_signed) in [(None, true), (Some("call 1"), true), (Some("call 2"), false)] {
            let mut next_call = carried(id);
            let mut text = Part::text("x");
            sign_call(&mut text, &mut next_call, &IdRule::NAME);
            assert_eq!((&text, &next_call), (&Part::text("x"), &carried(id)), "a text leaves it for the call");
            let mut call = Part::ToolCall(ToolCall::new(IdRule::NAME.fit("call 1"), "f", "{}"));
            sign_call(&mut call, &mut next_call, &IdRule::NAME);
            let Part::ToolCall(call) = call else { panic!("no call") };
            assert_eq!((call.signature.is_some(), next_call), (is_signed, None), "{id:?}");
        }
    }

    #[test]
    fn a_second_signature_of_a_part_came_with_an_empty_text() {
        let mut parts = vec![Part::text("x")];
        for value in ["b", "c"] {
            sign_last(&mut parts, signature("a", value));
        }
        let signed =
            |text: &str, value| Part::Text(TextPart { signature: Some(signature("a", value)), ..TextPart::new(text) });
        assert_eq!(parts, [signed("x", "b"), signed("", "c")]);
    }

    #[test]
    fn wrapped_values_are_distinguished_from_others() {
        for value in ["", "weir", "weir.", "weir.a.s.id", "weir.a.x.id.value", "EqQBCgIYAhIM.s..x"] {
            assert_eq!(unwrap(value), None, "{value}");
        }
    }

    #[test]
    fn c30_pieces_of_a_signature_are_one() {
        let piece = |issuer: &str, value: &str, encrypted| PartSignature {
            candidate: 0,
            part: 0,
            signature: signature(issuer, value),
            encrypted,
        };
        let mut pending = Pending::default();
        for event in [piece("a", "x", false), piece("a", "y", false), piece("b", "z", true), piece("c", "w", true)] {
            pending.add(event);
        }
        assert_eq!(pending.take_voucher(true, |_| false), Some((signature("a", "xy"), Use::Thinking)));
        assert_eq!(pending.take_voucher(true, |_| true), None);
        assert_eq!(pending.take_voucher(false, |_| false), None);
        assert_eq!(pending.take_voucher(true, |_| false), Some((signature("c", "w"), Use::Encrypted)));
        assert!(pending.encrypted.is_none());
    }
}
