//! Adapters in OCI registries: a real registry, one in memory, and one that lies.

mod in_memory;
mod memory_registry;

use std::fs;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};
use weir_sandbox::digest::Digest;
use weir_tests::plugins::{zeta_build, zeta_with_fault};
use weir_tests::tunnel::TunnelProxy;
use weir_tests::{Answer, Received, Registry, Upstream};

use crate::commands::{CommandFolder, is_in};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A desk with a signed build of zeta, and a configuration that trusts the key.
fn desk(build: u32) -> CommandFolder {
    let desk = CommandFolder::with(&zeta_build(build), "");
    desk.types("keygen --out ours", 0);
    let key = desk.text("ours.pub");
    let config = desk.text("weir.toml") + &format!("trusted_keys = [\"{}\"]\n", key.trim());
    fs::write(desk.at("weir.toml"), config).unwrap();
    desk.types("sign zeta.wasm --key ours.key", 0);
    desk
}

/// Another build of zeta takes the place of the one on the desk, signed by the same key.
fn rebuilt(desk: &CommandFolder, build: u32) {
    fs::write(desk.at("zeta.wasm"), zeta_build(build)).unwrap();
    desk.types("sign zeta.wasm --key ours.key", 0);
}

fn installed(desk: &CommandFolder) -> Option<Vec<u8>> {
    fs::read(desk.at("served/zeta.wasm")).ok()
}

#[test]
fn what_is_pushed_is_installed_with_its_signature_its_fixtures_and_its_digest_in_the_lock() {
    let Some(registry) = Registry::start() else { return };
    let desk = desk(1);
    let place = registry.at("weir/zeta:1.0");
    let pushed = desk.types(&format!("push zeta.wasm {place}"), 0);
    is_in(": signed, ", &pushed);
    assert!(!pushed.contains(" 0 fixtures"), "{pushed}");
    let output = desk.types(&format!("install {place}"), 0);
    is_in("fixtures passed", &output);
    assert_eq!(installed(&desk), Some(zeta_build(1)));
    assert_eq!(desk.text("served/zeta.wasm.sig").trim(), desk.text("zeta.wasm.sig").trim());
    let count = |folder: &str| fs::read_dir(desk.at(folder)).unwrap().count();
    assert_eq!(count("served/zeta.fixtures"), count("zeta.fixtures"));
    let lock = desk.text("plugins.lock");
    let manifest = pushed.split(['(', ')']).nth(1).unwrap();
    is_in(&format!("source = \"{place}\"\nmanifest = \"{manifest}\""), &lock);
    is_in(&Digest::of(&zeta_build(1)).to_string(), &lock);
    assert!(
        !fs::read_dir(desk.at("served")).unwrap().any(|it| it.unwrap().file_name().to_string_lossy().starts_with('.'))
    );
    is_in("is installed already", &desk.types(&format!("install {place}"), 0));
    assert_eq!(desk.types(&format!("push zeta.wasm {place}"), 0), pushed, "the same adapter has the same digest");
    desk.types(&format!("pull {place} --out pulled"), 0);
    assert_eq!(fs::read(desk.at("pulled/zeta.wasm")).unwrap(), zeta_build(1));
    is_in("is signed by", &desk.types("verify pulled/zeta.wasm --key ours.pub", 0));
    let statement: Value = serde_json::from_str(&desk.text("pulled/zeta.proof.json")).unwrap();
    let digest = |bytes: &[u8]| json!(Digest::of(bytes).to_string().trim_start_matches("sha256:"));
    assert_eq!(statement["subject"][0]["name"], "zeta.wasm");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], digest(&zeta_build(1)));
    let predicate = &statement["predicate"];
    assert_eq!((&predicate["result"], &predicate["failedTests"]), (&json!("PASSED"), &json!([])));
    let fixtures = predicate["configuration"].as_array().unwrap();
    assert_eq!(fixtures.len(), count("zeta.fixtures"));
    for fixture in fixtures {
        let name = fixture["name"].as_str().unwrap();
        let text = fs::read(desk.at(&format!("pulled/zeta.fixtures/{name}"))).unwrap();
        assert_eq!(fixture["digest"]["sha256"], digest(&text), "{name}");
    }
}

#[test]
fn an_adapter_that_fails_its_fixtures_is_not_pushed() {
    let Some(registry) = Registry::start() else { return };
    let desk = desk(1);
    let place = registry.at("weir/zeta:1.0");
    fs::write(desk.at("zeta.wasm"), zeta_with_fault("border")).unwrap();
    desk.types("sign zeta.wasm --key ours.key", 0);
    is_in("it fails 1 of its fixtures: stream-calls", &desk.types(&format!("push zeta.wasm {place}"), 1));
    is_in("error", &desk.types(&format!("install {place} --unsigned"), 1));
    assert_eq!(installed(&desk), None);
}

#[test]
fn a_tag_that_moved_is_refused_and_a_digest_needs_no_registry_once_it_is_installed() {
    let Some(registry) = Registry::start() else { return };
    let desk = desk(1);
    let place = registry.at("zeta:stable");
    let pushed = desk.types(&format!("push zeta.wasm {place}"), 0);
    desk.types(&format!("install {place}"), 0);
    rebuilt(&desk, 2);
    desk.types(&format!("push zeta.wasm {place}"), 0);
    is_in("has moved", &desk.types(&format!("install {place}"), 1));
    assert_eq!(installed(&desk), Some(zeta_build(1)));
    desk.types(&format!("install {place} --update"), 0);
    assert_eq!(installed(&desk), Some(zeta_build(2)));
    let digest = pushed.split(['(', ')']).nth(1).unwrap();
    let exact = registry.at(&format!("zeta@{digest}"));
    desk.types(&format!("install {exact} --allow-downgrade"), 0);
    assert_eq!(installed(&desk), Some(zeta_build(1)));
    drop(registry);
    is_in("is installed already", &desk.types(&format!("install {exact}"), 0));
    is_in("cannot be asked", &desk.types(&format!("install {place}"), 1));
}

#[test]
fn an_adapter_without_a_trusted_signature_is_refused_unless_that_is_accepted() {
    let Some(registry) = Registry::start() else { return };
    let desk = desk(1);
    fs::remove_file(desk.at("zeta.wasm.sig")).unwrap();
    let unsigned = registry.at("zeta:unsigned");
    is_in("not signed", &desk.types(&format!("push zeta.wasm {unsigned}"), 0));
    is_in("it is not signed; --unsigned", &desk.types(&format!("install {unsigned}"), 1));
    desk.types("keygen --out theirs", 0);
    desk.types("sign zeta.wasm --key theirs.key", 0);
    let theirs = registry.at("zeta:theirs");
    desk.types(&format!("push zeta.wasm {theirs}"), 0);
    is_in("no trusted key signed", &desk.types(&format!("install {theirs}"), 1));
    // The right key, but the signature of another build.
    rebuilt(&desk, 2);
    let other = desk.text("zeta.wasm.sig");
    fs::write(desk.at("zeta.wasm"), zeta_build(3)).unwrap();
    fs::write(desk.at("zeta.wasm.sig"), other).unwrap();
    let mixed = registry.at("mixed:1");
    desk.types(&format!("push zeta.wasm {mixed}"), 0);
    is_in("no trusted key signed", &desk.types(&format!("install {mixed}"), 1));
    assert_eq!(installed(&desk), None, "nothing is left behind");
    desk.types(&format!("install {mixed} --unsigned"), 0);
    assert_eq!(installed(&desk), Some(zeta_build(3)));
}

/// Media type, digest and size of a blob, as manifests name it.
fn descriptor(media: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media, "digest": Digest::of(bytes).to_string(), "size": bytes.len()})
}

/// A manifest of a component, changed.
fn manifest(component: &[u8], change: impl Fn(&mut Value)) -> String {
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": descriptor("application/vnd.wasm.config.v0+json", b"{}"),
        "layers": [descriptor("application/wasm", component)],
    });
    change(&mut manifest);
    manifest.to_string()
}

/// A registry with one manifest under every tag, one component, and nothing that refers to it.
fn serves(manifest: String, component: Vec<u8>) -> impl Fn(&Received) -> Answer + Send + Sync + 'static {
    move |request| match request.line() {
        line if line.contains("/manifests/sha256-") || line.contains("/referrers/") => Answer::json(404, "{}"),
        line if line.contains("/manifests/") => Answer::whole(200, &[("content-type", IMAGE)], &manifest),
        line if line.contains("/blobs/") => Answer::whole(200, &[], &component),
        _ => Answer::json(404, "{}"),
    }
}

/// The reference to the adapter of a scripted registry.
fn place(upstream: &Upstream) -> String {
    format!("oci://{}/zeta:1", upstream.origin().trim_start_matches("http://"))
}

async fn refused(upstream: &Upstream, reason: &str) {
    let place = place(upstream);
    let reason = reason.to_owned();
    tokio::task::spawn_blocking(move || {
        let desk = CommandFolder::with(&zeta_build(1), "");
        is_in(&reason, &desk.types(&format!("install {place} --unsigned"), 1));
        assert_eq!(installed(&desk), None);
        assert!(!desk.at("plugins.lock").exists());
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_lies_about_an_adapter_is_not_believed() {
    let component = zeta_build(1);
    let upstream = Upstream::always(Answer::silence()).await;
    let other = zeta_build(2);
    let cases: [(String, Vec<u8>, &str); 8] = [
        (manifest(&component, |_| {}), other, "other bytes than were asked for"),
        (manifest(&component, |_| {}), component[..1000].to_vec(), "other bytes than were asked for"),
        (manifest(&component, |it| it["layers"][0]["size"] = json!(10)), component.clone(), "larger than 10 bytes"),
        (manifest(&component, |it| it["layers"][0]["size"] = json!(2_u64 << 30)), component.clone(), "are the most"),
        (
            manifest(&component, |it| it["layers"][0]["mediaType"] = json!("application/wasm+gzip")),
            component.clone(),
            "wasm+gzip",
        ),
        (
            manifest(&component, |it| it["layers"].as_array_mut().unwrap().push(descriptor("application/wasm", b"x"))),
            component.clone(),
            "2 layers",
        ),
        (
            manifest(&component, |it| {
                *it = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []});
            }),
            component.clone(),
            "image.index",
        ),
        (
            manifest(&component, |it| it["annotations"] = json!({"dev.weir.contract": "9.0.0"})),
            component.clone(),
            "built for the contract 9.0.0",
        ),
    ];
    for (manifest, bytes, reason) in cases {
        upstream.script(serves(manifest, bytes));
        refused(&upstream, reason).await;
    }
    // Another manifest than the digest that was asked for.
    upstream.script(serves(manifest(&component, |_| {}), component));
    let tagged = place(&upstream);
    let wrong = format!("{}@{}", tagged.strip_suffix(":1").unwrap_or_default(), Digest::of(b"another"));
    tokio::task::spawn_blocking(move || {
        let desk = CommandFolder::with(&zeta_build(1), "");
        is_in("the manifest must be", &desk.types(&format!("install {wrong} --unsigned"), 1));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gets_a_token_which_no_other_host_sees() {
    let component = zeta_build(1);
    let mut storage = Upstream::always(Answer::whole(200, &[], &component)).await;
    let listed = manifest(&component, |_| {});
    let (elsewhere, basic) = (storage.origin(), format!("Basic {}", STANDARD.encode("ada:secret-word")));
    let upstream = Upstream::always(Answer::silence()).await;
    let realm = format!("{}/token", upstream.origin());
    let inner = Arc::new(serves(listed, component.clone()));
    upstream.script(move |request| {
        if request.line().starts_with("GET /token") {
            let is_known = request.header("authorization") == Some(basic.as_str());
            assert!(request.line().contains("scope=repository%3Azeta%3Apull"), "{}", request.line());
            return if is_known { Answer::json(200, "{\"token\":\"TICKET\"}") } else { Answer::json(401, "{}") };
        }
        if request.header("authorization") != Some("Bearer TICKET") {
            let challenge = format!("Bearer realm=\"{realm}\",service=\"r\"");
            return Answer::whole(401, &[("www-authenticate", &challenge)], "{}");
        }
        if request.line().contains("/blobs/") {
            return Answer::whole(307, &[("location", &format!("{elsewhere}/part"))], "");
        }
        inner(request)
    });
    let place = place(&upstream);
    tokio::task::spawn_blocking(move || {
        let desk = CommandFolder::with(&zeta_build(1), "");
        let line = format!("plugin install {place} --unsigned");
        is_in("WEIR_REGISTRY_USER", &desk.types_with(&[], &line, 1));
        let wrong = [("WEIR_REGISTRY_USER", "ada"), ("WEIR_REGISTRY_PASSWORD", "wrong-word")];
        let output = desk.types_with(&wrong, &line, 1);
        assert!(output.contains("answers 401") && !output.contains("wrong-word"), "{output}");
        let right = [("WEIR_REGISTRY_USER", "ada"), ("WEIR_REGISTRY_PASSWORD", "secret-word")];
        desk.types_with(&right, &line, 0);
        assert_eq!(installed(&desk), Some(zeta_build(1)));
    })
    .await
    .unwrap();
    assert_eq!(storage.request().await.header("authorization"), None, "another host gets no credential");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_asked_in_place_of_the_registry_and_a_redirect_leaves_tls_nowhere() {
    let component = zeta_build(1);
    let upstream = Upstream::always(Answer::silence()).await;
    upstream.script(serves(manifest(&component, |_| {}), component));
    let mirror = upstream.origin().trim_start_matches("http://").to_owned();
    tokio::task::spawn_blocking(move || {
        let desk = CommandFolder::with(&zeta_build(1), "");
        desk.types(&format!("install oci://registry.invalid/zeta:1 --unsigned --mirror {mirror}"), 0);
        is_in("source = \"oci://registry.invalid/zeta:1\"", &desk.text("plugins.lock"));
    })
    .await
    .unwrap();
    let away = Answer::whole(307, &[("location", "http://files.example/part")], "");
    let listed = manifest(&zeta_build(1), |_| {});
    upstream.script(move |request| {
        if request.line().contains("/blobs/") { away.clone() } else { serves(listed.clone(), Vec::new())(request) }
    });
    refused(&upstream, "not an address that may be followed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_behind_a_proxy_and_with_a_private_authority_is_reached_if_both_are_named() {
    let component = zeta_build(1);
    let upstream = Upstream::always(Answer::silence()).await;
    upstream.script(serves(manifest(&component, |_| {}), component));
    let certificate = generate_simple_self_signed(["registry.invalid".to_owned()]).unwrap();
    let registry = upstream.origin().trim_start_matches("http://").to_owned();
    let tunnels = TunnelProxy::to(&registry, Some(&certificate)).await;
    let proxy = tunnels.address.clone();
    let authority = certificate.cert.pem();
    tokio::task::spawn_blocking(move || {
        let desk = CommandFolder::with(&zeta_build(1), "");
        fs::write(desk.at("authority.pem"), authority).unwrap();
        let install = format!("plugin install oci://registry.invalid/zeta:1 --unsigned --proxy {proxy}");
        desk.types_with(&[], &install, 1);
        assert_eq!(installed(&desk), None, "its certificate is no one's whom this machine trusts");
        let named = desk.at("authority.pem");
        let trusting = [("SSL_CERT_FILE", named.to_str().unwrap())];
        // The same by the variable, and a host that needs no proxy is looked for directly.
        desk.types_with(&[trusting[0], ("NO_PROXY", "registry.invalid")], &install, 1);
        desk.types_with(&trusting, &install, 0);
        assert_eq!(installed(&desk), Some(zeta_build(1)));
    })
    .await
    .unwrap();
    let asked = tunnels.lines();
    assert!(asked.iter().all(|line| line == "CONNECT registry.invalid:443 HTTP/1.1"), "{asked:?}");
}
