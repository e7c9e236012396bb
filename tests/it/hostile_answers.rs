//! A dialect's output besides the body is checked before a client gets it: headers, status, errors, losses.

use std::fmt::Write as _;

use weir_tests::{Answer, Folder, Gateway, Upstream, log};

use crate::wire_format::{OPENAI, TEXT, ZETA, config};

const DEEDS: [&str; 13] = [
    "write.cookie",
    "write.length",
    "write.chunked",
    "write.close",
    "write.upgrade",
    "write.split",
    "write.forged",
    "write.switch",
    "write.empty",
    "write.none",
    "write.losses",
    "write.page",
    "read.refuse",
];

async fn gateway(upstream: &Upstream) -> Gateway {
    let mut models = String::new();
    for deed in DEEDS {
        let _ = write!(models, "[[models]]\nalias = \"{deed}\"\ntarget = {{ provider = \"zeta\", model = \"m\" }}\n");
    }
    Gateway::with(Folder::with(&["openai", "zeta", "hostile"]), &(config(upstream) + &models)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answers_headers_neither_frame_the_connection_nor_imitate_weirs() {
    let upstream = Upstream::always(Answer::json(200, ZETA.whole())).await;
    let gateway = gateway(&upstream).await;
    for deed in ["write.cookie", "write.length", "write.chunked", "write.close", "write.upgrade", "write.split"] {
        let mut client = gateway.connect().await;
        // Twice on one connection: a wrong count of the body's bytes would fail the second.
        for _ in 0..2 {
            client.send(&weir_tests::Request::post(&format!("/hostile/{deed}"), "{}")).await;
            let reply = client.reply().await;
            assert_eq!((reply.status(), reply.text().as_str()), (200, "{\"text\":\"well\"}"), "{deed}");
            for name in ["set-cookie", "transfer-encoding", "upgrade", "x-a"] {
                assert_eq!(reply.header(name), None, "{deed}");
            }
        }
    }
    let reply = gateway.post("/hostile/write.forged", "{}").await;
    assert_eq!(reply.header("x-weir-provider"), Some("zeta"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lists_headers_do_neither_and_no_answer_is_a_page() {
    let upstream = Upstream::always(Answer::json(200, ZETA.whole())).await;
    let gateway = gateway(&upstream).await;
    for deed in ["write.cookie", "write.length", "write.chunked", "write.close", "write.upgrade", "write.split"] {
        let mut client = gateway.connect().await;
        for _ in 0..2 {
            client.send(&weir_tests::Request::get(&format!("/hostile-models?deed={deed}"))).await;
            let reply = client.reply().await;
            assert_eq!((reply.status(), reply.text().as_str()), (200, "{\"models\":[]}"), "{deed}");
            for name in ["set-cookie", "transfer-encoding", "upgrade", "x-a"] {
                assert_eq!(reply.header(name), None, "{deed}");
            }
        }
    }
    let list = gateway.get("/hostile-models?deed=write.page").await;
    for reply in [list, gateway.post("/hostile/write.page", "{}").await] {
        assert_eq!((reply.status(), reply.header("content-security-policy")), (200, Some("sandbox")));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_none_of_an_answer_is_the_adapters_failure() {
    let upstream = Upstream::always(Answer::json(200, ZETA.whole())).await;
    let gateway = gateway(&upstream).await;
    for deed in ["write.switch", "write.empty", "write.none"] {
        let reply = gateway.post(&format!("/hostile/{deed}"), "{}").await;
        assert_eq!((reply.status(), reply.json()["code"].as_str()), (502, Some("adapter_error")), "{deed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_losses_are_short_and_move_no_terminal() {
    let upstream = Upstream::always(Answer::json(200, ZETA.whole())).await;
    let gateway = gateway(&upstream).await;
    let reply = gateway.post("/hostile/read.refuse", "{}").await;
    assert!((400..600).contains(&reply.status()) && reply.body.len() < 40_000, "{}", reply.status());
    assert_eq!(reply.header("x-evil"), None);
    assert!(!reply.json()["message"].as_str().unwrap().contains('\u{1b}'));
    let reply = gateway.post("/hostile/write.losses", "{}").await;
    assert_eq!(reply.status(), 200);
    assert!(reply.header("x-weir-dropped-params").is_none_or(|names| names.len() < 4096));
    for text in [log::text(), gateway.metrics().await] {
        assert!(!text.contains('\u{1b}') && !text.contains("\\u{1b}"), "escapes");
    }
    let reply = gateway.ask(&OPENAI.request("zeta", false)).await;
    assert_eq!(OPENAI.parsed(&reply, false).text, TEXT);
}
