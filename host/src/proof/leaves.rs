//! Whether a request that was understood and written again still holds what the recorded one held. No format is known
//! here, so nothing is said about where a value stands: only that no text and no number is gone.

use serde_json::Value;

use crate::contract::types::{Body, HttpRequest, Loss};

use super::check::Flaw;
use super::difference::Difference;
use super::exchange::Exchange;

/// The first value that is gone, unless the ledger names it.
pub(super) fn missing<'l>(
    exchange: &Exchange<'_>,
    sent: &HttpRequest,
    losses: impl Iterator<Item = &'l Loss> + Clone,
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
    text.len() <= 24 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
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
