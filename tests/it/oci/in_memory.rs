//! What is pushed to a registry and asked of it, request by request, at a registry in memory that lists what refers to
//! what.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use weir_sandbox::Version;
use weir_sandbox::digest::Digest;
use weir_tests::plugins::zeta_build;
use weir_tests::{Answer, Gateway, soon};

use super::memory_registry::MemoryRegistry;
use super::{IMAGE, descriptor, desk, installed, manifest, rebuilt};
use crate::commands::{CommandFolder, is_in, older_zeta};
use crate::wire_format::{TEXT, ZETA, config, provider};

/// Runs a test's commands, which block.
async fn at_desk<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

/// The digest that a push told.
fn told(pushed: &str) -> String {
    pushed.split(['(', ')']).nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_has_the_form_of_the_specifications_and_a_list_of_the_registrys_own() {
    let mut registry = MemoryRegistry::open().await;
    let place = registry.at("zeta:1.0");
    let (desk, digest) = at_desk(move || {
        let desk = desk(1);
        let digest = told(&desk.types(&format!("push zeta.wasm {place}"), 0));
        is_in("fixtures passed", &desk.types(&format!("install {place}"), 0));
        (desk, digest)
    })
    .await;
    let kept = registry.kept();
    let component = zeta_build(1);
    let mut layer = descriptor("application/wasm", &component);
    layer["annotations"] = json!({"org.opencontainers.image.title": "zeta.wasm"});
    let pushed = kept.manifest("1.0");
    let config = kept.blobs[pushed["config"]["digest"].as_str().unwrap()].clone();
    let annotations = &pushed["annotations"];
    let expected = json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": descriptor("application/vnd.wasm.config.v0+json", &config),
        "layers": [layer],
        "annotations": {
            "org.opencontainers.image.version": annotations["org.opencontainers.image.version"],
            "dev.weir.contract": annotations["dev.weir.contract"],
        },
    });
    assert_eq!(pushed, expected);
    is_in("1.0.0+zeta-build-0001", annotations["org.opencontainers.image.version"].as_str().unwrap());
    assert!(Version::named(annotations["dev.weir.contract"].as_str().unwrap()).is_some(), "{pushed}");
    let config: Value = serde_json::from_slice(&config).unwrap();
    let layers = json!([Digest::of(&component).to_string()]);
    assert_eq!(
        [&config["architecture"], &config["os"], &config["layerDigests"]],
        [&json!("wasm"), &json!("wasip2"), &layers]
    );
    let exports = config["component"]["exports"].as_array().unwrap();
    assert!(exports.iter().any(|name| name.as_str().is_some_and(|name| name.starts_with("weir:adapter/"))), "{config}");

    // What refers to it is an artifact of its own type, with an empty configuration.
    let mut kinds = Vec::new();
    for entry in kept.referrers(&digest) {
        let referrer = kept.manifest(entry["digest"].as_str().unwrap());
        assert_eq!(referrer["config"], descriptor("application/vnd.oci.empty.v1+json", b"{}"));
        assert_eq!(referrer["subject"], descriptor(IMAGE, &kept.manifests["1.0"]));
        kinds.push(entry["artifactType"].as_str().unwrap().to_owned());
    }
    kinds.sort_unstable();
    let fixtures = "application/vnd.weir.fixtures.v1+json";
    assert_eq!(kinds, ["application/vnd.in-toto+json", fixtures, "application/vnd.weir.signature.v1"]);
    drop(kept);

    // The registry lists it, so no tag stands for the list; the adapter's own tag comes last.
    let asked = registry.asked();
    assert!(asked.iter().any(|line| *line == format!("GET /v2/zeta/referrers/{digest}")), "{asked:?}");
    assert!(!asked.iter().any(|line| line.contains("/manifests/sha256-")), "{asked:?}");
    let puts: Vec<&String> = asked.iter().filter(|line| line.starts_with("PUT /v2/zeta/manifests/")).collect();
    assert_eq!(puts.iter().position(|line| line.ends_with("/1.0")), Some(puts.len() - 1), "{puts:?}");
    assert_eq!(desk.text("served/zeta.wasm.sig").trim(), desk.text("zeta.wasm.sig").trim());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_logs_in_with_the_right_to_write() {
    let basic = format!("Basic {}", STANDARD.encode("ada:secret-word"));
    let registry = MemoryRegistry::guarded(move |request| {
        let writes = !request.line().starts_with("GET ") && !request.line().starts_with("HEAD ");
        if request.line().starts_with("GET /token") {
            let is_known = request.header("authorization") == Some(basic.as_str());
            let right = if request.line().ends_with("%3Apull%2Cpush") { "write" } else { "read" };
            let token = json!({"token": right}).to_string();
            return Some(if is_known { Answer::json(200, token) } else { Answer::json(401, "{}") });
        }
        let passes = match request.header("authorization") {
            Some("Bearer write") => true,
            Some("Bearer read") => !writes,
            _ => false,
        };
        let realm = format!("Bearer realm=\"http://{}/token\",service=\"r\"", request.header("host").unwrap());
        (!passes).then(|| Answer::whole(401, &[("www-authenticate", &realm)], "{}"))
    })
    .await;
    let place = registry.at("zeta:1.0");
    let desk = at_desk(move || {
        let desk = desk(1);
        let line = format!("plugin push zeta.wasm {place}");
        let wrong = [("WEIR_REGISTRY_USER", "ada"), ("WEIR_REGISTRY_PASSWORD", "wrong-word")];
        let output = desk.types_with(&wrong, &line, 1);
        assert!(output.contains("answers 401") && !output.contains("wrong-word"), "{output}");
        (desk, line)
    });
    let (desk, line) = desk.await;
    assert!(
        registry.kept().manifests.is_empty() && registry.kept().blobs.is_empty(),
        "nothing is pushed without a login"
    );
    let right = [("WEIR_REGISTRY_USER", "ada"), ("WEIR_REGISTRY_PASSWORD", "secret-word")];
    let pushed = at_desk(move || desk.types_with(&right, &line, 0)).await;
    let kept = registry.kept();
    assert_eq!(Digest::of(&kept.manifests["1.0"]).to_string(), told(&pushed));
    assert_eq!(kept.referrers(&told(&pushed)).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_older_version_of_a_registry_is_installed_only_where_that_is_allowed() {
    let registry = MemoryRegistry::open().await;
    let (newer, older) = (registry.at("zeta:1.0"), registry.at("zeta:0.9"));
    at_desk(move || {
        let desk = desk(1);
        desk.types(&format!("push zeta.wasm {newer}"), 0);
        desk.types(&format!("install {newer}"), 0);
        fs::write(desk.at("zeta.wasm"), older_zeta()).unwrap();
        desk.types("sign zeta.wasm --key ours.key", 0);
        desk.types(&format!("push zeta.wasm {older}"), 0);
        is_in("is older than 1.0.0", &desk.types(&format!("install {older}"), 1));
        assert_eq!(installed(&desk), Some(zeta_build(1)));
        assert!(!desk.text("plugins.lock").contains(&older), "what is refused is not noted");
        is_in("installed zeta 0.9.0", &desk.types(&format!("install {older} --allow-downgrade"), 0));
        assert_eq!(installed(&desk), Some(older_zeta()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_refused_by_its_manifest_no_part_is_fetched() {
    let mut registry = MemoryRegistry::open().await;
    let place = registry.at("zeta:stable");
    let desk = at_desk(move || {
        let desk = desk(1);
        desk.types(&format!("push zeta.wasm {place}"), 0);
        desk.types(&format!("install {place}"), 0);
        (desk, place)
    });
    let (desk, place) = desk.await;
    let of_parts =
        |asked: Vec<String>| asked.into_iter().filter(|line| line.starts_with("GET ") && line.contains("/blobs/"));
    assert!(of_parts(registry.asked()).count() > 0, "what is installed is fetched");
    let (desk, place) = at_desk(move || {
        is_in("is installed already", &desk.types(&format!("install {place}"), 0));
        rebuilt(&desk, 2);
        desk.types(&format!("push zeta.wasm {place}"), 0);
        is_in("has moved", &desk.types(&format!("install {place}"), 1));
        (desk, place)
    })
    .await;
    let tag = place.rsplit_once('/').map(|(_, name)| name.replace(':', "/manifests/")).unwrap();
    let asked = registry.asked();
    assert_eq!(asked.iter().filter(|line| **line == format!("GET /v2/{tag}")).count(), 2, "{asked:?}");
    assert_eq!(of_parts(asked).collect::<Vec<_>>(), [""; 0]);
    // Nor of one that is built for another contract, or that nobody signed.
    let (other, unsigned) = (registry.at("zeta:other"), registry.at("zeta:unsigned"));
    let component = zeta_build(3);
    {
        let mut kept = registry.kept();
        kept.blobs.insert(Digest::of(&component).to_string(), component.clone());
        let contract = manifest(&component, |it| it["annotations"] = json!({"dev.weir.contract": "9.0.0"}));
        kept.manifests.insert("other".into(), contract.into_bytes());
        kept.manifests.insert("unsigned".into(), manifest(&component, |_| {}).into_bytes());
    }
    at_desk(move || {
        is_in("built for the contract 9.0.0", &desk.types(&format!("install {other} --unsigned"), 1));
        is_in("it is not signed", &desk.types(&format!("install {unsigned}"), 1));
    })
    .await;
    assert_eq!(of_parts(registry.asked()).collect::<Vec<_>>(), [""; 0]);
}

/// Asks a gateway over and over until the test says otherwise; counts the answers of each build, and expects each to be
/// well.
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
    let (registry, upstream) = (MemoryRegistry::open().await, provider(ZETA).await);
    let trial = "[plugins.zeta]\ncanary = { share = 0.5, requests = 100000 }\n";
    let gateway = Arc::new(Gateway::open(&(config(&upstream) + trial)).await);
    let (over, by_build) = (Arc::<AtomicBool>::default(), Arc::<[AtomicUsize; 2]>::default());
    let load = || tokio::spawn(ask_on(Arc::clone(&gateway), Arc::clone(&over), Arc::clone(&by_build)));
    let load = [load(), load()];
    let (place, folder) = (registry.at("zeta:2.0"), gateway.folder.path().display().to_string());
    at_desk(move || {
        let desk = CommandFolder::with(&zeta_build(2), "");
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
