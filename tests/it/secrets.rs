//! Keys: each is sent where it belongs, and nowhere else.

use weir_tests::{Answer, Gateway, Request, Upstream, log};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, ZETA, config, provider};

/// The client's credential, which no provider may see.
const MINE: &str = "CLIENTS-OWN-SECRET";

fn with_credentials(request: Request) -> Request {
    let bearer = format!("Bearer {MINE}");
    ["x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key", "proxy-authorization", "zeta-pass", "zeta-seal"]
        .into_iter()
        .fold(request.header("Authorization", &bearer).header("Cookie", MINE), |request, name| {
            request.header(name, MINE)
        })
}

#[tokio::test(flavor = "multi_thread")]
async fn c69_no_credential_of_a_client_reaches_a_provider() {
    for to in ALL {
        let mut upstream = provider(to).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            for model in [to.name.to_owned(), to.translated()] {
                let reply = gateway.ask(&with_credentials(from.request(&model, false))).await;
                assert_eq!(reply.status(), 200);
                let received = upstream.request().await;
                assert!(!received.head.contains(MINE), "{} to {model}: {}", from.name, received.head);
                assert!(!received.text().contains(MINE));
                assert!(received.head.contains(&format!("KEY-OF-{}", to.name)), "{}", received.head);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c69_a_clients_credential_in_the_query_reaches_no_provider() {
    let mut upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for model in ["zeta", "zeta-t"] {
        let path = format!("/zeta/v0/minds/{model}:parley?pass={MINE}&key={MINE}&seal={MINE}&mood={}", "calm");
        assert_eq!(gateway.post(&path, "{\"scroll\":[]}").await.status(), 200);
        assert!(!upstream.request().await.head.contains(MINE));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_where_its_scheme_says() {
    let mut upstream = provider(ZETA).await;
    let settings = config(&upstream)
        .replace("api_key = \"KEY-OF-zeta\"", "api_key = \"KEY-OF-zeta\"\noptions = { auth = \"query\" }");
    let gateway = Gateway::open(&settings).await;
    for model in ["zeta", "zeta-t"] {
        assert_eq!(gateway.ask(&ZETA.request(model, false)).await.status(), 200);
        let received = upstream.request().await;
        assert!(received.line().contains("?seal=KEY-OF-zeta"), "{}", received.line());
        assert_eq!(received.header("zeta-seal"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c70_keys_are_in_no_log_no_metric_no_header_and_no_error() {
    // A provider that repeats the key of a request.
    let upstream = Upstream::scripted(|request| {
        let status = if request.text().contains("\"fail\"") { 401 } else { 500 };
        Answer::json(
            status,
            format!("{{\"error\":{{\"message\":\"bad key {}\"}}}}", request.head.replace(['\r', '\n', '"'], " ")),
        )
    })
    .await;
    let settings = config(&upstream).replace("KEY-OF-", "sk-secret-number-");
    let gateway = Gateway::open(&settings).await;
    for from in ALL {
        for to in ALL {
            let request = with_credentials(from.request(&to.translated(), false));
            gateway.ask(&request).await;
        }
    }
    let text = log::text();
    assert!(text.contains("weir::access"), "the log is kept");
    let leaks: Vec<&str> =
        text.lines().filter(|line| line.contains("sk-secret-number-") || line.contains(MINE)).take(3).collect();
    assert!(leaks.is_empty(), "in the log: {leaks:#?}");
    assert!(!gateway.metrics().await.contains("sk-secret"));
    for path in ["/admin/config", "/admin/plugins", "/ready"] {
        assert!(!gateway.get(path).await.text().contains("sk-secret"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c70_a_key_that_the_provider_repeats_does_not_reach_the_client() {
    let body = |kind: &str| {
        format!("{{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"key sk-secret-echo is wrong\"}}}}")
    };
    for (status, kind) in [(401, "authentication_error"), (403, "permission_error"), (400, "invalid_request_error")] {
        let upstream = Upstream::always(Answer::json(status, body(kind))).await;
        let gateway = Gateway::open(&config(&upstream).replace("KEY-OF-anthropic", "sk-secret-echo")).await;
        let reply = gateway.ask(&OPENAI.request("anthropic", false)).await;
        assert!(!reply.text().contains("sk-secret-echo"), "{status}: {}", reply.text());
    }
    assert!(!log::text().contains("sk-secret-echo"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_takes_the_key_only_where_the_operator_lets_it() {
    for (allowed, status, sees) in [("", 502, None), ("plain", 200, Some(false)), ("credential", 200, Some(true))] {
        let answer = "{\"reply\":{\"says\":\"at last\"},\"ended\":\"done\"}";
        let mut elsewhere = Upstream::always(Answer::json(200, answer)).await;
        let mut upstream = Upstream::always(Answer::json(200, "{\"quest\":\"q1\"}")).await;
        let origin = elsewhere.origin();
        let allow = match allowed {
            "" => String::new(),
            "plain" => format!("allow_origins = [\"{origin}\"]\n"),
            _ => format!("allow_origins = [{{ origin = \"{origin}\", credential = true }}]\n"),
        };
        let settings = format!(
            "[[providers]]\nname = \"q\"\nadapter = \"zeta\"\nurl = \"{}\"\napi_key = \"KEY\"\n{allow}\
             options = {{ quest = true, origin = \"{origin}\" }}\n\
             [[models]]\nalias = \"q\"\ntarget = {{ provider = \"q\", model = \"m\" }}\n",
            upstream.url()
        );
        let gateway = Gateway::open(&settings).await;
        let reply = gateway.ask(&ANTHROPIC.request("q", false)).await;
        assert_eq!(reply.status(), status, "{allowed:?}: {}", reply.text());
        assert_eq!(upstream.request().await.header("zeta-seal"), Some("wax:KEY"));
        match sees {
            None => assert!(elsewhere.unseen().is_none()),
            Some(sees) => assert_eq!(elsewhere.request().await.header("zeta-seal").is_some(), sees, "{allowed}"),
        }
    }
}
