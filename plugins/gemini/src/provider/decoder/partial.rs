//! A call whose arguments arrive in pieces, each with the path of its value: `$.place.names[0]`.

use weir_sdk::adapter::Result;
use weir_sdk::json::{Rest, Str, array, object, quote};
use weir_sdk::types::{Error, Extension, ToolCall};

use crate::read::{Ids, NO_ID};
use crate::signature;
use crate::wire::{FunctionCall, PartialArg, extensions, note};

/// Most elements of an array, and most members of an object.
const ELEMENTS: usize = 4096;
/// Most steps of a path.
const STEPS: usize = 64;

impl FunctionCall<'_> {
    /// Whether more pieces follow, or this is one.
    pub(super) fn is_partial(&self) -> bool {
        self.will_continue == Some(true) || self.partial_args.as_ref().is_some_and(|args| !args.is_empty())
    }
}

/// The call so far.
#[derive(Debug, Default)]
pub(super) struct Partial {
    id: Option<String>,
    name: String,
    signature: Option<String>,
    /// Arguments that arrived whole.
    whole: Option<String>,
    arguments: Node,
    /// The pieces as they came, for an encoder of this family.
    pieces: Vec<Piece>,
    /// Members that only this format has; of one name, the first.
    members: Vec<Extension>,
}

/// A piece of the arguments.
#[derive(Debug)]
pub(super) struct Piece {
    /// The path as it came.
    pub(super) path: String,
    /// What it brings of the arguments: JSON, perhaps not closed yet.
    pub(super) json: String,
    pub(super) continues: bool,
}

impl Piece {
    fn of(piece: &PartialArg<'_>) -> Self {
        let mut json = String::new();
        match (piece.string.as_deref(), piece.number, piece.bool) {
            (Some(text), ..) => quote(&mut json, text),
            (_, Some(number), _) => json.push_str(number.get()),
            (_, _, Some(flag)) => json.push_str(if flag { "true" } else { "false" }),
            _ => json.push_str("null"),
        }
        let path = piece.path.as_deref().unwrap_or_default().to_owned();
        Self { path, json, continues: piece.continues == Some(true) }
    }
}

impl Partial {
    /// Adds a piece; `rest` are the members beside it.
    pub(super) fn add(&mut self, call: FunctionCall<'_>, signature: Option<String>, rest: Rest<'_>) -> Result<()> {
        self.id = call.id.map(Str::into_string).or(self.id.take());
        self.name.push_str(call.name.as_deref().unwrap_or_default());
        self.signature = signature.filter(|value| !value.is_empty()).or(self.signature.take());
        self.whole = call.args.map(|raw| raw.get().to_owned()).or(self.whole.take());
        for piece in call.partial_args.unwrap_or_default() {
            let path = steps(piece.path.as_deref().unwrap_or_default());
            self.arguments.set(&path, &piece)?;
            self.pieces.push(Piece::of(&piece));
        }
        for member in extensions("", rest).into_iter().chain(extensions("functionCall.", call.rest)) {
            if !self.members.iter().any(|known| known.key == member.key) {
                self.members.push(member);
            }
        }
        Ok(())
    }

    /// The whole call, and the pieces of its arguments.
    pub(super) fn finished(self, ids: &mut Ids) -> (ToolCall, Vec<Piece>) {
        let (id, given) = ids.next(self.id.map(|id| Str(id.into())));
        let mut arguments = String::new();
        match (&self.arguments, self.whole) {
            (Node::Empty, whole) => arguments = whole.unwrap_or_else(|| "{}".to_owned()),
            (node, _) => node.write(&mut arguments),
        }
        let mut call = ToolCall::new(id, self.name, arguments);
        call.signature = self.signature.map(|value| signature::unwrap(&value).signature);
        call.extensions = self.members;
        call.extensions.extend((!given).then(|| note(NO_ID)));
        (call, self.pieces)
    }
}

/// A step of a path.
#[derive(Debug, PartialEq)]
enum Step {
    Member(String),
    Element(usize),
}

/// The steps of `$.a['b c'][0]`.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    while !rest.is_empty() && steps.len() < STEPS {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = bracket(inner);
            steps.push(step);
            rest = after;
        } else {
            let named = rest.strip_prefix('.').unwrap_or(rest);
            let end = named.find(['.', '[']).unwrap_or(named.len());
            let (name, after) = named.split_at(end);
            steps.push(Step::Member(name.to_owned()));
            rest = if after.len() == rest.len() { "" } else { after };
        }
    }
    steps
}

fn bracket(inner: &str) -> (Step, &str) {
    for mark in ['\'', '"'] {
        if let Some((name, after)) = inner.strip_prefix(mark).and_then(|inner| inner.split_once(mark)) {
            return (Step::Member(name.to_owned()), after.strip_prefix(']').unwrap_or(after));
        }
    }
    let (number, after) = inner.split_once(']').unwrap_or((inner, ""));
    (number.parse().map_or_else(|_| Step::Member(number.to_owned()), Step::Element), after)
}

/// A value that is being assembled.
#[derive(Debug, Default)]
enum Node {
    #[default]
    Empty,
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    Json(String),
}

impl Node {
    fn set(&mut self, path: &[Step], piece: &PartialArg<'_>) -> Result<()> {
        match path.split_first() {
            None => self.put(piece),
            Some((Step::Member(name), rest)) => self.member(name)?.set(rest, piece)?,
            Some((Step::Element(at), rest)) => self.element(*at)?.set(rest, piece)?,
        }
        Ok(())
    }

    /// Sets a value: texts grow, all others arrive at once.
    fn put(&mut self, piece: &PartialArg<'_>) {
        match (&mut *self, piece.string.as_deref(), piece.number, piece.bool) {
            (Self::Text(known), Some(more), ..) => known.push_str(more),
            (_, Some(text), ..) => *self = Self::Text(text.to_owned()),
            (_, _, Some(number), _) => *self = Self::Json(number.get().to_owned()),
            (_, _, _, Some(flag)) => *self = Self::Json(flag.to_string()),
            (Self::Empty, ..) => *self = Self::Json("null".into()),
            _ => {}
        }
    }

    fn member(&mut self, name: &str) -> Result<&mut Self> {
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(members) = self else { return Err(too_large()) };
        let at = match members.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None if members.len() >= ELEMENTS => return Err(too_large()),
            None => {
                members.push((name.to_owned(), Self::Empty));
                members.len() - 1
            }
        };
        members.get_mut(at).map(|(_, node)| node).ok_or_else(too_large)
    }

    fn element(&mut self, at: usize) -> Result<&mut Self> {
        if !matches!(self, Self::Array(_)) {
            *self = Self::Array(Vec::new());
        }
        let Self::Array(elements) = self else { return Err(too_large()) };
        if at >= ELEMENTS {
            return Err(too_large());
        }
        if elements.len() <= at {
            elements.resize_with(at + 1, Self::default);
        }
        elements.get_mut(at).ok_or_else(too_large)
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Empty => out.push_str("null"),
            Self::Text(text) => quote(out, text),
            Self::Json(json) => out.push_str(json),
            Self::Object(members) => {
                object(out, |o| members.iter().for_each(|(name, node)| node.write(o.value(name))));
            }
            Self::Array(elements) => array(out, |a| elements.iter().for_each(|node| node.write(a.value()))),
        }
    }
}

fn too_large() -> Error {
    Error::unreadable("a call's arguments are too large")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::parse;

    #[test]
    fn c08_pieces_become_the_arguments_that_would_have_come_whole() {
        let mut partial = Partial::default();
        for piece in [
            r#"{"name":"f","willContinue":true}"#,
            r#"{"partialArgs":[{"jsonPath":"$.place","stringValue":"Bos","willContinue":true}],"willContinue":true}"#,
            r#"{"partialArgs":[{"jsonPath":"$.place","stringValue":"ton"}],"willContinue":true}"#,
            r#"{"partialArgs":[{"jsonPath":"$.days[1].n","numberValue":2},{"jsonPath":"$['a b']","boolValue":true}]}"#,
            r#"{"partialArgs":[{"jsonPath":"$.none","nullValue":"NULL_VALUE"}]}"#,
        ] {
            partial.add(parse(piece).unwrap(), None, Rest::default()).unwrap();
        }
        let (call, pieces) = partial.finished(&mut Ids::new("c_".into()));
        assert_eq!(call.arguments, r#"{"place":"Boston","days":[null,{"n":2}],"a b":true,"none":null}"#);
        assert_eq!((call.id.as_str(), call.name.as_str()), ("c_0", "f"));
        let pieces: Vec<_> = pieces.iter().map(|one| (one.path.as_str(), one.json.as_str(), one.continues)).collect();
        assert_eq!(
            pieces[..3],
            [("$.place", "\"Bos\"", true), ("$.place", "\"ton\"", false), ("$.days[1].n", "2", false)]
        );
        assert_eq!(pieces[3..], [("$['a b']", "true", false), ("$.none", "null", false)]);
    }

    #[test]
    fn c05_a_call_without_arguments_has_an_empty_object() {
        let mut partial = Partial::default();
        partial.add(parse(r#"{"name":"f","willContinue":true}"#).unwrap(), None, Rest::default()).unwrap();
        assert_eq!(partial.finished(&mut Ids::new("c_".into())).0.arguments, "{}");
    }
}
