//! The parameters of a url below `/admin`.

use std::str::FromStr;

use super::Problem;
use weir_ledger::Timestamp;
use weir_types::query;

/// The entries of a page, unless the request sets another number.
const USUAL_PAGE: usize = 100;
/// The most entries of a page.
const MAX_PAGE: usize = 1_000;

/// The parameters of a request, each once. For those who read them, empty ones are absent.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query of a url. All parameters have to be known: a mistyped filter would show too much.
    pub(super) fn parse(text: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let given: Vec<(String, String)> = query::pairs(text.unwrap_or_default()).collect();
        for (at, (name, _)) in given.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Problem::parameter(format!("unknown parameter `{name}`; known are {known}")));
            }
            if given[..at].iter().any(|(other, _)| other == name) {
                return Err(Problem::parameter(format!("`{name}` is given twice")));
            }
        }
        Ok(Self(given))
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(own, value)| own == name && !value.is_empty()).map(|(_, value)| value.clone())
    }

    /// The name of a parameter that is given without a value.
    pub(super) fn first_empty(&self) -> Option<&str> {
        self.0.iter().find(|(_, value)| value.is_empty()).map(|(name, _)| name.as_str())
    }

    /// A value that parses, or a refusal that names the parameter and what it must be.
    pub(super) fn parsed<T: FromStr>(&self, name: &str, wanted: &str) -> Result<Option<T>, Problem> {
        self.with(name, wanted, |text| text.parse().ok())
    }

    /// A value that `read` understands, or a refusal that names the parameter and what it must be.
    pub(super) fn with<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        read(&text).map(Some).ok_or_else(|| Problem::parameter(format!("`{name}` must be {wanted}")))
    }

    /// How many entries a page has: `limit`, or the usual number. A number beyond the bounds is refused, since a reader
    /// would take a shorter page for the last one.
    pub(super) fn page_size(&self) -> Result<usize, Problem> {
        let bounded = |text: &str| text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
        let wanted = format!("a number from 1 to {MAX_PAGE}");
        Ok(self.with("limit", &wanted, bounded)?.unwrap_or(USUAL_PAGE))
    }

    /// A time in milliseconds since 1970.
    pub(super) fn time(&self, name: &str) -> Result<Option<u64>, Problem> {
        self.with(name, "a time such as 2026-11-21T08:00:00Z, a day, or milliseconds since 1970", time)
    }
}

fn time(text: &str) -> Option<u64> {
    if let Ok(milliseconds) = text.parse() {
        return Some(milliseconds);
    }
    // A day alone is its beginning.
    let day = || format!("{text}T00:00:00Z").parse::<Timestamp>();
    let time = text.parse::<Timestamp>().or_else(|_| day()).ok()?;
    u64::try_from(time.as_millisecond()).ok()
}
