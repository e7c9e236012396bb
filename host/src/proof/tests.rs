//! What is a flaw in a stream's story, and how events add up.

use serde_json::{Value, json};

use super::fold::{fold, joined};
use super::neutral::{read, write};
use super::story::flaw;
use crate::contract::types::ChatEvent;

fn events(value: &Value) -> Vec<ChatEvent> {
    read(value).unwrap()
}

fn call(arguments: &[&str]) -> Vec<Value> {
    let start = json!({"part_start": {"part": 1, "kind": {"tool_call": {"id": "c", "name": "f", "kind": "function"}}}});
    let mut all = vec![json!({"start": {"id": "a"}}), start];
    all.extend(arguments.iter().map(|text| json!({"delta": {"part": 1, "text": text}})));
    all.push(json!({"part_stop": {"part": 1}}));
    all.push(json!({"finish": {"finish": {"reason": "tool_calls"}}}));
    all
}

#[test]
fn pieces_add_up_to_the_answer() {
    let events = events(&Value::Array(call(&["{\"a\":", "1}"])));
    assert_eq!(flaw(&events, false), None);
    let folded = write(&fold(&events).response);
    assert_eq!(folded["candidates"][0]["parts"][0]["tool_call"]["arguments"], json!({"a": 1}));
    assert_eq!(joined(&events).len(), events.len() - 1, "neighbouring pieces are one");
}

#[test]
fn a_story_that_needs_mending_is_told_with_the_event() {
    let flawed = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut all = call(&["{}"]);
        change(&mut all);
        flaw(&events(&Value::Array(all)), false).map(|(number, what)| format!("{number}: {what}"))
    };
    let told = |change: &dyn Fn(&mut Vec<Value>)| flawed(change).unwrap_or_default();
    assert_eq!(flawed(&|_| ()), None);
    assert_eq!(told(&|all| all.truncate(4)), "4: the stream ends without a finish");
    assert_eq!(told(&|all| drop(all.remove(1))), "1: text comes for part 1, which has not begun");
    assert_eq!(told(&|all| all.insert(4, all[2].clone())), "4: text comes for part 1, which has stopped");
    assert_eq!(told(&|all| all.insert(2, all[1].clone())), "2: part 1 begins a second time");
    assert_eq!(told(&|all| all.push(all[4].clone())), "5: candidate 0 finishes a second time");
    assert_eq!(told(&|all| all.push(all[1].clone())), "5: part 1 begins after the finish");
    let broken = told(&|all| all[2] = json!({"delta": {"part": 1, "text": "{\"a"}}));
    assert!(broken.starts_with("5: the arguments of the call of `f` are no JSON"), "{broken}");
    assert_eq!(flawed(&|all| drop(all.remove(3))), None, "a part that is left open is the host's to stop");
}
