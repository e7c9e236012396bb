//! Records what a translation loses.

use crate::compat::content::BREAKPOINT;
use crate::json::{RawValue, Rest, Str, object};
use crate::spelling;
use crate::types::{Extension, Loss, LossKind, Opaque};

/// The losses of one rendering.
#[derive(Debug, Default)]
pub struct Losses(Vec<Loss>);

impl Losses {
    /// The target format has no place for the field, so it is left out.
    pub fn dropped(&mut self, field: impl Into<String>, note: &str) {
        self.add(field, LossKind::Dropped, note);
    }

    /// The value was moved to the nearest allowed one.
    pub fn clamped(&mut self, field: impl Into<String>, note: &str) {
        self.add(field, LossKind::Clamped, note);
    }

    /// The value is expressed in another way.
    pub fn approximated(&mut self, field: impl Into<String>, note: &str) {
        self.add(field, LossKind::Approximated, note);
    }

    /// Reports `field` as dropped if it is present.
    pub fn dropped_if(&mut self, present: bool, field: &str, note: &str) {
        if present {
            self.dropped(field, note);
        }
    }

    /// Reports every extension that does not belong to `format`; `place` goes in front of the key (`messages[0].`).
    ///
    /// An extension whose value is `null` is a note for its own format (for example which of two spellings was used)
    /// and not a loss. Nor is an empty list of annotations or an item's id and state, since clients send answers back
    /// as they got them, or the wish that an answer is not stored, which other providers store none of, or a list of no
    /// settings, or what a cache hint says too, or what is done without a member.
    pub fn foreign(&mut self, place: &str, extensions: &[Extension], format: &str) {
        let lost = |extension: &&Extension| {
            extension.format != format && !asks_nothing(extension) && extension.format != spelling::FORMAT
        };
        for extension in extensions.iter().filter(lost) {
            self.dropped(format!("{place}{}", extension.key), &format!("only {} has it", extension.format));
        }
    }

    /// Reports the extensions of a part like [`Self::foreign`].
    pub fn foreign_at(&mut self, place: PartPath, extensions: &[Extension], format: &str) {
        if extensions.iter().any(|extension| extension.format != format) {
            self.foreign(&place.members(), extensions, format);
        }
    }

    /// The losses, in order.
    pub fn into_losses(self) -> Vec<Loss> {
        self.0
    }

    /// Moves the losses of another list to the end of this one.
    pub fn append(&mut self, mut other: Vec<Loss>) {
        self.0.append(&mut other);
    }

    fn add(&mut self, field: impl Into<String>, kind: LossKind, note: &str) {
        self.push(field.into(), kind, note);
    }

    /// Not inlined: losses are rare, and they occur in many places.
    #[cold]
    #[inline(never)]
    fn push(&mut self, field: String, kind: LossKind, note: &str) {
        let note = (!note.is_empty()).then(|| note.to_owned());
        self.0.push(Loss { field, kind, note });
    }
}

/// Most fields that [`Once`] remembers.
const ONCE_LIMIT: usize = 64;

/// Losses that recur with every frame of a stream, each reported once.
#[derive(Debug, Default)]
pub struct Once(Vec<String>);

impl Once {
    /// Reports `field` as dropped, unless it was reported before.
    pub fn dropped(&mut self, field: &str, note: &str, losses: &mut Losses) {
        if self.0.len() < ONCE_LIMIT && !self.0.iter().any(|known| known == field) {
            losses.dropped(field, note);
            self.0.push(field.to_owned());
        }
    }
}

/// The path of a part within a request or an answer, as losses name it.
#[derive(Debug, Clone, Copy)]
pub struct PartPath {
    /// The message's index; `None` in an answer.
    pub message: Option<usize>,
    /// The part's index within the message.
    pub part: usize,
}

impl PartPath {
    /// The path of a member of the part; an empty name gives the part itself.
    pub fn field(self, member: &str) -> String {
        let dot = if member.is_empty() { "" } else { "." };
        match self.message {
            Some(message) => format!("messages[{message}].content[{}]{dot}{member}", self.part),
            None => format!("content[{}]{dot}{member}", self.part),
        }
    }

    /// The prefix for the names of the part's members.
    pub fn members(self) -> String {
        let mut field = self.field("");
        field.push('.');
        field
    }
}

/// Keeps members that the unified model does not have.
pub fn extensions(format: &str, rest: Rest<'_>) -> Vec<Extension> {
    rest.0
        .into_iter()
        .filter(|(_, json)| json.get() != "null")
        .map(|(key, json)| Extension { format: format.to_owned(), key: key.into_string(), json: json.get().to_owned() })
        .collect()
}

/// Keeps an object's remaining members as one extension; `None` if there are none.
pub fn remainder(format: &str, key: &str, rest: &Rest<'_>) -> Option<Extension> {
    let is_said = |(_, raw): &&(Str<'_>, &RawValue)| raw.get() != "null";
    if !rest.0.iter().any(|member| is_said(&member)) {
        return None;
    }
    let mut json = String::new();
    object(&mut json, |o| rest.0.iter().filter(is_said).for_each(|(key, raw)| o.raw(key, raw.get())));
    Some(Extension { format: format.to_owned(), key: key.to_owned(), json })
}

/// The format whose messages, calls and thinking are items with ids and states of their own.
const ITEMS: &str = crate::compat::responses::FORMAT;
/// The key of the members that an item of it has besides its content.
pub const ITEM: &str = "item";

/// Whether nothing is lost where a member is left out.
pub fn asks_nothing(member: &Extension) -> bool {
    match (member.key.as_str(), member.json.as_str()) {
        (_, "null") | ("store" | "echo", "false") | ("best_of", "1") | ("logit_bias", "{}") => true,
        ("annotations" | "safetySettings", list) => is_empty_list(list),
        // That the model itself made a call, as it makes all calls of other formats.
        ("caller", json) => is_direct(json),
        (ITEM, json) => is_mere_name(json),
        // Of parts with a cache hint, which says the same.
        (BREAKPOINT, _) => true,
        // Those of a call or of thinking, by which only the service finds them again.
        ("id" | "status", _) => member.format == ITEMS,
        _ => false,
    }
}

fn is_empty_list(json: &str) -> bool {
    json.strip_prefix('[').and_then(|list| list.strip_suffix(']')).is_some_and(|within| within.trim().is_empty())
}

/// Whether a caller is the model itself.
fn is_direct(json: &str) -> bool {
    let is_it = |(key, raw): &(Str<'_>, &RawValue)| &**key == "type" && raw.get() == "\"direct\"";
    Rest::parse(json).is_ok_and(|members| members.0.iter().all(is_it))
}

/// Whether an object has nothing but an id and a state.
fn is_mere_name(json: &str) -> bool {
    Rest::parse(json).is_ok_and(|members| members.0.iter().all(|(key, _)| matches!(&**key, "id" | "status")))
}

/// The JSON of an extension of a format.
pub fn extension<'a>(extensions: &'a [Extension], format: &str, key: &str) -> Option<&'a str> {
    extensions.iter().find(|extension| extension.format == format && extension.key == key).map(|e| e.json.as_str())
}

/// Whether an event of a stream is a note of its format for itself, like an extension whose value is `null`: other
/// formats lose nothing by it.
pub fn is_note(event: &Opaque) -> bool {
    event.json == "null"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_remain_are_one_extension() {
        let kept = |text: &str| remainder("f", "k", &Rest::parse(text).unwrap()).map(|own| own.json);
        assert_eq!((kept("{}"), kept(r#"{"a":null}"#)), (None, None));
        assert_eq!(kept(r#"{"a":1,"n":null,"b":[ 2 ]}"#).as_deref(), Some(r#"{"a":1,"b":[ 2 ]}"#));
    }

    #[test]
    fn members_that_ask_for_nothing_are_no_loss() {
        let lost = |key: &str, json: &str| {
            let mut losses = Losses::default();
            let (format, key, json) = ("theirs".to_owned(), key.to_owned(), json.to_owned());
            losses.foreign("", &[Extension { format, key, json }], "ours");
            !losses.into_losses().is_empty()
        };
        let own = r#"{"id":"msg_1","status":"completed"}"#;
        let hint = (BREAKPOINT, r#"{"mode":"explicit"}"#);
        let nothing = [
            hint,
            ("echo", "false"),
            ("best_of", "1"),
            ("logit_bias", "{}"),
            ("a", "null"),
            ("annotations", "[]"),
            ("safetySettings", "[ ]"),
            ("store", "false"),
            ("caller", r#"{"type":"direct"}"#),
        ];
        for (key, json) in nothing.into_iter().chain([(ITEM, own), (ITEM, "{}")]) {
            assert!(!lost(key, json), "{key}: {json}");
        }
        let something =
            [("a", "false"), ("annotations", "[{}]"), ("store", "true"), ("store", "{}"), ("plugins", "[]")];
        let called = ("caller", r#"{"type":"code_execution_20250825","tool_id":"srvtoolu_1"}"#);
        for (key, json) in something.into_iter().chain([(ITEM, r#"{"phase":1}"#), called]) {
            assert!(lost(key, json), "{key}: {json}");
        }
        let of_items = |key: &str| {
            let mut losses = Losses::default();
            let (format, key, json) = (ITEMS.to_owned(), key.to_owned(), "\"x\"".to_owned());
            losses.foreign("", &[Extension { format, key, json }], "ours");
            !losses.into_losses().is_empty()
        };
        assert!(!of_items("id") && !of_items("status") && of_items("phase"));
        assert!(lost("id", "\"x\""), "other formats' ids may mean something");
    }

    #[test]
    fn values_that_come_with_every_frame_are_reported_once() {
        let (mut once, mut losses) = (Once::default(), Losses::default());
        for field in ["a", "b", "a"] {
            once.dropped(field, "", &mut losses);
        }
        (0..2 * ONCE_LIMIT).for_each(|n| once.dropped(&n.to_string(), "", &mut losses));
        assert_eq!(losses.into_losses().len(), ONCE_LIMIT);
    }
}
