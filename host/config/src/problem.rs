//! Mistakes in a configuration: message, place and remedy.

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use super::{Place, SecretFile, Source};

/// Whether a configuration with this mistake can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// An error: the configuration cannot be used.
    Error,
    /// A warning: the configuration can be used.
    Warning,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The severity: whether the configuration can still be used.
    pub severity: Severity,
    /// The message: lower case, no full stop, never a secret.
    pub message: String,
    /// The remedy.
    pub help: Option<String>,
    /// The place of the mistake.
    pub place: Place,
}

impl Problem {
    /// Creates an error, which keeps the configuration from being used.
    pub fn error(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), help: None, place: place.clone() }
    }

    /// Creates a warning.
    pub fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// Adds a remedy.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// The mistakes of one configuration, in the file's order, with the file to show them in.
///
/// Its `Display` prints a line for each, `FILE:LINE:COLUMN: error: MESSAGE`, followed by the remedy.
#[derive(Debug, Clone)]
pub struct Problems {
    source: Arc<Source>,
    list: Vec<Problem>,
    /// The files that secrets were to be read from, if the configuration is refused.
    secret_files: Vec<SecretFile>,
}

impl std::error::Error for Problems {}

impl Problems {
    /// Sorts mistakes in the file's order; those of the environment come last.
    pub fn new(source: Arc<Source>, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| match &problem.place {
            Place::File(span) => span.start,
            Place::Variable(_) | Place::Unset => usize::MAX,
        });
        list.dedup();
        Self { source, list, secret_files: Vec::new() }
    }

    pub(crate) fn with_secret_files(self, secret_files: Vec<SecretFile>) -> Self {
        Self { secret_files, ..self }
    }

    /// The file; without any text if it could not be read.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The files that secrets were to be read from, of a configuration that is refused: one of them may change that.
    pub fn secret_files(&self) -> &[SecretFile] {
        &self.secret_files
    }

    /// The mistakes.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// The number of mistakes.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are no mistakes.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether any mistake keeps the configuration from being used.
    pub fn are_fatal(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// A report for people: with colours and the lines of the file on a terminal, one line each otherwise.
    pub fn render(&self, terminal: bool) -> String {
        if terminal { self.fancy() } else { self.to_string() }
    }

    fn fancy(&self) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode()).with_links(false);
        let source = NamedSource::new(self.source.name(), self.source.text().to_owned());
        let mut out = String::new();
        for problem in &self.list {
            let shown = Shown { problem, source: &source };
            let mut report = String::new();
            // A report that cannot be drawn is still printed as plain text.
            match handler.render_report(&mut report, &shown) {
                Ok(()) => out.push_str(&report),
                Err(_) => out.push_str(&self.line(problem)),
            }
            out.push('\n');
        }
        out
    }

    /// One line, `weir.toml:3:7: error: unknown key ...`, followed by the remedy.
    fn line(&self, problem: &Problem) -> String {
        let place = match &problem.place {
            Place::File(span) => {
                let (line, column) = self.source.position(span.start);
                format!("{}:{line}:{column}: ", self.source.name())
            }
            Place::Variable(name) => format!("{name}: "),
            Place::Unset if self.source.name().is_empty() => String::new(),
            Place::Unset => format!("{}: ", self.source.name()),
        };
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let help = problem.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
        format!("{place}{severity}: {}{help}", problem.message)
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}", self.line(problem))?;
        }
        Ok(())
    }
}

/// A problem in the form that `miette` renders.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    source: &'a NamedSource<String>,
}

impl std::error::Error for Shown<'_> {}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem.place {
            Place::Variable(name) => write!(f, "{name}: {}", self.problem.message),
            Place::File(_) | Place::Unset => f.write_str(&self.problem.message),
        }
    }
}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        matches!(self.problem.place, Place::File(_)).then_some(self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Place::File(span) = &self.problem.place else { return None };
        Some(Box::new(std::iter::once(LabeledSpan::underline(span.clone()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems() -> Problems {
        let source = Arc::new(Source::new("weir.toml", "a = 1\nalais = 2\n".to_owned()));
        let list = vec![
            Problem::warning(&Place::Variable("WEIR_X".into()), "unknown variable"),
            Problem::error(&Place::File(6..11), "unknown key `alais`").with_help("did you mean `alias`?"),
            Problem::error(&Place::File(0..1), "unknown key `a`"),
        ];
        Problems::new(source, list)
    }

    #[test]
    fn plain_text_is_a_line_each_in_the_files_order() {
        let expected = "weir.toml:1:1: error: unknown key `a`\n\
                        weir.toml:2:1: error: unknown key `alais` (did you mean `alias`?)\n\
                        WEIR_X: warning: unknown variable";
        assert_eq!(problems().render(false), expected);
        assert!(problems().are_fatal());
    }

    #[test]
    fn a_terminal_sees_the_lines_of_the_file() {
        let text = problems().render(true);
        assert!(text.contains("weir.toml:2:1") && text.contains("alais = 2"), "{text}");
        assert!(text.contains("did you mean `alias`?") && text.contains("WEIR_X: unknown variable"), "{text}");
    }

    #[test]
    fn a_place_outside_the_file_is_said_all_the_same() {
        let source = Arc::new(Source::new("weir.toml", "a".to_owned()));
        let all = Problems::new(source, vec![Problem::error(&Place::File(500..900), "far away")]);
        assert!(all.render(true).contains("far away"));
    }
}
