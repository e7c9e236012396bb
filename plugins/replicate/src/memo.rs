//! The state of a prediction between steps.

/// How the answer to the next request is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The prediction was requested, and the service waited for it.
    Waited,
    /// The prediction was requested, and its output is to be streamed.
    Streamed,
    /// The prediction is polled; with the number of polls so far.
    Polled(u32),
}

/// The phase, and the prediction's id once it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Memo {
    pub(crate) phase: Phase,
    pub(crate) id: String,
    pub(crate) model: String,
}

impl Memo {
    pub(crate) fn new(phase: Phase) -> Self {
        Self { phase, id: String::new(), model: String::new() }
    }

    /// One line: the phase, the id, the model.
    pub(crate) fn to_text(&self) -> String {
        let phase = match self.phase {
            Phase::Waited => "waited".to_owned(),
            Phase::Streamed => "streamed".to_owned(),
            Phase::Polled(times) => times.to_string(),
        };
        format!("{phase} {} {}", self.id, self.model)
    }

    /// Parses a memo; any other text means a prediction without waiting.
    pub(crate) fn parse(text: &str) -> Self {
        let mut words = text.splitn(3, ' ');
        let phase = match words.next().unwrap_or_default() {
            "waited" => Phase::Waited,
            "streamed" => Phase::Streamed,
            times => Phase::Polled(times.parse().unwrap_or(0)),
        };
        let mut next = || words.next().unwrap_or_default().to_owned();
        Self { phase, id: next(), model: next() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memos_come_back_as_they_went() {
        for phase in [Phase::Waited, Phase::Streamed, Phase::Polled(7)] {
            let memo = Memo { phase, id: "p1".into(), model: "a/b c".into() };
            assert_eq!(Memo::parse(&memo.to_text()), memo);
            assert_eq!(Memo::parse(&Memo::new(phase).to_text()), Memo::new(phase));
        }
        assert_eq!(Memo::parse(""), Memo::new(Phase::Polled(0)));
    }
}
