//! Removes secrets and personal data from the texts of errors before a line of the log shows them: a provider's error
//! may quote what a client sent.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::sync::{Arc, PoisonError, RwLock};

/// Removes secrets and personal data from texts.
pub trait TextCleaner: fmt::Debug + Send + Sync {
    /// The text without them; `None` if that is not known yet. It is called on a request's path, so it must not wait
    /// for anything.
    fn clean(&self, text: &str) -> Option<String>;
}

/// The cleaner of this process, as its log is one for all gateways.
static CLEANER: RwLock<Option<Arc<dyn TextCleaner>>> = RwLock::new(None);

/// The most letters of a word that may be shown uncleaned. Secrets are longer, or have more than letters.
const SHORT: usize = 15;
/// The most letters of such a word if all are small, as in the name of a kind of error.
const SHORT_IF_SMALL: usize = 32;
/// The least bytes of a text that an adapter or the provider itself may have cut.
const LONG: usize = 500;
/// What stands for a word that is left out.
const LEFT_OUT: &str = "…";

/// Cleans the texts of errors with this from now on. A later cleaner takes its place.
pub fn clean_with(cleaner: Arc<dyn TextCleaner>) {
    *CLEANER.write().unwrap_or_else(PoisonError::into_inner) = Some(cleaner);
}

/// The text of an error as the log may show it.
pub(crate) fn cleaned(error: &impl Display) -> String {
    let cleaner = CLEANER.read().unwrap_or_else(PoisonError::into_inner).clone();
    cleaned_by(cleaner.as_deref(), whole_words(&error.to_string()))
}

/// A name that a client chose, such as a model's, as the log may show it: in one line, and without a key that stands in
/// its place.
pub(crate) fn cleaned_name(name: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(name);
    if name.contains(char::is_control) {
        shown = Cow::Owned(name.replace(char::is_control, " "));
    }
    if !may_hold_key(&shown) {
        return shown;
    }
    let cleaner = CLEANER.read().unwrap_or_else(PoisonError::into_inner).clone();
    Cow::Owned(cleaned_by(cleaner.as_deref(), &shown))
}

/// Whether what a client says of itself may be a key that stands in a wrong place.
pub fn may_hold_key(text: &str) -> bool {
    text.contains("sk-")
}

/// A text without its last word, if it may have been cut: half a key is one that no rule recognises. A key, a token or
/// an address is of ASCII, without a space or a quotation mark.
pub(crate) fn whole_words(text: &str) -> &str {
    let rest = text.strip_suffix("...").unwrap_or(text).trim_end_matches(LEFT_OUT);
    if rest.len() == text.len() && text.len() < LONG {
        return text;
    }
    let ends = |c: char| c.is_whitespace() || c == '"' || !c.is_ascii();
    let end = rest.rfind(ends).and_then(|at| rest.get(..rest.ceil_char_boundary(at + 1)));
    end.unwrap_or(LEFT_OUT)
}

fn cleaned_by(cleaner: Option<&dyn TextCleaner>, text: &str) -> String {
    cleaner.and_then(|cleaner| cleaner.clean(text)).unwrap_or_else(|| plain_words(text))
}

/// The words of a text that cannot be secrets or personal data, by a rule that costs nothing and leaves out too many.
fn plain_words(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut follows_number = false;
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let has_digit = word.contains(|c: char| c.is_ascii_digit());
        // Several numbers in a row may be a telephone's.
        if is_plain(word) || !follows_number && is_count(inner(word)) {
            shown.push_str(word);
        } else if !shown.trim_end().ends_with(LEFT_OUT) {
            shown.push_str(LEFT_OUT);
        }
        shown.push_str(piece.get(word.len()..).unwrap_or_default());
        follows_number = has_digit || word.is_empty() && follows_number;
    }
    shown
}

/// A word without the punctuation around it.
fn inner(word: &str) -> &str {
    word.trim_matches(|c: char| matches!(c, '.' | ',' | ':' | ';' | '!' | '?' | '\'' | '"' | '`' | '(' | ')'))
}

/// Whether a word is of letters and hyphens, and too short for a secret.
fn is_plain(word: &str) -> bool {
    let word = inner(word);
    let is_small = !word.contains(char::is_uppercase);
    let most = if is_small { SHORT_IF_SMALL } else { SHORT };
    word.len() <= most && word.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '_' | '\'' | '/'))
}

/// Whether a word is a number such as a status.
fn is_count(word: &str) -> bool {
    word.len() <= 4 && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Cleaner(bool);

    impl TextCleaner for Cleaner {
        fn clean(&self, text: &str) -> Option<String> {
            self.0.then(|| text.replace("secret", "[removed]"))
        }
    }

    #[test]
    fn what_cannot_be_cleaned_yet_shows_plain_words_only() {
        let text = "no secret for user ada@lovelace.org";
        assert_eq!(cleaned_by(Some(&Cleaner(true)), text), "no [removed] for user ada@lovelace.org");
        for cleaner in [None, Some(&Cleaner(false) as &dyn TextCleaner)] {
            assert_eq!(cleaned_by(cleaner, text), "no secret for user …");
        }
    }

    #[test]
    fn a_name_shows_neither_a_key_nor_what_controls_a_terminal() {
        for plain in ["small-4o-mini", "vendor/large-3-5-20241022", "modèle", ""] {
            assert!(matches!(cleaned_name(plain), Cow::Borrowed(same) if same == plain));
        }
        assert_eq!(cleaned_name("a\nb\u{1b}[2J\u{9b}c"), "a b [2J c");
        for key in ["sk-proj-Zx81hVq0Kd72MsPw93TnYb64Lc", "my model sk-weir-Zx81\r\n"] {
            assert!(!cleaned_name(key).contains("Zx81") && !cleaned_name(key).contains(char::is_control));
        }
    }

    #[test]
    fn a_text_that_may_be_cut_loses_its_last_word() {
        let long = "word ".repeat(100);
        let (half, quoted) = (format!("{long}sk-proj-Zx81"), format!("{long}\"sk-proj-Zx81"));
        assert_eq!([whole_words(&half), whole_words(&quoted)], [long.as_str(), &format!("{long}\"")]);
        let foreign = "\u{8a9e}".repeat(400);
        assert_eq!([whole_words(&foreign), whole_words("no key sk-1")], [foreign.as_str(), "no key sk-1"]);
        assert_eq!(["no key sk-1…", "no key sk-1...", "sk-1…"].map(whole_words), ["no key ", "no key ", "…"]);
    }

    #[test]
    fn the_words_of_an_error_stay_and_whatever_may_be_a_secret_goes() {
        for plain in ["the model has a cold", "invalid_request_error: 'user' isn't known (HTTP 503)", "  a\tb ", ""] {
            assert_eq!(plain_words(plain), plain);
        }
        for (text, shown) in [
            ("key sk-proj-Zx81hVq0Kd72MsPw93TnYb64Lc.", "key …"),
            ("key sk-abcdefghijklmnop-abcdefghijklmnop!", "key …"),
            ("id AKIAABCDEFGHIJKLMNOP at", "id … at"),
            ("mail ada@lovelace.org, please", "mail … please"),
            ("call +49 30 123 45 67 or (030) 1234567 now", "call … or (030) … now"),
            ("from 10.0.0.5:443 and 2001:db8::1", "from … and …"),
            ("at https://me:pass@host/ cookie: a=b", "at …  cookie: …"),
            ("of gpt-4o-mini", "of …"),
        ] {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&plain_words(text)), words(shown), "{text}");
        }
    }
}
