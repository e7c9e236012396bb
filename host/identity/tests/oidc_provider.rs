//! Tokens and a login against `oidc-provider`, which is certified by the OpenID Foundation. It runs if
//! `OIDC_PROVIDER_FOLDER` names a folder in which npm installed `tests/provider/package.json`, as `cargo xtask test`
//! lets it:
//!
//! ```text
//! cp host/identity/tests/provider/package.json FOLDER && npm install --prefix FOLDER
//! OIDC_PROVIDER_FOLDER=FOLDER cargo test -p weir-identity --test oidc_provider
//! ```

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test, and the functions that it uses")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;
use weir_config::Secret;
use weir_identity::document::TeamId;
use weir_identity::jwt::{ClaimRule, Fetch, FetchFailed, IssuerSettings, KeySet, Refusal, Timing, Verified, Verifier};
use weir_identity::oidc::{ClientSettings, Discovery, PendingLogin, callback, discovery_address, read_answer};

/// The provider's process, which ends with the test. Its output stays open: it would end when it writes to a closed
/// one.
struct Provider {
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Provider {
    fn start(port: u16) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/provider/provider.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(port.to_string()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let is_ready = output.by_ref().lines().map_while(Result::ok).any(|line| line == "ready");
        let provider = Self { child, _output: output };
        assert!(is_ready, "the provider does not start");
        provider
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// One request on a connection of its own.
fn request(address: &str, head: &[String], body: Option<&str>) -> Answer {
    let rest = address.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let method = if body.is_some() { "POST" } else { "GET" };
    let mut text = format!("{method} {path} HTTP/1.0\r\nhost: {host}\r\n");
    for line in head {
        text.extend([line, "\r\n"]);
    }
    let body = body.unwrap_or_default();
    let fields = format!("content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n", body.len());
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(format!("{text}{fields}\r\n{body}").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Answer { status: head[9..12].parse().unwrap(), headers, body: bytes[end + 4..].to_vec() }
}

struct Http;

impl Fetch for Http {
    async fn get(&self, address: &str, _most: usize) -> Result<Vec<u8>, FetchFailed> {
        let answer = request(address, &[], None);
        if answer.status == 200 { Ok(answer.body) } else { Err(FetchFailed(answer.status.to_string())) }
    }
}

/// Follows redirects as a browser does, until one leaves the provider.
fn browse(start: &str, issuer: &str) -> String {
    let mut cookies: BTreeMap<String, String> = BTreeMap::new();
    let mut address = start.to_owned();
    for _ in 0..10 {
        let all: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request(&address, &[format!("cookie: {}", all.join("; "))], None);
        for (name, value) in &answer.headers {
            if let Some((name, value)) =
                value.split(';').next().and_then(|it| it.split_once('=')).filter(|_| name == "set-cookie")
            {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = answer.headers.into_iter().find(|(name, _)| name == "location").map(|(_, value)| value);
        let location = location.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&answer.body)));
        address = if location.starts_with('/') { format!("{issuer}{location}") } else { location };
        if !address.starts_with(issuer) {
            return address;
        }
    }
    panic!("too many redirects")
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("not ready"),
    }
}

fn client() -> ClientSettings {
    ClientSettings {
        client_id: "weir".to_owned(),
        client_secret: Some(Secret::new("a secret: with & signs")),
        redirect_uri: "https://weir.example/admin/callback".to_owned(),
        scopes: vec!["email".to_owned()],
    }
}

fn discover(issuer: &str) -> Discovery {
    Discovery::parse(&request(&discovery_address(issuer), &[], None).body, issuer, true).unwrap()
}

fn log_in(issuer: &str) {
    let (discovery, client, now) = (discover(issuer), client(), Timestamp::now());
    let start = PendingLogin::begin(now).unwrap().start(&discovery, &client).unwrap();
    let back = browse(&start.address, issuer);
    let query = back.strip_prefix("https://weir.example/admin/callback?").unwrap();
    let code = callback(query, &start.pending, &discovery, now).unwrap();
    let exchange = start.pending.exchange(&code, &discovery, &client).unwrap();
    let header = exchange.authorization.map(|value| format!("authorization: {}", value.expose()));
    let answer = request(&exchange.address, &header.into_iter().collect::<Vec<_>>(), Some(exchange.body.expose()));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let keys = KeySet::parse(&request(&discovery.jwks_uri, &[], None).body).unwrap();
    let who = read_answer(&answer.body, &start.pending, &discovery, &client, &keys, now).unwrap();
    assert_eq!((who.login.subject.as_str(), who.claims["email"].as_str()), ("ada", Some("ada@example.org")));
    let other = PendingLogin::begin(now).unwrap();
    assert!(read_answer(&answer.body, &other, &discovery, &client, &keys, now).is_err(), "another login's token");
}

/// An access token for Weir, as a program gets it.
fn access_token(issuer: &str) -> String {
    let body = "grant_type=client_credentials&resource=urn:weir&scope=models&client_id=weir";
    let secret = "authorization: Basic d2VpcjphJTIwc2VjcmV0JTNBJTIwd2l0aCUyMCUyNiUyMHNpZ25z".to_owned();
    let answer = request(&discover(issuer).token_endpoint.unwrap(), &[secret], Some(body));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    value["access_token"].as_str().unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn a_certified_provider_logs_people_in_and_its_tokens_are_accepted_over_a_change_of_keys() {
    if std::env::var_os("OIDC_PROVIDER_FOLDER").is_none() {
        eprintln!("skipped: OIDC_PROVIDER_FOLDER does not name a folder with npm's oidc-provider");
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let issuer = format!("http://127.0.0.1:{port}");
    let mut settings = IssuerSettings::new("test", &issuer, "weir", TeamId::parse("other").unwrap());
    settings.allow_http = true;
    let mut team = ClaimRule::of("/groups").unwrap();
    team.pattern = "weir-*".to_owned();
    settings.team = vec![team];
    let verifier = Arc::new(Verifier::new(vec![settings], Timing::default(), 100).unwrap());
    let verify = |token: &str| -> Result<Verified, Refusal> {
        ready(verifier.verify_with(token, Timestamp::now(), |job| ready(job.run(&Http)).unwrap()))
    };

    let provider = Provider::start(port);
    log_in(&issuer);
    let old = access_token(&issuer);
    let identity = verify(&old).unwrap().identity;
    assert_eq!((identity.id.as_str(), identity.team.as_ref().unwrap().as_str()), ("test:weir", "red"));

    // The provider has other keys after a restart. Its new tokens are accepted at once, the old ones no longer.
    drop(provider);
    let _provider = Provider::start(port);
    let new = access_token(&issuer);
    assert!(verify(&new).is_ok());
    assert_eq!(verify(&old).unwrap_err(), Refusal::UnknownKey { issuer: "test".to_owned() });
}
