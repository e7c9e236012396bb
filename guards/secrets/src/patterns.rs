//! What secrets look like: a head that is always the same, and a tail of a certain length in a certain alphabet.

/// One kind of secret.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// What it is called in annotations and masks.
    pub(crate) label: &'static str,
    /// What it begins with.
    pub(crate) head: &'static str,
    tail: Tail,
}

/// What follows the head.
#[derive(Debug)]
enum Tail {
    /// At least this many letters and digits.
    Letters(usize),
    /// At least this many letters, digits, `-` and `_`, with a digit among them.
    Words(usize),
    /// This many capital letters and digits, and no more.
    Capitals(usize),
    /// Anything up to `PRIVATE KEY-----`, in the same line.
    Armour,
    /// The rest of a token in two or three parts, of which the second is an object as well.
    Token,
}

/// The run of letters, digits, `-` and `_` that a search is in. Its end is looked for once, however many secrets may
/// begin in it.
#[derive(Debug, Default)]
pub(crate) struct Word {
    end: usize,
    /// The place behind its last digit.
    digit: usize,
}

impl Word {
    /// The length of the word from a place on, and whether a digit is in there. Places come in order.
    fn from(&mut self, bytes: &[u8], at: usize) -> (usize, bool) {
        if at >= self.end {
            let word = bytes.get(at..).unwrap_or_default();
            let word = word.get(..run(word, is_word)).unwrap_or_default();
            self.end = at + word.len();
            self.digit = word.iter().rposition(u8::is_ascii_digit).map_or(0, |digit| at + digit + 1);
        }
        (self.end - at, self.digit > at)
    }
}

const fn pattern(label: &'static str, head: &'static str, tail: Tail) -> Pattern {
    Pattern { label, head, tail }
}

/// All patterns. Where several fit, the first one counts.
pub(crate) const PATTERNS: &[Pattern] = &[
    pattern("aws-access-key", "AKIA", Tail::Capitals(16)),
    pattern("aws-access-key", "ASIA", Tail::Capitals(16)),
    pattern("google-api-key", "AIza", Tail::Words(35)),
    pattern("api-key", "sk-", Tail::Words(20)),
    pattern("api-key", "sk_live_", Tail::Letters(20)),
    pattern("api-key", "rk_live_", Tail::Letters(20)),
    pattern("api-key", "gsk_", Tail::Letters(40)),
    pattern("api-key", "hf_", Tail::Letters(30)),
    pattern("api-key", "xai-", Tail::Letters(40)),
    pattern("api-key", "pplx-", Tail::Letters(40)),
    pattern("api-key", "r8_", Tail::Letters(37)),
    pattern("api-key", "npm_", Tail::Letters(36)),
    pattern("github-token", "ghp_", Tail::Letters(36)),
    pattern("github-token", "gho_", Tail::Letters(36)),
    pattern("github-token", "ghu_", Tail::Letters(36)),
    pattern("github-token", "ghs_", Tail::Letters(36)),
    pattern("github-token", "ghr_", Tail::Letters(36)),
    pattern("github-token", "github_pat_", Tail::Words(22)),
    pattern("gitlab-token", "glpat-", Tail::Words(20)),
    pattern("slack-token", "xoxa-", Tail::Words(10)),
    pattern("slack-token", "xoxb-", Tail::Words(10)),
    pattern("slack-token", "xoxp-", Tail::Words(10)),
    pattern("slack-token", "xoxr-", Tail::Words(10)),
    pattern("slack-token", "xoxs-", Tail::Words(10)),
    pattern("private-key", "-----BEGIN ", Tail::Armour),
    pattern("jwt", "eyJ", Tail::Token),
];

/// The longest line of a private key's beginning, in bytes.
const ARMOUR: usize = 64;

/// Whether a secret may begin with this byte.
pub(crate) fn may_begin(byte: u8) -> bool {
    matches!(byte, b'A' | b's' | b'r' | b'g' | b'h' | b'x' | b'p' | b'n' | b'-' | b'e')
}

/// Whether a secret may begin after this byte: not within a word.
pub(crate) fn may_precede(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte != b'_'
}

impl Pattern {
    /// The end of the secret that begins at this place, where one may begin.
    pub(crate) fn end(&self, text: &str, at: usize, word: &mut Word) -> Option<usize> {
        let bytes = text.as_bytes();
        // Most heads differ in the first letter, which takes less than comparing texts.
        if bytes.get(at) != self.head.as_bytes().first() {
            return None;
        }
        let rest = bytes.get(at..)?.strip_prefix(self.head.as_bytes())?;
        let from = at + self.head.len();
        Some(from + self.tail.length(rest, || word.from(bytes, from))?)
    }
}

impl Tail {
    /// The length of the tail that this text begins with. `word` tells of the word at its beginning.
    fn length(&self, rest: &[u8], word: impl FnOnce() -> (usize, bool)) -> Option<usize> {
        match *self {
            Self::Letters(least) => Some(run(rest, is_letter)).filter(|length| *length >= least),
            Self::Words(least) => {
                let (length, has_digit) = word();
                Some(length).filter(|length| *length >= least && has_digit)
            }
            Self::Capitals(exactly) => {
                let length = run(rest, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
                let ends = rest.get(length).is_none_or(|byte| !is_letter(*byte));
                Some(length).filter(|length| *length == exactly && ends)
            }
            Self::Armour => {
                let line = rest.get(..rest.len().min(ARMOUR)).unwrap_or_default();
                let close = b"PRIVATE KEY-----";
                line.windows(close.len()).position(|window| window == close).map(|found| found + close.len())
            }
            Self::Token => {
                let (head, _) = word();
                let body = rest.get(head..)?.strip_prefix(b".eyJ")?;
                let length = run(body, is_word);
                // It is one before its signature has come, which may be far away.
                let signature = body.get(length..).and_then(|rest| rest.strip_prefix(b"."));
                let signed = signature.map_or(0, |signature| 1 + run(signature, is_word));
                Some(head + 4 + length + signed).filter(|_| head >= 8 && length >= 8)
            }
        }
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The number of first bytes that are of a kind.
fn run(bytes: &[u8], is_kind: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is_kind(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head_is_looked_for() {
        assert!(PATTERNS.iter().all(|pattern| pattern.head.bytes().next().is_some_and(may_begin)));
    }
}
