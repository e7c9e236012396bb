//! What a fixture expects, against what came; and what it could expect from now on.

use serde_json::{Map, Value, json};

use crate::contract::types::{ChatEvent, ErrorKind};

use super::check::{Flaw, views};
use super::difference::first;
use super::exchange::Exchange;
use super::fold::joined;
use super::neutral::{read, write};
use super::replay::{Came, answer_value, http_value, request_value};

/// A kind of error as fixtures name it.
pub(super) fn kind_name(kind: ErrorKind) -> String {
    write(&kind).as_str().unwrap_or_default().to_owned()
}

/// The first expectation that is not met.
pub(super) fn compare(exchange: &Exchange<'_>, came: &Came) -> Option<Flaw> {
    let says = &exchange.fixture.says;
    if let Some(kind) = &says.kind {
        let wanted = json!({"kind": kind.replace('-', "_")});
        if let Some(flaw) = error(&wanted, came) {
            return Some(flaw);
        }
    }
    let expect = says.expect.as_ref()?;
    let steps = steps(came);
    let got = |name: &str| steps.iter().find(|(step, _)| *step == name).map(|(_, value)| value);
    let differs = |step: &str, expected: &Value, got: Option<&Value>| {
        let nothing = Value::from("(nothing came)");
        let difference = first(expected, got.unwrap_or(&nothing))?;
        let reason = "it is not what is expected";
        Some(Flaw { is_of_expectation: true, ..Flaw::differs(step, reason, difference) })
    };
    // What stands in for the other side is not compared: there is nothing to compare it with.
    let request = exchange.request.as_ref().filter(|_| came.request.is_some()).map(request_value);
    let answer = exchange.answer.as_ref().filter(|_| came.answer.is_some()).map(answer_value);
    request
        .and_then(|expected| differs("request", &expected, got("request")))
        .or_else(|| expect.upstream.as_ref().and_then(|expected| differs("upstream", expected, got("upstream"))))
        .or_else(|| answer.and_then(|expected| differs("answer", &expected, got("answer"))))
        .or_else(|| expect.error.as_ref().and_then(|expected| error(expected, came)))
        .or_else(|| expect.events.as_ref().and_then(|expected| differs("events", &canonical(expected), got("events"))))
        .or_else(|| expect.follow_up.as_ref().and_then(|expected| differs("follow_up", expected, got("follow_up"))))
        .or_else(|| expect.client.as_ref().and_then(|expected| differs("client", expected, got("client"))))
        .or_else(|| expect.losses.as_ref().and_then(|expected| differs("losses", expected, got("losses"))))
}

fn steps(came: &Came) -> Vec<(&'static str, Value)> {
    came.steps().into_iter().filter(|(step, _)| *step != "memo").collect()
}

/// Of an error only the members that are named are compared.
fn error(expected: &Value, came: &Came) -> Option<Flaw> {
    let views = views(came);
    let got = views.iter().find(|(step, _)| *step == "error").map(|(_, value)| value);
    let Some(got) = got else {
        return Some(Flaw {
            is_of_expectation: true,
            ..Flaw::plain("error", "an error is expected, and there is none")
        });
    };
    let named: Map<String, Value> = expected.as_object().cloned().unwrap_or_default();
    let told = named.keys().filter_map(|name| Some((name.clone(), got.get(name)?.clone()))).collect();
    let difference = first(&Value::Object(named), &Value::Object(told))?;
    Some(Flaw { is_of_expectation: true, ..Flaw::differs("error", "it is not what is expected", difference) })
}

fn canonical(events: &Value) -> Value {
    read::<Vec<ChatEvent>>(events).map_or_else(|_| events.clone(), |events| write(&joined(&events)))
}

/// What could be expected from now on: what came, and of what was expected that for which the adapter has no side.
pub(super) fn now(exchange: &Exchange<'_>, came: &Came) -> Value {
    let says = exchange.fixture.says.expect.clone().unwrap_or_default();
    let mut expect = Map::new();
    let mut put = |name: &str, value: Option<Value>| value.map(|value| expect.insert(name.to_owned(), value));
    let request = came.request.iter().flatten().map(|understood| request_value(&understood.request)).next();
    put("request", request.or(says.request));
    put("upstream", came.upstream.iter().flatten().map(|rendered| http_value(&rendered.request)).next());
    let steps = steps(came);
    let came_to = |name: &str| steps.iter().find(|(step, _)| *step == name).map(|(_, value)| value.clone());
    put("answer", came_to("answer").or(says.answer.filter(|_| came.answer.is_none())));
    put("error", came_to("error"));
    put("follow_up", came_to("follow_up"));
    put("client", came.client.as_ref().filter(|client| client.is_ok()).and_then(|_| came_to("client")));
    put("events", says.events.and_then(|_| came_to("events")));
    put("losses", says.losses.and_then(|_| came_to("losses")));
    Value::Object(expect)
}
