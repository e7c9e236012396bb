//! What a client's messages name: models that it may not use and objects of other clients reach no provider, however
//! the messages are written and cut; names that Weir gave are the provider's there.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Request, SessionProvider, Upstream, WebSocket, log};

use super::{CLIENT, PATH, client, config, session};

const FREE: &str = "weir-d-0123456789abcdef";

/// Models beside `rt`: one at its provider that the client may use, one that it may not, and one at another provider.
pub(super) fn models() -> String {
    "[[providers]]\nname = \"q\"\nadapter = \"openai\"\nurl = \"http://127.0.0.1:9/\"\napi_key = \"other-0123456789abcdef\"\n\
     [[models]]\nalias = \"ears\"\ntarget = { provider = \"p\", model = \"gpt-scribe\" }\n\
     [[models]]\nalias = \"dear\"\ntarget = { provider = \"p\", model = \"gpt-dear\" }\n\
     [[models]]\nalias = \"far\"\ntarget = { provider = \"q\", model = \"gpt-far\" }\n"
        .to_owned()
}

fn clients() -> String {
    client("models = [\"rt\", \"ears\", \"far\", \"own-*\"]")
        + &format!("[[clients]]\nname = \"d\"\nkey = \"{FREE}\"\n")
}

/// A session of a client with this key.
async fn session_of(gateway: &Gateway, provider: &SessionProvider, key: &str) -> (WebSocket, WebSocket) {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str())];
    let (client, provider) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    (client.unwrap(), provider)
}

/// A message that gives a session this model and this one for transcripts, as a client may write it.
pub(super) fn naming(model: &str, scribe: &str) -> String {
    format!(
        r#"{{"type":"session.update", "session":{{"model": "{model}","audio":{{"input":{{"transcription":{{"model":"{scribe}"}}}}}}}}}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_we_gave_a_model_is_the_providers_in_a_session() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &models() + &clients())).await;
    let theirs = naming("gpt-realtime", "gpt-scribe");
    for key in [CLIENT, FREE] {
        let (mut client, mut upstream) = session_of(&gateway, &provider, key).await;
        for (model, scribe) in [("rt", "ears"), ("gpt-realtime", "ears"), (r"\u0072t", r"e\u0061rs")] {
            let sent = naming(model, scribe);
            client.frame(true, 1, sent.as_bytes()).await;
            assert_eq!(upstream.hear().await.text(), theirs, "{sent}");
        }
        let twice = r#"{"session":{"model":"rt","model":"gpt-realtime"},"session":{"model":"rt"},"type":"x"}"#;
        client.frame(true, 1, twice.as_bytes()).await;
        assert_eq!(upstream.hear().await.text(), twice.replace("\"rt\"", "\"gpt-realtime\""));
        // In fragments, and a name that no model of ours has.
        let named = naming("rt", "own-scribe");
        client.frame(false, 1, &named.as_bytes()[..40]).await;
        client.frame(true, 0, &named.as_bytes()[40..]).await;
        assert_eq!(upstream.hear().await.text(), naming("gpt-realtime", "own-scribe"));
        let preview = json!({"type": "session.update", "session": {"input_audio_transcription": {"model": "ears"}}});
        client.say(&preview).await;
        assert_eq!(upstream.hear().await.json()["session"]["input_audio_transcription"]["model"], "gpt-scribe");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_names_a_model_which_its_client_may_not_use_does_not_pass() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &models() + &clients())).await;
    let (mut client, mut upstream) = session_of(&gateway, &provider, CLIENT).await;
    let (own, scribe) = ("session.model", "session.audio.input.transcription.model");
    for (message, place) in [
        (naming("dear", "ears"), own),
        (naming("gpt-dear", "ears"), own),
        // It may be used, in a session of its own.
        (naming("ears", "ears"), own),
        (naming("rt", "dear"), scribe),
        (naming("rt", "gpt-scribe"), scribe),
        (naming("rt", "far"), scribe),
        (naming("rt", r"de\u0061r"), scribe),
        (r#"{"session":{"\u006dodel":"dear"},"type":"session.update"}"#.to_owned(), own),
        (r#"{"session":{"model":"dear","model":"rt"}}"#.to_owned(), own),
        (r#"{"session":{"model":"rt"},"session":{"x":{}},"session":{"model":"dear"}}"#.to_owned(), own),
        (r#"{"session":{"model":{"name":"dear"}}}"#.to_owned(), own),
        (format!(r#"{{"session":{{"model":"{}"}}}}"#, "dear".repeat(200)), own),
        (r#"{"type":"response.create","response":{"model":"dear"}}"#.to_owned(), "response.model"),
        (
            r#"{"type":"session.update","session":{"input_audio_transcription":{"model":"dear"}}}"#.to_owned(),
            "session.input_audio_transcription.model",
        ),
    ] {
        let (front, end) = message.split_at(message.len() / 2);
        for opcode in [1, 2] {
            client.frame(true, opcode, message.as_bytes()).await;
            let error = client.hear().await.json();
            assert_eq!((&error["type"], &error["error"]["param"]), (&json!("error"), &json!(place)), "{message}");
        }
        client.frame(false, 1, front.as_bytes()).await;
        client.frame(true, 0, end.as_bytes()).await;
        assert_eq!(client.hear().await.json()["error"]["param"], place, "{message}");
    }
    // What cannot be read may name any, also in a message that is called binary.
    for message in [r#"{"type":"x","type":"y","session":{"model":"dear"}}"#, r#"{"session":{"model":"dear"}"#] {
        for opcode in [1, 2] {
            client.frame(true, opcode, message.as_bytes()).await;
            assert_eq!(client.hear().await.json()["type"], "error", "{message}");
        }
    }
    client.say(&json!({"type": "response.create", "response": {"instructions": "use the model dear"}})).await;
    assert_eq!(upstream.hear().await.json()["type"], "response.create", "the first that arrives");
    assert_eq!(gateway.metric("weir_realtime_sessions").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_whose_guards_cannot_judge_a_session_is_not_named_in_one() {
    let provider = SessionProvider::listen().await;
    let guards = "[[guards]]\nname = \"secrets\"\ndeadline = \"20s\"\nfor = { models = [\"ears\"] }\ngrants = { prompt = true }\n";
    let settings = config(&provider) + &models() + &clients() + guards;
    let gateway = Gateway::with(Folder::with(&["openai", "secrets"]), &settings).await;
    for key in [CLIENT, FREE] {
        let (mut client, mut upstream) = session_of(&gateway, &provider, key).await;
        for scribe in ["ears", "gpt-scribe"] {
            client.frame(true, 1, naming("rt", scribe).as_bytes()).await;
            let code = client.hear().await.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
            // The client with `models` may not use the provider's name.
            assert_eq!(code == "guard_cannot_judge", scribe == "ears" || key == FREE, "{key} {scribe}: {code}");
        }
        client.frame(true, 1, naming("rt", "own-scribe").as_bytes()).await;
        assert_eq!(upstream.hear().await.text(), naming("gpt-realtime", "own-scribe"));
    }
}

/// Larger than what is held until it is whole.
fn large(session: &Value) -> String {
    json!({"pad": "x".repeat(300 << 10), "session": session, "type": "session.update"}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_that_names_such_a_model_never_ends_at_the_provider() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &models() + &clients())).await;
    for (name, why) in [("dear", "may not use the model `dear`"), ("ears", "the provider's own names")] {
        let (mut client, mut upstream) = session_of(&gateway, &provider, CLIENT).await;
        let message = large(&json!({"audio": {"input": {"transcription": {"model": name}}}}));
        client.frame(true, 1, message.as_bytes()).await;
        assert!(client.hear().await.json()["error"]["message"].as_str().unwrap().contains(why), "{name}");
        assert_eq!(client.hear().await.close().0, 1008, "{name}");
        upstream.until_closed_within_a_message(1001).await;
    }
    let (mut client, mut upstream) = session_of(&gateway, &provider, CLIENT).await;
    let message = large(&json!({"model": "gpt-realtime", "audio": {"input": {"transcription": {"model": "own-x"}}}}));
    client.frame(true, 1, message.as_bytes()).await;
    assert!(upstream.message().await == message.as_bytes(), "what it may name passes unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_messages_of_a_client_that_may_use_every_model_pass_unchanged() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &models() + &clients())).await;
    let open = Gateway::open(&(config(&provider) + &models())).await;
    for (mut client, mut upstream) in [session_of(&gateway, &provider, FREE).await, session(&open, &provider).await] {
        for message in [
            naming("gpt-newest", "whisper-1"),
            naming("gpt-newest", "far"),
            large(&json!({"model": "gpt-newest"})),
            r#"{ "type": "x", "session": {"model": {"name": [1]}, "model": 7, "audio": null} }"#.to_owned(),
        ] {
            for opcode in [1, 2] {
                client.frame(true, opcode, message.as_bytes()).await;
                assert!(upstream.message().await == message.as_bytes(), "{}", &message[..60]);
            }
        }
        let unread = br#"{"type":"x","type":"y"}"#;
        client.frame(true, 2, unread).await;
        assert_eq!(upstream.message().await, unread);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_of_an_ephemeral_key_names_only_models_that_its_client_may_use() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &models() + &clients())).await;
    let ask = |scribe: &str| {
        let session =
            json!({"type": "realtime", "model": "rt", "audio": {"input": {"transcription": {"model": scribe}}}});
        Request::post("/v1/realtime/client_secrets", json!({"session": session}).to_string())
            .header("content-type", "application/json")
            .header("authorization", &format!("Bearer {CLIENT}"))
    };
    let refused = gateway.ask(&ask("dear")).await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    assert_eq!(refused.json()["error"]["param"], "session.audio.input.transcription.model");
    let issued = gateway.ask(&ask("ears")).await;
    assert_eq!(issued.status(), 200, "{}", issued.text());
    let key = issued.json()["value"].as_str().unwrap().to_owned();
    let (_client, mut upstream) = session_of(&gateway, &provider, &key).await;
    let sent = upstream.hear().await.json();
    assert_eq!(sent["session"]["audio"]["input"]["transcription"]["model"], "gpt-scribe", "{sent}");
    // One that is issued and that this provider does not have begins no session.
    let issued = gateway.ask(&ask("far")).await.json()["value"].as_str().unwrap().to_owned();
    let (mut client, mut upstream) = session_of(&gateway, &provider, &issued).await;
    let error = client.hear().await.json();
    assert!(error["error"]["message"].as_str().unwrap().contains("not one of the session's provider"), "{error}");
    assert_eq!(client.hear().await.close().0, 1008);
    assert_eq!(upstream.hear().await.close().0, 1001, "it gets no configuration");
    assert!(!log::text().contains(&issued));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_names_no_object_of_another_client() {
    const ID: &str = "resp_0123456789abcdef";
    let provider = SessionProvider::listen().await;
    let answer =
        json!({"id": ID, "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": []});
    let answers = Upstream::always(Answer::json(200, answer.to_string())).await;
    let other = format!(
        "[[providers]]\nname = \"s\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"store-0123456789abcdef\"\n\
         [[models]]\nalias = \"kept\"\ntarget = {{ provider = \"s\", model = \"m\" }}\n",
        answers.url()
    );
    let rights = "models = [\"rt\"]\noperations = [\"realtime\"]";
    let free = format!("[[clients]]\nname = \"d\"\nkey = \"{FREE}\"\n");
    let gateway = Gateway::open(&(config(&provider) + &other + &client(rights) + &free)).await;
    let ask = Request::post("/v1/responses", json!({"model": "kept", "input": "Hi"}).to_string());
    let answered = gateway.ask(&ask.header("authorization", &format!("Bearer {FREE}"))).await;
    assert_eq!(answered.status(), 200, "{}", answered.text());
    let item =
        |id: &str| json!({"type": "conversation.item.create", "item": {"content": [{"file_id": id}]}}).to_string();
    let (mut client, mut upstream) = session_of(&gateway, &provider, CLIENT).await;
    for message in [item(ID), item(ID).replace('_', "\\u005f"), item(&format!("things/{ID}"))] {
        client.frame(true, 1, message.as_bytes()).await;
        let error = client.hear().await.json();
        assert_eq!((&error["type"], &error["error"]["code"]), (&json!("error"), &json!("not_found")), "{message}");
    }
    // One that is not known to be its own, where the format has the ids of objects.
    client.say(&json!({"type": "session.update", "session": {"prompt": {"id": "pmpt_0123456789abcdef"}}})).await;
    assert_eq!(client.hear().await.json()["error"]["param"], "session.prompt.id");
    let other = item("item_0123456789abcdef");
    client.frame(true, 1, other.as_bytes()).await;
    assert_eq!(upstream.hear().await.text(), other, "the first that arrives");
    let pad = json!({"pad": "x".repeat(300 << 10), "file_id": ID, "z": "y".repeat(20 << 10)});
    client.say(&pad).await;
    assert_eq!(client.hear().await.json()["error"]["code"], "not_found");
    assert_eq!(client.hear().await.close().0, 1008);
    upstream.until_closed_within_a_message(1001).await;
    let (mut client, mut upstream) = session_of(&gateway, &provider, FREE).await;
    let prompt = json!({"type": "session.update", "session": {"prompt": {"id": "pmpt_0123456789abcdef"}}}).to_string();
    for message in [item(ID), prompt] {
        client.frame(true, 1, message.as_bytes()).await;
        assert_eq!(upstream.hear().await.text(), message);
    }
}
