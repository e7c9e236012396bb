//! What is pushed to a registry and asked of it, request by request, at a registry in memory that lists what refers to what.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use weir_tests::plugins::zeta_build;
use weir_tests::{Gateway, soon};

use super::shelf::Shelf;
use crate::commands::{Desk, is_in};
use crate::wire_format::{TEXT, ZETA, config, provider};

/// Runs a test's commands, which block.
async fn at_desk<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

/// Asks a gateway over and over until the test says otherwise; counts the answers of each build, and expects each to be well.
async fn ask_on(gateway: Arc<Gateway>, over: Arc<AtomicBool>, by_build: Arc<[AtomicUsize; 2]>) {
    let mut stream = false;
    while !over.load(Ordering::Relaxed) {
        let reply = gateway.ask(&ZETA.request("zeta-t", stream)).await;
        assert_eq!((reply.status(), &*ZETA.parsed(&reply, stream).text), (200, TEXT), "{}", reply.text());
        let build = usize::from(reply.text().contains("zeta-build-0002"));
        by_build[build].fetch_add(1, Ordering::Relaxed);
        stream = !stream;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_installed_under_load_gets_the_share_that_the_configuration_says() {
    let (shelf, upstream) = (Shelf::open().await, provider(ZETA).await);
    let trial = "[plugins.zeta]\ncanary = { share = 0.5, requests = 100000 }\n";
    let gateway = Arc::new(Gateway::open(&(config(&upstream) + trial)).await);
    let (over, by_build) = (Arc::<AtomicBool>::default(), Arc::<[AtomicUsize; 2]>::default());
    let load = || tokio::spawn(ask_on(Arc::clone(&gateway), Arc::clone(&over), Arc::clone(&by_build)));
    let load = [load(), load()];
    let (place, folder) = (shelf.at("zeta:2.0"), gateway.folder.path().display().to_string());
    at_desk(move || {
        let desk = Desk::with(&zeta_build(2), "");
        desk.types(&format!("push zeta.wasm {place}"), 0);
        is_in("fixtures passed", &desk.types(&format!("install {place} --unsigned --dir {folder}"), 0));
    })
    .await;
    gateway.until_adapter("zeta", |all| all.iter().any(|one| one["canary"]["share"] == 0.5)).await;
    let both = async {
        let before: Vec<usize> = by_build.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        while by_build.iter().zip(&before).any(|(count, before)| count.load(Ordering::Relaxed) < before + 5) {
            tokio::task::yield_now().await;
        }
    };
    soon("answers of both versions", both).await;
    let zeta = gateway.adapter("zeta").await.remove(0);
    is_in("zeta-build-0001", &zeta["version"].to_string());
    is_in("zeta-build-0002", &zeta["canary"]["version"].to_string());
    assert_eq!(zeta["canary"]["failed"], 0, "{zeta}");
    over.store(true, Ordering::Relaxed);
    for asking in load {
        soon("the load to end", asking).await.unwrap();
    }
}
