//! No secret gets into an adapter's memory: after requests in both lanes, and while streams are in flight, the test
//! searches the memories of all live instances, shared ones included. It also prints their size.

mod providers;

use weir_tests::{Answer, Folder, Gate, Gateway, Request, Upstream};

use crate::wire_format::ZETA;

/// A key that was made for tests and is worthless.
const ACCOUNTS_KEY: &str = include_str!("../../host/upstream/src/credential/account/test-key.pem");
/// A text in requests and answers, which is found where secrets are not.
const SPOKEN: &str = "SPOKEN-BY-THE-CLIENT";
const ANSWERED: &str = "ANSWERED-BY-THE-PROVIDER";
/// The clients' credentials.
const MINE: &str = "PLANTED-WITH-THE-CLIENT";
/// The adapters of this test.
const ADAPTERS: [&str; 6] = ["openai", "anthropic", "zeta", "gemini", "bedrock", "vertex"];

/// A text that is found even if parts of it have been overwritten since.
fn long(text: &str) -> String {
    text.to_owned() + &format!("-{text}").repeat(40)
}

/// A gateway with all providers and their endpoints.
struct Search {
    gateway: Gateway,
    /// Kept alive, so that they answer.
    _upstreams: Vec<Upstream>,
}

/// Opens the gateway; the providers wait at the gate in the middle of their streams.
async fn search(plugins: &str, gate: &Gate) -> Search {
    let token = format!("{{\"access_token\":\"{}\",\"expires_in\":3600}}", long("PLANTED-TOKEN"));
    let tokens = Upstream::always(Answer::json(200, token)).await;
    let (mut config, mut upstreams) = (plugins.to_owned(), Vec::new());
    for (at, provider) in providers::ALL.into_iter().enumerate() {
        let gate = gate.clone();
        let upstream = Upstream::scripted(move |request| {
            let line = request.line();
            let asks = ["drip", "treamGenerateContent", "converse-stream", "streamRawPredict"];
            let is_streaming = asks.iter().any(|word| line.contains(word))
                || String::from_utf8_lossy(&request.body).contains("\"stream\":true");
            if is_streaming { provider.stream(&gate) } else { provider.whole() }
        })
        .await;
        config += &provider.config(at, &upstream, &tokens);
        upstreams.push(upstream);
    }
    upstreams.push(tokens);
    Search { gateway: Gateway::with(Folder::with(&ADAPTERS), &config).await, _upstreams: upstreams }
}

/// The format of a client.
#[derive(Debug, Clone, Copy)]
enum Client {
    OpenAi,
    Anthropic,
    Zeta,
    Gemini,
    Converse,
}

const CLIENTS: [Client; 5] = [Client::OpenAi, Client::Anthropic, Client::Zeta, Client::Gemini, Client::Converse];

impl Client {
    /// A request with text, and with a credential in every possible place.
    fn request(self, model: &str, stream: bool) -> Request {
        let (spoken, mine) = (long(SPOKEN), long(MINE));
        let turn = format!("{{\"role\":\"user\",\"content\":\"{spoken}\"}}");
        let request = match self {
            Self::OpenAi => {
                let body = format!("{{\"model\":\"{model}\",\"messages\":[{turn}],\"stream\":{stream}}}");
                Request::post("/v1/chat/completions", body)
            }
            Self::Anthropic => {
                let more = format!("\"max_tokens\":64,\"stream\":{stream}");
                let body = format!("{{\"model\":\"{model}\",\"messages\":[{turn}],{more}}}");
                Request::post("/v1/messages", body).header("anthropic-version", "2023-06-01")
            }
            Self::Zeta => {
                let drip = if stream { "&drip=yes" } else { "" };
                let path = format!("/zeta/v0/minds/{model}:parley?pass={mine}&seal={mine}&mood=calm{drip}");
                Request::post(&path, format!("{{\"scroll\":[{{\"who\":\"pilgrim\",\"says\":\"{spoken}\"}}]}}"))
            }
            Self::Gemini => {
                let verb = if stream { "streamGenerateContent?alt=sse&" } else { "generateContent?" };
                let body = format!("{{\"contents\":[{{\"role\":\"user\",\"parts\":[{{\"text\":\"{spoken}\"}}]}}]}}");
                Request::post(&format!("/v1beta/models/{model}:{verb}key={mine}"), body)
            }
            Self::Converse => {
                let verb = if stream { "converse-stream" } else { "converse" };
                let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":[{{\"text\":\"{spoken}\"}}]}}]}}");
                Request::post(&format!("/model/{model}/{verb}"), body)
            }
        };
        let names = [
            "x-api-key",
            "x-litellm-api-key",
            "x-copy-of-it",
            "api-key",
            "x-goog-api-key",
            "proxy-authorization",
            "zeta-pass",
            "zeta-seal",
            "cookie",
            "x-amz-security-token",
        ];
        let request = request.header("authorization", &format!("Bearer {mine}"));
        names.into_iter().fold(request, |request, name| request.header(name, &mine))
    }
}

/// Both models of each provider.
fn models() -> impl Iterator<Item = String> {
    (0..providers::ALL.len()).flat_map(|at| [format!("m{at}"), format!("m{at}-t")])
}

/// Searches the current memories.
fn search_memories() {
    let Some(memories) = guest_memories() else {
        return println!("skipped: the memories of instances can be read on Linux only");
    };
    let found = |text: &str| memories.iter().find_map(|memory| find(memory, text.as_bytes()));
    assert!(found(SPOKEN).is_some(), "what a client said is found, so the search finds");
    assert!(found(ANSWERED).is_some(), "and what a provider answered");
    // Every secret begins with this word, except the key that signs for tokens.
    let pem = ACCOUNTS_KEY.lines().nth(1).unwrap();
    for secret in ["PLANTED-", "AKIDPLANTED", "planted-client", pem] {
        assert_eq!(found(secret), None);
    }
}

/// The searches cover the whole process, so they run one after the other.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_adapters_memory() {
    let _turn = TURN.lock().await;
    let search = search("[plugins]\nisolation = \"shared\"\n", &Gate::default()).await;
    for _ in 0..2 {
        for client in CLIENTS {
            for model in models() {
                let reply = search.gateway.ask(&client.request(&model, false)).await;
                assert_eq!(reply.status(), 200, "{client:?} {model}: {}", reply.text());
            }
        }
    }
    search_memories();
}

/// The client's key, and a text that only this client sends.
const TWO: [(&str, &str); 2] =
    [("weir-key-of-the-first-01", "SAID-BY-THE-FIRST"), ("weir-key-of-the-second-01", "SAID-BY-THE-SECOND")];

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_reused_holds_the_words_of_one_client_only() {
    // One was made ahead, for the first client; the second one needs one of its own.
    holds_the_words_of_one_client_only(long, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_large_requests_pass_through_holds_the_words_of_one_client_only() {
    // Each client has one for its requests and one for the answers.
    holds_the_words_of_one_client_only(|words| (long(words) + " ").repeat(40), 6).await;
}

/// Has two clients say what is theirs, whole and streamed in turn. So many instances are made meanwhile.
async fn holds_the_words_of_one_client_only(say: fn(&str) -> String, instances: u32) {
    let _turn = TURN.lock().await;
    let folder = Folder::with(&["openai", "anthropic"]);
    for name in ["openai", "anthropic"] {
        folder.put_fixtures(name, &weir_tests::plugins::root().join(format!("plugins/{name}/fixtures")));
    }
    let provider = providers::ALL[1];
    let upstream = Upstream::always(provider.whole()).await;
    let clients = TWO.map(|(key, _)| format!("[[clients]]\nname = \"{key}\"\nkey = \"{key}\"\n")).concat();
    let gateway = Gateway::with(folder, &(clients + &provider.config(0, &upstream, &upstream))).await;
    let made = async || gateway.metric("weir_plugin_instances_made_total").await;
    let before = made().await;
    for round in 0..20 {
        for (key, words) in TWO {
            let turn = format!("{{\"role\":\"user\",\"content\":\"{}\"}}", say(words));
            let body = format!("{{\"model\":\"m0-t\",\"stream\":{},\"messages\":[{turn}]}}", round % 2 == 1);
            let request = Request::post("/v1/chat/completions", body).header("authorization", &format!("Bearer {key}"));
            let reply = gateway.ask(&request).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
        }
    }
    assert_eq!(made().await - before, f64::from(instances), "they serve all forty exchanges");
    let Some(memories) = guest_memories() else { return };
    let holds = |memory: &Vec<u8>, (_, words): (&str, &str)| find(memory, words.as_bytes()).is_some();
    for client in TWO {
        assert!(memories.iter().any(|memory| holds(memory, client)), "what a client said is found");
    }
    assert!(!memories.iter().any(|memory| TWO.into_iter().all(|client| holds(memory, client))));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_adapters_memory_while_streams_are_under_way() {
    let _turn = TURN.lock().await;
    let gate = Gate::default();
    let search = search("", &gate).await;
    let mut under_way = Vec::new();
    for client in CLIENTS {
        for model in models() {
            let mut connection = search.gateway.connect().await;
            connection.send(&client.request(&model, true)).await;
            let head = connection.head().await;
            assert_eq!(head.status, 200, "{client:?} {model}");
            connection.until(ANSWERED).await;
            under_way.push(connection);
        }
    }
    let live = async |name: &str| search.gateway.adapter(name).await[0]["instances_live"].as_u64().unwrap();
    for adapter in ADAPTERS {
        assert!(live(adapter).await >= 5, "instances of {adapter} are at work");
    }
    search_memories();
    (0..under_way.len()).for_each(|_| gate.open());
    for connection in &mut under_way {
        assert!(!connection.rest().await.1, "whole");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_an_adapters_instances_is_reported_while_they_work() {
    let gate = Gate::default();
    let pieces = ZETA.stream();
    let answer = ZETA.begin().piece(&pieces[0]).piece(&pieces[1]).gate(&gate).piece(pieces[2..].concat()).end();
    let upstream = Upstream::always(answer).await;
    let gateway = Gateway::with(Folder::with(&["zeta"]), &crate::wire_format::config(&upstream)).await;
    let figure = |about: &serde_json::Value, name: &str| about[name].as_u64().unwrap();
    let idle = gateway.adapter("zeta").await.remove(0);
    let each = figure(&idle, "memory_highest_bytes");
    assert!(each > 0 && figure(&idle, "memory_bytes") == figure(&idle, "instances_live") * each, "{idle}");
    assert_eq!(figure(&idle, "instances_live"), figure(&idle, "instances_idle"));

    let mut client = gateway.connect().await;
    client.send(&ZETA.request("zeta-t", true)).await;
    assert_eq!(client.head().await.status, 200);
    client.until(&crate::wire_format::TEXT[..6]).await;
    let busy = gateway.adapter("zeta").await.remove(0);
    assert_eq!(figure(&busy, "instances_live"), figure(&busy, "instances_idle") + 2, "one a side: {busy}");
    assert!(figure(&busy, "memory_bytes") >= figure(&busy, "instances_live") * each, "{busy}");
    let labels = format!("{{digest=\"{}\",plugin=\"zeta\"}}", &busy["digest"].as_str().unwrap()[..12]);
    for name in ["instances_live", "memory_bytes", "memory_highest_bytes"] {
        let reported = gateway.metric(&format!("weir_plugin_{name}{labels}")).await;
        assert_eq!(reported as u64, figure(&busy, name), "{name}");
    }
    gate.open();
    assert!(!client.rest().await.1, "whole");
    gateway.until_adapter("zeta", |all| figure(&all[0], "instances_live") == figure(&all[0], "instances_idle")).await;
}

/// The position of a text, with its surroundings.
fn find(memory: &[u8], text: &[u8]) -> Option<(usize, String)> {
    let at = memchr::memmem::find(memory, text)?;
    let around = &memory[at.saturating_sub(40)..(at + 80).min(memory.len())];
    Some((at, String::from_utf8_lossy(around).into_owned()))
}

/// The linear memories of all instances of this process. In the process's map, each contains a named image, which it
/// was created from (a file of the compile cache, or memory for code that is not mapped), and the writable ranges
/// directly before and after it.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is no such file")]
fn guest_memories() -> Option<Vec<Vec<u8>>> {
    use std::os::unix::fs::FileExt as _;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    // Contiguous writable ranges: start, end, and whether they contain an image.
    let mut pieces: Vec<(u64, u64, bool)> = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, may) = (words.next().unwrap(), words.next().unwrap());
        let (from, to) = range.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let is_image = line.contains("memfd:wasm-memory-image") || line.contains(".cwasm");
        let (from, to) = (number(from), number(to));
        if !may.starts_with("rw") || !(is_image || words.nth(3).is_none()) {
            continue;
        }
        match pieces.last_mut() {
            Some(last) if last.1 == from => (last.1, last.2) = (to, last.2 || is_image),
            _ => pieces.push((from, to, is_image)),
        }
    }
    let ranges = pieces.into_iter().filter(|piece| piece.2).map(|(from, to, _)| (from, to));
    let read = |(from, to): (u64, u64)| {
        let mut bytes = vec![0; (to - from) as usize];
        // A range that another instance returns in the meantime cannot be read any more.
        memory.read_exact_at(&mut bytes, from).is_ok().then_some(bytes)
    };
    Some(ranges.filter_map(read).collect())
}

#[cfg(not(target_os = "linux"))]
fn guest_memories() -> Option<Vec<Vec<u8>>> {
    None
}
