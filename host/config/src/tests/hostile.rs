//! Arbitrary text never panics, neither when read nor when its mistakes are shown.

use super::*;
use proptest::prelude::*;

fn survive(text: &str, variables: &[(&str, &str)]) {
    let problems = match read_with(text, variables) {
        Ok(config) => config.problems(config.warnings.clone()),
        Err(problems) => problems,
    };
    problems.render(true);
    problems.render(false);
}

/// Pieces of configurations, so that random texts reach more than syntax errors.
const PIECES: &str = r#"(\[|\]|\[\[models\]\]\n|\[\[providers\]\]\n|\[server\]\n|\[plugins\.x\]\n|alias|target|targets|name|adapter|type|url|api_key|options|weight|port| = |=|\{ |\}|"a"|'gpt-\*'|"env:KEY"|"http://a/"|"1s"|5|-1|1\.5|nan|true|1979-05-27|,|\.|#|\n|\r|"|'|é|\u{0})*"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*|(?s).*") {
        survive(&text, &[]);
    }

    #[test]
    fn arbitrary_pieces_never_panic(text in PIECES) {
        survive(&text, &[("KEY", "k")]);
    }

    #[test]
    fn arbitrary_variables_never_panic(
        name in "WEIR_(SERVER|PORT|PROVIDERS|MODELS|PLUGINS|OPTIONS|_|__|0|1|9|A|É|API_KEY|DEFAULT|LOG_LEVEL)*",
        value in "\\PC*",
    ) {
        survive("[[models]]\nalias = 'a'\ntype = 'x'\n", &[(&name, &value)]);
    }
}
