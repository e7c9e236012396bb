//! The rule of a trial, as operators ask for it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::{Parameters, Problem};
use crate::time;
use weir_sandbox::canary::CanaryRule;

/// The parameters of a url that ask for a trial.
pub(super) const PARAMETERS: [&str; 4] = ["share", "requests", "max_fault_rate", "max_time"];
/// The longest trial.
const MAX_TRIAL: Duration = Duration::from_hours(30 * 24);

/// The parameters that were given; the rest is that of [`CanaryRule::default`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedTrial {
    /// A version, by its digest or the start of it.
    pub(super) digest: Option<String>,
    share: Option<f64>,
    requests: Option<u64>,
    max_fault_rate: Option<f64>,
    max_time: Option<String>,
}

impl AskedTrial {
    /// From the parameters of a url; `None` if they ask for none.
    pub(super) fn of(parameters: &Parameters) -> Result<Option<Self>, Problem> {
        let asked = Self {
            digest: None,
            share: parameters.parsed("share", "a number above 0 and up to 1")?,
            requests: parameters.parsed("requests", "a number from 1 on")?,
            max_fault_rate: parameters.parsed("max_fault_rate", "a number from 0 to 1")?,
            max_time: parameters.text("max_time"),
        };
        let has_more = asked.requests.is_some() || asked.max_fault_rate.is_some() || asked.max_time.is_some();
        if asked.share.is_none() && has_more {
            return Err(Problem::parameter("a trial needs `share`, the part of the exchanges that it gets"));
        }
        Ok(asked.share.is_some().then_some(asked))
    }

    /// The rule, if all its parts are within their bounds.
    pub(super) fn rule(&self) -> Result<CanaryRule, Problem> {
        let usual = CanaryRule::default();
        let share = self.share.unwrap_or(usual.share);
        if !(share > 0.0 && share <= 1.0) {
            return Err(Problem::parameter("`share` must be a number above 0 and up to 1"));
        }
        let requests = self.requests.unwrap_or(usual.requests);
        if requests == 0 {
            return Err(Problem::parameter("`requests` must be a number from 1 on"));
        }
        let max_fault_rate = self.max_fault_rate.unwrap_or(usual.max_fault_rate);
        if !(0.0..=1.0).contains(&max_fault_rate) {
            return Err(Problem::parameter("`max_fault_rate` must be a number from 0 to 1"));
        }
        let max_time = match &self.max_time {
            None => usual.max_time,
            Some(text) => length(text)
                .ok_or_else(|| Problem::parameter("`max_time` must be a time such as 10m or 2d, at most 30d"))?,
        };
        Ok(CanaryRule { share, requests, max_fault_rate, max_time })
    }
}

fn length(text: &str) -> Option<Duration> {
    let length = Duration::try_from(time::length(text)?).ok()?;
    (!length.is_zero() && length <= MAX_TRIAL).then_some(length)
}

/// A rule as answers and the audit log show it.
pub(super) fn shown(rule: &CanaryRule) -> Value {
    json!({
        "share": rule.share,
        "requests": rule.requests,
        "max_fault_rate": rule.max_fault_rate,
        "max_time_seconds": rule.max_time.as_secs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(url: &str) -> Result<Option<CanaryRule>, String> {
        let asked = Parameters::parse(Some(url), &PARAMETERS).and_then(|parameters| AskedTrial::of(&parameters));
        asked.and_then(|asked| asked.map(|asked| asked.rule()).transpose()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_share_asks_for_a_trial_and_the_rest_has_defaults() {
        assert_eq!(rule(""), Ok(None));
        let found = rule("share=0.25&requests=50&max_time=2h").unwrap().unwrap();
        assert_eq!((found.share, found.requests, found.max_time), (0.25, 50, Duration::from_hours(2)));
        assert_eq!(rule("share=1").unwrap().unwrap(), CanaryRule { share: 1.0, ..CanaryRule::default() });
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        for (url, name) in [
            ("share=0", "share"),
            ("share=1.5", "share"),
            ("share=NaN", "share"),
            ("share=x", "share"),
            ("share=1&requests=0", "requests"),
            ("share=1&max_fault_rate=2", "max_fault_rate"),
            ("share=1&max_time=31d", "max_time"),
            ("share=1&max_time=0s", "max_time"),
            ("requests=5", "share"),
        ] {
            assert!(rule(url).unwrap_err().contains(&format!("`{name}`")), "{url}");
        }
    }
}
