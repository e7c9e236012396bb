//! Log probabilities that come after the end of their text: the last event, which has the whole answer, has them.

use weir_sdk::json::{self, RawValue, Rest};

use super::EventEncoder;
use super::item::{list, unlisted};

const LOGPROBS: &str = "logprobs";

impl EventEncoder {
    /// Adds the inside of a list of tokens to the last text of the answer.
    pub(super) fn place_late(&mut self, inside: &str) {
        if inside.is_empty() {
            return;
        }
        let mut done = self.done.iter_mut().rev().filter(|_| !self.is_unsure);
        let found = done.find_map(|(_, item)| Some((with_late(item, inside)?, item)));
        match found {
            Some((whole, item)) => *item = whole,
            None => self.lose_logprobs(inside),
        }
    }
}

/// A message with more tokens at its last text; `None` if the item is no message, or has no text.
fn with_late(item: &str, inside: &str) -> Option<String> {
    let message = Rest::parse(item).ok().filter(|item| is(item, "message"))?;
    let contents = json::list(message.get("content")?)?;
    let text = |raw: &&RawValue| Rest::parse(raw.get()).is_ok_and(|content| is(&content, "output_text"));
    let last = contents.iter().rposition(text)?;
    let mut out = String::with_capacity(item.len() + inside.len());
    json::object(&mut out, |o| {
        for (key, value) in &message.0 {
            if &**key != "content" {
                o.raw(key, value.get());
                continue;
            }
            o.array(key, |a| {
                for (at, content) in contents.iter().enumerate() {
                    a.raw(&if at == last { extended(content, inside) } else { content.get().to_owned() });
                }
            });
        }
    });
    Some(out)
}

/// A text with more tokens.
fn extended(text: &RawValue, inside: &str) -> String {
    let mut members = Rest::parse(text.get()).unwrap_or_default();
    let before = members.value(LOGPROBS).map(|own| unlisted(own.get().to_owned())).filter(|own| !own.is_empty());
    let all: Vec<&str> = before.as_deref().into_iter().chain([inside]).collect();
    let mut out = String::with_capacity(text.get().len() + inside.len());
    json::object(&mut out, |o| {
        members.0.iter().for_each(|(key, value)| o.raw(key, value.get()));
        o.raw(LOGPROBS, &list(&all.join(",")));
    });
    out
}

fn is(object: &Rest<'_>, kind: &str) -> bool {
    object.get("type").and_then(json::text).is_some_and(|word| &*word == kind)
}
