//! Messages about mistakes, and their places.

use super::*;

#[test]
fn all_mistakes_are_reported_at_once_with_place_and_suggestion() {
    let found = mistakes(
        r#"log_level = "wran"
[server]
prot = 80
port = 70000
header_timeout = 5
[[models]]
alais = "gpt"
target = { url = "ftp://x", api_key = "env:NOT_SET", model = 4 }
type = "openai"
[[models]]
alias = "b"
provider = "opnai"
fallbacks = ["gtp"]
[[providers]]
name = "openai"
adapter = "openai"
usage = "never"
"#,
    );
    let expected = [
        "1:13: error: `log_level` cannot be `wran` (did you mean `warn`?)",
        "3:1: error: unknown key `prot` in `[server]` (did you mean `port`?)",
        "4:8: error: `port` must be an integer from 0 to 65535, not 70000",
        "5:18: error: `header_timeout` must be a duration such as \"250ms\", \"30s\", \"15m\" or \"1h30m\", not an integer (durations are strings with a unit: `\"5s\"`)",
        "6:1: error: `[[models]]` needs `alias` (what clients call the model, such as `alias = \"gpt-4o\"`)",
        "7:1: error: unknown key `alais` in `[[models]]` (did you mean `alias`?)",
        "8:18: error: `url`: a url starts with https://, http:// or replay: (for example \"https://api.example.com/v1/\", the API's base with its version)",
        "8:39: error: `api_key`: the environment variable `NOT_SET` is not set (set it, or leave the key out where none is needed)",
        "8:62: error: `model` must be a string, not an integer",
        "12:12: error: no provider is called `opnai` (did you mean `openai`?)",
        "13:14: error: no alias matches the fallback `gtp` (known: `b`)",
        "17:9: error: `usage` cannot be `never` (known: `auto`, `tap`, `ask`)",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_provider_that_nothing_refers_to_is_a_warning() {
    let config = read("[[providers]]\nname = 'p'\nadapter = 'x'\n[[models]]\nalias = 'a'\ntype = 'x'\n");
    let shown = config.problems(config.warnings.clone()).to_string();
    assert!(shown.starts_with("weir.toml:2:8: warning: no model refers to the provider `p`"), "{shown}");
}

/// Each text has one mistake, reported with these words.
#[test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn single_mistakes_are_reported_in_plain_words() {
    let provider = "[[providers]]\nname = 'p'\nadapter = 'x'\nurl = 'http://a/'\n";
    let cases = [
        (
            "[plugins.x]\nrequire_signature = true\n".to_owned(),
            "1:1: error: `require_signature` needs `trusted_keys` in `[plugins]`",
        ),
        (
            "[plugins]\ntrusted_keys = ['ed25519-private:c2VjcmV0']\n".to_owned(),
            "2:17: error: `trusted_keys` holds something that is not a public key",
        ),
        ("[plugins]\nquarantine = { share = 2 }\n".to_owned(), "2:14: error: `share` must be above 0 and at most 1"),
        ("[plugins]\ncanary = 5\n".to_owned(), "2:10: error: `canary = { ... }` must be a table, not an integer"),
        ("[[models]]\nalias = 'a'\n".to_owned(), "2:9: error: no target serves `a`"),
        ("[[models]]\nalias = ''\ntype = 'x'\n".to_owned(), "2:9: error: `alias` must not be empty"),
        ("[[models]]\nalias = 'a b'\ntype = 'x'\n".to_owned(), "2:9: error: an alias holds no white space"),
        (
            "[[models]]\nalias = 'a'\ntarget = { url = 'http://a/' }\n".to_owned(),
            "3:10: error: a target with a `url` needs the model's `type`",
        ),
        ("[[models]]\nalias = 'a'\ntype = 'x'\ntargets = []\n".to_owned(), "4:11: error: `targets` must not be empty"),
        (
            "[[models]]\nalias = 'a'\ntype = 'x'\ntarget = {}\ntargets = [{}]\n".to_owned(),
            "5:1: error: both `target` and `targets` are given",
        ),
        (
            "[[models]]\nalias = 'a'\ntype = 'x'\ntargets = [{ weight = 0 }]\n".to_owned(),
            "4:23: error: `weight` must be an integer from 1",
        ),
        (
            "[[models]]\nalias = 'a'\ntype = 'x'\n[[models]]\nalias = 'a'\ntype = 'x'\n".to_owned(),
            "5:9: error: two models have the alias `a` (the first is on line 2",
        ),
        (
            "[[models]]\nalias = 'a'\ntype = 'x'\nfallbacks = ['a']\n".to_owned(),
            "4:14: error: `a` falls back to itself",
        ),
        (
            "models = 3\n".to_owned(),
            "1:10: error: `models` must be a list of tables, not an integer (write `[[models]]`",
        ),
        ("server = 3\n".to_owned(), "1:10: error: `[server]` must be a table, not an integer"),
        (
            "default_provider = 'q'\n[[models]]\nalias = 'a'\ntype = 'x'\n".to_owned(),
            "1:20: error: no provider is called `q`",
        ),
        (
            format!("{provider}{provider}[[models]]\nalias = 'a'\nprovider = 'p'\n"),
            "6:8: error: two providers are called `p` (the first is on line 2)",
        ),
        (
            format!("{provider}[[models]]\nalias = 'a'\nprovider = 'p'\ntype = 'y'\n"),
            "8:8: error: `type` is `y`, but the provider's adapter is `x`",
        ),
        (
            format!("{provider}[[models]]\nalias = 'a'\ntarget = {{ provider = 'p', url = 'http://b/' }}\n"),
            "7:10: error: both `provider` and `url` are given",
        ),
        (
            format!("{provider}[[models]]\nalias = 'a'\ntarget = {{ provider = 'p', api_key = 'env:KEY' }}\n"),
            "7:10: error: a target with a provider has no `api_key`",
        ),
        ("[[providers]]\nname = 'p q'\nadapter = 'x'\n".to_owned(), "2:8: error: `name` holds what no name does"),
        ("[admin]\nlisten = 'localhost'\n".to_owned(), "2:10: error: `listen` must be an address and a port"),
        ("[server]\nmax_body_bytes = 0\n".to_owned(), "2:18: error: `max_body_bytes` must be a size"),
        ("[server]\nheader_timeout = '0s'\n".to_owned(), "2:18: error: `header_timeout` must be longer than nothing"),
        (
            "[plugins.x]\nmax_use = 1\n".to_owned(),
            "2:1: error: unknown key `max_use` in `[plugins.NAME]` (did you mean `max_uses`?)",
        ),
        ("port = 80\n".to_owned(), "1:1: error: unknown key `port` (`port` belongs to `[server]`)"),
        (
            format!("{provider}check = {{ model = '' }}\n[[models]]\nalias='*'\nprovider = 'p'"),
            "5:19: error: `model` must not be empty",
        ),
        (
            format!("{provider}breaker = {{ failure_rate = 2 }}\n[[models]]\nalias='*'\nprovider = 'p'"),
            "5:11: error: `failure_rate` must be above 0",
        ),
        (
            format!("{provider}api_key = 'env:KEY'\napi_keys = ['env:KEY']\n[[models]]\nalias='*'\nprovider = 'p'"),
            "6:12: error: both `api_key` and `api_keys` are given",
        ),
        (
            format!("{provider}allow_origins = ['https://a/b']\n[[models]]\nalias='*'\nprovider = 'p'"),
            "5:18: error: `allow_origins`: an origin is a scheme",
        ),
    ];
    for (text, expected) in cases {
        let found = mistakes(&text);
        let errors: Vec<_> = found.iter().filter(|line| line.contains(": error: ")).collect();
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{text}\nexpected {expected}\nfound {errors:#?}");
    }
}

#[test]
fn broken_toml_is_reported_without_guesses_about_what_is_missing() {
    let found = mistakes("[[models]]\nalias = \"a\ntype = 'x'\nfoo = 1\n[[models]]\nalias = 'b'\nprovider = 'c'\n");
    assert!(found.iter().any(|line| line.starts_with("2:") && line.contains("not valid TOML")), "{found:#?}");
    assert!(found.iter().any(|line| line.contains("unknown key `foo`")), "{found:#?}");
    assert!(!found.iter().any(|line| line.contains("needs `") || line.contains("no provider")), "{found:#?}");
}

/// Keys behind a table's broken name count as those of the table before, and half a value as a value of another kind.
#[test]
fn what_only_seems_wrong_because_toml_is_broken_is_not_reported() {
    for (text, others) in [
        ("[server]\nport = 80 80\n", 0),
        ("[server]\nport = 80\n[[models]\nalias = 'a'\ntype = 'x'\n", 0),
        ("[providers\nname = 'a'\nadapter = 'x'\n\n[server]\nprot = 1\n", 1),
        ("[server]\nprot = 1\n[admin\ntoken = 'abc'\n", 1),
    ] {
        let found = mistakes(text);
        let errors = found.iter().filter(|line| line.contains(": error: "));
        let (broken, real): (Vec<_>, Vec<_>) = errors.partition(|line| line.contains("not valid TOML"));
        assert!(!broken.is_empty() && real.len() == others, "{text}\n{found:#?}");
        assert!(real.iter().all(|line| line.contains("did you mean `port`?")), "{real:#?}");
    }
}

/// C-70: no message contains a secret, whatever other mistakes are around it.
#[test]
fn secrets_are_in_no_message() {
    let text = "[admin]\ntoken = \"hush-1\"\n[[models]]\nalias = 5\ntype = 'x'\n\
                target = { url = 'http://me:hush-2@a/', api_key = \"hush-3\", modl = 1 }\n\
                api_kye = \"hush-4\"\n[[providers]]\napi_keys = [\"hush-5\", \"hush-6\nbroken";
    let Err(problems) = read_with(text, &[("WEIR_PROVIDERS__0__API_KEY", "hush-7\n hush-8")]) else { panic!() };
    assert!(problems.len() > 5);
    for shown in [problems.render(true), problems.render(false), format!("{problems:?}")] {
        let leaked = ["hush-1", "hush-2", "hush-3", "hush-4", "hush-5", "hush-6", "hush-7", "hush-8"]
            .map(|secret| shown.contains(secret));
        assert_eq!(leaked, [false; 8], "{shown}");
    }
}

#[test]
fn secrets_that_are_not_there_are_left_out_with_a_warning_where_nothing_is_served() {
    let text = "[admin]\ntoken = \"env:ADMIN\"\nread_token = \"read-0123456789\"\n\
                [store]\nurl = \"env:DATABASE_URL\"\n[outbound]\nproxy = \"env:PROXY\"\n\
                [[clients]]\nname = \"c\"\nkey = \"env:CLIENT\"\n\
                [[providers]]\nname = \"p\"\nadapter = \"a\"\nurl = \"https://a\"\napi_keys = [\"env:ONE\", \"file:none\"]\n\
                [[models]]\nalias = \"m\"\ntarget = { provider = \"p\", model = \"x\" }\n";
    let parse = |environment: Environment| Config::parse("weir.toml", text, Path::new(""), environment);
    assert!(parse(environment(&[])).is_err());
    let config = parse(environment(&[("ONE", "key-0123456789")]).leaving_secrets_out()).unwrap();
    assert!(config.admin.token.is_none() && config.outbound.is_none());
    assert_eq!((config.providers[0].keys.len(), config.models.len()), (1, 1));
    let warned = |part: &str| config.warnings.iter().any(|warning| warning.message.contains(part));
    assert!(
        ["`ADMIN` is not set", "`DATABASE_URL`", "`PROXY`", "`CLIENT`", "cannot read `none`"].into_iter().all(warned)
    );
    for (there, wrong) in [("env:CLIENT", "env:"), ("https://a", "env:")] {
        let broken = text.replace(there, wrong);
        let environment = environment(&[]).leaving_secrets_out();
        let parsed = Config::parse("weir.toml", &broken, Path::new(""), environment);
        assert!(parsed.is_err(), "other mistakes stay mistakes: {there}");
    }
    let elsewhere = text.replace("https://a", "env:URL");
    let environment = environment(&[]).leaving_secrets_out();
    let config = Config::parse("weir.toml", &elsewhere, Path::new(""), environment).unwrap();
    assert!(config.warnings.iter().any(|warning| warning.message.contains("`URL` is not set")));
}

#[test]
fn a_literal_key_is_taken_with_a_warning() {
    let config = read("[[models]]\nalias = 'a'\ntype = 'x'\ntarget = { api_key = 'sk-literal' }\n");
    assert_eq!(target(&config, "a").provider.keys, [Secret::new("sk-literal")]);
    let shown = config.problems(config.warnings.clone()).render(true);
    assert!(shown.contains("stands in the file itself") && shown.contains("**********"), "{shown}");
    assert!(!format!("{config:?}").contains("sk-literal"));
}

#[test]
fn two_listeners_do_not_have_one_address() {
    let warned = |text: &str| {
        let config = read(text);
        config.warnings.iter().any(|problem| problem.message.contains("the address of the main listener"))
    };
    assert!(warned("[admin]\nlisten = '127.0.0.1:8080'\n"));
    assert!(warned(
        "[server]\nhost = '::'\nport = 9\n[admin]\nlisten = '[::1]:9'\n[[clients]]\nname = 'a'\nkey = 'a-long-enough-key-of-a'\n"
    ));
    assert!(!warned("[admin]\nlisten = '127.0.0.1:8081'\n"));
    assert!(!warned("[server]\nport = 0\n[admin]\nlisten = '127.0.0.1:0'\n"));
}

#[test]
fn an_address_that_others_reach_needs_clients() {
    let warned = |text: &str| {
        let config = read(text);
        config.warnings.iter().any(|problem| problem.message.contains("only this machine is served"))
    };
    for host in ["0.0.0.0", "::", "10.0.0.1", "weir.internal"] {
        assert!(warned(&format!("[server]\nhost = '{host}'\n")), "{host}");
    }
    assert!(!warned("[server]\nhost = '0.0.0.0'\nanonymous = true\n"));
    assert!(!warned("[server]\nhost = '0.0.0.0'\n[[clients]]\nname = 'a'\nkey = 'a-long-enough-key-of-a'\n"));
    for host in ["127.0.0.1", "::1", "[::1]", "localhost"] {
        assert!(!warned(&format!("[server]\nhost = '{host}'\n")), "{host}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_too() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Config::load(&folder.path().join("none.toml"), Environment::default()).unwrap_err();
    assert!(missing.to_string().contains("none.toml: error: cannot read the configuration"), "{missing}");
    assert!(missing.to_string().contains("`weir init` writes a first one"), "{missing}");
    let binary = folder.path().join("weir.toml");
    std::fs::write(&binary, b"a = \xff").unwrap();
    let problems = Config::load(&binary, Environment::default()).unwrap_err();
    assert!(problems.to_string().contains("not UTF-8 from byte 4"), "{problems}");
    std::fs::write(&binary, "#".repeat((8 << 20) + 1)).unwrap();
    let problems = Config::load(&binary, Environment::default()).unwrap_err();
    assert!(problems.to_string().contains("larger than 8 MiB: keep keys and teams in the store"), "{problems}");
    std::fs::write(&binary, "#".repeat(8 << 20)).unwrap();
    assert!(Config::load(&binary, Environment::default()).is_ok());
}

/// Every key of the list is read: each is given a date, which no key accepts, and is reported.
#[test]
fn every_listed_key_is_read() {
    for table in keys::ALL {
        for key in table.list {
            let text = with_key(table, key.name, "1979-05-27");
            let found = mistakes(&text);
            assert!(
                found.iter().any(|line| line.contains("not a date") || line.contains("cannot be a date")),
                "{text}\n{found:#?}"
            );
            assert!(!found.iter().any(|line| line.contains("unknown key")), "{text}\n{found:#?}");
        }
    }
}

/// A file in which a key of some table has a value.
pub(super) fn with_key(table: &keys::Keys, key: &str, value: &str) -> String {
    let title = table.title;
    if key == "options" {
        // Free-form tables: only the members inside cannot be a date.
        return with_key(table, "options ", &format!("{{ x = {value} }}"));
    }
    if table.path == Some("") {
        return format!("{key} = {value}");
    }
    if title.starts_with('[') {
        return format!("{title}\n{key} = {value}");
    }
    let name = title.split(' ').next().unwrap();
    let inner =
        if title.contains("[{") { format!("[{{ {key} = {value} }}]") } else { format!("{{ {key} = {value} }}") };
    let has = |table: &keys::Keys| table.list.iter().any(|key| key.name == name);
    let outer = match () {
        () if [keys::GUARD_SCOPE.title, keys::GUARD_GRANTS.title, keys::GUARD_WEBHOOK.title].contains(&title) => {
            "[[guards]]"
        }
        () if has(&keys::MODEL) => "[[models]]",
        () if has(&keys::PLUGINS) => "[plugins]",
        () if has(&keys::ADAPTER) => "[plugins.NAME]",
        () if has(&keys::SERVER) => "[server]",
        () if has(&keys::ADMIN) => "[admin]",
        () if name == "team" => "[[issuers]]",
        () => "[[providers]]",
    };
    format!("{outer}\n{name} = {inner}")
}

#[test]
fn clients_of_one_name_or_key_are_told_apart_in_a_long_file() {
    let client = |name: &str, key: usize| format!("[[clients]]\nname = \"{name}\"\nkey = \"key-of-client-{key:07}\"\n");
    let many: String = (0..2_000).map(|number| client(&format!("c{number}"), number)).collect();
    assert_eq!(read(&many).clients.iter().count(), 2_000);
    let mut found = mistakes(&(many + &client("c7", 2_000) + &client("other", 8)));
    found.retain(|line| line.contains("error: "));
    let texts =
        ["the client `c7` is there twice (the first is on line 22)", "the clients `c8` and `other` have the same key"];
    assert_eq!(found.len(), texts.len(), "{found:?}");
    assert!(texts.iter().zip(&found).all(|(text, found)| found.contains(text)), "{found:?}");
}
