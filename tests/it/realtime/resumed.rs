//! Sessions that are resumed by a handle: by the client that got it, where it was given.

use serde_json::json;
use weir_tests::{Gateway, SessionProvider, WebSocket};

use super::CLIENT;
use super::first_message::{KEY, PATH, config, setup};

/// A first message that goes on with a session by its handle.
fn resuming(member: &str, handle: &str) -> String {
    format!(r#"{{"setup":{{"model":"live","{member}":{{"handle":"{handle}"}}}}}}"#)
}

const MEMBERS: [&str; 2] = ["sessionResumption", "session_resumption"];

/// A gateway with clients of which some may use one model only.
struct Clients {
    provider: SessionProvider,
    gateway: Gateway,
}

impl Clients {
    async fn new() -> Self {
        let provider = SessionProvider::listen().await;
        let client = |name: &str, more: &str| {
            format!("[[clients]]\nname = \"{name}\"\nkey = \"weir-{name}-0123456789abcdef\"\n{more}\n")
        };
        let bound = "models = [\"live\"]";
        let clients = client("one", "") + &client("two", "") + &client("bound", bound) + &client("bind", bound);
        let gateway = Gateway::open(&(config(&provider) + &clients)).await;
        Self { provider, gateway }
    }

    /// A session of a client with this first message.
    async fn first(&self, name: &str, message: &str) -> (WebSocket, WebSocket) {
        let path = format!("{PATH}?key=weir-{name}-0123456789abcdef");
        let mut client = WebSocket::ask(self.gateway.address, &path, &[]).await.unwrap();
        client.frame(true, 1, message.as_bytes()).await;
        (client, self.provider.grant().await)
    }

    /// Whether a client gets on with a session by this handle. Otherwise the provider sees none of it.
    async fn resumes(&self, name: &str, member: &str, handle: &str) -> bool {
        let (mut client, mut upstream) = self.first(name, &resuming(member, handle)).await;
        let frame = upstream.hear().await;
        if frame.opcode == 1 {
            let expected = resuming(member, handle).replace("\"live\"", "\"gemini-live\"");
            assert_eq!(frame.text(), expected);
            return true;
        }
        assert_eq!(frame.close().0, 1001, "it gets none of it");
        let (code, reason) = client.hear().await.close();
        assert!(code == 1008 && reason.starts_with("there is no `"), "{code} {reason}");
        false
    }

    /// Has the provider give a client this handle, written so.
    async fn give(&self, (client, upstream): &mut (WebSocket, WebSocket), written: &str, pad: usize) {
        let pad = "x".repeat(pad);
        let update =
            format!(r#"{{"pad":"{pad}","sessionResumptionUpdate":{{"newHandle":"{written}","resumable":true}}}}"#);
        upstream.frame(true, 2, update.as_bytes()).await;
        assert_eq!(client.message().await, update.as_bytes());
    }
}

/// A handle with every sign escaped.
fn escaped(handle: &str) -> String {
    handle.chars().fold(String::new(), |all, sign| all + &format!("\\u{:04x}", u32::from(sign)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_resumed_by_the_client_alone_to_whom_its_handle_was_given() {
    let clients = Clients::new().await;
    for (owner, [free, bound], number) in [("one", ["two", "bound"], 1), ("bound", ["one", "bind"], 2)] {
        let mut session = clients.first(owner, &setup("live").to_string()).await;
        session.1.hear().await;
        // A session gets one with each turn.
        for turn in 0..100 {
            clients.give(&mut session, &format!("turn-{number}-{turn}"), 0).await;
        }
        // As clients read them, and as the provider writes them: some of its signs are escaped.
        let plain = |handle: String| (handle.clone(), handle);
        let handles = [
            plain(format!("Cihqbmd2cWVqcDV1eDR1cGpkc{number}")),
            (format!("Ci+h/q{number}=="), format!("Ci\\u002bh\\/q{number}\\u003d\\u003d")),
            plain(format!("no-digits-{}", "x".repeat(number))),
            plain(format!("{number}{}", "long".repeat(100))),
            plain(format!("short{number}")),
        ];
        for (at, (_, written)) in handles.iter().enumerate() {
            // Some messages are larger than what is held, and some end within a string.
            session.1.frame(true, 2, b"{\"broken\":{\"text").await;
            session.0.message().await;
            clients.give(&mut session, written, if at % 2 == 0 { 0 } else { 300 << 10 }).await;
        }
        for handle in handles.into_iter().map(|(read, _)| read).chain([format!("turn-{number}-7")]) {
            for member in MEMBERS {
                for name in [free, bound] {
                    assert!(!clients.resumes(name, member, &handle).await, "{name} {member} {handle}");
                }
                assert!(clients.resumes(owner, member, &handle).await, "{owner} {member} {handle}");
            }
            assert!(!clients.resumes(free, MEMBERS[0], &escaped(&handle)).await, "{handle}");
            let twice = resuming(MEMBERS[0], &format!("{handle}\",\"handle\":\"of-none"));
            let (mut client, mut upstream) = clients.first(free, &twice).await;
            assert_eq!((client.hear().await.close().0, upstream.hear().await.close().0), (1008, 1001), "{twice}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_that_is_not_known_becomes_no_clients() {
    let clients = Clients::new().await;
    // Such as that of another node.
    let unknown = "of-another-node+1==";
    assert!(!clients.resumes("bound", MEMBERS[0], unknown).await, "it names only its own");
    let mut session = clients.first("two", &resuming(MEMBERS[0], unknown)).await;
    session.1.hear().await;
    clients.give(&mut session, unknown, 0).await;
    assert!(clients.resumes("one", MEMBERS[0], unknown).await, "the client named it, and the provider repeats it");
    clients.give(&mut session, "a-new-one-1", 0).await;
    assert!(!clients.resumes("one", MEMBERS[0], "a-new-one-1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_resumed_with_the_key_and_at_the_provider_that_gave_its_handle() {
    let [one, two] = [SessionProvider::listen().await, SessionProvider::listen().await];
    let provider = |name: &str, at: &SessionProvider| {
        let keys = format!("api_keys = [\"KEY-{name}-1\", \"KEY-{name}-2\"]");
        let own = config(at).replace(&format!("api_key = \"{KEY}\""), &keys).replace("\"g\"", &format!("\"{name}\""));
        own.split("[[models]]").next().unwrap().to_owned()
    };
    let model = "[[models]]\nalias = \"live\"\nstrategy = \"round-robin\"\n\
                 targets = [{ provider = \"one\", model = \"m\" }, { provider = \"two\", model = \"m\" }]\n";
    for clients in [String::new(), super::client("")] {
        let gateway = Gateway::open(&(provider("one", &one) + &provider("two", &two) + model + &clients)).await;
        let path = format!("{PATH}?key={CLIENT}");
        let begin = async |message: &str| {
            let mut client = WebSocket::ask(gateway.address, &path, &[]).await.unwrap();
            client.frame(true, 1, message.as_bytes()).await;
            let mut upstream = tokio::select! {
                upstream = one.grant() => upstream,
                upstream = two.grant() => upstream,
            };
            upstream.hear().await;
            (client, upstream)
        };
        for number in 0..8 {
            let (mut client, mut upstream) = begin(&setup("live").to_string()).await;
            let handle = format!("Handle+{number}/of=");
            upstream.say(&json!({"sessionResumptionUpdate": {"newHandle": handle, "resumable": true}})).await;
            client.hear().await;
            for _ in 0..3 {
                let (_, resumed) = begin(&resuming("sessionResumption", &handle)).await;
                assert_eq!(resumed.header("x-goog-api-key"), upstream.header("x-goog-api-key"), "{number}");
            }
        }
    }
}
