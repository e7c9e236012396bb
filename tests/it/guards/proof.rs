//! A guard passes the gate with its fixtures as an adapter does: what it judges otherwise than they expect keeps it
//! out.

use std::fs;

use serde_json::{Value, json};
use weir_fixtures::proof::{self, Bounds, Depth};
use weir_tests::plugins::component;
use weir_tests::{Folder, Gateway};

use super::{asks, guard, secret, upstream};
use crate::proof::load;

/// The guards that come with Weir, each with options that let `Hi` pass.
const BUNDLED: [(&str, &str); 4] = [
    ("secrets", "{}"),
    ("pii", "{}"),
    ("prompt-shape", "{}"),
    ("regex", "{ patterns = [{ name = \"number\", pattern = \"[0-9]{9}\" }] }"),
];

/// A folder with OpenAI's adapter and a guard with one fixture.
fn folder(name: &str, fixture: Option<&Value>) -> Folder {
    let folder = Folder::with(&["openai", name]);
    if let Some(fixture) = fixture {
        let place = folder.path().join(format!("{name}.fixtures"));
        fs::create_dir(&place).unwrap();
        fs::write(place.join("one.json"), fixture.to_string()).unwrap();
    }
    folder
}

/// Whether a guard serves that has to be proved with this fixture.
async fn serves(name: &str, options: &str, fixture: Option<&Value>) -> bool {
    let upstream = upstream().await;
    let config = format!(
        "[[models]]\nalias = \"openai\"\ntype = \"openai\"\ntarget = {{ url = \"{}\", model = \"m\" }}\n\
         [plugins.{name}]\nrequire_fixtures = true\n{}",
        upstream.url(),
        guard(name, &format!("options = {options}"))
    );
    let gateway = Gateway::with(folder(name, fixture), &config).await;
    let reply = gateway.ask(&asks("openai", "Hi")).await;
    let verdict = reply.header("x-weir-guards").unwrap_or_default();
    assert!(verdict == format!("{name}=allow") || verdict == format!("{name}=failed"), "{verdict}: {}", reply.text());
    verdict.ends_with("allow")
}

fn chat(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "parts": [{"text": {"text": text}}]}]})
}

fn events(pieces: &[&str]) -> Value {
    let delta = |piece: &&str| json!({"delta": {"part": 0, "text": piece}});
    let start = json!({"part_start": {"part": 0, "kind": "text"}});
    Value::Array(
        [start].into_iter().chain(pieces.iter().map(delta)).chain([json!({"part_stop": {"part": 0}})]).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_serves_that_judges_as_its_fixtures_expect_and_no_other() {
    let fixture = |request: Value, answer: Value| {
        json!({"options": {"action": "mask"},
            "guard": {"request": chat(&secret()), "events": events(&["a key ", &secret()[..5], &secret()[5..], "."])},
            "expect": {"guard": {"request": request, "answer": answer}}})
    };
    let found = json!({"aws-access-key": "1"});
    let request = json!({"verdict": "replace", "request": chat("[aws-access-key]"), "annotations": found});
    let answer = json!({"verdict": "allow", "texts": {"0.0": "a key [aws-access-key]."}, "annotations": found});
    assert!(serves("secrets", "{}", Some(&fixture(request.clone(), answer.clone()))).await);
    let denied = json!({"verdict": "deny", "annotations": found});
    assert!(!serves("secrets", "{}", Some(&fixture(denied.clone(), answer))).await);
    assert!(!serves("secrets", "{}", Some(&fixture(request, denied))).await);
    let silent = json!({"guard": {"request": chat("Hi")}});
    assert!(!serves("secrets", "{}", Some(&silent)).await, "a fixture that expects nothing proves nothing");
    assert!(!serves("sentry", "{}", None).await, "fixtures are required");
}

#[test]
fn every_bundled_guard_passes_the_fixtures_that_its_component_brings() {
    for (name, _) in BUNDLED {
        let file = component(name);
        let bytes = fs::read(&file).unwrap();
        let fixtures = proof::beside(&file, || Ok(bytes.clone()), Bounds::COMMAND).unwrap();
        assert!(fixtures.len() >= 10 && fixtures.iter().all(proof::Fixture::expects), "{name}: {}", fixtures.len());
        let report = proof::prove_to(&load(&file, &bytes), &fixtures, Depth::COMMAND);
        assert_eq!((report.first_failure(), report.passed), (None, fixtures.len()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundled_guard_proves_itself_when_it_is_loaded() {
    for (name, options) in BUNDLED {
        assert!(serves(name, options, None).await, "{name} brings its fixtures");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_a_split_leads_astray_does_not_serve() {
    // What is longer than the guard remembers is found in one piece only.
    for (words, serving) in [(30, true), (100, false)] {
        let pattern = format!("(x ){{{words}}}");
        let patterns = format!("[{{ name = \"long\", pattern = \"{pattern}\" }}]");
        let fixture = json!({"options": {"patterns": [{"name": "long", "pattern": pattern}]},
            "guard": {"events": events(&[&"x ".repeat(words)])},
            "expect": {"guard": {"answer": {"verdict": "deny", "annotations": {"long": "1"}}}}});
        let options = format!("{{ patterns = {patterns} }}");
        assert_eq!(serves("regex", &options, Some(&fixture)).await, serving, "{words}");
    }
}
