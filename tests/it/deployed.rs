//! What platforms do to a running Weir: they swap mounted files, ask it to end, and give it a network of their own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_tests::plugins::target;
use weir_tests::{Answer, Folder, Gateway, Program, Upstream, program};

use crate::wire_format::{OPENAI, config_of, provider};

/// Puts files into a folder as Kubernetes mounts a `ConfigMap` or a Secret: each is a link through `..data`, which
/// alone is swapped.
fn mount(folder: &Path, version: &str, files: &[(&str, &str)]) {
    let inner = folder.join(version);
    fs::create_dir(&inner).unwrap();
    for (name, text) in files {
        fs::write(inner.join(name), text).unwrap();
        if fs::symlink_metadata(folder.join(name)).is_err() {
            symlink(format!("..data/{name}"), folder.join(name)).unwrap();
        }
    }
    symlink(version, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

fn with_model(upstream: &Upstream, alias: &str) -> String {
    let model = format!("[[models]]\nalias = \"{alias}\"\ntarget = {{ provider = \"openai\", model = \"m\" }}\n");
    config_of(&[OPENAI], upstream) + &model
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_kubernetes_swaps_is_reloaded() {
    let upstream = provider(OPENAI).await;
    let folder = Folder::with(&["openai"]);
    let place = folder.path().to_owned();
    mount(&place, "..1", &[("weir.toml", &with_model(&upstream, "first"))]);
    let gateway = Gateway::with(folder, "").await;
    assert_eq!(gateway.ask(&OPENAI.request("first", false)).await.status(), 200);
    mount(&place, "..2", &[("weir.toml", &with_model(&upstream, "second"))]);
    gateway.until_metric("weir_config_revision", 2.0).await;
    let status = async |model: &str| gateway.ask(&OPENAI.request(model, false)).await.status();
    assert_eq!((status("first").await, status("second").await), (404, 200));
}

/// A gateway whose provider's key is in a mounted Secret beside the configuration, and the Secret's folder.
async fn with_mounted_key(upstream: &Upstream, key: &str) -> (Gateway, PathBuf) {
    let folder = Folder::with(&["openai"]);
    let place = folder.path().join("secrets");
    fs::create_dir(&place).unwrap();
    mount(&place, "..1", &[("key", key)]);
    let key = format!("\"file:{}\"", place.join("key").display());
    let config = with_model(upstream, "first").replace("\"KEY-OF-openai\"", &key);
    fs::write(folder.path().join("weir.toml"), &config).unwrap();
    (Gateway::with(folder, "").await, place)
}

/// The credential that the provider gets with a request.
async fn credential(gateway: &Gateway, upstream: &mut Upstream) -> String {
    assert_eq!(gateway.ask(&OPENAI.request("first", false)).await.status(), 200);
    upstream.request().await.header("authorization").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_mounted_file_is_taken_anew_at_a_reload() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let (gateway, place) = with_mounted_key(&upstream, "first-key-of-the-provider\n").await;
    assert_eq!(credential(&gateway, &mut upstream).await, "Bearer first-key-of-the-provider");
    mount(&place, "..2", &[("key", "second-key-of-the-provider\n")]);
    assert_eq!(gateway.post("/admin/reload", "").await.status(), 200);
    assert_eq!(credential(&gateway, &mut upstream).await, "Bearer second-key-of-the-provider");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_kubernetes_swaps_is_noticed_and_a_bad_one_keeps_the_former() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let (gateway, place) = with_mounted_key(&upstream, "first-key-of-the-provider\n").await;
    mount(&place, "..2", &[("key", "second-key-of-the-provider\n")]);
    gateway.until_metric("weir_config_revision", 2.0).await;
    assert_eq!(credential(&gateway, &mut upstream).await, "Bearer second-key-of-the-provider");
    mount(&place, "..3", &[("key", "\n")]);
    gateway.until_metric("weir_config_rejected_total", 1.0).await;
    assert_eq!(credential(&gateway, &mut upstream).await, "Bearer second-key-of-the-provider");
    // The same text in another place is no change; a missing file is one.
    mount(&place, "..4", &[("key", "\n")]);
    fs::remove_file(place.join("..data")).unwrap();
    gateway.until_metric("weir_config_rejected_total", 2.0).await;
    mount(&place, "..5", &[("key", "third-key-of-the-provider\n")]);
    gateway.until_metric("weir_config_revision", 3.0).await;
    assert_eq!(credential(&gateway, &mut upstream).await, "Bearer third-key-of-the-provider");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secrets_file_that_appears_after_a_refused_configuration_is_noticed() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let (gateway, place) = with_mounted_key(&upstream, "first-key-of-the-provider\n").await;
    let file = gateway.folder.path().join("weir.toml");
    let first = fs::read_to_string(&file).unwrap();
    fs::write(&file, first.replace("/key\"", "/new-key\"")).unwrap();
    gateway.until_metric("weir_config_rejected_total", 1.0).await;
    assert_eq!(credential(&gateway, &mut upstream).await, "Bearer first-key-of-the-provider");
    // The file appears in two steps, and is empty at first.
    fs::write(place.join("new-key"), "").unwrap();
    gateway.until_metric("weir_config_rejected_total", 2.0).await;
    fs::write(place.join("new-key"), "second-key-of-the-provider\n").unwrap();
    gateway.until_metric("weir_config_revision", 2.0).await;
    assert_eq!(credential(&gateway, &mut upstream).await, "Bearer second-key-of-the-provider");
    assert_eq!(
        gateway.metric("weir_config_rejected_total").await,
        2.0,
        "what was refused is not tried again and again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_signal_has_the_file_read_again() {
    let upstream = provider(OPENAI).await;
    let folder = Folder::with(&["openai"]);
    let program = Program::start(&folder, &target().join("test-cache"), &with_model(&upstream, "first"));
    let address = program.address();
    // A file that has not changed is read again by the signal alone.
    let hang_up = Command::new("kill").args(["-HUP", &program.id().to_string()]).status();
    assert!(hang_up.unwrap().success());
    let taken = program.until("configuration taken");
    assert!(taken.contains("\"origin\":\"reload\""), "{taken}");
    assert_eq!(program::ask(address, &OPENAI.request("first", false)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_addresses_are_those_of_both_families_and_no_client_is_taken_for_another() {
    let upstream = provider(OPENAI).await;
    let more = "[server]\naddress_limits = { requests_per_minute = 1 }\nanonymous = true\n";
    let gateway = Gateway::open_on("::", &(with_model(&upstream, "first") + more)).await;
    let port = gateway.address.port();
    let status = async |host: &str| {
        let address = format!("{host}:{port}").parse().unwrap();
        program::ask(address, &OPENAI.request("first", false)).await.status()
    };
    assert_eq!((status("127.0.0.1").await, status("127.0.0.1").await), (200, 429));
    if gateway.address.is_ipv6() && std::net::TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!((status("[::1]").await, status("[::1]").await), (200, 429));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_only_ipv6_and_no_name_resolves_weir_starts_and_answers() {
    let upstream = provider(OPENAI).await;
    let config = with_model(&upstream, "first").replace(&upstream.url(), "https://name-of-none.invalid/v1");
    let gateway = Gateway::open_on("::1", &config).await;
    assert!(gateway.address.is_ipv6());
    let reply = gateway.ask(&OPENAI.request("first", false)).await;
    assert!((500..600).contains(&reply.status()), "{}", reply.text());
    assert!(reply.json()["error"]["message"].is_string(), "{}", reply.text());
    assert_eq!(gateway.get("/health").await.status(), 200);
}
