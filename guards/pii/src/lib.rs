//! `pii`: a guard that finds personal data in requests and answers: mail addresses, phone numbers, numbers of cards and
//! accounts.

mod kinds;

use weir_sdk::guard::find::second;
use weir_sdk::guard::{Configured, Finder, Found, OptionValues, ScreenWords, Search, Setup, spelling};

use kinds::Kind;

/// The message of a refusal, unless the option `message` sets another.
const MESSAGE: &str = "this contains personal data, such as a mail address or an account number; remove it";

weir_sdk::export_guard!(Search<Options>);

/// The guard's options.
#[derive(Debug)]
pub struct Options {
    kinds: Vec<Kind>,
}

impl Configured for Options {
    const NAME: &'static str = "pii";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "finds mail addresses, phone numbers, numbers of cards and accounts in requests and answers";
    const SETTINGS: &'static str = include_str!("settings.json");

    fn setup(options: OptionValues<'_>) -> Result<Setup<Self>, String> {
        let named = options.get::<Vec<String>>("kinds")?;
        let kind = |name: &String| Kind::named(name).ok_or_else(|| format!("there is no kind `{name}`"));
        let kinds = named.map(|names| names.iter().map(kind).collect::<Result<Vec<_>, _>>()).transpose()?;
        Ok(Setup {
            finder: Self { kinds: kinds.unwrap_or_else(|| Kind::ALL.to_vec()) },
            action: options.get("action")?.unwrap_or_default(),
            message: options.get("message")?.unwrap_or_else(|| MESSAGE.to_owned()),
            restores: options.get("restore")?.unwrap_or_default(),
        })
    }
}

impl Options {
    /// Finds everything from a place on that is spelled in ASCII.
    fn find_plain(&self, text: &str, mut at: usize) -> Vec<Found> {
        let (bytes, mut all) = (text.as_bytes(), Vec::new());
        while let Some(byte) = bytes.get(at) {
            let begins =
                kinds::may_begin(*byte) && (at == 0 || !bytes.get(at - 1).is_some_and(|byte| kinds::is_inside(*byte)));
            let found = begins.then(|| {
                let ends = self.kinds.iter().filter_map(|kind| Some((kind, kind.length(bytes.get(at..)?)?)));
                ends.max_by_key(|(_, length)| *length)
            });
            match found.flatten() {
                Some((kind, length)) => {
                    all.push(Found { range: at..at + length, label: kind.name().to_owned() });
                    at += length;
                }
                None => at += 1,
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

    /// A mail address has its sign; numbers are of digits, which nearly every request has.
    fn words(&self) -> Option<ScreenWords> {
        self.kinds.iter().all(|kind| *kind == Kind::Email).then(|| ScreenWords::as_they_look(["@"]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::guard::{Action, Annotation, Asked, RequestVerdict, find};
    use weir_sdk::types::{ChatRequest, Message, Part, RerankDocument, RerankRequest, Role, TextPart};

    fn found(text: &str) -> Vec<(String, String)> {
        let options = Options { kinds: Kind::ALL.to_vec() };
        options.find(text).into_iter().map(|one| (one.label, text[one.range].to_owned())).collect()
    }

    #[test]
    fn personal_data_is_found_in_full() {
        for (text, label, whole) in [
            ("Write to Jane.Doe+x@mail.example.org.", "email", "Jane.Doe+x@mail.example.org"),
            ("<jane@example.co.uk>", "email", "jane@example.co.uk"),
            ("Ruf +49 (0)30 901820-0 an", "phone", "+49 (0)30 901820-0"),
            ("call 415-555-0132, please", "phone", "415-555-0132"),
            ("card: 4111 1111 1111 1111!", "card", "4111 1111 1111 1111"),
            ("5500005555555559", "card", "5500005555555559"),
            ("IBAN DE89 3704 0044 0532 0130 00 ok", "iban", "DE89 3704 0044 0532 0130 00"),
            ("GB82WEST12345698765432", "iban", "GB82WEST12345698765432"),
            ("SSN 078-05-1120", "us-ssn", "078-05-1120"),
            ("ünï +14155550132 ünï", "phone", "+14155550132"),
        ] {
            assert_eq!(found(text), [(label.to_owned(), whole.to_owned())], "{text}");
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in [
            "",
            "a@b",
            "@mention and user@localhost",
            "4111 1111 1111 1112",
            "1234567890123456",
            "DE89 3704 0044 0532 0130 02",
            "version 1.2.3, 2024-10-31, 12:30:45, 10.0.0.1",
            "+1 is a sum",
            "sha 0123456789abcdef0123456789abcdef",
            "c++ and x@y.z1",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn nothing_begins_within_what_was_judged_before() {
        let options = Options { kinds: Kind::ALL.to_vec() };
        for (text, count) in [
            ("1123-45-6789", 0),
            ("4111 1111 1111 1111", 0),
            ("xjane@example.org", 0),
            ("\u{ff11}123-45-6789", 0),
            (" 123-45-6789", 1),
            ("4 5500005555555559", 1),
            ("é123-45-6789", 1),
            ("", 0),
        ] {
            assert_eq!(options.find_behind_first(text).len(), count, "{text}");
        }
    }

    fn masked(texts: &[&str]) -> (RequestVerdict, Vec<Annotation>) {
        let answer = find::judge(chat(texts), &Options { kinds: Kind::ALL.to_vec() }, Action::Mask, "no");
        (answer.verdict, answer.annotations)
    }

    fn chat(texts: &[&str]) -> Asked {
        let parts = texts.iter().map(|text| Part::Text(TextPart::new(*text))).collect();
        let message = Message { role: Role::User, name: None, parts, extensions: Vec::new() };
        Asked::Chat(ChatRequest { messages: vec![message], ..ChatRequest::default() })
    }

    #[test]
    fn what_stands_in_two_texts_is_masked_in_both() {
        for (texts, expected, noted) in [
            (&["I am jane@exa", "mple.org!"][..], &["I am [email]", "[email]!"][..], [("email", "1")]),
            (&["jane@example.org", "joe@example.org"], &["[email]", "[email]"], [("email", "2")]),
            (&["4111 1111", " 1111 1111."], &["[card]", "[card]."], [("card", "1")]),
        ] {
            let noted = noted.map(|(label, count)| Annotation::new(label, count)).to_vec();
            assert_eq!(masked(texts), (RequestVerdict::Replace(chat(expected)), noted), "{texts:?}");
        }
        assert_eq!(masked(&["see jane@exa", " mple.org"]).0, RequestVerdict::Allow);
    }

    #[test]
    fn a_number_of_a_document_to_be_ranked_is_found() {
        let rerank = |json: &str| {
            let (model, query, documents) = (String::new(), String::new(), vec![RerankDocument::Json(json.into())]);
            let (top_n, return_documents, extensions) = (None, None, Vec::new());
            Asked::Rerank(RerankRequest { model, query, documents, top_n, return_documents, extensions })
        };
        let asked = rerank("{\"n\":4111111111111111}");
        let answer = find::judge(asked, &Options { kinds: Kind::ALL.to_vec() }, Action::Mask, "no");
        assert_eq!(answer.verdict, RequestVerdict::Replace(rerank("{\"n\":\"[card]\"}")));
    }

    #[test]
    fn several_findings_stand_in_order() {
        let labels: Vec<String> =
            found("a@example.org, +14155550132 and b@example.org").into_iter().map(|(label, _)| label).collect();
        assert_eq!(labels, ["email", "phone", "email"]);
    }
}
