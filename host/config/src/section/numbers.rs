//! Integers within bounds, and numbers.

use std::fmt::Display;
use std::marker::PhantomData;

use super::{Entry, Take};
use crate::raw::{Node, Value};

/// An integer from `LEAST` to `MOST`; both fit into an `N`.
#[derive(Debug)]
pub(crate) struct Count<N, const LEAST: u64, const MOST: u64>(PhantomData<N>);

/// A count of things in memory, with a bound that fits the types on every machine.
pub(crate) type Amount = Count<usize, 1, 0xffff_ffff>;

impl<N: TryFrom<u64> + Display, const LEAST: u64, const MOST: u64> Take for Count<N, LEAST, MOST> {
    type Value = N;
    const TAKES: &'static str = "integer";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<N> {
        let number = match node.value {
            Value::Whole(number) => u64::try_from(number).ok(),
            _ => node.variable_text().and_then(|text| text.parse().ok()),
        };
        if let Some(number) = number.filter(|number| (LEAST..=MOST).contains(number)).and_then(|n| N::try_from(n).ok())
        {
            return Some(number);
        }
        let wanted = format!("an integer from {LEAST} to {MOST}");
        let beyond = match node.value {
            Value::Whole(number) => Some(number.to_string()),
            _ => node.variable_text().filter(|text| text.parse::<i128>().is_ok()).map(ToString::to_string),
        };
        match beyond {
            Some(number) => entry.error(&node.place, format!("`{}` must be {wanted}, not {number}", entry.name)),
            None => entry.wrong(&node, &wanted),
        }
        None
    }

    fn show(default: &N) -> String {
        default.to_string()
    }

    fn example() -> String {
        LEAST.max(1).to_string()
    }
}

/// A finite number that is not negative.
impl Take for f64 {
    type Value = Self;
    const TAKES: &'static str = "number";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let number = match node.value {
            Value::Number(number) => Some(number),
            Value::Whole(number) => Some(number as Self),
            _ => node.variable_text().and_then(|text| text.parse().ok()),
        };
        let number = number.filter(|number: &Self| number.is_finite() && *number >= 0.0);
        if number.is_none() {
            let wanted = "a number that is not negative";
            match node.value {
                Value::Number(_) | Value::Whole(_) => {
                    entry.error(&node.place, format!("`{}` must be {wanted}", entry.name));
                }
                _ => entry.wrong(&node, wanted),
            }
        }
        number
    }

    fn show(default: &Self) -> String {
        default.to_string()
    }

    fn example() -> String {
        "0.5".to_owned()
    }
}

/// A share above 0 and at most 1.
#[derive(Debug)]
pub(crate) struct Share;

impl Take for Share {
    type Value = f64;
    const TAKES: &'static str = f64::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<f64> {
        let share = f64::take(entry, node)?;
        if share > 0.0 && share <= 1.0 {
            return Some(share);
        }
        let message = format!("`{}` must be above 0 and at most 1", entry.name);
        entry.error_with(&entry.section.place, message, "0.1 is a tenth, 0.5 is half");
        None
    }

    fn show(default: &f64) -> String {
        f64::show(default)
    }

    fn example() -> String {
        f64::example()
    }
}

/// A share from 0 to 1.
#[derive(Debug)]
pub(crate) struct UpToOne;

impl Take for UpToOne {
    type Value = f64;
    const TAKES: &'static str = "number from 0 to 1";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<f64> {
        let place = node.place.clone();
        let share = f64::take(entry, node)?;
        if share <= 1.0 {
            return Some(share);
        }
        entry.error(&place, format!("`{}` must be at most 1: it is a share", entry.name));
        None
    }

    fn show(default: &f64) -> String {
        f64::show(default)
    }

    fn example() -> String {
        f64::example()
    }
}
