//! A login at an identity provider for `/admin`: through a browser's steps, and against forgeries of each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use weir_tests::{Answer, Gate, Gateway, Received, Reply, Request, Upstream};

use crate::keys::tokens::Key;
use crate::wire_format::{OPENAI, config, provider};

/// What the provider gives for a code, and what it was asked.
#[derive(Default)]
struct Issued {
    /// The claims of the ID token besides those of the login, by code.
    claims: BTreeMap<String, Value>,
    /// By code: the nonce and the challenge that the browser brought to the login page.
    asked: BTreeMap<String, (String, String)>,
    used: Vec<String>,
}

/// A scripted identity provider: the test is the person at its login page.
struct Provider {
    upstream: Upstream,
    issued: Arc<Mutex<Issued>>,
}

impl Provider {
    async fn start() -> Self {
        let (key, issued) = (Key::new("one"), Arc::new(Mutex::new(Issued::default())));
        let state = Arc::clone(&issued);
        let upstream = Upstream::scripted(move |request| {
            let origin = format!("http://{}", request.header("host").unwrap_or_default());
            let path = request.line().split(' ').nth(1).unwrap_or_default().to_owned();
            match path.as_str() {
                "/.well-known/openid-configuration" => Answer::json(200, discovery(&origin).to_string()),
                "/jwks" => Answer::json(200, json!({"keys": [key.public()]}).to_string()),
                "/token" => token(&key, &origin, request, &mut state.lock().unwrap()),
                _ => Answer::json(404, "{}"),
            }
        })
        .await;
        Self { upstream, issued }
    }

    fn settings(&self, more: &str) -> String {
        format!(
            "[admin]\ntoken = \"admin-token-0123456789\"\n[admin.login]\nissuer = \"{}\"\nclient_id = \"weir\"\n\
             client_secret = \"the-secret-of-weir\"\nredirect_uri = \"http://127.0.0.1/admin/login/callback\"\n\
             allow_http = true\nwrite = [{{ claim = \"/groups\", pattern = \"admins\" }}]\n\
             read = [{{ claim = \"/groups\", pattern = \"readers\" }}]\n\
             team_write = [{{ claim = \"/groups\", pattern = \"lead-*\" }}]\n{more}",
            self.upstream.origin()
        )
    }

    /// How often the provider was asked for a path since this was called last.
    fn asked_for(&mut self, path: &str) -> usize {
        let all = std::iter::from_fn(|| self.upstream.unseen());
        all.filter(|request| request.line().split(' ').nth(1) == Some(path)).count()
    }

    /// The person logs in at the provider's page: a code for the address that the browser was sent to.
    fn code(&self, address: &str, code: &str, claims: Value) -> String {
        let query = parameters(address);
        let mut issued = self.issued.lock().unwrap();
        issued.asked.insert(code.to_owned(), (query["nonce"].clone(), query["code_challenge"].clone()));
        issued.claims.insert(code.to_owned(), claims);
        query["state"].clone()
    }
}

fn discovery(origin: &str) -> Value {
    json!({"issuer": origin, "jwks_uri": format!("{origin}/jwks"), "token_endpoint": format!("{origin}/token"),
           "authorization_endpoint": format!("{origin}/authorize"), "code_challenge_methods_supported": ["S256"],
           "authorization_response_iss_parameter_supported": true, "id_token_signing_alg_values_supported": ["ES256"]})
}

/// Exchanges a code once, for the client that began with it.
fn token(key: &Key, origin: &str, request: &Received, issued: &mut Issued) -> Answer {
    let form = parameters(&format!("?{}", String::from_utf8_lossy(&request.body)));
    let code = form.get("code").cloned().unwrap_or_default();
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("weir:the-secret-of-weir"));
    let Some((nonce, challenge)) = issued.asked.get(&code).cloned() else { return Answer::json(400, "{}") };
    let proof = URL_SAFE_NO_PAD.encode(digest(&SHA256, form["code_verifier"].as_bytes()));
    if issued.used.contains(&code) || proof != challenge || request.header("authorization") != Some(basic.as_str()) {
        return Answer::json(400, "{}");
    }
    issued.used.push(code.clone());
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({"iss": origin, "aud": "weir", "sub": "ada", "iat": now, "exp": now + 60, "nonce": nonce});
    for (name, value) in issued.claims[&code].as_object().unwrap() {
        claims[name] = value.clone();
    }
    Answer::json(200, json!({"id_token": key.token(&claims), "token_type": "Bearer"}).to_string())
}

fn parameters(address: &str) -> BTreeMap<String, String> {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits = if byte == b'%' { rest.next().zip(rest.next()) } else { None };
        bytes.push(digits.map_or(byte, |(high, low)| {
            u8::from_str_radix(&format!("{}{}", char::from(high), char::from(low)), 16).unwrap()
        }));
    }
    String::from_utf8(bytes).unwrap()
}

/// What a cookie of this name was set to.
fn cookie(reply: &Reply, name: &str) -> Option<String> {
    let mut set = reply.head.headers.iter().filter(|(header, _)| header == "set-cookie");
    set.find_map(|(_, value)| value.split(';').next()?.strip_prefix(&format!("{name}=")).map(str::to_owned))
}

fn location(reply: &Reply) -> String {
    assert_eq!(reply.status(), 303, "{}", reply.text());
    reply.header("location").unwrap().to_owned()
}

async fn gateway(identity: &Provider, more: &str) -> Gateway {
    let upstream = provider(OPENAI).await;
    Gateway::from_file(&(config(&upstream) + &identity.settings(more))).await
}

async fn begin(gateway: &Gateway) -> (String, String) {
    let reply = gateway.ask(&Request::get("/admin/login")).await;
    let pending = cookie(&reply, "weir-login").unwrap();
    let values: Vec<&str> = reply.head.headers.iter().map(|(_, value)| value.as_str()).collect();
    let text = values.join("\n");
    assert!(text.contains("HttpOnly; SameSite=Lax"), "{text}");
    (location(&reply), pending)
}

async fn come_back(gateway: &Gateway, query: &str, pending: &str) -> Reply {
    let request = Request::get(&format!("/admin/login/callback?{query}"));
    gateway.ask(&request.header("cookie", &format!("weir-login={pending}"))).await
}

/// Logs in with these claims: the session's cookie, or the word of the refusal.
async fn log_in(gateway: &Gateway, identity: &Provider, code: &str, claims: Value) -> Result<String, String> {
    let (address, pending) = begin(gateway).await;
    let state = identity.code(&address, code, claims);
    let query = format!("code={code}&state={state}&iss={}", identity.upstream.origin());
    let reply = come_back(gateway, &query, &pending).await;
    match location(&reply).split_once("?login=") {
        Some((_, word)) => Err(word.to_owned()),
        None => Ok(cookie(&reply, "weir-session").unwrap()),
    }
}

fn with_session(request: Request, session: &str) -> Request {
    request.header("cookie", &format!("weir-session={session}"))
}

async fn status(gateway: &Gateway, path: &str, session: &str) -> u16 {
    gateway.ask(&with_session(Request::get(path), session)).await.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_logs_in_may_do_what_the_claims_say() {
    let identity = Provider::start().await;
    let gateway = gateway(&identity, "").await;
    let shown = gateway.ask(&Request::get("/admin/v1/login")).await.json();
    assert_eq!(shown["address"], "/admin/login");
    assert_eq!(
        gateway.ask(&Request::get("/admin/config")).await.status(),
        401,
        "a login is needed on this machine, too"
    );
    let (address, _) = begin(&gateway).await;
    assert!(address.starts_with(&format!("{}/authorize?", identity.upstream.origin())), "{address}");
    let asked = parameters(&address);
    assert_eq!((asked["code_challenge_method"].as_str(), asked["response_type"].as_str()), ("S256", "code"));
    assert_eq!(asked["redirect_uri"], "http://127.0.0.1/admin/login/callback");

    let admin = log_in(&gateway, &identity, "c1", json!({"groups": ["admins"]})).await.unwrap();
    let session = gateway.ask(&with_session(Request::get("/admin/v1/session"), &admin)).await.json();
    assert_eq!((&session["access"], &session["actor"]["id"]), (&json!("write"), &json!("ada")));
    let team =
        || with_session(Request::post("/admin/v1/teams", json!({"id": "red", "name": "Red"}).to_string()), &admin);
    assert_eq!(gateway.ask(&team()).await.status(), 403, "a change needs the session's own value");
    let csrf = session["csrf_token"].as_str().unwrap();
    assert_eq!(gateway.ask(&team().header("x-csrf-token", csrf)).await.status(), 201);

    let reader = log_in(&gateway, &identity, "c2", json!({"groups": ["readers"]})).await.unwrap();
    assert_eq!(status(&gateway, "/admin/config", &reader).await, 200);
    let lead = log_in(&gateway, &identity, "c3", json!({"groups": ["lead-red"]})).await.unwrap();
    assert_eq!(status(&gateway, "/admin/config", &lead).await, 403);
    assert_eq!(status(&gateway, "/admin/v1/teams/red", &lead).await, 200);
    assert_eq!(log_in(&gateway, &identity, "c4", json!({"groups": ["others"]})).await, Err("no_grants".to_owned()));

    // Signing out ends the session, and only this one.
    let out = with_session(Request::new("DELETE", "/admin/v1/session"), &admin).header("x-csrf-token", csrf);
    assert_eq!(gateway.ask(&out).await.status(), 204);
    assert_eq!(status(&gateway, "/admin/config", &admin).await, 401);
    assert_eq!(status(&gateway, "/admin/config", &reader).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_repeated_and_mixed_up_answers_begin_no_session() {
    let identity = Provider::start().await;
    let gateway = gateway(&identity, "").await;
    let claims = || json!({"groups": ["admins"]});
    let iss = identity.upstream.origin();
    let refused = |reply: Reply, word: &str| {
        assert_eq!(location(&reply), format!("/ui/?login={word}"));
        assert_eq!(cookie(&reply, "weir-session"), None);
        assert_eq!(cookie(&reply, "weir-login").as_deref(), Some(""), "the login is over");
    };
    // Of another browser, or of none.
    let (address, pending) = begin(&gateway).await;
    let state = identity.code(&address, "a", claims());
    let (_, other) = begin(&gateway).await;
    refused(come_back(&gateway, &format!("code=a&state={state}&iss={iss}"), &other).await, "expired");
    refused(come_back(&gateway, &format!("code=a&state={state}&iss={iss}"), "").await, "expired");
    // From another provider, from none, with a code of another login, and with parameters twice.
    refused(come_back(&gateway, &format!("code=a&state={state}&iss=http://other.example"), &pending).await, "refused");
    refused(come_back(&gateway, &format!("code=a&state={state}"), &pending).await, "refused");
    refused(come_back(&gateway, &format!("code=a&code=b&state={state}&iss={iss}"), &pending).await, "refused");
    refused(come_back(&gateway, &format!("error=access_denied&state={state}&iss={iss}"), &pending).await, "refused");
    // The right one counts, and counts once.
    let query = format!("code=a&state={state}&iss={iss}&redirect=https://evil.example&to=//evil.example");
    let reply = come_back(&gateway, &query, &pending).await;
    assert_eq!(location(&reply), "/ui/", "no address of a request is gone to");
    let session = cookie(&reply, "weir-session").unwrap();
    assert_eq!(status(&gateway, "/admin/config", &session).await, 200);
    refused(come_back(&gateway, &query, &pending).await, "expired");
    // An ID token with another nonce, for another client, or that has expired.
    for (code, forged) in [
        ("n", json!({"nonce": "x", "groups": ["admins"]})),
        ("o", json!({"aud": "other", "groups": ["admins"]})),
        ("p", json!({"exp": 1_000_000, "groups": ["admins"]})),
        ("q", json!({"iss": "http://other.example", "groups": ["admins"]})),
    ] {
        assert_eq!(log_in(&gateway, &identity, code, forged).await, Err("refused".to_owned()), "{code}");
    }
    let log = gateway.ask(&Request::get("/metrics")).await.text();
    assert!(!log.contains(&session));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_store_has_its_grants_until_it_is_disabled() {
    let identity = Provider::start().await;
    let gateway = gateway(&identity, "").await;
    let as_admin = |method: &str, path: &str, body: Value| {
        let request = Request::new(method, path).header("authorization", "Bearer admin-token-0123456789");
        request.body(body.to_string())
    };
    let login = json!({"issuer": identity.upstream.origin(), "subject": "ada"});
    let user = json!({"id": "ada", "name": "Ada", "logins": [login], "grants": [{"access": "read"}]});
    let made = gateway.ask(&as_admin("POST", "/admin/v1/users", user)).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let session = log_in(&gateway, &identity, "a", json!({})).await.unwrap();
    let shown = gateway.ask(&with_session(Request::get("/admin/v1/session"), &session)).await.json();
    assert_eq!((&shown["access"], &shown["actor"]), (&json!("read"), &json!({"kind": "user", "id": "ada"})));
    let change = as_admin("PATCH", "/admin/v1/users/ada", json!({"disabled": true}));
    assert_eq!(gateway.ask(&change).await.status(), 200);
    assert_eq!(status(&gateway, "/admin/config", &session).await, 403, "the session ends with the user's rights");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_not_begun_here_reaches_no_provider_and_costs_no_allowance() {
    let mut identity = Provider::start().await;
    let gateway = gateway(&identity, "").await;
    let (_, pending) = begin(&gateway).await;
    let unsigned = pending.rsplit_once('.').unwrap().0.to_owned();
    let random = "A".repeat(43);
    let forged = format!("{random}.{random}.{random}.4000000000");
    let query = format!("code=x&state={random}&iss={}", identity.upstream.origin());
    for cookie in [&forged, &format!("{forged}.{random}"), &unsigned, ""].repeat(4) {
        assert_eq!(location(&come_back(&gateway, &query, cookie).await), "/ui/?login=expired", "{cookie}");
    }
    assert_eq!(identity.asked_for("/token"), 0);
    let wrong = Request::get("/admin/config").header("authorization", "Bearer wrong");
    assert_eq!(gateway.ask(&wrong).await.status(), 401, "the address has its allowance of wrong tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_the_provider_refuses_are_counted_and_then_not_tried() {
    let mut identity = Provider::start().await;
    let gateway = gateway(&identity, "").await;
    let iss = identity.upstream.origin();
    let attempt = async || {
        let (address, pending) = begin(&gateway).await;
        come_back(&gateway, &format!("code=junk&state={}&iss={iss}", parameters(&address)["state"]), &pending).await
    };
    for _ in 0..10 {
        assert_eq!(location(&attempt().await), "/ui/?login=refused");
    }
    assert_eq!(identity.asked_for("/token"), 10);
    let reply = attempt().await;
    assert_eq!((reply.status(), reply.header("retry-after").is_some()), (429, true), "{}", reply.text());
    assert_eq!(reply.json()["error"]["code"], "too_many_wrong_tokens");
    assert_eq!(identity.asked_for("/token"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn right_logins_cost_no_allowance() {
    let identity = Provider::start().await;
    let gateway = gateway(&identity, "").await;
    for number in 0..12 {
        let claims = json!({"groups": ["readers"]});
        log_in(&gateway, &identity, &format!("c{number}"), claims).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_begin_together_ask_the_provider_once() {
    let mut identity = Provider::start().await;
    let gateway = gateway(&identity, "").await;
    let (gate, key, origin) = (Gate::default(), Key::new("one"), identity.upstream.origin());
    let (shut, named) = (gate.clone(), origin.clone());
    identity.upstream.script(move |request| match request.line().split(' ').nth(1) {
        Some("/jwks") => Answer::json(200, json!({"keys": [key.public()]}).to_string()),
        _ => Answer::begin(200, &[]).gate(&shut).piece(discovery(&named).to_string()).end(),
    });
    let mut clients = Vec::new();
    for _ in 0..12 {
        let mut client = gateway.connect().await;
        client.send(&Request::get("/admin/login")).await;
        clients.push(client);
    }
    identity.upstream.request().await;
    for _ in &clients {
        gate.open();
    }
    for client in &mut clients {
        let reply = client.reply().await;
        assert!(location(&reply).starts_with(&format!("{origin}/authorize?")), "{}", location(&reply));
    }
    assert_eq!(identity.asked_for("/.well-known/openid-configuration"), 0, "but once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_the_rules_change_that_it_was_given_by() {
    let identity = Provider::start().await;
    let upstream = provider(OPENAI).await;
    let text = config(&upstream) + &identity.settings("");
    let gateway = Gateway::from_file(&text).await;
    let session = log_in(&gateway, &identity, "c", json!({"groups": ["admins"]})).await.unwrap();
    let reload = async |text: &str| {
        gateway.configure(text);
        let request = Request::post("/admin/reload", "").header("authorization", "Bearer admin-token-0123456789");
        let reply = gateway.ask(&request).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
    };
    reload(&text.replace("allow_http = true", "allow_http = true\nname = \"Sign in\"")).await;
    assert_eq!(status(&gateway, "/admin/config", &session).await, 200, "what says nothing of rights");
    reload(&text.replace("pattern = \"admins\"", "pattern = \"owners\"")).await;
    assert_eq!(status(&gateway, "/admin/config", &session).await, 401);
    assert_eq!(log_in(&gateway, &identity, "d", json!({"groups": ["admins"]})).await, Err("no_grants".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_is_said_and_harms_nothing_else() {
    let mut identity = Provider::start().await;
    let gateway = gateway(&identity, "").await;
    identity.upstream.script(|_| Answer::json(503, "{}"));
    for _ in 0..3 {
        let reply = gateway.ask(&Request::get("/admin/login")).await;
        assert_eq!(location(&reply), "/ui/?login=unavailable");
    }
    assert_eq!(identity.asked_for("/.well-known/openid-configuration"), 1, "it is left alone for some seconds");
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
}
