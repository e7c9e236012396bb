//! Checks a price file, and reports every mistake with its place.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use super::file::PriceFile;
use super::problem::{MemberError, PriceFileError, PriceProblem};
use super::raw::{RawAmount, RawFile, RawOffer, RawWhen};
use crate::measure::Measure;
use crate::money::Rate;
use crate::rule::{Hours, Offer, Pattern, Region, When};
use weir_types::json_mistake::JsonMistake;

/// The prices that come with Weir. The file names its source and licence.
const BUNDLED: &str = include_str!("../../prices/bundled.json");
/// The name of the bundled file in errors.
const NAME: &str = "bundled.json";

impl PriceFile {
    /// The file that comes with Weir.
    pub fn bundled() -> Result<Self, PriceFileError> {
        Ok(Self { is_bundled: true, ..Self::parse(NAME, BUNDLED)? })
    }

    /// Reads a file's text; `name` stands in errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, PriceFileError> {
        Reader::new(name, text).read()
    }

    /// Joins offers that are written one by one to a file. `name` stands in bills, and in errors before the offers'
    /// names.
    pub fn of_offers(name: &str, offers: &[WrittenOffer<'_>]) -> Result<Self, PriceFileError> {
        let (mut read, mut problems, mut all) = (Vec::new(), Vec::new(), String::new());
        for offer in offers {
            let mut reader = Reader::new(name, offer.members);
            read.extend(reader.written(offer));
            problems.append(&mut reader.problems);
            for text in [offer.name, offer.provider, offer.model, offer.members] {
                all.push_str(text);
                all.push('\n');
            }
        }
        let mut reader = Reader { name, text: "", problems, line: (0, 1) };
        reader.check_repeated(&read);
        if !reader.problems.is_empty() {
            return Err(PriceFileError(reader.problems));
        }
        let version = format!("{name}@{:08x}", digest(&all)).into();
        Ok(Self { name: name.into(), version, offers: read, tiers: Vec::new(), is_bundled: false })
    }
}

/// An offer that is written by itself, for [`PriceFile::of_offers`].
#[derive(Debug, Clone, Copy)]
pub struct WrittenOffer<'a> {
    /// Its place in bills and errors.
    pub name: &'a str,
    /// The provider's name or kind; `*` for all.
    pub provider: &'a str,
    /// A name or a pattern.
    pub model: &'a str,
    /// The other members, as JSON: amounts, `when`, `valid_from`.
    pub members: &'a str,
}

/// Reads one file.
#[derive(Debug)]
struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    problems: Vec<PriceProblem>,
    /// An offset of the text and its line: where lines were last counted.
    line: (usize, usize),
}

/// An offer whose members are being read.
#[derive(Debug, Default)]
struct Draft {
    provider: Option<String>,
    model: Option<String>,
    unit: Option<Measure>,
    amount: Option<String>,
    per: Option<u64>,
    when: When,
    valid_from: Option<Timestamp>,
    rates: Vec<(Measure, Rate)>,
    gaps: Vec<(String, Measure)>,
    replaces: bool,
}

impl<'a> Reader<'a> {
    fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, text, problems: Vec::new(), line: (0, 1) }
    }

    fn read(mut self) -> Result<PriceFile, PriceFileError> {
        let raw: RawFile<'a> = match serde_json::from_str(self.text) {
            Ok(raw) => raw,
            Err(error) => {
                let JsonMistake { line, problem, .. } = JsonMistake::from(&error);
                let problem = PriceProblem { file: self.name.to_owned(), line, place: String::new(), problem };
                return Err(PriceFileError(vec![problem]));
            }
        };
        let mut offers = self.offers(&raw);
        self.rules(&raw, &mut offers);
        self.check_repeated(&offers);
        if !self.problems.is_empty() {
            return Err(PriceFileError(self.problems));
        }
        let mut tiers = Vec::new();
        for (kind, words) in &raw.tiers.0 {
            for (tier, words) in &words.0 {
                let word =
                    |word: &String| ((kind.clone().into_owned(), word.to_ascii_lowercase()), tier.clone().into_owned());
                tiers.extend(words.iter().map(word));
            }
        }
        let stem = self.name.rsplit(['/', '\\']).next().unwrap_or(self.name);
        let label = raw.version.as_deref().unwrap_or_else(|| stem.strip_suffix(".json").unwrap_or(stem));
        let version = format!("{label}@{:08x}", digest(self.text)).into();
        Ok(PriceFile { name: self.name.into(), version, offers, tiers, is_bundled: false })
    }

    /// The offer that the whole text has the members of.
    fn written(&mut self, offer: &WrittenOffer<'_>) -> Option<Offer> {
        let members: RawOffer<'a> = match serde_json::from_str(self.text) {
            Ok(members) => members,
            Err(error) => {
                self.problem(None, offer.name, JsonMistake::from(&error).problem);
                return None;
            }
        };
        let draft = self.draft(offer.name, &members, false);
        self.offer(offer.name.to_owned(), draft, offer.provider.into(), offer.model, &members)
    }

    /// The offers under `providers`.
    fn offers(&mut self, raw: &RawFile<'a>) -> Vec<Offer> {
        let mut offers = Vec::new();
        self.unique("providers", &raw.providers.0);
        for (provider, models) in &raw.providers.0 {
            let name: Arc<str> = Arc::from(&**provider);
            self.unique(&format!("providers.{provider}"), &models.0);
            for (model, list) in &models.0 {
                for (at, members) in list.0.iter().enumerate() {
                    let place = format!("providers.{provider}.{model}[{at}]");
                    let draft = self.draft(&place, members, false);
                    offers.extend(self.offer(place, draft, Arc::clone(&name), model, members));
                }
            }
        }
        offers
    }

    /// The offers under `rules`.
    fn rules(&mut self, raw: &RawFile<'a>, offers: &mut Vec<Offer>) {
        for (at, members) in raw.rules.iter().enumerate() {
            let place = format!("rules[{at}]");
            let mut draft = self.draft(&place, members, true);
            let first = members.0.first().map(|(_, value)| *value);
            let (Some(provider), Some(model)) = (draft.provider.take(), draft.model.take()) else {
                self.problem(first, &place, "names no `provider`, or no `model`".into());
                continue;
            };
            let Some(unit) = draft.unit else {
                self.problem(first, &place, "names no `unit`".into());
                continue;
            };
            let Some(amount) = draft.amount.take() else {
                self.problem(first, &place, "names no `amount`".into());
                continue;
            };
            match Rate::new(&amount, draft.per.unwrap_or_else(|| unit.usual_per())) {
                Ok(rate) => draft.rates.push((unit, rate)),
                Err(error) => self.problem(first, &format!("{place}.amount"), error.to_string()),
            }
            offers.extend(self.offer(place, draft, provider.into(), &model, members));
        }
    }

    fn offer(
        &mut self,
        place: String,
        draft: Draft,
        provider: Arc<str>,
        model: &str,
        members: &RawOffer<'a>,
    ) -> Option<Offer> {
        let first = members.0.first().map(|(_, value)| *value);
        if draft.rates.is_empty() && !draft.replaces {
            self.problem(first, &place, "names no price".into());
            return None;
        }
        let Draft { when, valid_from, mut rates, gaps, replaces, .. } = draft;
        rates.shrink_to_fit();
        let (model, line) = (Pattern::new(model), self.line_of(first));
        let offer = Offer { provider, model, when, valid_from, rates, gaps, replaces, place: place.into(), line };
        if let Some((one, other)) = offer.contradicts_itself() {
            let problem = format!("has prices for both `{one}` and `{other}`, and a request is charged by one of them");
            self.problem(first, &offer.place, problem);
        }
        Some(offer)
    }

    /// Reads the members of an offer; those of a rule have some more.
    fn draft(&mut self, place: &str, members: &RawOffer<'a>, is_rule: bool) -> Draft {
        let mut draft = Draft::default();
        self.unique(place, &members.0);
        for (name, value) in &members.0 {
            if let Err(problem) = member(&mut draft, name, value, is_rule) {
                self.problem(Some(value), &format!("{place}.{name}"), problem.to_string());
            }
        }
        draft
    }

    fn unique<T>(&mut self, place: &str, members: &[(Cow<'_, str>, T)]) {
        if members.len() < 2 {
            return;
        }
        let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            if let [first, second] = pair
                && first == second
            {
                self.problem(None, &format!("{place}.{first}"), "stands there twice".into());
            }
        }
    }

    /// Reports offers for the same models and conditions that have a price for the same measure, or for the same use.
    fn check_repeated(&mut self, offers: &[Offer]) {
        let mut seen: HashMap<(&str, &str), Vec<&Offer>> = HashMap::new();
        for offer in offers {
            let same = seen.entry((&offer.provider, offer.model.as_str())).or_default();
            for earlier in &*same {
                if let Some(measure) = offer.repeats(earlier) {
                    let what = if earlier.rate(measure).is_some() { "a price" } else { "another price for the use" };
                    let problem = format!("has {what} that `{}` has under the same conditions", earlier.place);
                    self.problem(None, &format!("{}.{measure}", offer.place), problem);
                }
            }
            same.push(offer);
        }
    }

    fn problem(&mut self, at: Option<&'a RawValue>, place: &str, problem: String) {
        let line = self.line_of(at);
        self.problems.push(PriceProblem { file: self.name.to_owned(), line, place: place.to_owned(), problem });
    }

    /// The line of a value. Values are mostly asked for in their order, so that lines are counted on from the last one.
    fn line_of(&mut self, at: Option<&'a RawValue>) -> usize {
        // Raw values are parts of the text, so that the distance of their beginnings is an offset.
        let offset = at.map_or(0, |at| (at.get().as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize));
        let (from, line) = if offset >= self.line.0 { self.line } else { (0, 1) };
        let Some(between) = self.text.get(from..offset) else { return line };
        self.line = (offset, line + between.matches('\n').count());
        self.line.1
    }
}

/// Reads one member of an offer.
fn member(draft: &mut Draft, name: &str, value: &RawValue, is_rule: bool) -> Result<(), MemberError> {
    match name {
        "when" => draft.when = when(value)?,
        "valid_from" => draft.valid_from = Some(valid_from(&json::<String>(value)?)?),
        "replace" => draft.replaces = json(value)?,
        "gaps" => draft.gaps = gaps(value)?,
        "provider" if is_rule => draft.provider = Some(json(value)?),
        "model" if is_rule => draft.model = Some(json(value)?),
        "amount" if is_rule => draft.amount = Some(decimal(value)?),
        "per" if is_rule => draft.per = Some(json(value)?),
        "unit" if is_rule => {
            let unit: String = json(value)?;
            draft.unit = Some(Measure::named(&unit).ok_or(MemberError::UnknownUnit(unit))?);
        }
        _ if is_rule => return Err(MemberError::NotOfRules),
        _ => {
            let measure = Measure::named(name).ok_or(MemberError::NotOfOffers)?;
            draft.rates.push((measure, rate(measure, value)?));
        }
    }
    Ok(())
}

fn rate(measure: Measure, value: &RawValue) -> Result<Rate, MemberError> {
    let (amount, per) = if value.get().starts_with('{') {
        let raw: RawAmount<'_> = json(value)?;
        (decimal(raw.amount)?, raw.per)
    } else {
        (decimal(value)?, None)
    };
    Ok(Rate::new(&amount, per.unwrap_or_else(|| measure.usual_per()))?)
}

/// The text of an amount, which is a string or a number.
fn decimal(value: &RawValue) -> Result<String, MemberError> {
    let text = value.get();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(_) if text.contains('\\') => json(value),
        Some(plain) => Ok(plain.to_owned()),
        None => Ok(text.to_owned()),
    }
}

fn when(value: &RawValue) -> Result<When, MemberError> {
    let raw: RawWhen = json(value)?;
    let hours = raw.hours.map(|spans| Hours::parse(spans.iter().map(String::as_str))).transpose();
    Ok(When {
        context_over: raw.context_over,
        service_tier: raw.service_tier.map(|tier| tier.to_ascii_lowercase()),
        batch: raw.batch,
        cache_minutes: raw.cache_minutes,
        region: raw.region.as_deref().map(Region::parse),
        variant: raw.variant,
        hours: hours?,
    })
}

fn gaps(value: &RawValue) -> Result<Vec<(String, Measure)>, MemberError> {
    let raw: BTreeMap<String, String> = json(value)?;
    let gap = |(charge, unit): (String, String)| match Measure::named(&unit) {
        Some(measure) => Ok((charge, measure)),
        None => Err(MemberError::UnknownUnit(unit)),
    };
    raw.into_iter().map(gap).collect()
}

/// A time, or the beginning of a date in UTC.
fn valid_from(text: &str) -> Result<Timestamp, MemberError> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    text.parse().ok().or_else(day).ok_or_else(|| MemberError::Time(text.to_owned()))
}

fn json<'a, T: serde::Deserialize<'a>>(value: &'a RawValue) -> Result<T, MemberError> {
    // The position is one within the member: the problem has the line of the file.
    serde_json::from_str(value.get()).map_err(|error| MemberError::Shape(JsonMistake::from(&error).problem))
}

/// FNV-1a: distinguishes versions, and protects nothing.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |digest, byte| (digest ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
