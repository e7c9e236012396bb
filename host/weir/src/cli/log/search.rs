//! The conditions of a search, as options of a command.

use clap::Args;

use crate::cli::failure::CommandError;
use weir_ledger::Timestamp;

/// Which requests are wanted. All conditions have to hold.
#[derive(Debug, Clone, Args, Default)]
pub(in crate::cli) struct Search {
    /// Only the request with this id of its client: the header x-request-id.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Only requests of this key (its id) or client (its name); `weir log search` also takes the name of a key of the
    /// store.
    #[arg(long)]
    pub(super) key: Option<String>,
    /// Only requests of this team.
    #[arg(long)]
    team: Option<String>,
    /// Only requests that asked for this model, or that it answered.
    #[arg(long)]
    model: Option<String>,
    /// Only requests that this provider answered.
    #[arg(long)]
    pub(in crate::cli) provider: Option<String>,
    /// Only requests with this status: 429, 4xx, or 400-499.
    #[arg(long)]
    status: Option<String>,
    /// Only requests with this outcome.
    #[arg(long, value_parser = ["ok", "refused", "failed", "cut", "cancelled"])]
    outcome: Option<String>,
    /// Only requests that failed.
    #[arg(long)]
    failed: bool,
    /// Only requests whose error contains this text.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Only requests that cost at least so much, in US dollars.
    #[arg(long, value_name = "USD")]
    min_cost: Option<String>,
    /// Only requests from this time on: 2026-11-21, 2026-11-21T08:00:00Z, or 90m, 2h, 7d ago.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only requests before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

/// What is wrong with a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum TimeError {
    /// Nothing of the log is from then.
    #[error("`{0}` is in the future")]
    Future(String),
    /// It is no time.
    #[error("`{0}` is not a time such as 2026-11-21, 2026-11-21T08:00:00Z, or 90m, 2h, 7d ago")]
    None(String),
}

impl CommandError for TimeError {
    const IS_OF_USAGE: bool = true;
}

impl Search {
    /// The parameters of the url.
    pub(in crate::cli) fn parameters(&self) -> Result<Vec<(&'static str, String)>, TimeError> {
        let given = [
            ("client_request_id", self.client_id.clone()),
            ("key", self.key.clone()),
            ("team", self.team.clone()),
            ("model", self.model.clone()),
            ("provider", self.provider.clone()),
            ("status", self.status.clone()),
            ("outcome", self.outcome.clone()),
            ("failed", self.failed.then(|| "true".to_owned())),
            ("error", self.error.clone()),
            ("min_cost", self.min_cost.clone()),
            ("from", self.from.as_deref().map(time).transpose()?),
            ("to", self.to.as_deref().map(time).transpose()?),
        ];
        Ok(given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }
}

/// Parameters as they are borrowed by a client.
pub(super) fn pairs<'a>(parameters: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    parameters.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// A time as the admin endpoints take it: one that is relative becomes milliseconds since 1970.
fn time(text: &str) -> Result<String, TimeError> {
    if text.starts_with('-') {
        return Err(TimeError::Future(text.to_owned()));
    }
    let Some(ago) = crate::time::length(text) else {
        // Each time of the endpoints begins with a digit: words such as "yesterday" are answered with what the command
        // takes.
        let may_be_time = text.starts_with(|first: char| first.is_ascii_digit());
        return may_be_time.then(|| text.to_owned()).ok_or_else(|| TimeError::None(text.to_owned()));
    };
    let time = Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(time.as_millisecond().max(0).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_be_relative() {
        let now = Timestamp::now().as_millisecond();
        let hours_ago: i64 = time("2h").unwrap().parse().unwrap();
        assert!((now - 7_200_000 - hours_ago).abs() < 60_000);
        assert_eq!(time("2026-11-21"), Ok("2026-11-21".to_owned()));
        assert!(time("-1d").is_err());
        assert!(time("yesterday").unwrap_err().to_string().contains("2h, 7d ago"));
    }

    #[test]
    fn only_given_conditions_are_sent() {
        let search = Search { key: Some("a".to_owned()), failed: true, ..Search::default() };
        let parameters = search.parameters().unwrap();
        assert_eq!(pairs(&parameters), [("key", "a"), ("failed", "true")]);
    }
}
