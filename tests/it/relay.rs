//! The same format on both sides: the same bytes.

use weir_tests::code::pack;
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, ZETA, config, provider};

/// A talk with unusual white space, escapes, numbers, doubled members and unknown ones.
const TALK: &str = "{ \"scroll\" :\t[{\"who\":\"pilgrim\",\"says\":\"caf\\u00e9 \u{1f980}\"}],\r\n \"tuning\":{\"heat\":1.50e0,\"heat\":0.7000},\"unknown\":[1e400, null]}\n";
const REPLY: &str = "{\"ref\":\"z-1\", \"brain\":\"zeta-1\",\n\"reply\":{\"says\":\"h\\u00e9\"},\"ended\":\"done\",\"toll\":{\"all_in\":10,\"of_cached\":4,\"of_written\":1,\"all_out\":7,\"of_musing\":2},\"new\":1.0}";

/// A zeta model under two aliases that differ from its name.
fn aliased(upstream: &Upstream) -> String {
    format!(
        "[[models]]\nalias = \"short\"\ntype = \"zeta\"\n\
         target = {{ url = \"{}\", api_key = \"k\", model = \"a much \\\"longer\\\" name\" }}\n\
         [[models]]\nalias = \"gpt\"\ntype = \"openai\"\n\
         target = {{ url = \"{0}\", api_key = \"k\", model = \"deployed\" }}\n",
        upstream.url()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn c94_an_answer_and_its_request_keep_every_byte() {
    let mut upstream = Upstream::always(Answer::json(200, REPLY)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.post("/zeta/v0/minds/zeta:parley", TALK).await;
    assert_eq!((reply.status(), reply.text().as_str()), (200, REPLY));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let received = upstream.request().await;
    assert_eq!(received.line(), "POST /base/minds/zeta:parley");
    assert_eq!(received.text(), TALK);
    assert_eq!(received.header("zeta-seal"), Some("wax:KEY-OF-zeta"));
}

#[tokio::test(flavor = "multi_thread")]
async fn c94_every_format_is_relayed_to_itself_byte_for_byte() {
    for wire_format in ALL {
        let mut upstream = provider(wire_format).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for stream in [false, true] {
            let request = wire_format.request(wire_format.name, stream);
            let reply = gateway.ask(&request).await;
            let expected = if stream { wire_format.stream().concat() } else { wire_format.whole() };
            assert_eq!(reply.text(), expected, "{wire_format:?} stream: {stream}");
            assert!(!reply.cut);
            assert_eq!(upstream.request().await.body, request.sent());
        }
        assert!(!gateway.metrics().await.contains("weir_translations_total{"), "no adapter ran");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c94_only_the_models_name_is_changed_where_an_alias_differs() {
    let mut upstream = Upstream::always(Answer::json(200, REPLY)).await;
    let gateway = Gateway::open(&aliased(&upstream)).await;
    let body = "{\"x\":\"minds/short\", \"brain\" : {\"called\" : \"minds\\/short\" , \"y\":[]},\"scroll\":[]}";
    let reply = gateway.post("/zeta/v0/parley", body).await;
    assert_eq!(reply.text(), REPLY, "the answer stays as it is");
    let expected = body.replace("\"minds\\/short\"", "\"minds/a much \\\"longer\\\" name\"");
    let received = upstream.request().await;
    assert_eq!(received.text(), expected);
    assert_eq!(received.line(), "POST /base/minds/a%20much%20%22longer%22%20name:parley");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_stands_twice_is_changed_at_both_places() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = Gateway::open(&aliased(&upstream)).await;
    gateway.post("/v1/chat/completions", "{\"model\":\"other\",\"messages\":[],\"model\" : \"gpt\"}").await;
    assert_eq!(upstream.request().await.text(), "{\"model\":\"deployed\",\"messages\":[],\"model\" : \"deployed\"}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c49_c51_nothing_is_added_and_nothing_taken_away() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = "{\"model\":\"openai\",\"messages\":[],\"vendor\":{\"x\":[1,2.0,-0]},\"stream\":false,\"n\":null}";
    gateway.post("/v1/chat/completions", body).await;
    let received = upstream.request().await;
    assert_eq!(received.text(), body);
    assert!(!received.head.to_ascii_lowercase().contains("x-weir"), "{}", received.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_keeps_its_bytes_however_it_is_cut() {
    let odd =
        "\u{feff}: a note\r\n\r\nevent: x\rdata: {\"a\":\"\u{4e16}\"}\r\rdata: one\ndata: two\n\n\n\ndata: [DONE]";
    for len in [1, 2, 3, 7, 64, 4096] {
        let upstream = Upstream::always(Answer::sse().pieces(odd, len).end()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let reply = gateway.ask(&OPENAI.request("openai", true)).await;
        assert_eq!((reply.text().as_str(), reply.cut), (odd, false), "in pieces of {len}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_a_packed_answer_is_relayed_as_it_came() {
    for coding in ["gzip", "deflate", "br", "zstd", "rot13"] {
        let plain = ANTHROPIC.whole();
        let packed = if coding == "rot13" { plain.clone().into_bytes() } else { pack(coding, plain.as_bytes()) };
        let headers = [("content-type", "application/json"), ("content-encoding", coding)];
        let mut upstream = Upstream::always(Answer::whole(200, &headers, &packed)).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let request = ANTHROPIC.request("anthropic", false).header("accept-encoding", "br, gzip;q=0.5");
        let reply = gateway.ask(&request).await;
        assert_eq!(reply.body, packed, "{coding}");
        assert_eq!(reply.header("content-encoding"), Some(coding));
        assert_eq!(upstream.request().await.header("accept-encoding"), Some("br, gzip;q=0.5"));
        let tokens = if coding == "rot13" { 0.0 } else { 7.0 };
        gateway.until_metric("weir_tokens_total{bucket=\"output\",model=\"anthropic\"}", tokens).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_a_packed_stream_is_relayed_as_it_came_and_metered() {
    let packed = pack("gzip", ANTHROPIC.stream().concat().as_bytes());
    let head = [("content-type", "text/event-stream"), ("content-encoding", "gzip")];
    let upstream = Upstream::always(Answer::begin(200, &head).pieces(&packed, 11).end()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.ask(&ANTHROPIC.request("anthropic", true)).await;
    assert_eq!(reply.body, packed);
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    gateway.until_metric("weir_tokens_total{bucket=\"output\",model=\"anthropic\"}", 7.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c28_headers_of_a_connection_stay_on_it() {
    let headers = [
        ("content-type", "application/json"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("server", "oracle/1"),
        ("set-cookie", "a=b"),
        ("zeta-left-requests", "7"),
        ("zeta-secret", "no"),
    ];
    let mut upstream = Upstream::always(Answer::whole(200, &headers, "{}")).await;
    // Without keys, a proxied request is served only if anonymous clients are allowed.
    let gateway = Gateway::open(&format!("{}\n[server]\nanonymous = true\n", config(&upstream))).await;
    let request = ZETA
        .request("zeta", false)
        .header("connection", "keep-alive, zeta-x-hop")
        .header("zeta-x-hop", "1")
        .header("te", "trailers")
        .header("zeta-x-kept", "2")
        .header("zeta-mood", "calm")
        .header("x-forwarded-for", "10.0.0.1")
        .header("cookie", "c=d");
    let reply = gateway.ask(&request).await;
    assert_eq!(reply.header("zeta-left-requests"), Some("7"));
    for name in ["x-hop", "server", "set-cookie", "zeta-secret"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
    let received = upstream.request().await;
    assert_eq!((received.header("zeta-x-kept"), received.header("zeta-mood")), (Some("2"), Some("calm")));
    assert_eq!(received.header("zeta-era"), Some("third"), "the manifest's own");
    for name in ["zeta-x-hop", "te", "x-forwarded-for", "cookie"] {
        assert_eq!(received.header(name), None, "{name}");
    }
    assert_eq!(received.header("host").unwrap_or_default(), upstream.origin().trim_start_matches("http://"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_that_is_named_is_forwarded_and_no_other() {
    let mut upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = "{\"scroll\":[]}";
    gateway.post("/zeta/v0/minds/zeta:parley?drip=yes&mood=so%20so&secret=1", body).await;
    let line = upstream.request().await.line().to_owned();
    assert_eq!(line, "POST /base/minds/zeta:parley-drip?shape=lines&mood=so%20so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_provider_goes_through_as_it_came() {
    let body = "{ \"error\": {\"message\": \"too much\", \"type\": \"rate_limit\" } }";
    let headers = [("content-type", "application/json"), ("retry-after", "7"), ("x-ratelimit-limit-requests", "5")];
    let upstream = Upstream::always(Answer::whole(429, &headers, body)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for stream in [false, true] {
        let reply = gateway.ask(&OPENAI.request("openai", stream)).await;
        assert_eq!((reply.status(), reply.text().as_str()), (429, body));
        assert_eq!(reply.header("retry-after"), Some("7"));
        assert_eq!(reply.header("x-weir-error-source"), Some("upstream"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_provider_takes_otherwise_is_translated() {
    let mut upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = "{\"scroll\":[{\"who\":\"pilgrim\",\"says\":\"Hi\"}],\"tuning\":{\"old_heat\":0.5}}";
    let reply = gateway.post("/zeta/v0/minds/zeta:parley", body).await;
    assert!(reply.json()["scribe"].is_string(), "an adapter wrote the answer");
    assert_eq!(upstream.request().await.json()["tuning"]["heat"], 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn relaying_needs_no_adapter_of_another_format() {
    let upstream = provider(ZETA).await;
    let settings = format!(
        "[[models]]\nalias = \"zeta\"\ntype = \"zeta\"\ntarget = {{ url = \"{}\", api_key = \"k\", model = \"zeta\" }}\n",
        upstream.url()
    );
    let gateway = Gateway::with(Folder::with(&["zeta"]), &settings).await;
    assert_eq!(gateway.ask(&ZETA.request("zeta", false)).await.text(), ZETA.whole());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_chunks_is_relayed_with_its_length() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let mut client = gateway.connect().await;
    let head = Request::post("/zeta/v0/minds/zeta:parley", "").header("transfer-encoding", "chunked").head();
    client.write(head.as_bytes()).await;
    for piece in ["2\r\n{\"\r\n", "9\r\nscroll\":[\r\n", "2\r\n]}\r\n", "0\r\n\r\n"] {
        client.write(piece.as_bytes()).await;
    }
    assert_eq!(client.reply().await.status(), 200);
    let received: Received = upstream.request().await;
    assert_eq!((received.text().as_str(), received.header("content-length")), ("{\"scroll\":[]}", Some("13")));
}
