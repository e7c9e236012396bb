//! A log whose reader stalls costs lines, but delays no request.

use weir_tests::client::Request;
use weir_tests::{Answer, Client, Folder, Program, Upstream, program, soon};

use crate::wire_format::OPENAI;

fn config(upstream: &Upstream) -> String {
    // A small log buffer, which is full at once.
    format!("log_level = \"debug\"\nlog_buffer = \"32KiB\"\n{}", crate::wire_format::config(upstream))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_reader_of_the_log_holds_nothing_up() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    let cache = weir_tests::plugins::target().join("test-cache");
    let program = Program::start(&folder, &cache, &config(&upstream));
    let address = program.address();
    program.pause();
    let mut client = Client::connect(address).await;
    for n in 0..1500 {
        // Some are served and some refused: each has its lines.
        let request = if n % 2 == 0 { OPENAI.request("openai-t", false) } else { Request::get("/nowhere") };
        client.send(&request).await;
        let status = soon("an answer", client.reply()).await.status();
        assert_eq!(status, if n % 2 == 0 { 200 } else { 404 }, "request {n}");
    }
    let metrics = program::ask(address, &Request::get("/metrics")).await.text();
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("weir_log_dropped_total "));
    assert!(dropped.is_some_and(|count| count != "0"), "{metrics}");
    program.go_on();
    let line = program.until("lines were dropped");
    let summary: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(summary["lines"].as_u64().is_some_and(|lines| lines > 0), "{line}");
    // And every line is whole, after the command line's output about the configuration.
    for line in program.log().lines().skip_while(|line| !line.starts_with('{')) {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_lines_come_out_before_the_process_ends() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    let cache = weir_tests::plugins::target().join("test-cache");
    let program = Program::start(&folder, &cache, &config(&upstream));
    program.address();
    // A failed start reports its error after all lines logged before it.
    let mistaken = config(&upstream).replace("timeouts =", "options = { organisation = \"o\" }\ntimeouts =");
    let other = Folder::with(&["openai", "anthropic", "zeta"]);
    let failed = Program::start(&other, &cache, &mistaken);
    assert!(failed.until("has no option").contains("`organization`"), "it says what was meant");
    assert!(failed.log().lines().any(|line| line.starts_with('{') && line.contains("adapter")), "{}", failed.log());
    // And a process that is stopped logs that it did.
    assert!(std::process::Command::new("kill").arg(program.id().to_string()).status().unwrap().success());
    program.until("\"stopped\"");
}
