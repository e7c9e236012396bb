//! Providers that are reached through a proxy.

use std::collections::BTreeSet;
use std::process::Command;

use rcgen::generate_simple_self_signed;
use serde_json::json;
use weir_tests::tunnel::TunnelProxy;
use weir_tests::{Answer, Folder, Gateway, Program, Received, Request, Upstream, program};

use crate::wire_format::{EVERY, OPENAI, TEXT, config_of, provider};

/// A host that nothing but the proxy can find.
const HOST: &str = "provider.invalid";

fn authority(upstream: &Upstream) -> String {
    upstream.origin().trim_start_matches("http://").to_owned()
}

/// All providers at [`HOST`], on the upstream's port.
fn config(upstream: &Upstream) -> String {
    config_of(&EVERY, upstream).replace("http://127.0.0.1:", &format!("http://{HOST}:"))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_lanes_reach_their_providers_by_tunnels_of_a_proxy() {
    for to in EVERY {
        let mut upstream = provider(to).await;
        let tunnels = TunnelProxy::to(&authority(&upstream), None).await;
        let proxy = tunnels.address.replace("http://", "http://ann:secret%21@");
        let gateway = Gateway::open(&format!("{}[outbound]\nproxy = \"{proxy}\"\n", config(&upstream))).await;
        for from in EVERY {
            for (model, stream) in [(to.name.to_owned(), false), (to.translated(), true)] {
                let reply = gateway.ask(&from.request(&model, stream)).await;
                assert_eq!(reply.status(), 200, "{} to {model}: {}", from.name, reply.text());
                assert_eq!(from.parsed(&reply, stream).text, TEXT);
                let port = authority(&upstream).replace("127.0.0.1", HOST);
                assert_eq!(upstream.request().await.header("host"), Some(&*port));
            }
        }
        let heads = tunnels.heads();
        let first = format!("CONNECT {} HTTP/1.1\r\n", authority(&upstream).replace("127.0.0.1", HOST));
        assert!(!heads.is_empty() && heads.len() < 8, "connections are used again: {}", heads.len());
        for head in heads {
            assert!(head.starts_with(&first), "{head}");
            assert!(head.contains("Proxy-Authorization: Basic YW5uOnNlY3JldCE=\r\n"), "{head}");
            assert!(!head.contains("KEY-OF"), "the provider's key is none of the proxy's business: {head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_and_listed_hosts_are_reached_without_the_proxy() {
    let upstream = provider(OPENAI).await;
    let tunnels = TunnelProxy::to(&authority(&upstream), None).await;
    let outbound = format!("[outbound]\nproxy = \"{}\"\ndirect = [\"*.invalid\"]\n", tunnels.address);
    let gateway = Gateway::open(&(config_of(&EVERY, &upstream) + &outbound)).await;
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
    let gateway = Gateway::open(&(config(&upstream) + &outbound)).await;
    let reply = gateway.ask(&OPENAI.request("openai", false)).await;
    assert_eq!(reply.status(), 502, "only the proxy finds it: {}", reply.text());
    assert_eq!(tunnels.heads(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_makes_no_tunnel_is_a_provider_that_is_not_reached() {
    let mut upstream = provider(OPENAI).await;
    let refuses = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    let dead = "http://127.0.0.1:1".to_owned();
    let refusing = TunnelProxy::answering(refuses, &authority(&upstream), None).await.address;
    for proxy in [refusing, dead] {
        let gateway = Gateway::open(&format!("{}[outbound]\nproxy = \"{proxy}\"\n", config(&upstream))).await;
        for from in EVERY {
            let reply = gateway.ask(&from.request("openai", false)).await;
            assert_eq!(reply.status(), 502, "{}: {}", from.name, reply.text());
            assert!(
                from.error(&reply).is_some_and(|message| message.contains("cannot be reached")),
                "{}",
                reply.text()
            );
        }
        assert!(upstream.unseen().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_goes_through_the_tunnel_and_ends_at_the_provider() {
    let upstream = provider(OPENAI).await;
    let certificate = generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let tunnels = TunnelProxy::to(&authority(&upstream), Some(&certificate)).await;
    let folder = Folder::with(&["openai", "anthropic", "zeta", "gemini"]);
    let trusted = folder.path().join("authority.pem");
    std::fs::write(&trusted, certificate.cert.pem()).unwrap();
    let mut command = Command::new(program::file());
    command.env("SSL_CERT_FILE", &trusted);
    let secure = config_of(&EVERY, &upstream).replace(&upstream.origin(), &format!("https://{HOST}"));
    let outbound = format!("[outbound]\nproxy = \"{}\"\n", tunnels.address);
    let cache = weir_tests::plugins::target().join("test-cache");
    let program = Program::start_as(command, &folder, &cache, &(secure + &outbound));
    let address = program.address();
    let reply = program::ask(address, &OPENAI.request("openai-t", true)).await;
    assert_eq!((reply.status(), OPENAI.parsed(&reply, true).text.as_str()), (200, TEXT), "{}", program.log());
    let ready = program::ask(address, &Request::get("/admin/v1/config")).await;
    assert!(ready.text().contains("outbound"), "{}", ready.text());
    assert_eq!(tunnels.lines(), [format!("CONNECT {HOST}:443 HTTP/1.1")]);
}

/// Identity provider, webhook, sink, collector of spans and a client's picture, all at [`HOST`].
fn beside(received: &Received) -> Answer {
    let path = received.line().split(' ').nth(1).unwrap_or_default();
    match path {
        "/judge" => Answer::json(200, json!({"verdict": "allow"}).to_string()),
        "/keys" => Answer::json(200, json!({"keys": []}).to_string()),
        "/picture.png" => Answer::whole(200, &[("content-type", "image/png")], "a picture"),
        _ => Answer::json(200, "{}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_is_reached_by_https_goes_through_the_proxy_and_media_where_that_is_wanted() {
    let answer =
        json!({"candidates": [{"content": {"role": "model", "parts": [{"text": TEXT}]}, "finishReason": "STOP"}]});
    let provider = Upstream::always(Answer::json(200, answer.to_string())).await;
    let mut others = Upstream::scripted(beside).await;
    let certificate = generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let tunnels = TunnelProxy::to(&authority(&others), Some(&certificate)).await;
    for (fetches_media, expected) in [(true, 200), (false, 400)] {
        let folder = Folder::with(&["openai", "gemini"]);
        let trusted = folder.path().join("authority.pem");
        std::fs::write(&trusted, certificate.cert.pem()).unwrap();
        let mut command = Command::new(program::file());
        command.env("SSL_CERT_FILE", &trusted);
        let config = format!(
            "[outbound]\nproxy = \"{}\"\nmedia = {fetches_media}\n\
             [media]\nfetch = true\n\
             [traces]\nendpoint = \"https://{HOST}\"\nsample = 1\n\
             [[sinks]]\nname = \"s\"\nkind = \"webhook\"\nurl = \"https://{HOST}/events\"\ninterval = \"1ms\"\n\
             [[issuers]]\nname = \"login\"\nissuer = \"https://{HOST}\"\naudiences = [\"weir\"]\n\
             jwks_uri = \"https://{HOST}/keys\"\ndefault_team = \"guests\"\n\
             [[clients]]\nname = \"ann\"\nkey = \"weir-ann-0123456789abcdef\"\n\
             [[guards]]\nname = \"hook\"\ndeadline = \"20s\"\nwebhook = {{ url = \"https://{HOST}/judge\" }}\ngrants = {{ prompt = true }}\n\
             [[providers]]\nname = \"gemini\"\nadapter = \"gemini\"\nurl = \"{}\"\napi_key = \"K\"\n\
             [[models]]\nalias = \"g\"\ntarget = {{ provider = \"gemini\", model = \"gemini-2.5-flash\" }}\n",
            // By its name, which leads to no public address.
            tunnels.address.replace("127.0.0.1", "localhost"),
            provider.url(),
        );
        let cache = weir_tests::plugins::target().join("test-cache");
        let program = Program::start_as(command, &folder, &cache, &config);
        let picture = json!({"type": "image_url", "image_url": {"url": format!("https://{HOST}/picture.png")}});
        let body = json!({"model": "g", "messages": [{"role": "user", "content": [picture]}]}).to_string();
        let request = Request::post("/v1/chat/completions", &body);
        let request = request.header("authorization", "Bearer weir-ann-0123456789abcdef");
        let reply = program::ask(program.address(), &request).await;
        assert_eq!(reply.status(), expected, "{}\n{}", reply.text(), program.log());
        let mut wanted = BTreeSet::from(["/judge", "/keys", "/events", "/v1/traces"]);
        wanted.extend(fetches_media.then_some("/picture.png"));
        while !wanted.is_empty() {
            let received = others.request().await;
            assert_eq!(received.header("host"), Some(HOST));
            let path = received.line().split(' ').nth(1).unwrap_or_default().to_owned();
            assert!(fetches_media || path != "/picture.png");
            wanted.remove(path.as_str());
        }
    }
    let lines = tunnels.lines();
    assert!(lines.iter().all(|line| *line == format!("CONNECT {HOST}:443 HTTP/1.1")), "{lines:?}");
}
