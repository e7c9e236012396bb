//! Ids and names that a provider would refuse, made fit without losing which is which.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::types::{ChatRequest, Part, Tool, ToolChoice};

/// What an id or a name may look like.
#[derive(Debug, Clone, Copy)]
pub struct IdRule {
    /// The most characters.
    pub max: usize,
    /// Characters other than letters and digits that may stand in it; none for any at all.
    pub also: Option<&'static str>,
    /// Whether it must have exactly `max` characters.
    pub exact: bool,
}

impl IdRule {
    /// Anything goes.
    pub const ANY: Self = Self { max: usize::MAX, also: None, exact: false };
    /// OpenAI's rule for names of tools.
    pub const NAME: Self = Self { max: 64, also: Some("_-"), exact: false };

    /// Whether `text` may stay as it is.
    pub fn fits(&self, text: &str) -> bool {
        let length = text.chars().count();
        let allowed = |c: char| c.is_ascii_alphanumeric() || self.also.is_none_or(|also| also.contains(c));
        length <= self.max && (!self.exact || length == self.max) && !text.is_empty() && text.chars().all(allowed)
    }

    /// `text` made fit: the same every time, and different texts stay different. What fits already stays.
    pub fn fit(&self, text: &str) -> String {
        if self.fits(text) {
            return text.to_owned();
        }
        let mut hash = String::with_capacity(16);
        let _ = write!(hash, "{:016x}", fnv(text));
        if self.exact || self.max <= hash.len() {
            return hash.chars().take(self.max.min(16)).collect();
        }
        let separator = if self.also.is_none_or(|also| also.contains('_')) { "_" } else { "" };
        let hash = &hash[..hash.len().min(12)];
        let room = self.max.saturating_sub(hash.len() + separator.len()).min(128);
        let replacement = if self.also.is_none_or(|also| also.contains('_')) { '_' } else { 'x' };
        let clean = |c: char| {
            if c.is_ascii_alphanumeric() || self.also.is_none_or(|a| a.contains(c)) { c } else { replacement }
        };
        let mut fitting: String = text.chars().map(clean).take(room).collect();
        fitting.push_str(separator);
        fitting.push_str(hash);
        fitting
    }
}

/// FNV-1a, so that the same text always becomes the same name.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Names of tools that had to be changed: the changed name and the client's.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Renamed(BTreeMap<String, String>);

impl Renamed {
    /// Changes the names of a request that break the rule, everywhere they stand.
    pub fn apply(request: &mut ChatRequest, rule: &IdRule) -> Self {
        let mut renamed = Self::default();
        for tool in &mut request.tools {
            if let Tool::Function(function) = tool {
                renamed.change(&mut function.name, rule);
            }
        }
        match &mut request.tool_choice {
            Some(ToolChoice::Named(name)) => renamed.change(name, rule),
            Some(ToolChoice::Allowed(allowed)) => {
                allowed.names.iter_mut().for_each(|name| renamed.change(name, rule));
            }
            _ => {}
        }
        for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
            if let Part::ToolCall(call) = part {
                renamed.change(&mut call.name, rule);
            }
        }
        renamed
    }

    fn change(&mut self, name: &mut String, rule: &IdRule) {
        if !rule.fits(name) {
            let fitting = rule.fit(name);
            self.0.insert(fitting.clone(), std::mem::replace(name, fitting));
        }
    }

    /// The client's name of a tool.
    pub fn original<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).map_or(name, String::as_str)
    }

    /// As a memo; empty where nothing was changed.
    pub fn to_memo(&self) -> String {
        let mut memo = String::new();
        for (fitting, original) in &self.0 {
            memo.push_str(fitting);
            memo.push('\t');
            memo.extend(original.chars().map(|c| if c == '\n' { '\u{1}' } else { c }));
            memo.push('\n');
        }
        memo
    }

    /// Reads a memo.
    pub fn from_memo(memo: &str) -> Self {
        let pair = |line: &str| line.split_once('\t').map(|(a, b)| (a.to_owned(), b.replace('\u{1}', "\n")));
        Self(memo.split('\n').filter_map(pair).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c47_long_names_stay_distinct_and_come_back() {
        let long = |tail: &str| format!("{}{tail}", "a".repeat(70));
        let (one, two) = (IdRule::NAME.fit(&long("1")), IdRule::NAME.fit(&long("2")));
        assert_ne!(one, two);
        assert!(IdRule::NAME.fits(&one) && IdRule::NAME.fits(&IdRule::NAME.fit("a.b/c d")));
        assert_eq!(IdRule::NAME.fit("get_weather"), "get_weather");
        let mut renamed = Renamed::default();
        let mut name = long("1");
        renamed.change(&mut name, &IdRule::NAME);
        assert_eq!(Renamed::from_memo(&renamed.to_memo()).original(&name), long("1"));
    }

    #[test]
    fn c46_exact_ids_have_exactly_that_length() {
        let rule = IdRule { max: 9, also: Some(""), exact: true };
        assert!(rule.fits(&rule.fit("toolu_01ABC")));
        assert_eq!(rule.fit("abcdefghi"), "abcdefghi");
    }
}
