//! A bad day: an hour of outages at three providers of three formats, compressed into a minute. Counts the requests
//! answered by a model with all three as targets, and by each provider alone.
//!
//! All times are divided by [`PRESSED`], including the defaults of timeouts, retries and breakers.

mod schedule;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep_until;
use weir_tests::{Answer, Gateway, Received, Reply, Upstream};

use crate::wire_format::{ALL, TEXT, WireFormat};
use schedule::{Failing, HOUR, Outage, PROVIDERS, outages};

/// The factor by which time is compressed.
const PRESSED: u32 = 60;
/// Time between two requests.
const PACE: Duration = Duration::from_millis(15);
/// The seed of the day's outages.
const SEED: u64 = 7;
/// Defaults, divided by [`PRESSED`]; `first_byte` is the half minute of `docs/routing.md`'s example, because with the
/// two minutes of the default too many requests would stall before the target's failure is known.
const SETTINGS: &str = "timeouts = { connect = \"83ms\", first_byte = \"500ms\", idle = \"1s\" }\n\
                        retry = { retry_delay_ms = 17, max_delay = \"167ms\" }\n\
                        breaker = { window = \"167ms\", open = \"83ms\", cooldown = \"17ms\", max_cooldown = \"5s\" }\n";

/// The share of requests that must be answered.
const WANTED: f64 = 0.999;
/// The share beside other tests: with a minute compressed to a second, a busy machine looks like another outage.
const WANTED_BESIDE: f64 = 0.97;

/// The outages, and how much of the hour is run: a tenth, or all of it if `WEIR_BADDAY` has a seed (`cargo xtask
/// badday`).
fn day() -> (Vec<Outage>, Duration) {
    match std::env::var("WEIR_BADDAY") {
        Ok(seed) => (outages(seed.parse().expect("WEIR_BADDAY is a number")), HOUR),
        Err(_) => (outages(SEED), HOUR / 10),
    }
}

/// Three providers; a model with all of them as targets, and one for each alone.
fn config(upstreams: &[Upstream]) -> String {
    let provider = |(number, upstream): (usize, &Upstream)| {
        let adapter = ALL[number].name;
        format!(
            "[[providers]]\nname = \"p{number}\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"KEY\"\n{SETTINGS}\
             [[models]]\nalias = \"alone-{number}\"\ntarget = {{ provider = \"p{number}\", model = \"alone\" }}\n",
            upstream.url()
        )
    };
    let target = |number| format!("{{ provider = \"p{number}\", model = \"m\" }}");
    let targets = (0..PROVIDERS).map(target).collect::<Vec<_>>().join(", ");
    let all = format!("[[models]]\nalias = \"all\"\nstrategy = \"round-robin\"\ntargets = [{targets}]\n");
    upstreams.iter().enumerate().map(provider).collect::<String>() + &all
}

/// The answer of a healthy provider.
fn well(wire_format: WireFormat, request: &Received) -> Answer {
    if is_stream(request) { wire_format.streamed() } else { Answer::json(200, wire_format.whole()) }
}

fn is_stream(request: &Received) -> bool {
    request.line().contains("drip") || request.text().contains("\"stream\":true")
}

/// Makes a provider fail until the outage is over by the test's clock.
fn fail(upstream: &Upstream, wire_format: WireFormat, outage: Outage, over: Instant) {
    let seen = AtomicUsize::new(0);
    if outage.how == Failing::Refuses {
        upstream.shut();
    }
    upstream.script(move |request| match outage.how {
        Failing::Refuses => Answer::default().close(),
        Failing::Bursts if seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) => well(wire_format, request),
        Failing::Broken | Failing::Bursts => Answer::json(500, "{}"),
        Failing::Limited => {
            let left = over.saturating_duration_since(Instant::now()).as_millis().to_string();
            Answer::whole(429, &[("content-type", "application/json"), ("retry-after-ms", &left)], "{}")
        }
        Failing::Overloaded => Answer::json(503, "{}"),
        Failing::Stalls => Answer::silence(),
        Failing::Resets => Answer::default().reset(),
        Failing::Cuts if is_stream(request) => {
            wire_format.stream()[..2].iter().fold(wire_format.begin(), Answer::piece).close()
        }
        Failing::Cuts => well(wire_format, request),
    });
}

/// Begins and ends the outages.
async fn pass(day: Vec<Outage>, upstreams: Arc<Vec<Upstream>>, begun: Instant) {
    let clock = |moment: Duration| begun + moment / PRESSED;
    let mut turns: Vec<(Duration, bool, Outage)> = day.iter().map(|one| (one.begins, true, *one)).collect();
    turns.extend(day.iter().map(|one| (one.ends, false, *one)));
    turns.sort_by_key(|(moment, begins, _)| (*moment, *begins));
    for (moment, begins, outage) in turns {
        sleep_until(clock(moment).into()).await;
        let (upstream, wire_format) = (&upstreams[outage.provider], ALL[outage.provider]);
        if begins {
            fail(upstream, wire_format, outage, clock(outage.ends));
            continue;
        }
        upstream.script(move |request| well(wire_format, request));
        if outage.how == Failing::Refuses {
            upstream.reopen();
        }
    }
}

/// Counts of requests sent, answered, and broken off after they had begun; and the statuses of the others.
#[derive(Debug, Default)]
struct Count {
    asked: u32,
    answered: u32,
    broken: u32,
    statuses: BTreeMap<u16, u32>,
    /// The start and duration of the failed requests.
    failed: Vec<(Duration, Duration)>,
    waits: Vec<Duration>,
}

impl Count {
    fn add(&mut self, (from, stream): (WireFormat, bool), reply: &Reply, due: Duration, took: Duration) {
        self.asked += 1;
        self.waits.push(took);
        match reply.status() {
            200 if is_whole(from, stream, reply) => self.answered += 1,
            // Once a piece has left, no other target can be tried: that is counted separately.
            200 => self.broken += 1,
            status => {
                *self.statuses.entry(status).or_default() += 1;
                self.failed.push((due * PRESSED, took * PRESSED));
            }
        }
    }

    /// The share of answered requests, without those that broke off.
    fn share(&self) -> f64 {
        f64::from(self.answered) / f64::from((self.asked - self.broken).max(1))
    }

    fn say(&mut self, what: &str) {
        self.waits.sort_unstable();
        let wait = |share: usize| self.waits.get(self.waits.len() * share / 1000).copied().unwrap_or_default();
        println!(
            "{what:<22} {:>5} asked, {:>5} answered = {:.3} %, {} broken off; half within {:.0?}, 99 % within {:.0?}; {:?}",
            self.asked,
            self.answered,
            self.share() * 100.0,
            self.broken,
            wait(500),
            wait(990),
            self.statuses
        );
    }
}

fn is_whole(from: WireFormat, stream: bool, reply: &Reply) -> bool {
    let parsed = (!reply.cut).then(|| from.parsed(reply, stream));
    parsed.is_some_and(|parsed| parsed.text == TEXT && (parsed.complete || !stream))
}

/// Sends requests at an even pace, regardless of their outcome, in all formats, streamed and not.
async fn demand(gateway: Arc<Gateway>, model: String, pace: Duration, begun: Instant, length: Duration) -> Count {
    let mut asked = Vec::new();
    for number in 0.. {
        let due = begun + pace * number;
        if due >= begun + length / PRESSED {
            break;
        }
        sleep_until(due.into()).await;
        let (from, stream) = (ALL[number as usize % ALL.len()], number % 2 == 0);
        let (gateway, request) = (Arc::clone(&gateway), from.request(&model, stream));
        asked.push(tokio::spawn(async move {
            let reply = gateway.ask(&request).await;
            ((from, stream), reply, due - begun, due.elapsed())
        }));
    }
    let mut count = Count::default();
    for one in asked {
        let (how, reply, due, took) = one.await.expect("every request is answered somehow");
        count.add(how, &reply, due, took);
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_is_ridden_out() {
    let (day, length) = day();
    let mut upstreams = Vec::new();
    for wire_format in ALL {
        upstreams.push(Upstream::scripted(move |request| well(wire_format, request)).await);
    }
    let gateway = Arc::new(Gateway::open(&config(&upstreams)).await);
    let upstreams = Arc::new(upstreams);
    let begun = Instant::now();
    let outages: Vec<Outage> = day.iter().copied().filter(|outage| outage.begins < length).collect();
    let passing = tokio::spawn(pass(outages.clone(), Arc::clone(&upstreams), begun));
    let of = |model: String, pace| tokio::spawn(demand(Arc::clone(&gateway), model, pace, begun, length));
    let together = of("all".to_owned(), PACE);
    let alone = (0..PROVIDERS).map(|number| of(format!("alone-{number}"), PACE * 4)).collect::<Vec<_>>();
    let mut together = together.await.unwrap();
    println!("{} outages in {length:?}, {PRESSED} times as fast", outages.len());
    together.say("with routing");
    for (number, count) in alone.into_iter().enumerate() {
        let down: Duration = outages
            .iter()
            .filter(|one| one.provider == number)
            .map(|one| one.ends.min(length).saturating_sub(one.begins))
            .sum();
        let down = down.as_secs_f64() / length.as_secs_f64() * 100.0;
        count.await.unwrap().say(&format!("{} alone (down {down:.0} %)", ALL[number].name));
    }
    passing.abort();
    for (asked, took) in together.failed.iter().take(20) {
        let down = |one: &&Outage| one.begins <= *asked + *took && *asked <= one.ends;
        println!(
            "asked at {asked:.0?}, failed after {took:.0?}: {:?}",
            outages.iter().filter(down).collect::<Vec<_>>()
        );
    }
    let share = together.share();
    let expected = if length == HOUR { WANTED } else { WANTED_BESIDE };
    assert!(share >= expected, "{:.3} % of {} answered: {:?}", share * 100.0, together.asked, together.statuses);
}
