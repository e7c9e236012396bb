//! What answers used, what that costs to the nano-dollar, and budgets, as pure logic: no clock, no input or output, no
//! async. Callers pass the time and store what is to survive.
//!
//! # Counts first, money derived
//!
//! An attempt is kept as [`Facts`]: tokens in the contract's disjoint buckets, what is billed by the piece, and what
//! its price depends on (the tier that served, batch, region, lifetime of caches). [`price`] turns facts into a
//! [`Cost`] by a [`PriceBook`], and can do so again later by another book, since facts are stored and money is not
//! needed for that.
//!
//! ```
//! use weir_ledger::{Cost, Facts, PriceBook, PriceFile, Subject, Timestamp, price};
//! use weir_types::contract::types::Usage;
//!
//! let text = r#"{"version": "2026-11", "providers": {"acme": {"large": [
//!     {"input": "2.5", "output": "10", "cache_read": "0.25"},
//!     {"when": {"context_over": 200000}, "input": "5", "output": "15"}]}}}"#;
//! // The gateway takes `PriceBook::bundled()`, or `PriceBook::with` an operator's file over it.
//! let book = PriceBook::new(vec![PriceFile::parse("prices.json", text)?]);
//!
//! let mut usage = Usage::of(Some(1_000), Some(100));
//! usage.cache_read = Some(4_000);
//! let facts = Facts::of(&usage, Timestamp::UNIX_EPOCH)?;
//! let Cost::Priced(bill) = price(&book, Subject::of("acme", "large"), &facts)? else { panic!("no price") };
//! assert_eq!(bill.total.to_string(), "0.0045");
//! assert_eq!(bill.lines[0].place.as_ref(), "providers.acme.large[0]");
//!
//! // What has no price is unknown, and never zero.
//! assert!(matches!(price(&book, Subject::of("acme", "small"), &facts)?, Cost::Unpriced(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The life of a request under budgets
//!
//! [`Forecast`] bounds the cost, [`BudgetSet::reserve`] holds it back at every budget of the chain or at none, each
//! billed attempt is booked ([`Reservation::spend`]), and the rest is returned ([`Reservation::finish`]) or, if the use
//! is not known, stays booked ([`Reservation::keep`]). [`UsageReports`] decides what of an attempt's usage is known.
//!
//! ```
//! use weir_ledger::*;
//! use weir_types::contract::types::Usage;
//!
//! # let prices = r#"{"providers": {"acme": {"large": {"input": "2.5", "output": "10"}}}}"#;
//! # let book = std::sync::Arc::new(PriceBook::new(vec![PriceFile::parse("prices.json", prices)?]));
//! let team = Scope::Of(ScopeKind::Team, "red".into());
//! let budgets = BudgetSet::new(vec![
//!     Budget::new("team-red", team, Limit::usd("1")?, Period::parse("month")?).zoned("Europe/Berlin")?,
//! ])?;
//! let owner = Owner { key: Some("key-1"), team: Some("red"), model: Some("chat"), ..Owner::default() };
//! let now: Timestamp = "2026-11-21T12:00:00Z".parse()?;
//! let target = Subject::of("acme", "large");
//!
//! // Before: what may it cost at most? No answer means that a target has no price.
//! let forecast =
//!     Forecast { input: 1_000, output: 4_000, may_cache: false, may_be_audio: false, service_tier: None, region: None,
//!         batch: false };
//! let prices = ModelPrices::of(&book, target);
//! let most = match forecast.dearest(&[&prices], now)? {
//!     Some(cost) => Spend::priced(cost, 5_000),
//!     None => Spend::unpriced(5_000),
//! };
//! let mut granted = budgets.reserve(&Request::whole(owner, most), now)?;
//! // `granted.notices` are the warnings for the answer's headers; a refusal has the message and `retry-after`.
//!
//! // The first attempt broke off after some output, and was billed.
//! let reports = UsageReports::default();
//! let broken = reports.finish(Seen { input: Some(1_000), output: Some(12), is_whole: false });
//! let mut facts = Facts::of(&broken.usage, now)?;
//! facts.estimated = broken.confidence != Confidence::Reported;
//! let cost = prices.price(&facts)?;
//! granted.reservation.spend(&Spend::of(&cost, &facts, true));
//!
//! // The second one answered.
//! let mut reports = UsageReports::default();
//! reports.add(&Usage::of(Some(980), Some(250)));
//! let whole = reports.finish(Seen { is_whole: true, ..Seen::default() });
//! let facts = Facts::of(&whole.usage, now)?;
//! let cost = prices.price(&facts)?;
//! granted.reservation.spend(&Spend::of(&cost, &facts, false));
//! granted.reservation.finish();
//!
//! // Once in a while: what changed goes to the store. A new process begins with `BudgetSet::restore`.
//! let rows = budgets.changes();
//! assert_eq!(rows[0].settled, 2_620_000 + 4_950_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod cost;
mod facts;
mod forecast;
mod measure;
mod model_prices;
mod money;
mod price_book;
mod rule;
mod usage_reports;

pub use jiff::Timestamp;
pub use jiff::tz::TimeZone;

pub use budget::{
    Abort, Budget, BudgetError, BudgetPage, BudgetSet, BudgetSharing, Correction, CountsId, Granted, KeptHold, Limit,
    Notice, NoticeKind, Owner, Period, PoolReport, PoolShare, Price, Refusal, RefusalReason, Request, Reservation, Row,
    Scope, ScopeKind, Share, Spend, StoredRows, Unpriced, WhenOver, Window, former_shapes, is_shape,
};
pub use cost::{Assumption, Bill, Cost, Line, PartialBill, REPORTED, price};
pub use facts::{Facts, Pieces};
pub use forecast::Forecast;
pub use measure::Measure;
pub use model_prices::ModelPrices;
pub use money::{MoneyError, Nano, Pico, Quantity, Rate};
pub use price_book::{PriceBook, PriceFile, PriceFileError, PriceProblem, Subject, WrittenOffer};
pub use rule::{Hours, HoursError, Offer, Pattern, Region, When};
pub use usage_reports::{AttemptUsage, Confidence, Oddities, Seen, UsageReports};
