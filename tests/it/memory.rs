//! No secret gets into an adapter's memory: after requests in both lanes the memories of all instances that live are
//! searched, those of the instances that serve everybody among them. And how much of it they take is told.

use std::fmt::Write as _;
use weir_tests::{Answer, Folder, Gate, House, Request, Upstream};

use crate::tongue::{ALL, ANTHROPIC, OPENAI, ZETA};

/// A key that was made for tests and guards nothing.
const ACCOUNTS_KEY: &str = include_str!("../../host/src/upstream/credential/account/test-key.pem");
/// What stands in requests and answers, and so is found where secrets are not.
const SPOKEN: &str = "SPOKEN-BY-THE-CLIENT";
const ANSWERED: &str = "ANSWERED-BY-THE-PROVIDER";
/// What clients bring.
const MINE: &str = "PLANTED-WITH-THE-CLIENT";

/// A text that is found even where parts of it have been written over since.
fn long(text: &str) -> String {
    text.to_owned() + &format!("-{text}").repeat(40)
}

/// Secrets of providers, by the scheme that takes them.
const KEYS: [(&str, &str, &str); 7] = [
    ("openai", "", "PLANTED-KEY-OF-OPENAI"),
    ("anthropic", "", "PLANTED-KEY-OF-ANTHROPIC"),
    ("zeta", "", "PLANTED-KEY-FOR-A-HEADER"),
    ("zeta", "query", "PLANTED-KEY-FOR-A-QUERY"),
    ("zeta", "signed", "AKIDPLANTED:PLANTED-KEY-OF-SIGNER:PLANTED-SESSION"),
    ("zeta", "token", "planted-client:PLANTED-KEY-OF-CLIENT"),
    ("zeta", "account", ""),
];

/// One provider for each kind of credential, with a model in each lane.
fn config(providers: &[(&str, &Upstream)], tokens: &Upstream) -> String {
    let account = serde_json::json!({
        "type": "service_account",
        "client_email": "robot@p.test",
        "private_key_id": "PLANTED-KEY-ID",
        "private_key": ACCOUNTS_KEY,
        "token_uri": format!("{}/zeta/token", tokens.origin()),
    });
    let mut text = "[plugins]\nisolation = \"shared\"\n".to_owned();
    for (at, (adapter, auth, key)) in KEYS.into_iter().enumerate() {
        let parts: Vec<String> = key.split(':').map(long).collect();
        let key = if key.is_empty() { account.to_string() } else { parts.join(":") };
        let url = providers.iter().find(|(name, _)| *name == adapter).unwrap().1.url();
        let options = match auth {
            "" => String::new(),
            "token" => format!("options = {{ auth = \"token\", token_url = \"{}/zeta/token\" }}\n", tokens.origin()),
            "signed" => "options = { auth = \"signed\", region = \"eu-west-1\" }\n".to_owned(),
            _ => format!("options = {{ auth = \"{auth}\" }}\n"),
        };
        let _ = write!(
            text,
            "[[providers]]\nname = \"p{at}\"\nadapter = \"{adapter}\"\nurl = \"{url}\"\napi_key = {key:?}\n{options}\
             [[models]]\nalias = \"m{at}\"\ntarget = {{ provider = \"p{at}\", model = \"m\" }}\n\
             [[models]]\nalias = \"m{at}-t\"\ntranslate = true\ntarget = {{ provider = \"p{at}\", model = \"m\" }}\n"
        );
    }
    text
}

/// A request that brings a credential in every place where one may stand.
fn with_credentials(request: Request) -> Request {
    let names = ["x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "zeta-pass", "zeta-seal", "cookie"];
    let bearer = format!("Bearer {}", long(MINE));
    let request = request.header("authorization", &bearer);
    names.into_iter().fold(request, |request, name| request.header(name, &long(MINE)))
}

/// Text in place of the usual one.
fn with_text(body: &str, text: &str) -> String {
    body.replace(crate::tongue::TEXT, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_adapters_memory() {
    let tokens = Upstream::always(Answer::json(
        200,
        format!("{{\"access_token\":\"{}\",\"expires_in\":3600}}", long("PLANTED-TOKEN")),
    ))
    .await;
    let openai = Upstream::always(Answer::json(200, with_text(&OPENAI.whole(), &long(ANSWERED)))).await;
    let anthropic = Upstream::always(Answer::json(200, with_text(&ANTHROPIC.whole(), &long(ANSWERED)))).await;
    let zeta = Upstream::always(Answer::json(200, with_text(&ZETA.whole(), &long(ANSWERED)))).await;
    let providers = [("openai", &openai), ("anthropic", &anthropic), ("zeta", &zeta)];
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    let house = House::with(folder, &config(&providers, &tokens)).await;
    for _ in 0..2 {
        for from in ALL {
            for model in (0..KEYS.len()).flat_map(|at| [format!("m{at}"), format!("m{at}-t")]) {
                let reply = house.ask(&with_credentials(from.request(&model, false))).await;
                assert_eq!(reply.status(), 200, "{model}: {}", reply.text());
            }
        }
    }
    let (said, mine) = (long(SPOKEN), long(MINE));
    let body = format!("{{\"scroll\":[{{\"who\":\"pilgrim\",\"says\":\"{said}\"}}]}}");
    for model in ["m2", "m2-t"] {
        let path = format!("/zeta/v0/minds/{model}:parley?pass={mine}&seal={mine}&mood=calm");
        let reply = house.ask(&with_credentials(Request::post(&path, &body))).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }
    let Some(memories) = guest_memories() else {
        return println!("skipped: the memories of instances can be read on Linux only");
    };
    let found = |text: &str| memories.iter().find_map(|memory| find(memory, text.as_bytes()));
    assert!(found(SPOKEN).is_some(), "what a client said is found, so the search finds");
    assert!(found(ANSWERED).is_some(), "and what a provider answered");
    // Every secret begins with this word, but the key that signs for tokens.
    let pem = ACCOUNTS_KEY.lines().nth(1).unwrap();
    for secret in ["PLANTED-", pem] {
        assert_eq!(found(secret), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_adapters_instances_take_is_told_while_they_work() {
    let gate = Gate::default();
    let pieces = ZETA.stream();
    let answer = ZETA.begin().piece(&pieces[0]).piece(&pieces[1]).gate(&gate).piece(pieces[2..].concat()).end();
    let upstream = Upstream::always(answer).await;
    let house = House::with(Folder::with(&["zeta"]), &crate::tongue::config(&upstream)).await;
    let figure = |about: &serde_json::Value, name: &str| about[name].as_u64().unwrap();
    let idle = house.adapter("zeta").await.remove(0);
    let each = figure(&idle, "memory_highest_bytes");
    assert!(each > 0 && figure(&idle, "memory_bytes") == figure(&idle, "instances_live") * each, "{idle}");
    assert_eq!(figure(&idle, "instances_live"), figure(&idle, "instances_idle"));

    let mut client = house.connect().await;
    client.send(&ZETA.request("zeta-t", true)).await;
    assert_eq!(client.head().await.status, 200);
    client.until(&crate::tongue::TEXT[..6]).await;
    let busy = house.adapter("zeta").await.remove(0);
    assert_eq!(figure(&busy, "instances_live"), figure(&busy, "instances_idle") + 2, "one a side: {busy}");
    assert!(figure(&busy, "memory_bytes") >= figure(&busy, "instances_live") * each, "{busy}");
    let labels = format!("{{digest=\"{}\",plugin=\"zeta\"}}", &busy["digest"].as_str().unwrap()[..12]);
    for name in ["instances_live", "memory_bytes", "memory_highest_bytes"] {
        let told = house.metric(&format!("weir_plugin_{name}{labels}")).await;
        assert_eq!(told as u64, figure(&busy, name), "{name}");
    }
    gate.open();
    assert!(!client.rest().await.1, "whole");
    house.until_adapter("zeta", |all| figure(&all[0], "instances_live") == figure(&all[0], "instances_idle")).await;
}

/// Where a text stands, and what stands there.
fn find(memory: &[u8], text: &[u8]) -> Option<(usize, String)> {
    let at = memory.windows(text.len()).position(|window| window == text)?;
    let around = &memory[at.saturating_sub(40)..(at + 80).min(memory.len())];
    Some((at, String::from_utf8_lossy(around).into_owned()))
}

/// The linear memories of all instances of this process: each holds the image that it was made from, which has a
/// name, and what can be written directly before and after it.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is no such file")]
fn guest_memories() -> Option<Vec<Vec<u8>>> {
    use std::os::unix::fs::FileExt as _;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    // What can be written in one piece: where it begins and ends, and whether there is an image in it.
    let mut pieces: Vec<(u64, u64, bool)> = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, may) = (words.next().unwrap(), words.next().unwrap());
        let (from, to) = range.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let (from, to, is_image) = (number(from), number(to), line.contains("memfd:wasm-memory-image"));
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
        // What another instance gives back in the meantime cannot be read any more.
        memory.read_exact_at(&mut bytes, from).is_ok().then_some(bytes)
    };
    Some(ranges.filter_map(read).collect())
}

#[cfg(not(target_os = "linux"))]
fn guest_memories() -> Option<Vec<Vec<u8>>> {
    None
}
