//! Lines of the log that go to sinks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_tests::{Answer, Folder, Program, Upstream};

use super::sink;
use crate::retries::{QUICK, provider};
use crate::wire_format::OPENAI;

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_gets_lines_of_the_log_but_none_about_its_own_failures() {
    let upstream = Upstream::always(Answer::json(503, "{}")).await;
    let is_away = Arc::new(AtomicBool::new(true));
    let away = Arc::clone(&is_away);
    let script = move |_: &_| Answer::json(if away.load(Ordering::Relaxed) { 503 } else { 204 }, "");
    let mut hook = Upstream::scripted(script).await;
    let settings = sink("webhook", &hook.url(), "requests = false\nlog = \"warn\"\nattempts = 2");
    let folder = Folder::with(&["openai"]);
    let cache = weir_tests::plugins::target().join("test-cache");
    let program = Program::start(&folder, &cache, &(provider(&upstream, OPENAI, "first", QUICK) + &settings));
    let address = program.address();
    let ask = async || weir_tests::program::ask(address, &OPENAI.request("first", false)).await;
    assert_eq!(ask().await.status(), 503);
    program.until("events for a sink are given up");
    is_away.store(false, Ordering::Relaxed);
    let mut messages: Vec<String> = Vec::new();
    // What the sink logged about its failures would come with the lines of the next request.
    let last = ask().await.header("x-request-id").unwrap().to_owned();
    loop {
        let received = hook.request().await.json();
        for event in received["events"].as_array().unwrap() {
            let line = &event["log"];
            assert!(event["model_asked"].is_null() && line["timestamp"].is_string(), "{event}");
            assert!(line["target"].as_str().unwrap().starts_with("weir"), "{event}");
            messages.push(line["message"].as_str().unwrap().to_owned());
        }
        if received["events"].as_array().unwrap().iter().any(|event| event["log"]["request_id"] == *last) {
            break;
        }
    }
    assert!(messages.iter().all(|message| !message.contains("sink")), "{messages:?}");
    assert!(program.log().contains("a sink did not take a batch"));
}
