//! A new configuration takes effect while requests are served, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use weir_tests::{Answer, Gate, Gateway, Request, Upstream};

use crate::wire_format::{ALL, OPENAI, ZETA, config, provider};

fn with_model(upstream: &Upstream, alias: &str) -> String {
    let model = format!("[[models]]\nalias = \"{alias}\"\ntarget = {{ provider = \"openai\", model = \"m\" }}\n");
    config(upstream) + &model
}

async fn reload(gateway: &Gateway) -> weir_tests::Reply {
    gateway.post("/admin/reload", "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn c74_a_reload_brings_models_and_takes_them_away() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::from_file(&with_model(&upstream, "first")).await;
    let status = async |model: &str| gateway.ask(&OPENAI.request(model, false)).await.status();
    assert_eq!((status("first").await, status("second").await), (200, 404));
    gateway.configure(&with_model(&upstream, "second"));
    let reply = reload(&gateway).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!((status("first").await, status("second").await), (404, 200));
    assert!(gateway.metric("weir_config_revision").await >= 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c74_a_stream_goes_on_whose_model_is_gone() {
    let gate = Gate::default();
    let shut = gate.clone();
    let upstream = Upstream::scripted(move |_| {
        let [first, rest @ ..] = &OPENAI.stream()[..] else { panic!() };
        rest.iter().fold(OPENAI.begin().piece(first).gate(&shut), Answer::piece).end()
    })
    .await;
    let gateway = Gateway::from_file(&with_model(&upstream, "gone")).await;
    for from in [OPENAI, ZETA] {
        let mut client = gateway.connect().await;
        client.send(&from.request("gone", true)).await;
        client.head().await;
        gateway.configure(&config(&upstream));
        assert_eq!(reload(&gateway).await.status(), 200);
        assert_eq!(gateway.ask(&from.request("gone", false)).await.status(), 404);
        gate.open();
        let (_, cut) = client.rest().await;
        assert!(!cut);
        gateway.configure(&with_model(&upstream, "gone"));
        assert_eq!(reload(&gateway).await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c74_a_broken_configuration_is_refused_whole_and_the_former_one_serves_on() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::from_file(&with_model(&upstream, "first")).await;
    let broken = [
        ("[[models]]\nalias = \"x\"\ntarget = { provider = \"nobody\" }\n", "nobody"),
        ("[server]\nmax_body_bytes = \"many\"\n", "max_body_bytes"),
        ("[[models]\n", "not valid TOML"),
        (
            "[[providers]]\nname = \"p\"\nadapter = \"missing\"\nurl = \"http://127.0.0.1:1/\"\n[[models]]\nalias = \"y\"\nprovider = \"p\"\n",
            "missing",
        ),
        (
            "[[providers]]\nname = \"p\"\nadapter = \"zeta\"\nurl = \"http://127.0.0.1:1/\"\nauth = \"none\"\noptions = { qest = true }\n[[models]]\nalias = \"y\"\nprovider = \"p\"\n",
            "did you mean `quest`?",
        ),
    ];
    for (text, reason) in broken {
        gateway.configure(&(with_model(&upstream, "second") + text));
        let reply = reload(&gateway).await;
        assert_eq!(reply.status(), 422, "{}", reply.text());
        assert!(reply.text().contains(reason) && reply.text().contains("weir.toml:"), "{}", reply.text());
        assert_eq!(gateway.metric("weir_config_last_reload_successful").await as u64, 0);
        assert_eq!(gateway.ask(&OPENAI.request("first", false)).await.status(), 200);
        assert_eq!(gateway.ask(&OPENAI.request("second", false)).await.status(), 404, "nothing of it is taken");
    }
    assert_eq!(gateway.metric("weir_config_rejected_total").await as u64, broken.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_file_is_noticed() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::from_file(&config(&upstream)).await;
    gateway.configure(&with_model(&upstream, "new"));
    gateway.until_metric("weir_config_revision", 2.0).await;
    assert_eq!(gateway.ask(&OPENAI.request("new", false)).await.status(), 200);
    gateway.configure("nonsense");
    gateway.until_metric("weir_config_last_reload_successful", 0.0).await;
    assert_eq!(gateway.ask(&OPENAI.request("new", false)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_can_see_what_changed_and_go_back() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::from_file(&with_model(&upstream, "first")).await;
    gateway.configure(&with_model(&upstream, "second"));
    reload(&gateway).await;
    let diff = gateway.get("/admin/config/diff?from=1&to=2").await.text();
    assert!(diff.contains("-alias = \"first\"") && diff.contains("+alias = \"second\""), "{diff}");
    assert!(!diff.contains("KEY-OF") && !gateway.get("/admin/config").await.text().contains("KEY-OF"));
    let back = gateway.post("/admin/config/rollback", "").await;
    assert_eq!(back.status(), 200, "{}", back.text());
    assert_eq!(gateway.ask(&OPENAI.request("first", false)).await.status(), 200);
    assert_eq!(gateway.post("/admin/config/rollback", "{\"to\":\"2\"}").await.status(), 200);
    assert_eq!(gateway.ask(&OPENAI.request("second", false)).await.status(), 200);
    assert_eq!(gateway.post("/admin/config/rollback", "{\"to\":\"77\"}").await.status(), 404);
    let versions = gateway.get("/admin/config/versions").await.json();
    let origins: Vec<&str> =
        versions["versions"].as_array().unwrap().iter().filter_map(|one| one["origin"].as_str()).collect();
    assert_eq!(origins, ["rollback", "rollback", "reload", "start"]);
    assert_eq!(versions["versions"][0]["current"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_can_be_checked_without_being_taken() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::from_file(&config(&upstream)).await;
    let right = gateway.post("/admin/config/validate", &with_model(&upstream, "x")).await.json();
    assert_eq!(right["valid"], true, "{right}");
    let wrong = gateway.post("/admin/config/validate", "[server]\nprot = 1\n").await.json();
    assert_eq!(wrong["valid"], false);
    assert!(wrong["report"].as_str().unwrap().contains("2:1"), "{wrong}");
    assert_eq!(gateway.metric("weir_config_revision").await as u64, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn c68_a_key_that_is_taken_away_opens_nothing_any_more() {
    let upstream = provider(OPENAI).await;
    let token = "[admin]\ntoken = \"let-me-in-please\"\n";
    let client = |key: &str| format!("{token}{}[[clients]]\nname = \"a\"\nkey = \"{key}\"\n", config(&upstream));
    let gateway = Gateway::from_file(&client("first-key-of-the-client")).await;
    let ask = async |key: &str| gateway.ask(&OPENAI.request("openai", false).header("x-api-key", key)).await.status();
    assert_eq!(ask("first-key-of-the-client").await, 200);
    gateway.configure(&client("second-key-of-the-client"));
    let request = Request::post("/admin/reload", "").header("authorization", "Bearer let-me-in-please");
    assert_eq!(gateway.ask(&request).await.status(), 200);
    assert_eq!((ask("first-key-of-the-client").await, ask("second-key-of-the-client").await), (401, 200));
}

/// A gateway with a client and a token, and what reloads it.
async fn protected(upstream: &Upstream) -> (Gateway, String) {
    let clients = "[admin]\ntoken = \"let-me-in-please\"\n[[clients]]\nname = \"a\"\nkey = \"the-key-of-the-client\"\n";
    let config = clients.to_owned() + &config(upstream);
    (Gateway::from_file(&config).await, config)
}

fn by_admin(request: Request) -> Request {
    request.header("authorization", "Bearer let-me-in-please")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_emptied_or_cut_off_lets_nobody_in() {
    let upstream = provider(OPENAI).await;
    let (gateway, config) = protected(&upstream).await;
    let (token, rest) = config.split_at(config.find("[[clients]]").unwrap());
    let without_token = rest.to_owned();
    for (cut, reason) in [
        ("", "sets nothing any more"),
        ("# a comment\n\n", "sets nothing any more"),
        (token, "need no key"),
        (&without_token, "need no token"),
    ] {
        gateway.configure(cut);
        let reply = gateway.ask(&by_admin(Request::post("/admin/reload", ""))).await;
        assert_eq!(reply.status(), 422, "{}", reply.text());
        assert!(reply.text().contains(reason), "{}", reply.text());
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 401, "{cut}");
        assert_eq!(gateway.get("/admin/config").await.status(), 401, "{cut}");
    }
    let whole = OPENAI.request("openai", false).header("x-api-key", "the-key-of-the-client");
    assert_eq!(gateway.ask(&whole).await.status(), 200);
    // Where it is said in so many words, all are let in.
    gateway
        .configure(&format!("{token}[server]\nanonymous = true\n{}", &config[config.find("[[providers]]").unwrap()..]));
    let reply = gateway.ask(&by_admin(Request::post("/admin/reload", ""))).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_lost_or_cut_off_shows_in_the_metrics_until_it_is_back() {
    let upstream = provider(OPENAI).await;
    let text = with_model(&upstream, "first");
    let gateway = Gateway::from_file(&text).await;
    let file = gateway.folder.path().join("weir.toml");
    std::fs::remove_file(&file).unwrap();
    gateway.until_metric("weir_config_last_reload_successful", 0.0).await;
    gateway.configure(&text);
    gateway.until_metric("weir_config_last_reload_successful", 1.0).await;
    std::fs::write(&file, "").unwrap();
    gateway.until_metric("weir_config_last_reload_successful", 0.0).await;
    gateway.configure(&text);
    gateway.until_metric("weir_config_last_reload_successful", 1.0).await;
    assert_eq!(gateway.metric("weir_config_revision").await as u64, 1);
    assert_eq!(gateway.ask(&OPENAI.request("first", false)).await.status(), 200);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_in_the_place_of_a_file_blocks_neither_reloads_nor_the_end() {
    let upstream = provider(OPENAI).await;
    let text = with_model(&upstream, "first");
    let gateway = Gateway::from_file(&text).await;
    let pipe = |name: &str| {
        let path = gateway.folder.path().join(name);
        // It may be there already.
        let _removed = std::fs::remove_file(&path);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    };
    pipe("weir.toml");
    let reply = reload(&gateway).await;
    assert_eq!(reply.status(), 409, "{}", reply.text());
    gateway.until_metric("weir_config_last_reload_successful", 0.0).await;
    pipe("secret");
    gateway.configure(&text.replace("KEY-OF-openai", "file:secret"));
    let reply = reload(&gateway).await;
    assert_eq!(reply.status(), 422, "{}", reply.text());
    assert!(reply.text().contains("no regular file"), "{}", reply.text());
    gateway.configure(&with_model(&upstream, "second"));
    assert_eq!(reload(&gateway).await.status(), 200);
    assert_eq!(gateway.ask(&OPENAI.request("second", false)).await.status(), 200);
    pipe("weir.toml");
    gateway.stop();
    gateway.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_configurations_under_load_fail_no_request() {
    let upstream = provider(OPENAI).await;
    let gateway = Arc::new(Gateway::from_file(&with_model(&upstream, "always")).await);
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients = ALL.map(|from| {
        let (gateway, stop, served) = (Arc::clone(&gateway), Arc::clone(&stop), Arc::clone(&served));
        tokio::spawn(async move {
            let mut client = gateway.connect().await;
            for n in 0u32.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let model = if n % 2 == 0 { "always" } else { "openai-t" };
                let stream = n % 3 == 0;
                client.send(&from.request(model, stream)).await;
                let reply = client.reply().await;
                assert_eq!(reply.status(), 200, "{}", reply.text());
                assert!(!reply.cut);
                served.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for n in 0..500 {
        let broken = n % 3 == 2;
        let more =
            if broken { format!("[[models]]\nalias = \"broken-{n}\"\nprovider = \"gone\"\n") } else { String::new() };
        let changing = format!("[[models]]\nalias = \"changing-{n}\"\nprovider = \"openai\"\n{more}");
        gateway.configure(&(with_model(&upstream, "always") + &changing));
        let reply = reload(&gateway).await;
        assert_eq!(reply.status(), if broken { 422 } else { 200 }, "{n}: {}", reply.text());
        assert!(!broken || reply.text().contains("gone"), "{}", reply.text());
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(served.load(Ordering::Relaxed) > 100, "{served:?}");
    assert!(gateway.metric("weir_config_rejected_total").await >= 166.0);
    assert_eq!(gateway.ask(&Request::get("/health")).await.status(), 200);
}

/// Clients of the file in the test below; `CLIENTS_IN_FILE` sets more.
const CLIENTS: usize = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_many_clients_is_reloaded_beside_their_requests() {
    let count = std::env::var("CLIENTS_IN_FILE").ok().and_then(|text| text.parse().ok()).unwrap_or(CLIENTS);
    let upstream = provider(OPENAI).await;
    let file = |from: usize| {
        let client = |number| format!("[[clients]]\nname = \"client-{number}\"\nkey = \"key-of-client-{number:07}\"\n");
        let clients: String = (from..from + count).map(client).collect();
        format!("[admin]\ntoken = \"let-me-in-please\"\n{}{clients}", config(&upstream))
    };
    let of = |number: usize| OPENAI.request("openai", false).header("x-api-key", &format!("key-of-client-{number:07}"));
    let gateway = Arc::new(Gateway::from_file(&file(0)).await);
    let ask = async |number: usize| gateway.ask(&of(number)).await.status();
    assert_eq!((ask(0).await, ask(count - 1).await, ask(count).await), (200, 200, 401));
    // A client that stays asks all the time, and is answered while the file is read.
    gateway.configure(&file(1));
    let reloading = {
        let gateway = Arc::clone(&gateway);
        let request = Request::post("/admin/reload", "").header("authorization", "Bearer let-me-in-please");
        tokio::spawn(async move { gateway.ask(&request).await })
    };
    let mut beside = 0;
    while !reloading.is_finished() {
        assert_eq!(ask(1).await, 200);
        beside += 1;
    }
    let reply = reloading.await.unwrap();
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert!(beside > 1, "requests waited for the file");
    assert_eq!((ask(0).await, ask(1).await, ask(count).await), (401, 200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_replaces_a_limited_one_is_used_at_once() {
    let upstream = Upstream::scripted(|request| match request.header("authorization") {
        Some("Bearer KEY-OF-openai") => Answer::whole(429, &[("retry-after", "200")], "{}"),
        _ => Answer::json(200, OPENAI.whole()),
    })
    .await;
    let gateway = Gateway::from_file(&config(&upstream)).await;
    for _ in 0..2 {
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 429);
    }
    gateway.configure(&config(&upstream));
    assert_eq!(reload(&gateway).await.status(), 200);
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 429, "the same key still rests");
    gateway.configure(&config(&upstream).replace("KEY-OF-openai", "KEY-NEW"));
    assert_eq!(reload(&gateway).await.status(), 200);
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
}
