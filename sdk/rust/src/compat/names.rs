//! Changes names of tools that a provider would refuse, in a whole request.

pub use crate::names::IdRule;
use crate::types::{ChatRequest, Part, Tool, ToolChoice};

/// Changed names of tools: the new name and the client's.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Renamed(Vec<(String, String)>);

impl Renamed {
    /// Changes every name in a request that breaks the rule, wherever it occurs.
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
            let original = std::mem::replace(name, fitting.clone());
            if !self.0.iter().any(|(known, _)| *known == fitting) {
                self.0.push((fitting, original));
            }
        }
    }

    /// The client's name for a tool.
    pub fn original<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.iter().find(|(fitting, _)| fitting == name).map_or(name, |(_, original)| original)
    }

    /// The changes as a memo; empty if there are none.
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
}
