//! `[[providers]]`.

use std::sync::Arc;
use std::time::Duration;

use super::super::provider::{AllowedOrigin, Breaker, Check, Metering, Provider, Retry, Timeouts};
use super::super::raw::{Node, Value};
use super::super::{Address, Origin, Place, Problem, keys};
use super::client::limits;
use super::value::from_variable;
use super::{Located, Section};

pub(super) const METERINGS: &[(&str, Metering)] =
    &[("auto", Metering::Auto), ("tap", Metering::Tap), ("ask", Metering::Ask)];

/// Time limits as far as they were given.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct TimeoutsDraft {
    connect: Option<Duration>,
    first_byte: Option<Duration>,
    idle: Option<Duration>,
    total: Option<Duration>,
}

impl TimeoutsDraft {
    /// These laid over others.
    pub(in super::super) fn over(self, lower: Timeouts) -> Timeouts {
        Timeouts {
            connect: self.connect.unwrap_or(lower.connect),
            first_byte: self.first_byte.unwrap_or(lower.first_byte),
            idle: self.idle.unwrap_or(lower.idle),
            total: self.total.or(lower.total),
        }
    }
}

/// Repetitions as far as they were given.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct RetryDraft {
    max_retries: Option<u32>,
    delay: Option<Duration>,
    max_delay: Option<Duration>,
    budget: Option<f64>,
}

impl RetryDraft {
    /// These laid over others.
    pub(in super::super) fn over(self, lower: Retry) -> Retry {
        Retry {
            max_retries: self.max_retries.unwrap_or(lower.max_retries),
            delay: self.delay.unwrap_or(lower.delay),
            max_delay: self.max_delay.unwrap_or(lower.max_delay),
            budget: self.budget.unwrap_or(lower.budget),
        }
    }
}

pub(super) fn provider(mut section: Section<'_>) -> Option<Provider> {
    let name = section.required_name("name", "a name of your choice, by which models refer to it");
    let adapter =
        section.required_name("adapter", "the adapter that speaks to it, `adapter = \"NAME\"` for `plugins/NAME.wasm`");
    let provider = named(&mut section, name, adapter);
    section.finish();
    provider
}

/// Reads on even where the name is missing, for the mistakes in the rest. A missing adapter becomes an empty name, so
/// that models which refer to the provider are not reported as well.
fn named(
    section: &mut Section<'_>,
    name: Option<Located<String>>,
    adapter: Option<Located<String>>,
) -> Option<Provider> {
    let url = section.address("url");
    let keys = section.keys();
    let format = section.text("format");
    let (allow_origins, allow_place) = allow_origins(section);
    let mut options = section.options("options");
    section.auth(&mut options, !keys.value.is_empty());
    let region = section.text("region").map(|region| region.value);
    let translate = section.flag("translate").unwrap_or(false);
    let metering = section.choice("usage", METERINGS).unwrap_or_default();
    let timeouts = timeouts(section).over(Timeouts::default());
    let retry = retry(section).over(Retry::default());
    let breaker = breaker(section);
    let (max_concurrency, adaptive) = concurrency(section);
    let check = check(section);
    let limits = limits(section);
    let enable_fallback = section.flag("enable_fallback").unwrap_or(true);
    let http2 = section.flag("http2").unwrap_or(false);
    let name = name?;
    let (adapter, adapter_place) = split(adapter);
    let mut provider = Provider::new(name.value, adapter.unwrap_or_default());
    provider.places.name = name.place;
    provider.places.adapter = adapter_place;
    provider.places.keys = keys.place;
    provider.places.allow_origins = allow_place;
    (provider.address, provider.places.url) = split(url);
    (provider.format, provider.places.format) = split(format);
    Some(Provider {
        keys: keys.value,
        options,
        region,
        allow_origins,
        translate,
        metering,
        timeouts,
        retry,
        breaker,
        max_concurrency,
        adaptive,
        check,
        limits,
        enable_fallback,
        http2,
        ..provider
    })
}

fn split<T>(located: Option<Located<T>>) -> (Option<T>, Place) {
    located.map_or((None, Place::Unset), |located| (Some(located.value), located.place))
}

impl Section<'_> {
    /// A provider's url.
    pub(super) fn address(&mut self, name: &'static str) -> Option<Located<Address>> {
        let mut text = self.text(name)?;
        if let Some(variable) = text.value.trim().strip_prefix("env:") {
            let Some(value) = self.reader.environment.get(variable.trim()) else {
                let problem = format!("`{name}`: the environment variable `{}` is not set", variable.trim());
                self.reader.report(Problem::error(&text.place, problem).with_help("set it, or write the url itself"));
                return None;
            };
            text.value = value.to_owned();
        }
        let address = match Address::parse(text.value.trim(), self.reader.folder) {
            Ok(address) => address,
            Err(error) => {
                let problem = Problem::error(&text.place, format!("`{name}`: {error}"));
                self.reader.report(
                    problem.with_help("for example \"https://api.example.com/v1/\", the API's base with its version"),
                );
                return None;
            }
        };
        if let Address::Replay { folder, .. } = &address
            && !folder.is_dir()
        {
            let problem = Problem::warning(&text.place, format!("there is no folder `{}`", folder.display()));
            self.reader.report(problem.with_help("a relative path is taken from the configuration's folder"));
        }
        Some(Located { value: address, place: text.place })
    }
}

fn allow_origins(section: &mut Section<'_>) -> (Vec<AllowedOrigin>, Place) {
    let Some(list) = section.list("allow_origins") else { return (Vec::new(), Place::Unset) };
    let origins = list.value.into_iter().filter_map(|node| allowed_origin(section, node)).collect();
    (origins, list.place)
}

fn allowed_origin(section: &Section<'_>, node: Node) -> Option<AllowedOrigin> {
    let node = from_variable(node, &['{']);
    if !matches!(node.value, Value::Table(_)) {
        let text = section.text_of("allow_origins", node)?;
        return Some(AllowedOrigin { origin: origin(section, &text)?, credential: false });
    }
    let mut table = Section::new(section.reader, node, &keys::ALLOWED_ORIGIN)?;
    let text = table.text("origin");
    if text.is_none() {
        table.missing("origin", "such as `origin = \"https://files.example.com\"`");
    }
    let credential = table.flag("credential").unwrap_or(false);
    table.finish();
    Some(AllowedOrigin { origin: origin(section, &text?)?, credential })
}

fn origin(section: &Section<'_>, text: &Located<String>) -> Option<Origin> {
    Origin::parse(text.value.trim())
        .map_err(|error| section.reader.report(Problem::error(&text.place, format!("`allow_origins`: {error}"))))
        .ok()
}

pub(super) fn timeouts(section: &mut Section<'_>) -> TimeoutsDraft {
    let Some(mut table) = section.section("timeouts", &keys::TIMEOUTS) else { return TimeoutsDraft::default() };
    let timeouts = TimeoutsDraft {
        connect: table.duration("connect"),
        first_byte: table.duration("first_byte"),
        idle: table.duration("idle"),
        total: table.duration("total"),
    };
    table.finish();
    timeouts
}

pub(super) fn retry(section: &mut Section<'_>) -> RetryDraft {
    let Some(mut table) = section.section("retry", &keys::RETRY) else { return RetryDraft::default() };
    let retry = RetryDraft {
        max_retries: table.count("max_retries", &(0..=100)).and_then(|count| u32::try_from(count).ok()),
        delay: table.count("retry_delay_ms", &(0..=3_600_000)).map(Duration::from_millis),
        max_delay: table.duration("max_delay"),
        budget: table.number("budget"),
    };
    table.finish();
    retry
}

/// Attempts at the same time, and whether that is only the most.
fn concurrency(section: &mut Section<'_>) -> (Option<usize>, bool) {
    let most = section.amount("max_concurrency");
    let adaptive = section.flag("adaptive").unwrap_or(false);
    if adaptive && most.is_none() {
        let problem = Problem::error(&section.place, "`adaptive` needs `max_concurrency`");
        section.reader.report(problem.with_help("for example `max_concurrency = 64`: more there never are"));
    }
    (most, adaptive)
}

fn check(section: &mut Section<'_>) -> Option<Check> {
    let mut table = section.section("check", &keys::CHECK)?;
    let default = Check::default();
    let check = Check {
        every: table.duration("every").unwrap_or(default.every),
        timeout: table.duration("timeout").unwrap_or(default.timeout),
        failures: table
            .count("failures", &(1..=100))
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(default.failures),
        model: table.text("model").map(|model| Arc::from(model.value)),
    };
    table.finish();
    Some(check)
}

fn breaker(section: &mut Section<'_>) -> Breaker {
    let default = Breaker::default();
    let Some(mut table) = section.section("breaker", &keys::BREAKER) else { return default };
    let failure_rate = table.number("failure_rate").unwrap_or(default.failure_rate);
    if failure_rate <= 0.0 || failure_rate > 1.0 {
        let problem = Problem::error(&table.place, "`failure_rate` must be above 0 and at most 1");
        table.reader.report(problem.with_help("0.5 is half of the attempts"));
    }
    let breaker = Breaker {
        failure_rate,
        window: table.duration("window").unwrap_or(default.window),
        open: table.duration("open").unwrap_or(default.open),
        min_attempts: table
            .count("min_attempts", &(1..=1_000_000))
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(default.min_attempts),
        cooldown: table.pause("cooldown").unwrap_or(default.cooldown),
        max_cooldown: table.pause("max_cooldown").unwrap_or(default.max_cooldown),
    };
    table.finish();
    breaker
}
