//! One idea a file: reports files that are long.

use super::Findings;
use super::source::Tree;

/// Most lines of a file, without inline tests.
const LONG: usize = 400;
const TOO_LONG: usize = 600;

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    for file in tree.rust() {
        let lines = file.lines().count();
        if lines > TOO_LONG {
            findings.problem(format!("{}: {lines} lines; over {TOO_LONG} is more than one idea", file.path));
        } else if lines > LONG {
            findings.warn(format!("{}: {lines} lines; is it one idea?", file.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::File;
    use super::*;

    #[test]
    fn inline_tests_do_not_count() {
        let code = "//\n".repeat(LONG);
        let text = format!("{code}#[cfg(test)]\nmod tests {{\n{code}");
        let mut findings = Findings::default();
        check(&Tree { root: ".".into(), files: vec![File::new("host/wire/src/a.rs", &text)] }, &mut findings);
        assert!(findings.warnings.is_empty() && findings.problems.is_empty());
        let files =
            vec![File::new("host/wire/src/a.rs", &"//\n".repeat(LONG + 1)), File::new("b.rs", &"\n".repeat(601))];
        check(&Tree { root: ".".into(), files }, &mut findings);
        assert_eq!((findings.warnings.len(), findings.problems.len()), (1, 1));
    }
}
