//! Verdicts about what is found in texts.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Range;

use serde::Deserialize;

use super::neighbours::{FoundPart, OverEnds, Share};
use super::placeholders::Placeholders;
use super::scan::{REACH, Scan};
use super::texts;
use super::{
    Access, Annotation, Asked, CONTRACT, Denial, Facts, Grants, Guard, Manifest, OptionValues, Phase, RequestAnswer,
    RequestVerdict, ScreenWords,
};

/// Something that was found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The bytes of the text.
    pub range: Range<usize>,
    /// What it is, for annotations and masks: `aws-access-key`.
    pub label: String,
}

/// Searches texts.
pub trait Finder {
    /// Finds everything in a text, in order and without overlaps.
    fn find(&self, text: &str) -> Vec<Found>;

    /// Finds what begins behind the first character of a text. That one was judged before, and only tells whether a
    /// word begins behind it. A finder whose findings may overlap should not even look for those that begin with it.
    fn find_behind_first(&self, text: &str) -> Vec<Found> {
        let from = second(text);
        self.find(text).into_iter().filter(|one| one.range.start >= from).collect()
    }

    /// Words of which every text has one in which something is found; `None` if there are no such words.
    fn words(&self) -> Option<ScreenWords> {
        None
    }
}

/// Where the second character of a text begins.
pub fn second(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// A finder as the options of a guard have it, with what becomes of findings.
#[derive(Debug)]
pub struct Setup<F> {
    /// Finds.
    pub finder: F,
    /// What becomes of a request or an answer with findings.
    pub action: Action,
    /// The message of a refusal.
    pub message: String,
    /// Whether values that are masked in a chat are put back into its answer.
    pub restores: bool,
}

/// A finder that a guard makes from its options. [`Search`] is that guard.
pub trait Configured: Finder + Sized + 'static {
    /// The guard's name.
    const NAME: &'static str;
    /// The guard's version.
    const VERSION: &'static str;
    /// One line for people: what the guard does.
    const DESCRIPTION: &'static str;
    /// JSON Schema of the options.
    const SETTINGS: &'static str;
    /// Reads the options.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    fn setup(options: OptionValues<'_>) -> Result<Setup<Self>, String>;
}

/// The guard that judges requests and answers by what a finder finds in them. If its options are wrong, it refuses.
#[derive(Debug)]
pub struct Search<F>(PhantomData<F>);

impl<F: Configured> Guard for Search<F> {
    type Answer = Scan<F>;

    fn describe() -> Manifest {
        Manifest {
            name: F::NAME.into(),
            version: F::VERSION.into(),
            contract: CONTRACT.into(),
            description: F::DESCRIPTION.into(),
            settings: F::SETTINGS.into(),
            phases: vec![Phase::Request, Phase::Event],
            grants: Grants { prompt: Access::Write, answer: Access::Write, metadata: true },
            hold_back: REACH as u32,
            deterministic: true,
        }
    }

    fn screen(options: OptionValues<'_>) -> Option<ScreenWords> {
        F::setup(options).ok()?.finder.words()
    }

    fn on_request(facts: &Facts, asked: Asked) -> RequestAnswer {
        match F::setup(facts.options()) {
            Ok(Setup { finder, action: Action::Mask, message, restores: true }) if matches!(asked, Asked::Chat(_)) => {
                judge_to_restore(asked, &finder, &message, &facts.request_id)
            }
            Ok(Setup { finder, action, message, .. }) => judge(asked, &finder, action, &message),
            Err(problem) => RequestAnswer::deny(Denial::cannot_judge(F::NAME, &problem)),
        }
    }
}

/// What becomes of a request, or an answer, in which something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is refused.
    #[default]
    Deny,
    /// What was found is replaced by `[label]`.
    Mask,
    /// It passes, with annotations.
    Annotate,
}

/// Judges a request by what a finder finds in its texts. `message` is for the client of a refused request.
///
/// Text that is signed or encrypted cannot be masked without its issuer refusing it, so the request is refused then.
pub fn judge(asked: Asked, finder: &dyn Finder, action: Action, message: &str) -> RequestAnswer {
    judge_with(asked, finder, action, message, |label, _| format!("[{label}]"))
}

/// Judges a request whose findings are masked until its answer comes: the memo says what stands for what.
fn judge_to_restore(mut asked: Asked, finder: &dyn Finder, message: &str, request_id: &str) -> RequestAnswer {
    let mut placeholders = Placeholders::new(request_id, &mut asked);
    let mask = |label: &str, value: &str| placeholders.stand_for(label, value);
    let answer = judge_with(asked, finder, Action::Mask, message, mask);
    let memo = if placeholders.is_empty() { String::new() } else { placeholders.memo() };
    RequestAnswer { memo, ..answer }
}

fn judge_with(
    mut asked: Asked,
    finder: &dyn Finder,
    action: Action,
    message: &str,
    mut mask: impl FnMut(&str, &str) -> String,
) -> RequestAnswer {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut is_fixed, mut number) = (false, 0);
    let mut over_ends = OverEnds::of(&mut asked, finder);
    texts::visit(&mut asked, &mut |text| {
        let parts = over_ends.with(number, finder.find(text.as_str()));
        number += 1;
        if parts.is_empty() {
            return;
        }
        is_fixed |= text.is_fixed();
        if action == Action::Mask {
            let masked = masked_parts(text.as_str(), &parts, &mut mask);
            text.set(masked);
        }
        for one in parts.into_iter().filter(|one| one.share != Share::GoesOn) {
            *counts.entry(one.label).or_default() += 1;
        }
    });
    if counts.is_empty() {
        return RequestAnswer::allow();
    }
    let annotations = counts.into_iter().map(|(label, count)| Annotation::new(label, count.to_string())).collect();
    let verdict = match action {
        Action::Annotate => RequestVerdict::Allow,
        Action::Mask if !is_fixed => RequestVerdict::Replace(asked),
        Action::Mask | Action::Deny => RequestVerdict::Deny(Denial::new(message)),
    };
    RequestAnswer { annotations, ..RequestAnswer::of(verdict) }
}

/// A text with something else for each of these parts. What goes on from another text is masked there already, and is
/// masked here again so that no text becomes empty.
fn masked_parts(text: &str, parts: &[FoundPart], mask: &mut dyn FnMut(&str, &str) -> String) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for FoundPart { range, label, share } in parts {
        out.push_str(text.get(from..range.start).unwrap_or_default());
        let other = match share {
            Share::All => mask(label, text.get(range.clone()).unwrap_or_default()),
            Share::Begins(whole) => mask(label, whole),
            Share::GoesOn => format!("[{label}]"),
        };
        out.push_str(&other);
        from = range.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// A text with each finding replaced by its label in brackets.
pub fn masked(text: &str, found: &[Found]) -> String {
    replaced(text, found, |one, _| format!("[{}]", one.label))
}

/// A text with something else in place of each finding.
pub(super) fn replaced(text: &str, found: &[Found], mut other: impl FnMut(&Found, &str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for one in found {
        out.push_str(text.get(from..one.range.start).unwrap_or_default());
        out.push_str(&other(one, text.get(one.range.clone()).unwrap_or_default()));
        from = one.range.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ChatRequest, Message, Part, ReasoningPart, Role, Signature, TextPart};

    /// Finds the word `hush`.
    struct Hush;

    impl Finder for Hush {
        fn find(&self, text: &str) -> Vec<Found> {
            text.match_indices("hush")
                .map(|(at, word)| Found { range: at..at + word.len(), label: "word".into() })
                .collect()
        }
    }

    fn asked(parts: Vec<Part>) -> Asked {
        let message = Message { role: Role::User, name: None, parts, extensions: Vec::new() };
        Asked::Chat(ChatRequest { messages: vec![message], ..ChatRequest::default() })
    }

    #[test]
    fn what_is_found_is_refused_masked_or_noted() {
        let request = || asked(vec![Part::Text(TextPart::new("hush, hush!"))]);
        let denied = judge(request(), &Hush, Action::Deny, "no");
        assert_eq!(denied.verdict, RequestVerdict::Deny(Denial::new("no")));
        assert_eq!(denied.annotations, [Annotation::new("word", "2")]);
        let masked = judge(request(), &Hush, Action::Mask, "no");
        let expected = asked(vec![Part::Text(TextPart::new("[word], [word]!"))]);
        assert_eq!(masked.verdict, RequestVerdict::Replace(expected));
        assert_eq!(judge(request(), &Hush, Action::Annotate, "no").verdict, RequestVerdict::Allow);
        let harmless = judge(asked(vec![Part::Text(TextPart::new("loud"))]), &Hush, Action::Deny, "no");
        assert_eq!(harmless, RequestAnswer::allow());
    }

    fn texts(texts: &[&str]) -> Vec<Part> {
        texts.iter().map(|text| Part::Text(TextPart::new(*text))).collect()
    }

    type Said<'t> = (Role, &'t [&'t str]);

    fn said(all: &[Said<'_>]) -> Asked {
        let message = |(role, parts): &Said<'_>| Message {
            role: role.clone(),
            name: None,
            parts: texts(parts),
            extensions: Vec::new(),
        };
        Asked::Chat(ChatRequest { messages: all.iter().map(message).collect(), ..ChatRequest::default() })
    }

    #[test]
    fn a_word_is_found_over_texts_that_may_be_put_together() {
        use Role::{Assistant, Developer, System, Tool, User};
        let long = "z".repeat(20_000);
        let (begun, ended) = (format!("{long}hu"), format!("sh{long}"));
        let split: &[(&[Said<'_>], bool)] = &[
            (&[(User, &["a hu", "sh!"])], true),
            (&[(User, &["h", "", "u", "s", "h"])], true),
            (&[(User, &[&begun, &ended])], true),
            (&[(User, &["hu"]), (User, &["sh"])], true),
            (&[(User, &["hu"]), (System, &["x"]), (User, &["sh"])], true),
            (&[(User, &["hu"]), (Assistant, &[""]), (User, &["sh"])], true),
            (&[(System, &["hu"]), (User, &["x"]), (Developer, &["sh"])], true),
            (&[(Assistant, &["hu"]), (Assistant, &["sh"])], true),
            (&[(User, &["hu"]), (Tool, &["sh"])], true),
            (&[(User, &["hu"]), (Assistant, &["sh"])], false),
            (&[(User, &["hu"]), (Assistant, &["x"]), (User, &["sh"])], false),
            (&[(User, &["hu", &long, "sh"])], false),
            (&[(User, &["hu ", "sh"])], false),
        ];
        for (messages, is_found) in split {
            let denied = judge(said(messages), &Hush, Action::Deny, "no");
            assert_eq!(denied != RequestAnswer::allow(), *is_found);
            assert_eq!(denied.annotations.len(), usize::from(*is_found));
        }
    }

    #[test]
    fn a_word_is_masked_in_all_texts_that_it_is_in() {
        let answer = judge(asked(texts(&["hush, a hu", "s", "h! hush h", "ush"])), &Hush, Action::Mask, "no");
        let expected = asked(texts(&["[word], a [word]", "[word]", "[word]! [word] [word]", "[word]"]));
        assert_eq!(answer.verdict, RequestVerdict::Replace(expected));
        assert_eq!(answer.annotations, [Annotation::new("word", "4")]);
        let long = "z".repeat(20_000);
        let answer = judge(asked(texts(&["hu", &format!("sh{long}hu"), "sh"])), &Hush, Action::Mask, "no");
        let expected = asked(texts(&["[word]", &format!("[word]{long}[word]"), "[word]"]));
        assert_eq!(answer.verdict, RequestVerdict::Replace(expected));
        let mut signed = TextPart::new("sh");
        signed.signature = Some(Signature { issuer: "a".into(), value: "b".into() });
        let parts = vec![Part::Text(TextPart::new("hu")), Part::Text(signed)];
        let answer = judge(asked(parts), &Hush, Action::Mask, "no");
        assert_eq!(answer.verdict, RequestVerdict::Deny(Denial::new("no")), "it cannot be masked in full");
    }

    #[test]
    fn a_value_in_two_texts_has_one_placeholder() {
        let answer = judge_to_restore(asked(texts(&["hu", "sh"])), &Hush, "no", "id");
        assert!(answer.memo.contains("\"hush\""), "{}", answer.memo);
    }

    #[test]
    fn signed_thinking_is_not_masked() {
        let thinking = ReasoningPart {
            id: None,
            text: Some("hush".into()),
            signature: Some(Signature { issuer: "a".into(), value: "b".into() }),
            encrypted: None,
            extensions: Vec::new(),
        };
        let answer = judge(asked(vec![Part::Reasoning(thinking)]), &Hush, Action::Mask, "no");
        assert_eq!(answer.verdict, RequestVerdict::Deny(Denial::new("no")));
    }
}
