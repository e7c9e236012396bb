//! Whether a request that was understood and written again still holds what the recorded one held. No format is known
//! here, so nothing is said about where a value stands: only that no text and no number is gone.

use serde_json::Value;

use crate::attempt::Answer;
use crate::contract::types::{Body, HttpRequest, Loss};

use super::check::Flaw;
use super::difference::Difference;
use super::exchange::{Exchange, Given};
use super::fold::fold;
use super::replay::Read;

/// The first value that is gone, unless the ledger names it.
pub(super) fn missing<'l>(
    exchange: &Exchange<'_>,
    sent: &HttpRequest,
    losses: &(impl Iterator<Item = &'l Loss> + Clone),
) -> Option<Flaw> {
    let recorded: Value = serde_json::from_str(exchange.fixture.says.request.as_ref()?.body.as_ref()?.get()).ok()?;
    let Body::Text(text) = &sent.body else { return None };
    let body: Value = serde_json::from_str(text).ok()?;
    let mut there = Vec::new();
    collect(&body, &mut String::new(), &mut |_, leaf| there.push(leaf.clone()));
    there.push(Value::from(sent.path.as_str()));
    there.extend(sent.query.iter().map(|pair| Value::from(pair.value.as_str())));
    there.extend(sent.headers.iter().map(|pair| Value::from(pair.value.as_str())));
    let mut gone = None;
    collect(&recorded, &mut String::new(), &mut |at, leaf| {
        let excused = || losses.clone().any(|loss| names(loss, at)) || leaf.as_str() == Some(&exchange.provider.model);
        if gone.is_none() && !there.iter().any(|one| holds(one, leaf)) && !excused() {
            gone = Some(Difference::of(at, leaf.to_string(), "nothing that holds it"));
        }
    });
    let reason = "a value of the recorded request is neither sent nor named as lost";
    gone.map(|difference| Flaw::differs("upstream", reason, difference))
}

/// The first text of a recorded chat answer that is nowhere in what was understood of it.
pub(super) fn unheard(exchange: &Exchange<'_>, read: &Read, losses: &[Loss]) -> Option<Flaw> {
    let mut heard = String::new();
    match read {
        Read::Whole(Answer::Chat(chat), _) => gather(&serde_json::to_value(chat).ok()?, &mut heard),
        Read::Stream(events, _) => {
            gather(&serde_json::to_value(fold(events).response).ok()?, &mut heard);
            gather(&serde_json::to_value(events).ok()?, &mut heard);
        }
        _ => return None,
    }
    // What only echoes the request is no news; an answer that was polled echoes one that is not at hand.
    let asked = exchange.fixture.says.request.as_ref()?.body.as_ref()?;
    let asked = serde_json::from_str(asked.get()).ok().filter(|body: &Value| !body.is_null())?;
    let mut echoes = Vec::new();
    collect(&asked, &mut String::new(), &mut |_, leaf| echoes.extend(leaf.as_str().map(str::trim)));
    let is_stream = matches!(read, Read::Stream(..));
    // A piece of JSON may be understood with its neighbours only.
    let counts =
        |text: &str| is_prose(text, is_stream) && !(is_stream && text.contains(['"', '{', '[', ']', '}', '\\']));
    let look = |step: &str, prefix: &str, json: &str| {
        let value: Value = serde_json::from_str(json).ok()?;
        let mut gone = None;
        collect(&value, &mut prefix.to_owned(), &mut |at, leaf| {
            let Some(text) = leaf.as_str().map(str::trim) else { return };
            let is_told =
                || heard.contains(text) || echoes.contains(&text) || losses.iter().any(|loss| names(loss, at));
            if gone.is_none() && counts(text) && !is_told() {
                gone = Some(Difference::of(at, leaf.to_string(), "nothing that holds it"));
            }
        });
        let reason = "a text of the recorded answer is neither understood nor named as lost";
        gone.map(|difference| Flaw::differs(step, reason, difference))
    };
    match &exchange.given {
        Given::Whole(http) => match &http.body {
            Body::Text(text) => look("answer", "", text),
            Body::Bytes(_) => None,
        },
        Given::Stream(stream) => stream
            .frames
            .iter()
            .enumerate()
            .find_map(|(number, frame)| look("answer", &format!("frame {number}"), &frame.data)),
        _ => None,
    }
}

/// Whether a person or a model wrote it, rather than a machine that makes ids and words of the format.
fn is_prose(text: &str, is_stream: bool) -> bool {
    let is_name = || text.starts_with(|c: char| c.is_uppercase()) && text.chars().skip(1).all(char::is_lowercase);
    // Some streams have filling of random letters.
    text.contains(' ') || !text.is_ascii() || (!is_stream && (text.starts_with('{') || text.len() > 2 && is_name()))
}

/// Every text of a value, and those of texts that are JSON.
fn gather(value: &Value, heard: &mut String) {
    match value {
        Value::Object(members) => members.values().for_each(|member| gather(member, heard)),
        Value::Array(elements) => elements.iter().for_each(|element| gather(element, heard)),
        Value::String(text) => {
            heard.push_str(text);
            heard.push('\n');
            if let Ok(inner @ (Value::String(_) | Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                gather(&inner, heard);
            }
        }
        _ => {}
    }
}

/// Texts that somebody wrote, and numbers that say something.
fn collect<'v>(value: &'v Value, at: &mut String, each: &mut impl FnMut(&str, &'v Value)) {
    let length = at.len();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                at.push('/');
                at.push_str(name);
                collect(member, at, each);
                at.truncate(length);
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                at.push('/');
                at.push_str(&index.to_string());
                collect(element, at, each);
                at.truncate(length);
            }
        }
        Value::String(text) if text.trim().len() > 1 && !is_word(text) => each(at, value),
        Value::Number(number) if number.as_f64().is_some_and(|number| number > 1.0) => each(at, value),
        _ => {}
    }
}

/// Whether it may be a word of the format, a role or a kind, which is spelled in several ways.
fn is_word(text: &str) -> bool {
    let is_of = |is_letter: fn(&u8) -> bool| text.bytes().all(|b| is_letter(&b) || b.is_ascii_digit() || b == b'_');
    text.len() <= 24 && (is_of(u8::is_ascii_lowercase) || is_of(u8::is_ascii_uppercase))
}

fn holds(there: &Value, leaf: &Value) -> bool {
    match (there, leaf) {
        (Value::String(there), Value::String(leaf)) => {
            there.contains(leaf.trim()) || leaf.contains(there.trim()) && there.trim().len() * 2 > leaf.len()
        }
        (Value::Number(there), Value::Number(leaf)) => there.as_f64() == leaf.as_f64(),
        (Value::String(there), Value::Number(leaf)) => there.contains(&leaf.to_string()),
        _ => false,
    }
}

/// Whether an entry of the ledger is about this place: one of its words is a member on the way to it.
fn names(loss: &Loss, at: &str) -> bool {
    let words = loss.field.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words.filter(|word| word.parse::<usize>().is_err()).any(|word| at.split('/').any(|segment| segment == word))
}
