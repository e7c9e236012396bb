//! The access log: one line for each request at its end, with its caller, model, provider, outcome and cost.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;

use super::trail::Trail;
use crate::auth::Caller;
use crate::observe::metrics::dollars_of;
use weir_ledger::Nano;
use weir_translate::dialect::faces::Endpoint;
use weir_types::contract::about::Bucket;
use weir_types::contract::types::Usage;
use weir_types::fault::{Fault, Side};
use weir_types::tokens::Tokens;

/// The log target of these lines.
pub const TARGET: &str = "weir::access";
/// The most characters shown of a path, a model's name or an error.
const SHOWN: usize = 200;
/// The most lost fields shown.
const LOSSES: usize = 16;

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The whole answer was sent.
    Whole,
    /// The gateway refused the request: it was wrong, or exceeded a limit or the client's rights.
    Refused,
    /// The answer was an error of the provider or of the gateway.
    Failed,
    /// The answer broke off.
    Broken,
    /// The client left before the end of the answer.
    Left,
}

impl End {
    /// The outcome's name in the log line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Left => "client left",
        }
    }
}

/// The tokens that a request used, and their cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Used {
    /// Tokens by bucket.
    pub tokens: Tokens,
    /// Whether any of them are estimated.
    pub is_estimated: bool,
    /// The cost, if all prices are known.
    pub cost: Option<Nano>,
    /// The version of the prices.
    pub prices: Option<Arc<str>>,
}

/// What the account reports of an exchange when it ends.
#[derive(Debug, Default)]
pub struct Ended {
    /// The answer's status; 0 if there was no answer.
    pub status: u16,
    /// The outcome; `None` if the client left.
    pub end: Option<End>,
    /// The provider that was tried last.
    pub provider: Option<Arc<str>>,
    /// The number of attempts.
    pub attempts: u32,
    /// The tokens used, and their cost.
    pub used: Used,
    /// What is billed by the piece: `search=2,second=1.5`.
    pub units: String,
    /// The service tier that served it, where the answer names one.
    pub service_tier: Option<String>,
    /// Whether it was served at the price of a batch, where the answer says.
    pub batch: Option<bool>,
    /// Until the first piece of a stream.
    pub first_token: Option<Duration>,
    /// The gateway's own time until the answer began.
    pub own: Option<Duration>,
}

/// The log line of one request, written when this is dropped.
#[derive(Debug)]
pub struct AccessLine {
    id: Arc<str>,
    begun: Instant,
    method: Method,
    path: String,
    address: Option<IpAddr>,
    face: Option<Arc<Endpoint>>,
    client: Arc<str>,
    alias: Option<String>,
    model: Option<String>,
    adapter: Option<String>,
    lane: Option<&'static str>,
    /// The targets that failed or were skipped, with their reasons.
    tried: Option<String>,
    losses: Vec<String>,
    error: Option<String>,
    /// The side at fault for the error.
    side: Option<Side>,
    ended: Ended,
}

impl AccessLine {
    /// Begins the line of a request that has just arrived; `None` if such lines are not written.
    pub fn begin(
        id: Arc<str>,
        begun: Instant,
        (method, path): (&Method, &str),
        address: Option<IpAddr>,
    ) -> Option<Box<Self>> {
        tracing::enabled!(target: TARGET, tracing::Level::INFO).then(|| {
            Box::new(Self {
                id,
                begun,
                method: method.clone(),
                path: shown(path),
                address,
                face: None,
                client: Arc::from(""),
                alias: None,
                model: None,
                adapter: None,
                lane: None,
                tried: None,
                losses: Vec::new(),
                error: None,
                side: None,
                ended: Ended::default(),
            })
        })
    }

    /// Sets the face that the request calls.
    pub fn called(&mut self, face: &Arc<Endpoint>) {
        self.face = Some(Arc::clone(face));
    }

    /// Sets the caller.
    pub fn asked_by(&mut self, caller: &Caller) {
        self.client = Arc::clone(&caller.tenant);
    }

    /// Sets the model, as the client names it.
    pub fn asks_for(&mut self, model: Option<&str>) {
        self.alias = model.map(shown);
    }

    /// Sets the model and the adapter that answered.
    pub fn answered(&mut self, model: &str, adapter: String) {
        (self.model, self.adapter) = (Some(shown(model)), Some(adapter));
    }

    /// An attempt begins, with the provider's name for the model.
    pub fn begins(&mut self, model: &str) {
        self.model = Some(shown(model));
    }

    /// Sets the lane of the last attempt: `relay` or `translate`.
    pub fn went(&mut self, lane: Option<&'static str>) {
        self.lane = lane;
    }

    /// Sets the targets that did not answer, with their reasons.
    pub fn tried(&mut self, trail: &Trail) {
        self.tried = trail.others();
    }

    /// Adds fields that the translation lost.
    pub fn lost<'a>(&mut self, fields: impl Iterator<Item = &'a str>) {
        let room = LOSSES.saturating_sub(self.losses.len());
        self.losses.extend(fields.take(room).map(shown));
    }

    /// Sets the error that the request is answered with.
    pub fn failed(&mut self, fault: &Fault) {
        self.error = Some(shown(&fault.error.message));
        self.side = Some(fault.side);
    }

    /// Sets the outcome.
    pub fn ends(&mut self, ended: Ended) {
        self.ended = ended;
    }

    /// Sets the outcome of a whole answer that the gateway gave itself.
    pub fn ends_with(&mut self, status: u16) {
        self.ended = Ended { status, end: Some(End::Whole), ..Ended::default() };
    }

    /// The outcome. A whole answer with an error status was refused or failed.
    fn end(&self) -> End {
        match (self.ended.end, self.ended.status) {
            (None, _) => End::Left,
            (Some(End::Whole), 400..) => {
                let is_ours = matches!(self.side, Some(Side::Client | Side::Gateway));
                if is_ours && self.ended.status < 500 { End::Refused } else { End::Failed }
            }
            (Some(end), _) => end,
        }
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        let Ended { status, provider, attempts, used, first_token, own, .. } = &self.ended;
        let tokens = &used.tokens;
        let has_tokens = tokens.total().is_some();
        let claim = self.face.as_ref().map(|face| &face.claim);
        tracing::info!(
            target: TARGET,
            request_id = &*self.id,
            client = some(&self.client),
            address = self.address.map(tracing::field::display),
            method = self.method.as_str(),
            path = self.path,
            operation = claim.map(|claim| claim.operation.name()),
            format = claim.map(|claim| claim.format.as_str()),
            alias = self.alias,
            provider = provider.as_deref(),
            model = self.model,
            lane = self.lane,
            adapter = self.adapter,
            status = if *status == 0 { 499 } else { *status },
            outcome = self.end().as_str(),
            error = self.error,
            attempts,
            tried = self.tried,
            input_tokens = tokens.get(Bucket::Input),
            input_audio_tokens = tokens.get(Bucket::InputAudio),
            input_image_tokens = tokens.get(Bucket::InputImage),
            cache_read_tokens = tokens.get(Bucket::CacheRead),
            cache_write_tokens = tokens.get(Bucket::CacheWrite),
            cache_write_hour_tokens = tokens.get(Bucket::CacheWriteHour),
            output_tokens = tokens.get(Bucket::Output),
            output_audio_tokens = tokens.get(Bucket::OutputAudio),
            output_image_tokens = tokens.get(Bucket::OutputImage),
            reasoning_tokens = tokens.get(Bucket::Reasoning),
            units = some(&self.ended.units),
            service_tier = self.ended.service_tier,
            batch = self.ended.batch,
            estimated = has_tokens.then_some(used.is_estimated),
            cost = used.cost.map(dollars_of),
            prices = used.prices.as_deref(),
            first_token_ms = first_token.map(millis),
            duration_ms = millis(self.begun.elapsed()),
            own_ms = own.map(millis),
            losses = (!self.losses.is_empty()).then(|| self.losses.join(",")),
            "request"
        );
    }
}

/// What is billed by the piece, as a log line has it.
pub(super) fn units(usage: &Usage) -> String {
    let counts = usage.units.iter().map(|count| format!("{}={}", count.unit.name(), count.count));
    counts.collect::<Vec<_>>().join(",")
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Milliseconds, to a thousandth.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use weir_types::contract::about::{BodyKind, Face, Operation, StreamFlag};

    use super::*;
    use crate::accounting::trail;
    use crate::observe::log::tests::said;
    use crate::observe::log::{Line, current};

    /// The page that documents the log line.
    const PAGE: &str = include_str!("../../../../docs/log.md");

    fn line() -> Box<AccessLine> {
        let asked = (&Method::POST, "/v1/some");
        AccessLine::begin(Arc::from("req_1"), Instant::now(), asked, Some([127, 0, 0, 1].into())).unwrap()
    }

    fn json(fill: impl FnOnce(&mut AccessLine)) -> serde_json::Value {
        let text = said(Line::Json, || fill(&mut line()));
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    fn face() -> Endpoint {
        let claim = Face {
            format: "zeta.talk".into(),
            operation: Operation::Chat,
            method: "POST".into(),
            path: "/v1/some".into(),
            prefixes: Vec::new(),
            when: None,
            credentials: Vec::new(),
            model: Vec::new(),
            stream: StreamFlag::Constant(false),
            body: BodyKind::Json,
            output_limit: Vec::new(),
            end_user: Vec::new(),
            object_ids: Vec::new(),
            features: Vec::new(),
            request_headers: Vec::new(),
            framings: Vec::new(),
        };
        Endpoint { adapter: Arc::from("zeta"), claim, errors: None, index: 0 }
    }

    #[test]
    fn the_page_names_each_member_of_the_line_and_no_other() {
        let written = json(|line| {
            line.called(&Arc::new(face()));
            line.asked_by(&Caller { tenant: Arc::from("team-a"), ..Caller::anonymous(None) });
            line.asks_for(Some("fast"));
            line.answered("model-1", "zeta@0123".to_owned());
            line.went(Some("relay"));
            let mut trail = Trail::default();
            trail.add(&Arc::from("zeta/model-0"), trail::End::Failed("rate_limited"));
            line.tried(&trail);
            line.lost(["x"].into_iter());
            line.failed(&Fault::invalid("no"));
            let all = Bucket::ALL.iter().fold(Tokens::default(), |all, bucket| all.with(*bucket, Some(1)));
            line.ends(Ended {
                status: 200,
                end: Some(End::Whole),
                provider: Some(Arc::from("zeta")),
                attempts: 2,
                used: Used {
                    tokens: all,
                    is_estimated: true,
                    cost: Nano::new(500_000_000).ok(),
                    prices: Some(Arc::from("2026-11")),
                },
                units: "search=2".to_owned(),
                service_tier: Some("flex".to_owned()),
                batch: Some(true),
                first_token: Some(Duration::from_millis(3)),
                own: Some(Duration::from_micros(1500)),
            });
        });
        let written: BTreeSet<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
        let section = PAGE.split("## The access log").nth(1).and_then(|text| text.split("\n## ").next()).unwrap();
        let told = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(written, told.collect::<BTreeSet<_>>());
    }

    #[test]
    fn the_outcome_has_a_name() {
        let end = |status, end, fault: Option<Fault>| {
            let told = json(|line| {
                if let Some(fault) = &fault {
                    line.failed(fault);
                }
                line.ends(Ended { status, end, ..Ended::default() });
            });
            (told["status"].as_u64().unwrap(), told["outcome"].as_str().unwrap().to_owned())
        };
        assert_eq!(end(200, Some(End::Whole), None), (200, "whole".to_owned()));
        assert_eq!(end(401, Some(End::Whole), Some(Fault::invalid("no key"))), (401, "refused".to_owned()));
        assert_eq!(end(502, Some(End::Whole), Some(Fault::internal("no"))), (502, "failed".to_owned()));
        assert_eq!(end(400, Some(End::Whole), None), (400, "failed".to_owned()), "the provider's own");
        assert_eq!(end(200, Some(End::Broken), None), (200, "broken".to_owned()));
        assert_eq!(end(0, None, None), (499, "client left".to_owned()));
    }

    #[test]
    fn texts_from_outside_are_bounded() {
        let told = said(Line::Human, || {
            let _entered = current::enter(&Arc::from("req_1"));
            let mut line = line();
            line.asks_for(Some(&"m".repeat(10_000)));
            line.failed(&Fault::invalid("x".repeat(10_000)));
            line.lost((0..1000).map(|_| "field"));
        });
        assert!(told.len() < 2000 && told.lines().count() == 1, "{told}");
    }
}
