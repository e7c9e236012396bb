//! What a shadow run has found: sums, and the first requests that differ.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use weir_fixtures::proof::{Comparison, Replayed};
use weir_store::Fact;
use weir_types::loss::field_name;

/// The most requests that differ and are listed.
const MAX_LISTED: usize = 50;
/// The most different reasons for leaving requests out, and the most different losses; further ones are summed.
const MAX_KINDS: usize = 32;
/// The longest text of an answer that is shown, in characters.
const MAX_TEXT_CHARS: usize = 100_000;

/// What was found so far. Of each pair of figures, the first is that of the version that serves.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// `done`, `cancelled` or why it failed; none while it runs.
    ended: Option<(&'static str, Timestamp)>,
    compared: usize,
    different: usize,
    left_out: BTreeMap<String, u64>,
    /// By step, field and kind.
    losses: BTreeMap<(String, String, String), [u64; 2]>,
    /// Nano-dollars of the requests whose cost is known of both.
    costs: [i64; 2],
    unpriced: u64,
    micros: [u64; 2],
    faults: [u64; 2],
    listed: Vec<Value>,
}

impl Report {
    pub(super) fn is_running(&self) -> bool {
        self.ended.is_none()
    }

    pub(super) fn compared(&self) -> usize {
        self.compared
    }

    pub(super) fn end(&mut self, how: &'static str) {
        self.ended = Some((how, Timestamp::now()));
    }

    pub(super) fn leave_out(&mut self, reason: &str) {
        let is_known = self.left_out.contains_key(reason) || self.left_out.len() < MAX_KINDS;
        let reason: String = if is_known { reason.chars().take(200).collect() } else { "other reasons".to_owned() };
        *self.left_out.entry(reason).or_default() += 1;
    }

    /// Notes what both versions made of a request. With `in_full`, its answers are shown too.
    pub(super) fn note(&mut self, fact: &Fact, compared: &Comparison, costs: [Option<i64>; 2], in_full: bool) {
        self.compared += 1;
        let sides = [&compared.before, &compared.after];
        for (at, side) in sides.into_iter().enumerate() {
            self.micros[at] += u64::try_from(side.took.as_micros()).unwrap_or(u64::MAX);
            self.faults[at] += u64::from(side.fault.is_some());
            side.losses.iter().for_each(|loss| self.lost(loss, at));
        }
        match costs {
            [Some(before), Some(after)] => {
                self.costs = [self.costs[0].saturating_add(before), self.costs[1].saturating_add(after)];
            }
            _ => self.unpriced += 1,
        }
        let is_different =
            !compared.differences.is_empty() || sides[0].losses != sides[1].losses || costs[0] != costs[1];
        self.different += usize::from(is_different);
        if (is_different || in_full) && self.listed.len() < MAX_LISTED {
            let mut entry = entry(fact, compared, costs);
            if in_full {
                entry["steps"] = json!(sides.map(steps));
            }
            self.listed.push(entry);
        }
    }

    fn lost(&mut self, loss: &Value, at: usize) {
        let text = |name: &str| loss[name].as_str().unwrap_or_default().to_owned();
        let mut key = (text("step"), field_name(&text("field")), text("kind"));
        if self.losses.len() >= MAX_KINDS && !self.losses.contains_key(&key) {
            key = (key.0, "other".to_owned(), String::new());
        }
        self.losses.entry(key).or_default()[at] += 1;
    }

    pub(super) fn show_progress(&self, shown: &mut Value) {
        shown["status"] = json!(self.ended.map_or("running", |(how, _)| how));
        shown["ended"] = json!(self.ended.map(|(_, at)| at));
        shown["compared"] = json!(self.compared);
        shown["different"] = json!(self.different);
    }

    pub(super) fn show(&self, shown: &mut Value) {
        let losses = self.losses.iter().map(|((step, field, kind), [before, after])| {
            json!({"step": step, "field": field, "kind": kind, "serving": before, "candidate": after})
        });
        let pair = |[before, after]: [u64; 2]| json!({"serving": before, "candidate": after});
        shown["left_out"] = json!(self.left_out);
        shown["losses"] = losses.collect();
        shown["cost_nano"] = json!({"serving": self.costs[0], "candidate": self.costs[1]});
        shown["unpriced"] = json!(self.unpriced);
        shown["micros"] = pair(self.micros);
        shown["faults"] = pair(self.faults);
        shown["requests"] = json!(self.listed);
    }
}

fn entry(fact: &Fact, compared: &Comparison, costs: [Option<i64>; 2]) -> Value {
    let differences = compared.differences.iter().map(|one| {
        let (at, difference) = (&one.difference.at, &one.difference);
        json!({"step": one.step, "at": at, "serving": difference.expected, "candidate": difference.got})
    });
    let losses = |side: &Replayed| {
        let one = |loss: &Value| {
            format!("{} {}", loss["field"].as_str().unwrap_or_default(), loss["kind"].as_str().unwrap_or_default())
        };
        side.losses.iter().take(MAX_KINDS).map(one).collect::<Vec<String>>()
    };
    json!({
        "id": fact.id.to_string(),
        "model": fact.model_asked,
        "dialect": fact.dialect,
        "provider": fact.provider,
        "differences": differences.collect::<Vec<Value>>(),
        "losses": {"serving": losses(&compared.before), "candidate": losses(&compared.after)},
        "cost_nano": {"serving": costs[0], "candidate": costs[1]},
    })
}

/// The steps of one version as texts.
fn steps(side: &Replayed) -> Value {
    let text = |value: &Value| {
        let whole = serde_json::to_string_pretty(value).unwrap_or_default();
        whole.chars().take(MAX_TEXT_CHARS).collect::<String>()
    };
    side.steps
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(text(value))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_store::RequestId;

    fn compared(losses: usize) -> Comparison {
        let loss = |n: usize| json!({"step": "upstream", "field": format!("field_{n}"), "kind": "dropped"});
        let after = Replayed { losses: (0..losses).map(loss).collect(), ..Replayed::default() };
        Comparison { differences: Vec::new(), before: Replayed::default(), after }
    }

    #[test]
    fn sums_and_lists_are_bounded() {
        let mut report = Report::default();
        let fact = Fact::of(RequestId::new(5_000, [1; 10]));
        for n in 0..2 * MAX_LISTED {
            report.note(&fact, &compared(3 * MAX_KINDS), [Some(1), Some(2)], false);
            report.leave_out(&format!("reason {n}"));
        }
        assert_eq!((report.compared(), report.different, report.listed.len()), (100, 100, MAX_LISTED));
        assert_eq!((report.losses.len(), report.left_out.len()), (MAX_KINDS + 1, MAX_KINDS + 1));
        assert_eq!((report.costs, report.unpriced), ([100, 200], 0));
    }

    #[test]
    fn what_is_equal_is_not_listed_unless_it_is_shown_in_full() {
        let mut report = Report::default();
        let fact = Fact::of(RequestId::new(5_000, [1; 10]));
        report.note(&fact, &compared(0), [None, None], false);
        assert_eq!((report.different, report.listed.len(), report.unpriced), (0, 0, 1));
        report.note(&fact, &compared(0), [None, None], true);
        assert_eq!((report.different, report.listed.len()), (0, 1));
    }
}
