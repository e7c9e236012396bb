//! Adapters are replaced under traffic without any effect on requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use weir_tests::plugins::zeta_build;
use weir_tests::{Answer, Folder, Gate, Gateway, Upstream};

use crate::wire_format::{OPENAI, TEXT, ZETA, config, provider};

fn build(number: u32) -> String {
    format!("zeta-build-{number:04}")
}

async fn until_build(gateway: &Gateway, number: u32) {
    let build = build(number);
    gateway.until_adapter("zeta", |all| all.iter().any(|one| one["version"].to_string().contains(&build))).await;
}

/// The version of zeta that writes the requests of another format.
pub(crate) async fn written_by(gateway: &Gateway) -> String {
    gateway.ask(&ZETA.request("zeta-t", false)).await.json()["scribe"].to_string()
}

/// Sends requests on one connection, in both lanes, until it is stopped; counts them.
async fn load(gateway: Arc<Gateway>, stop: Arc<AtomicBool>, done: Arc<AtomicU32>) {
    let mut client = gateway.connect().await;
    let requests = [
        (ZETA, "zeta-t", false),
        (OPENAI, "zeta", false),
        (ZETA, "zeta-t", true),
        (OPENAI, "zeta", true),
        (ZETA, "zeta", false),
    ];
    while !stop.load(Ordering::Relaxed) {
        for (from, model, stream) in requests {
            client.send(&from.request(model, stream)).await;
            let reply = client.reply().await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            let parsed = from.parsed(&reply, stream);
            assert_eq!((parsed.text.as_str(), parsed.complete, reply.cut), (TEXT, stream, false), "{}", reply.text());
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Builds that take turns: more than are kept, so that each is loaded from its file.
const BUILDS: usize = 6;

/// The number of swaps: if this runs alone, `WEIR_SWAPS` sets it (`cargo xtask swaps`), and memory is measured too.
fn swaps() -> (usize, bool) {
    match std::env::var("WEIR_SWAPS") {
        Ok(count) => (count.parse().expect("WEIR_SWAPS is a number"), true),
        Err(_) => (200, false),
    }
}

/// The process's resident memory, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_under_load_fail_no_request_and_hold_on_to_no_memory() {
    let mut upstream = provider(ZETA).await;
    let gateway = Arc::new(Gateway::with(Folder::with(&["openai", "anthropic", "zeta"]), &config(&upstream)).await);
    let builds: Vec<Vec<u8>> = (1..=BUILDS as u32).map(zeta_build).collect();
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let clients: Vec<_> =
        (0..3).map(|_| tokio::spawn(load(Arc::clone(&gateway), Arc::clone(&stop), Arc::clone(&done)))).collect();
    let ((count, is_alone), begun) = (swaps(), Instant::now());
    let mut held = Vec::new();
    for swap in 1..=count {
        let number = swap % BUILDS + 1;
        gateway.folder.put("zeta", &builds[number - 1]);
        until_build(&gateway, number as u32).await;
        assert!(written_by(&gateway).await.contains(&build(number as u32)), "new requests meet the new one at once");
        // The upstream's requests are not the gateway's memory.
        while upstream.unseen().is_some() {}
        if swap % (count / 10) == 0 {
            held.push(resident());
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let (answered, before, after) = (done.load(Ordering::Relaxed), held[0], resident());
    println!("{count} swaps in {:?}, {answered} requests; KiB held: {held:?}, {after} in the end", begun.elapsed());
    assert!(answered > count as u32, "there was load: {answered}");
    assert!(!is_alone || after < before + (32 << 10), "memory grows: from {before} KiB to {after} KiB");
    gateway.until_metric("weir_in_flight", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_on_the_version_that_it_began_with() {
    let gate = Gate::default();
    let pieces = OPENAI.stream();
    let answer =
        pieces[1..].iter().fold(OPENAI.begin().piece(&pieces[0]).piece(&pieces[1]).gate(&gate), Answer::piece).end();
    let upstream = Upstream::always(answer).await;
    let gateway = Gateway::with(Folder::with(&["openai", "zeta"]), &one(&upstream)).await;
    let mut client = gateway.connect().await;
    client.send(&ZETA.request("openai", true)).await;
    client.head().await;
    let begun = client.until("Gr").await;
    assert!(String::from_utf8_lossy(&begun).contains(&build(1)));
    gateway.folder.put("zeta", &zeta_build(2));
    until_build(&gateway, 2).await;
    gate.open();
    let (rest, cut) = client.rest().await;
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(rest.contains("\"k\":\"bye\"") && !cut, "{rest}");
    gate.open();
    let next = gateway.ask(&ZETA.request("openai", true)).await;
    assert!(next.text().contains(&build(2)), "{}", next.text());
}

/// One provider, without the other adapters.
fn one(upstream: &Upstream) -> String {
    ["openai", "zeta"]
        .map(|name| {
            format!(
                "[[models]]\nalias = \"{name}\"\ntype = \"{name}\"\n\
                 target = {{ url = \"{0}\", api_key = \"k\", model = \"m\" }}\n\
                 [[models]]\nalias = \"{name}-t\"\ntype = \"{name}\"\ntranslate = true\n\
                 target = {{ url = \"{0}\", api_key = \"k\", model = \"m\" }}\n",
                upstream.url()
            )
        })
        .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_serve_leaves_the_last_good_one_in_place() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::with(Folder::with(&["zeta"]), &one(&upstream)).await;
    let good = zeta_build(1);
    for broken in [&good[..good.len() / 2], b"nonsense", b""] {
        gateway.folder.put("zeta", broken);
        gateway.until_adapter("zeta", |all| all.iter().any(|one| one["status"] == "refused")).await;
        assert!(written_by(&gateway).await.contains(&build(1)));
    }
    gateway.folder.put("zeta", &zeta_build(3));
    until_build(&gateway, 3).await;
    gateway.until_adapter("zeta", |all| all.iter().all(|one| one["status"] == "serving")).await;
    assert!(written_by(&gateway).await.contains(&build(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_is_taken_away_serves_for_a_while_and_then_no_more() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::with(Folder::with(&["zeta"]), &one(&upstream)).await;
    gateway.folder.remove("zeta");
    assert!(written_by(&gateway).await.contains(&build(1)), "taking away may be the first half of replacing");
    gateway.folder.put("zeta", &zeta_build(4));
    until_build(&gateway, 4).await;
    gateway.folder.remove("zeta");
    gateway.until_adapter("zeta", <[_]>::is_empty).await;
    assert_eq!(gateway.ask(&ZETA.request("zeta-t", false)).await.status(), 404, "no adapter has the format any more");
    gateway.folder.put("zeta", &zeta_build(5));
    until_build(&gateway, 5).await;
    assert!(written_by(&gateway).await.contains(&build(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_comes_later_is_served_from_then_on() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::with(Folder::with(&["openai"]), &one(&upstream)).await;
    assert_eq!(gateway.ask(&OPENAI.request("zeta", false)).await.status(), 503);
    gateway.folder.put("zeta", &zeta_build(1));
    until_build(&gateway, 1).await;
    let reply = gateway.ask(&OPENAI.request("zeta", false)).await;
    assert_eq!(OPENAI.parsed(&reply, false).text, TEXT, "{}", reply.text());
}
