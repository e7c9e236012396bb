//! Two hundred streams that break off anywhere, at the provider or at the client: the log, the budgets and the sums of
//! use agree to the token and to the nano-dollar, for each client.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;
use weir_tests::{Answer, Gateway, Request, Upstream, soon};

use super::budget;
use super::excess::request;
use crate::keys::{TOKEN, admin};
use crate::wire_format::{PROVIDERS, WireFormat, config_of};

const STREAMS: usize = 200;
/// How many run at the same time: so many have the instances that they need.
const AT_ONCE: usize = 60;
const CLIENTS: [&str; 2] = ["red", "blue"];

/// Where a stream breaks off: the words in a request, by which the provider knows it too.
#[derive(Debug, Clone, Copy)]
struct Break {
    /// How many pieces of content come.
    pieces: usize,
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The client leaves after the first piece of content, at a time of its own.
    Client,
    Provider,
    /// It does not break off.
    None,
}

impl Break {
    fn word(self) -> String {
        format!("break-{:?}-after-{}-end", self.by, self.pieces)
    }

    fn answer(self, wire_format: WireFormat) -> Answer {
        let pieces = wire_format.stream();
        let head = Answer::sse().piece(&pieces[0]);
        let begun = (0..self.pieces).fold(head, |answer, _| answer.piece(&pieces[1]));
        match self.by {
            By::Client => begun.hang(),
            By::Provider => begun.reset(),
            By::None => pieces[2..].iter().fold(begun, Answer::piece).end(),
        }
    }
}

async fn provider(breaks: Vec<Break>) -> Upstream {
    Upstream::scripted(move |request| {
        let text = request.text();
        let this = breaks.iter().find(|one| text.contains(&one.word())).expect("a word of the test");
        this.answer(WireFormat::of(request))
    })
    .await
}

/// Numbers without an order.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Sends a request, and reads its answer as far as it goes or as the client wants it.
async fn ask(gateway: &Gateway, request: Request, by: By, stays: Duration) {
    let mut client = gateway.connect().await;
    client.send(&request).await;
    if by != By::Client {
        let head = client.head().await;
        // A stream that breaks off before anything was sent on is an error of its own.
        assert!(head.status == 200 || by == By::Provider, "{by:?}: {}", head.status);
        let _rest = client.rest().await;
        return;
    }
    assert_eq!(client.head().await.status, 200);
    client.until("Gr").await;
    tokio::time::sleep(stays).await;
    client.leave();
}

/// Tokens and nano-dollars.
type Sums = (u64, u64);

fn tokens(of: &Value) -> u64 {
    of["tokens"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// What the log has of a client, once it has so many requests.
async fn logged(gateway: &Gateway, client: &str, count: usize) -> Sums {
    let read = async {
        loop {
            let page = admin(gateway, "GET", &format!("/requests?limit=1000&key={client}"), Value::Null).await.json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= count, "{} requests of {count}", items.len());
            if items.len() == count {
                let nano = items.iter().map(|fact| fact["cost_nano"].as_u64().unwrap()).sum();
                return (items.iter().map(tokens).sum(), nano);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the log", read).await
}

/// The sums of a client's use, once they have so many requests.
async fn used(gateway: &Gateway, client: &str, count: usize) -> Sums {
    let read = async {
        loop {
            let sums = admin(gateway, "GET", "/usage?by=key", Value::Null).await.json();
            let of = sums["items"].as_array().unwrap().iter().find(|sum| sum["name"] == client).cloned();
            if let Some(of) = of.filter(|of| of["requests"] == count) {
                return (tokens(&of), of["cost_nano"].as_u64().unwrap());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the sums of use", read).await
}

/// What the budgets of a client have booked.
async fn booked(gateway: &Gateway, client: &str) -> Sums {
    let request = Request::get("/admin/budgets").bearer(TOKEN);
    let page = gateway.ask(&request).await.json();
    let of = |name: String| {
        let all = page["budgets"].as_array().unwrap();
        let budget = all.iter().find(|budget| budget["name"] == *name).unwrap();
        assert!(budget["reserved"] == 0 || budget["reserved"] == "0", "each reservation is given back once: {budget}");
        budget["settled"].clone()
    };
    let dollars = of(format!("{client}-dollars")).as_str().unwrap().to_owned();
    let (whole, part) = dollars.split_once('.').unwrap_or((&dollars, ""));
    let nano = whole.parse::<u64>().unwrap() * 1_000_000_000 + format!("{part:0<9}").parse::<u64>().unwrap();
    (of(format!("{client}-tokens")).as_u64().unwrap(), nano)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_budgets_and_use_agree_on_two_hundred_streams_that_break_off_anywhere() {
    let mut random = Random(std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_201));
    let breaks: Vec<Break> = (0..40)
        .map(|number| {
            let by = [By::Client, By::Provider, By::Client, By::None][number % 4];
            Break { pieces: 1 + random.below(30) as usize, by }
        })
        .collect();
    let upstream = provider(breaks.clone()).await;
    let models = config_of(&PROVIDERS, &upstream)
        .replace("target = {", "price = { input = 3.001, output = 15.007 }\ntarget = {");
    let of = |client: &str| {
        let team = |(unit, limit): (&str, &str)| {
            let named = format!("name = \"{client}-{unit}\"\nfor = {{ team = \"team-{client}\" }}\n");
            budget(&format!("{named}per = \"total\"\n{limit}"))
        };
        let known = format!(
            "[[clients]]\nname = \"{client}\"\nkey = \"weir-key-of-{client}-0123\"\nteam = \"team-{client}\"\n"
        );
        known + &[("dollars", "usd = 1000000"), ("tokens", "tokens = 1000000000")].map(team).concat()
    };
    let config = format!("[admin]\ntoken = \"{TOKEN}\"\n{models}{}", CLIENTS.map(of).concat());
    let gateway = Gateway::from_file(&config).await;
    let mut counts = [0; 2];
    let mut all = Vec::new();
    for number in 0..STREAMS {
        let broken = breaks[random.below(breaks.len() as u64) as usize];
        let client = PROVIDERS[number % 3];
        let models = [client.name.to_owned(), client.translated(), PROVIDERS[(number + 1) % 3].name.to_owned()];
        let whose = usize::from(random.below(3) == 0);
        counts[whose] += 1;
        let key = format!("weir-key-of-{}-0123", CLIENTS[whose]);
        let request = request(client, &models[random.below(3) as usize], true, (&broken.word(), 500), &key);
        all.push(ask(&gateway, request, broken.by, Duration::from_millis(random.below(60))));
    }
    futures_util::stream::iter(all).buffer_unordered(AT_ONCE).collect::<()>().await;
    gateway.until_metric("weir_in_flight", 0.0).await;
    let mut sums = Vec::new();
    for (client, count) in CLIENTS.into_iter().zip(counts) {
        let logged = logged(&gateway, client, count).await;
        assert!(logged.0 > count as u64 && logged.1 > 0, "{client}: {logged:?}");
        assert_eq!(used(&gateway, client, count).await, logged, "use of {client}");
        assert_eq!(booked(&gateway, client).await, logged, "budgets of {client}");
        sums.push(logged);
    }
    assert_ne!(sums[0], sums[1]);
}
