use std::collections::BTreeSet;
use std::sync::Mutex;

use weir_ledger::Nano;
use weir_types::contract::about::Bucket;
use weir_types::contract::about::{BodyKind, Face, Operation};
use weir_types::contract::types::Unit;
use weir_types::tokens::Tokens;

use super::*;
use crate::accounting::request_log::FinishedRequest;
use crate::accounting::trail;
use crate::guard::Note;
use crate::observe::log::tests::logged;
use crate::observe::log::{Line, current};

/// The page that documents the log line.
const PAGE: &str = include_str!("../../../../../docs/log.md");

fn record() -> Box<RequestRecord> {
    begin(None)
}

fn begin(log: Option<Arc<dyn RequestLog>>) -> Box<RequestRecord> {
    let arrival = Arrival {
        id: Arc::from("req_1"),
        own_id: Uuid7::new(1_795_262_400_000),
        begun: Instant::now(),
        method: &Method::POST,
        path: "/v1/some",
        address: Some([127, 0, 0, 1].into()),
        user_agent: Some("zeta-python/1"),
    };
    RequestRecord::begin(arrival, true, log).unwrap()
}

fn json(fill: impl FnOnce(&mut RequestRecord)) -> serde_json::Value {
    let text = logged(Line::Json, || fill(&mut record()));
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn endpoint() -> Endpoint {
    let face = Face { body: BodyKind::Json, ..Face::unread("zeta.talk", Operation::Chat, "POST", "/v1/some".into()) };
    Endpoint { adapter: Arc::from("zeta"), face, errors: None, id_header: None, limit_headers: Vec::new(), index: 0 }
}

#[test]
fn the_page_names_each_member_of_the_line_and_no_other() {
    let written = json(|record| {
        record.set_endpoint(&Arc::new(endpoint()));
        let mut caller = Caller::anonymous(None);
        caller.tenant = Arc::from("team-a");
        record.set_caller(&caller);
        record.set_model(Some("fast"));
        record.answered("model-1", Arc::from("zeta/model-1"), (Arc::from("zeta"), Digest::of(b"zeta")));
        record.set_lane(Some("relay"));
        let mut trail = Trail::default();
        trail.add(&Arc::from("zeta/model-0"), trail::End::Failed("rate_limited"), None);
        record.tried(&trail);
        record.lost(["x"].into_iter());
        record.judged_by(&Notes::of(vec![Note {
            guard: Arc::from("secrets"),
            verdict: "allow",
            enforced: true,
            annotations: Vec::new(),
        }]));
        record.failed(&Fault::invalid("no"));
        record.session_used(SessionUse::default());
        let all = Bucket::ALL.iter().fold(Tokens::default(), |all, bucket| all.with(*bucket, Some(1)));
        record.finish(ExchangeSummary {
            status: 200,
            end: Some(RequestOutcome::Ok),
            provider: Some(Arc::from("zeta")),
            attempts: 2,
            used: Used {
                tokens: all,
                is_estimated: true,
                cost: Nano::new(500_000_000).ok(),
                prices: Some(Arc::from("2026-11")),
                region: None,
                named: None,
                parts: Vec::new(),
            },
            units: vec![UnitCount { unit: Unit::Search, count: 2.0 }],
            searched: None,
            service_tier: Some("flex".to_owned()),
            batch: Some(true),
            finish: Some("stop"),
            first_token: Some(Duration::from_millis(3)),
            own: Some(Duration::from_micros(1500)),
            answered_in: None,
            bytes_out: 7,
        });
    });
    let written: BTreeSet<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
    let section = PAGE.split("## The access log").nth(1).and_then(|text| text.split("\n## ").next()).unwrap();
    let listed = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(written, listed.collect::<BTreeSet<_>>());
}

#[test]
fn the_outcome_has_a_name() {
    let end = |status, end, fault: Option<Fault>| {
        let line_text = json(|record| {
            if let Some(fault) = &fault {
                record.failed(fault);
            }
            record.finish(ExchangeSummary { status, end, ..ExchangeSummary::default() });
        });
        (line_text["status"].as_u64().unwrap(), line_text["outcome"].as_str().unwrap().to_owned())
    };
    assert_eq!(end(200, Some(RequestOutcome::Ok), None), (200, "ok".to_owned()));
    assert_eq!(end(401, Some(RequestOutcome::Ok), Some(Fault::invalid("no key"))), (401, "refused".to_owned()));
    assert_eq!(end(502, Some(RequestOutcome::Ok), Some(Fault::internal("no"))), (502, "failed".to_owned()));
    assert_eq!(end(400, Some(RequestOutcome::Ok), None), (400, "failed".to_owned()), "the provider's own");
    assert_eq!(end(200, Some(RequestOutcome::Cut), None), (200, "cut".to_owned()));
    assert_eq!(end(0, None, None), (499, "cancelled".to_owned()));
}

#[test]
fn texts_from_outside_are_bounded() {
    let line_text = logged(Line::Human, || {
        let _entered = current::enter(&Arc::from("req_1"));
        let mut record = record();
        record.set_model(Some(&"m".repeat(10_000)));
        record.failed(&Fault::invalid("x".repeat(10_000)));
        record.lost((0..1000).map(|_| "field"));
    });
    assert!(line_text.len() < 2000 && line_text.lines().count() == 1, "{line_text}");
}

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<FinishedRequest>>);

impl RequestLog for Kept {
    fn record(&self, finished: FinishedRequest) {
        self.0.lock().unwrap().push(finished);
    }
}

#[test]
fn the_request_log_gets_each_record_once_with_or_without_a_line() {
    let kept = Arc::new(Kept::default());
    let mut record = begin(Some(Arc::<Kept>::clone(&kept)));
    record.has_line = false;
    record.set_model(Some("fast"));
    record.failed(&Fault::invalid("\u{e4}".repeat(5_000)));
    record.set_request_bytes(12);
    record.finish_own_answer(400, 34);
    drop(record);
    let all = kept.0.lock().unwrap();
    let [one] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((one.asked.as_deref(), one.client_id.as_deref()), (Some("fast"), Some("req_1")));
    assert_eq!((one.status, one.end, one.bytes_in, one.bytes_out), (400, RequestOutcome::Refused, 12, 34));
    let error = one.error.as_ref().unwrap();
    assert_eq!((one.user_agent.as_deref(), error.message.len()), (Some("zeta-python/1"), 10_000));
    assert_eq!(error.kept_of(&error.message).len(), 2_048);
}
