//! `secrets`: a guard that finds keys of providers, clouds and code hosts, tokens and private keys in requests and
//! answers.

mod patterns;

use weir_sdk::guard::find::second;
use weir_sdk::guard::{Configured, Finder, Found, OptionValues, ScreenWords, Search, Setup, spelling};

use patterns::{PATTERNS, Pattern, Word};

/// The message of a refusal, unless the option `message` sets another.
const MESSAGE: &str = "this contains a secret, such as an API key; remove it and send the request again";

weir_sdk::export_guard!(Search<Options>);

/// The guard's options.
#[derive(Debug)]
pub struct Options {
    /// Labels that are not searched for.
    ignore: Vec<String>,
}

impl Options {
    fn first_at<'p>(&self, text: &str, at: usize, word: &mut Word) -> Option<(&'p Pattern, usize)> {
        let mut found = PATTERNS.iter().filter_map(|pattern| Some((pattern, pattern.end(text, at, word)?)));
        found.find(|(pattern, _)| !self.is_ignored(pattern))
    }

    fn is_ignored(&self, pattern: &Pattern) -> bool {
        self.ignore.iter().any(|label| label == pattern.label)
    }
}

impl Configured for Options {
    const NAME: &'static str = "secrets";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "finds keys, tokens and private keys in requests and answers";
    const SETTINGS: &'static str = include_str!("settings.json");

    fn setup(options: OptionValues<'_>) -> Result<Setup<Self>, String> {
        Ok(Setup {
            finder: Self { ignore: options.get("ignore")?.unwrap_or_default() },
            action: options.get("action")?.unwrap_or_default(),
            message: options.get("message")?.unwrap_or_else(|| MESSAGE.to_owned()),
            restores: false,
        })
    }
}

impl Options {
    /// Finds everything from a place on that is spelled in ASCII.
    fn find_plain(&self, text: &str, mut at: usize) -> Vec<Found> {
        let (bytes, mut all, mut word) = (text.as_bytes(), Vec::new(), Word::default());
        while let Some(byte) = bytes.get(at) {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            let is_start = patterns::may_begin(*byte) && before.is_none_or(|byte| patterns::may_precede(*byte));
            let found = if is_start { self.first_at(text, at, &mut word) } else { None };
            if let Some((pattern, end)) = found {
                all.push(Found { range: at..end, label: pattern.label.to_owned() });
                at = end;
            } else {
                at += 1;
            }
        }
        all
    }
}

impl Finder for Options {
    fn find(&self, text: &str) -> Vec<Found> {
        spelling::as_it_looks(text, |text| self.find_plain(text, 0))
    }

    fn find_behind_first(&self, text: &str) -> Vec<Found> {
        spelling::as_it_looks(text, |text| self.find_plain(text, second(text)))
    }

    fn words(&self) -> Option<ScreenWords> {
        let searched = PATTERNS.iter().filter(|pattern| !self.is_ignored(pattern));
        Some(ScreenWords::as_they_look(searched.map(|pattern| pattern.head)))
    }
}

#[cfg(test)]
mod tests {
    use weir_sdk::guard::scan::Scan;
    use weir_sdk::guard::{Answer, Asked, EventVerdict, Facts, Guard, RequestVerdict};
    use weir_sdk::types::{
        ChatEvent, ChatRequest, MediaKind, MediaPart, MediaSource, Message, Part, PartDelta, PartStop, Role, Setting,
        TextPart,
    };

    use super::*;

    fn labels(text: &str, ignore: &[&str]) -> Vec<String> {
        let ignore = ignore.iter().map(|label| (*label).to_owned()).collect();
        let options = Options { ignore };
        options.find(text).into_iter().map(|found| found.label).collect()
    }

    /// Texts are put together here, so that this file contains nothing that looks like a secret.
    fn of(head: &str, tail: &str, times: usize) -> String {
        format!("{head}{}", tail.repeat(times))
    }

    #[test]
    fn secrets_are_found_within_text_and_ordinary_words_are_not() {
        for (secret, label) in [
            (of("AKIA", "ABCD2345", 2), "aws-access-key"),
            (of("sk-ant-", "api03Ab_-", 4), "api-key"),
            (of("sk-proj-", "Ab12", 8), "api-key"),
            (of("ghp_", "Ab12", 9), "github-token"),
            (of("github_pat_", "Ab12_", 8), "github-token"),
            (of("xoxb-", "12345-", 4), "slack-token"),
            (of("AIza", "Ab1-_", 7), "google-api-key"),
            (of("hf_", "Ab12", 9), "api-key"),
            (of("glpat-", "Ab12", 6), "gitlab-token"),
            (of("-----BEGIN RSA PRIVATE ", "KEY-----", 1), "private-key"),
            (of("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.", "Ab1-", 8), "jwt"),
        ] {
            for text in [secret.clone(), format!("my key: {secret}."), format!("Schlüssel=\"{secret}\"")] {
                assert_eq!(labels(&text, &[]), [label], "{text}");
                assert_eq!(labels(&text, &[label]), [""; 0], "{text}");
            }
        }
        for text in [
            "a task-oriented-approach-to-everything-that-matters-in-life",
            "sk-short",
            "AKIAshort",
            "-----BEGIN PUBLIC KEY-----",
            "eyJust.a.word",
            "disk-proj-0123456789012345678901234567890",
            "",
        ] {
            assert_eq!(labels(text, &[]), [""; 0], "{text}");
        }
    }

    /// Whether an answer is refused that comes in pieces of so many bytes, what is noted of it, and how it arrives
    /// masked.
    fn judged(text: &str, size: usize) -> (bool, Vec<(String, String)>, String) {
        let events = || {
            let pieces = text.as_bytes().chunks(size).map(|piece| String::from_utf8(piece.to_vec()).unwrap());
            let pieces = pieces.map(|text| ChatEvent::Delta(PartDelta { candidate: 0, part: 0, text }));
            pieces.chain([ChatEvent::PartStop(PartStop { candidate: 0, part: 0, extensions: Vec::new() })])
        };
        let mut deny = scan("deny");
        let is_denied = events().any(|event| matches!(deny.push(vec![event]).verdict, EventVerdict::Deny(_)));
        let mut annotate = scan("annotate");
        let notes = events().flat_map(|event| annotate.push(vec![event]).annotations).last();
        let (mut mask, mut arrived) = (scan("mask"), String::new());
        for event in events() {
            let EventVerdict::Replace(events) = mask.push(vec![event]).verdict else { panic!("it masks") };
            let texts = events.into_iter().filter_map(|event| match event {
                ChatEvent::Delta(delta) => Some(delta.text),
                _ => None,
            });
            arrived.extend(texts);
        }
        (is_denied, notes.into_iter().map(|note| (note.key, note.value)).collect(), arrived)
    }

    fn scan(action: &str) -> Scan<Options> {
        Scan::new(facts(action))
    }

    fn facts(action: &str) -> Facts {
        let options = vec![Setting { key: "action".into(), json: format!("\"{action}\"") }];
        let (request_id, model, format, memo) = (String::new(), String::new(), String::new(), String::new());
        let (client, team, input_tokens) = (None, None, None);
        Facts { request_id, now_ms: 0.0, client, team, model, format, stream: true, input_tokens, options, memo }
    }

    #[test]
    fn the_verdict_is_the_same_however_an_answer_is_split() {
        let words = "word ".repeat(30);
        let token = format!(
            "{}{}.{}{}.{}",
            of("ey", "J", 1),
            "Ab1-".repeat(60),
            of("ey", "J", 1),
            "Cd2".repeat(40),
            "x_9".repeat(20)
        );
        for (text, expected) in [
            (format!("{words}{token}, {words}"), Some("jwt")),
            (format!("{words}see /disk-proj-{} now. {words}", "0123456789".repeat(3)), None),
            (format!("{words}see x-{}{} {words}", of("s", "k-", 1), "0123456789".repeat(20)), Some("api-key")),
            (format!("{words}{}{words}", of("AKIA", "ABCD2345", 3)), None),
            (format!("{words}{}", of("AKIA", "ABCD2345", 2)), Some("aws-access-key")),
            (format!("{words}{}.{words}", "Ab1-".repeat(50)), None),
        ] {
            let whole = judged(&text, text.len());
            let notes: Vec<_> = expected.map(|label| (label.to_owned(), "1".to_owned())).into_iter().collect();
            assert_eq!((whole.0, &whole.1), (expected.is_some(), &notes), "{text}");
            for size in (1..=9).chain([16, 64]) {
                assert_eq!(judged(&text, size), whole, "{size}: {text}");
            }
        }
    }

    #[test]
    fn a_text_in_which_much_may_begin_takes_no_longer() {
        let none: &[String] = &[];
        for head in [of("ey", "J-", 1), of("s", "k-", 1)] {
            assert_eq!(labels(&head.repeat(50_000), &[]), none, "{head}");
            assert_eq!(labels(&format!("{}1", head.repeat(50)), &[]).len(), usize::from(head.starts_with('s')));
        }
    }

    fn chat(texts: &[&str]) -> Asked {
        let parts = texts.iter().map(|text| Part::Text(TextPart::new(*text))).collect();
        of_parts(parts)
    }

    fn of_parts(parts: Vec<Part>) -> Asked {
        let message = Message { role: Role::User, name: None, parts, extensions: Vec::new() };
        Asked::Chat(ChatRequest { messages: vec![message], ..ChatRequest::default() })
    }

    fn verdict(action: &str, asked: Asked) -> RequestVerdict {
        Search::<Options>::on_request(&facts(action), asked).verdict
    }

    #[test]
    fn a_secret_in_two_texts_of_a_request_is_found() {
        let secret = of("AKIA", "ABCD2345", 2);
        let (begun, ended) = secret.split_at(9);
        assert!(matches!(verdict("deny", chat(&[begun, ended])), RequestVerdict::Deny(_)));
        assert_eq!(verdict("deny", chat(&[begun, " ", ended])), RequestVerdict::Allow);
        let masked = chat(&["see [aws-access-key]", "[aws-access-key], please"]);
        let asked = chat(&[&format!("see {begun}"), &format!("{ended}, please")]);
        assert_eq!(verdict("mask", asked), RequestVerdict::Replace(masked));
    }

    #[test]
    fn a_secret_in_a_text_document_is_found() {
        let base64 = |data: &str| {
            let source = MediaSource::Base64(data.to_owned());
            let media = MediaPart { mime: Some("text/plain".into()), ..MediaPart::new(MediaKind::Document, source) };
            of_parts(vec![Part::Media(media)])
        };
        // The words `a AKIA` and twice `ABCD2345`.
        let asked = || base64("YSBBS0lBQUJDRDIzNDVBQkNEMjM0NQ==");
        assert!(matches!(verdict("deny", asked()), RequestVerdict::Deny(_)));
        let masked = base64("YSBbYXdzLWFjY2Vzcy1rZXld");
        assert_eq!(verdict("mask", asked()), RequestVerdict::Replace(masked));
    }

    #[test]
    fn control_characters_hide_no_secret() {
        for hidden in ['\0', '\u{1}', '\u{7}', '\u{8}', '\u{1b}', '\u{7f}', '\u{80}', '\u{9f}', '\u{fffa}'] {
            let text = format!("{}{hidden}{}", of("AK", "IA", 1), "ABCD2345".repeat(2));
            assert_eq!(labels(&text, &[]), ["aws-access-key"], "{hidden:?}");
            assert_eq!(judged(&format!("see {text}."), 1_000).2, "see [aws-access-key].");
        }
        assert_eq!(labels(&of("AKIA\t", "ABCD2345", 2), &[]), [""; 0]);
    }

    #[test]
    fn two_secrets_are_two_findings() {
        let (one, other) = (of("AKIA", "ABCD2345", 2), of("ghp_", "Ab12", 9));
        assert_eq!(labels(&format!("{one},{other} {one}"), &[]), ["aws-access-key", "github-token", "aws-access-key"]);
    }
}
