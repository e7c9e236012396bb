//! What a budget is: for whom, how much, in which windows, and what happens when it is used up.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::error::BudgetError;
use super::window::Period;
use crate::money::{Nano, Quantity, Rate};

/// Millionths in one.
const MILLION: u64 = 1_000_000;

/// What a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScopeKind {
    /// Use by one client key.
    Key,
    /// Use by the keys and users of one team.
    Team,
    /// Use by the teams of one organisation.
    Organisation,
    /// A tag of requests.
    Tag,
    /// A model under the name that clients use.
    Model,
    /// Use of one provider.
    Provider,
}

impl ScopeKind {
    /// How many kinds there are.
    pub(super) const COUNT: usize = Self::Provider as usize + 1;

    /// Its name in the configuration and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
            Self::Organisation => "org",
            Self::Tag => "tag",
            Self::Model => "model",
            Self::Provider => "provider",
        }
    }
}

/// Whose use counts against a budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One key, team, model or other subject.
    Of(ScopeKind, Arc<str>),
    /// All requests.
    All,
}

/// How much may be used in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Money.
    Usd(Nano),
    /// Tokens, input and output.
    Tokens(u64),
    /// A number of requests.
    Requests(u64),
}

impl Limit {
    /// The largest count of tokens or requests. Servers between nodes count in floating point, which is exact up to
    /// here.
    pub const MAX_COUNT: u64 = 1_000_000_000_000_000;

    /// Reads an amount of dollars.
    pub fn usd(text: &str) -> Result<Self, BudgetError> {
        Nano::from_dollars(text).map(Self::Usd).map_err(|error| BudgetError::Amount(text.to_owned(), error))
    }

    /// The limit in nano-dollars, tokens or requests.
    pub fn amount(self) -> u64 {
        match self {
            Self::Usd(nano) => u64::try_from(nano.get()).unwrap_or_default(),
            Self::Tokens(count) | Self::Requests(count) => count,
        }
    }

    /// An amount in the limit's unit, as messages name it.
    pub fn show(self, amount: u64) -> String {
        match self {
            Self::Usd(_) => {
                let nano = i64::try_from(amount).ok().and_then(|nanos| Nano::new(nanos).ok());
                format!("${}", nano.unwrap_or(Nano::MAX))
            }
            Self::Tokens(_) => format!("{amount} tokens"),
            Self::Requests(_) => format!("{amount} requests"),
        }
    }

    /// Whether both count the same.
    pub(super) const fn is_like(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Usd(_), Self::Usd(_)) | (Self::Tokens(_), Self::Tokens(_)) | (Self::Requests(_), Self::Requests(_))
        )
    }
}

/// What happens to requests when the budget has no room for them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WhenOver {
    /// They are refused.
    #[default]
    Refuse,
    /// They go to another model. That model's requests are admitted; another budget may limit them.
    Downgrade(Arc<str>),
    /// They are admitted, with an event.
    Notify,
}

/// What happens to requests without a price under a budget of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unpriced {
    /// They are refused.
    #[default]
    Refuse,
    /// They are admitted and cost nothing here.
    Allow,
    /// They are admitted, and every token costs this.
    Assume(Rate),
}

impl Unpriced {
    /// Reads the price of a million tokens.
    pub fn assume(text: &str) -> Result<Self, BudgetError> {
        let rate = Rate::new(text, MILLION).map_err(|error| BudgetError::Amount(text.to_owned(), error))?;
        Ok(Self::Assume(rate))
    }

    /// What so many tokens cost.
    pub(super) fn cost(rate: Rate, tokens: u64) -> u64 {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        let nano = rate.cost(Quantity::whole(tokens)).to_nano().unwrap_or(Nano::MAX);
        u64::try_from(nano.get()).unwrap_or_default()
    }
}

/// A share of a limit, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(u64);

impl Share {
    /// Reads a soft limit: more than 0, at most 1.
    pub fn soft(text: &str) -> Result<Self, BudgetError> {
        Self::read(text, |millionths| (1..=MILLION).contains(&millionths), "more than 0, at most 1")
    }

    /// Reads the share at which streams end: from 1 to 100.
    pub fn abort(text: &str) -> Result<Self, BudgetError> {
        Self::read(text, |millionths| (MILLION..=100 * MILLION).contains(&millionths), "from 1 to 100")
    }

    fn read(text: &str, fits: impl Fn(u64) -> bool, range: &'static str) -> Result<Self, BudgetError> {
        let nano = Nano::from_dollars(text).ok().and_then(|nano| u64::try_from(nano.get()).ok());
        let millionths = nano.map(|nano| nano / 1_000).filter(|millionths| fits(*millionths));
        millionths.map(Self).ok_or_else(|| BudgetError::Share(text.to_owned(), range))
    }

    /// The share of an amount.
    pub(super) fn of(self, amount: u64) -> u64 {
        let share = u128::from(amount) * u128::from(self.0) / u128::from(MILLION);
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

/// An amount that may be used in each window of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Its name in errors, metrics and stored rows.
    pub name: Arc<str>,
    /// Whose use counts.
    pub scope: Scope,
    /// How much may be used in a window.
    pub limit: Limit,
    /// How long a window lasts.
    pub per: Period,
    /// The time zone in which days begin.
    pub zone: TimeZone,
    /// The share from which on answers carry a warning.
    pub soft: Option<Share>,
    /// What happens to requests without room.
    pub when_over: WhenOver,
    /// What happens to requests without a price.
    pub unpriced: Unpriced,
    /// The share at which a stream that goes on is ended; streams finish if it is not set.
    pub abort_at: Option<Share>,
    /// When it was made, if it may be deleted and another one made under its name: what one of them counts is none of
    /// the other's.
    pub made: Option<Timestamp>,
}

/// What stands before the scope in a shape.
const SCOPE: &str = " of ";
/// What stands before the time at which the budget was made.
const MADE: &str = " made ";

/// A shape as former versions kept it: without when the budget was made, and without whose use is counted.
pub fn former_shapes(shape: &str) -> [&str; 2] {
    let is_time = |time: &str| time.bytes().all(|byte| byte.is_ascii_digit());
    let unmade = shape.rsplit_once(MADE).filter(|(_, time)| is_time(time)).map_or(shape, |(unmade, _)| unmade);
    [unmade, shape.split_once(SCOPE).map_or(shape, |(former, _)| former)]
}

/// Whether a shape that was kept is this one, as it is written now or was before.
pub fn is_shape(kept: &str, shape: &str) -> bool {
    kept == shape || former_shapes(shape).contains(&kept)
}

impl Budget {
    /// A budget in UTC that refuses what does not fit, and what has no price.
    pub fn new(name: &str, scope: Scope, limit: Limit, per: Period) -> Self {
        Self {
            name: name.into(),
            scope,
            limit,
            per,
            zone: TimeZone::UTC,
            soft: None,
            when_over: WhenOver::default(),
            unpriced: Unpriced::default(),
            abort_at: None,
            made: None,
        }
    }

    /// Sets the time zone by its name: `Europe/Berlin`.
    pub fn zoned(mut self, name: &str) -> Result<Self, BudgetError> {
        self.zone = TimeZone::get(name).map_err(|_| BudgetError::Zone(name.to_owned()))?;
        Ok(self)
    }

    /// Whether requests whose model has no price are refused.
    pub fn refuses_unpriced(&self) -> bool {
        matches!(self.limit, Limit::Usd(_)) && self.unpriced == Unpriced::Refuse && self.when_over != WhenOver::Notify
    }

    /// Its unit, its windows, whose use it counts and when it was made, as text. Counts of a budget with other ones are
    /// another budget's.
    pub fn shape(&self) -> String {
        let unit = match self.limit {
            Limit::Usd(_) => "usd",
            Limit::Tokens(_) => "tokens",
            Limit::Requests(_) => "requests",
        };
        let scope = match &self.scope {
            Scope::All => "all".to_owned(),
            Scope::Of(kind, name) => format!("{kind:?} {name}"),
        };
        let made = self.made.map(|at| format!("{MADE}{}", at.as_nanosecond())).unwrap_or_default();
        format!("{unit} {:?} {}{SCOPE}{scope}{made}", self.per, self.zone.iana_name().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_of_others_use_is_another_one() {
        let of = |scope: Scope| Budget::new("b", scope, Limit::Tokens(1), Period::Day).shape();
        let (red, blue) = (Scope::Of(ScopeKind::Team, "red of".into()), Scope::Of(ScopeKind::Team, "blue".into()));
        let shapes = [of(Scope::All), of(red.clone()), of(blue), of(Scope::Of(ScopeKind::Key, "red of".into()))];
        for (at, shape) in shapes.iter().enumerate() {
            assert!(!shapes[..at].contains(shape), "{shape}");
            assert_eq!(former_shapes(shape), [shape, "tokens Day UTC"]);
        }
        assert_eq!(former_shapes("tokens Day UTC"), ["tokens Day UTC"; 2]);
        assert_eq!(of(red), "tokens Day UTC of Team red of");
    }

    #[test]
    fn a_budget_that_is_made_again_is_another_one_and_goes_on_with_what_was_kept_before_that_was_told() {
        let scope = Scope::Of(ScopeKind::Team, "was made 5 made x".into());
        let plain = Budget::new("b", scope, Limit::Tokens(1), Period::Day);
        let at = |second| Budget { made: Timestamp::from_second(second).ok(), ..plain.clone() }.shape();
        let (first, second, before) = (at(1), at(2), plain.shape());
        assert!(first != second && !is_shape(&first, &second));
        for shape in [&first, &second, &before] {
            assert!(is_shape(&before, shape) && is_shape("tokens Day UTC", shape) && is_shape(shape, shape), "{shape}");
        }
        assert!(!is_shape(&first, &before));
    }

    #[test]
    fn shares_and_amounts_have_bounds() {
        assert_eq!(Share::soft("0.8").unwrap().of(1_000), 800);
        assert_eq!(Share::abort("1.2").unwrap().of(u64::MAX), u64::MAX);
        for text in ["0", "1.1", "-1", "NaN", "x"] {
            assert!(Share::soft(text).is_err(), "{text}");
        }
        assert!(Share::abort("0.9").is_err() && Share::abort("101").is_err());
        assert_eq!(Limit::usd("500").unwrap().amount(), 500_000_000_000);
        assert_eq!(Limit::usd("0.5").unwrap().show(1_500_000_000), "$1.5");
        let wrong = Limit::usd("1e30").unwrap_err();
        assert_eq!(wrong.to_string(), "the amount \"1e30\" is too large");
        assert!(Unpriced::assume("-1").is_err());
        let budget = Budget::new("b", Scope::All, Limit::Tokens(1), Period::Day);
        assert_eq!(budget.zoned("Mars/Olympus").unwrap_err(), BudgetError::Zone("Mars/Olympus".into()));
    }
}
