//! Members of the price list that are objects: searches by size, and prices by the time of day.

use anyhow::{Context, Result};
use serde_json::Value;

use super::super::Members;
use super::super::amount::Amount;
use super::super::rate_key::{Meaning, When, meaning};
use super::{Offers, Searches};

/// The size that a search has unless the request names another one.
const USUAL_SIZE: &str = "medium";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Offers {
    /// Adds the prices of searches: one, or one for each size. Where a request has one fee for all its searches, they
    /// are prices of the request. The size stands where other answers name a tier.
    pub(super) fn add_searches(&mut self, members: &Members, searches: &Searches) -> Result<()> {
        let Some(text) = members.get("search_context_cost_per_query") else { return Ok(()) };
        let sizes: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_str(text.get())?;
        let mut amounts = Vec::new();
        for (name, value) in &sizes {
            let size = name.strip_prefix("search_context_size_").unwrap_or(name);
            amounts.push((size, Amount::parse(value.get())?));
        }
        let usual_size = if let Searches::EveryRequest(size) = searches { size } else { USUAL_SIZE };
        let usual = amounts.iter().find(|(size, _)| *size == usual_size).or(amounts.first()).map(|(_, amount)| *amount);
        let Some(usual) = usual else { return Ok(()) };
        let measure = searches.by_size();
        self.add(When::default(), measure, usual);
        for (size, amount) in amounts.into_iter().filter(|(_, amount)| *amount != usual) {
            self.add(When { tier: Some(size.to_owned()), ..When::default() }, measure, amount);
        }
        Ok(())
    }

    /// Adds prices that hold at some hours of the week.
    pub(super) fn add_off_peak(&mut self, members: &Members) -> Result<()> {
        let Some(text) = members.get("off_peak_pricing") else { return Ok(()) };
        let members: Members = serde_json::from_str(text.get())?;
        let windows: Value =
            serde_json::from_str(members.get("windows").context("off-peak prices without windows")?.get())?;
        let mut spans = Vec::new();
        for window in windows.as_array().into_iter().flatten() {
            let hours = &window["hours_utc"];
            let hours = hours.as_str().map_or_else(|| super::super::strings(hours), |one| vec![one]);
            for days in days(&window["weekdays"])? {
                spans.extend(hours.iter().map(|hours| format!("{days}{hours}")));
            }
        }
        let hours = Some(serde_json::to_string(&spans)?);
        for (name, value) in &members {
            if let Meaning::Rate(measure, when) = meaning(name, "chat") {
                self.add(When { hours: hours.clone(), ..when }, measure, Amount::parse(value.get())?);
            }
        }
        Ok(())
    }
}

/// Days of the week from 1 as `mon-fri `, one text for each run of days; an empty text for all days.
fn days(weekdays: &Value) -> Result<Vec<String>> {
    let Some(list) = weekdays.as_array() else { return Ok(vec![String::new()]) };
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for day in list {
        let day =
            day.as_u64().and_then(|day| usize::try_from(day).ok()?.checked_sub(1)).filter(|day| *day < DAYS.len());
        let day = day.context("a weekday is a number from 1 to 7")?;
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == day => *last = day,
            _ => runs.push((day, day)),
        }
    }
    let text = |(first, last): &(usize, usize)| format!("{}-{} ", DAYS[*first], DAYS[*last]);
    Ok(runs.iter().map(text).collect())
}
