//! Providers and targets without a key.

use super::*;

const OWN: &str = "[[models]]\nalias = 'a'\ntype = 'openai'\ntarget = { url = 'http://localhost:11434/v1/'";

#[test]
fn a_target_without_a_key_reads_and_has_none() {
    let config = read(&format!("{OWN}, model = 'llama3.1' }}\n"));
    assert!(target(&config, "a").provider.keys.is_empty() && config.warnings.is_empty());
}

#[test]
fn no_auth_is_understood_as_a_key_and_as_an_option() {
    for way in ["auth = 'none'", "options = { auth = 'none' }", "auth = 'none', options = { auth = 'none' }"] {
        let with_variable = [("WEIR_PROVIDERS_OPENAI_API_KEY", "sk-2")];
        let config = read_with(&format!("{OWN}, {way} }}\n"), &with_variable).unwrap();
        let target = target(&config, "a");
        assert!(target.provider.keys.is_empty(), "{way}: no key is filled in");
        assert!(target.options.is_without_auth(), "{way}");
        assert_eq!(target.options.for_adapter().count(), 0, "{way}: the adapter hears nothing of it");
    }
    let provider = "[[providers]]\nname = 'p'\nadapter = 'openai'\nurl = 'http://a/'\nauth = 'header'\n\
                    [[models]]\nalias = 'a'\ntargets = [{ provider = 'p', auth = 'none' }, { provider = 'p' }]\n";
    let config = read(provider);
    let ways: Vec<_> = config.models.lookup("a").unwrap().targets.iter().map(|target| target.options.auth()).collect();
    assert_eq!(ways, [Some("none"), Some("header")]);
}

#[test]
fn a_key_that_would_not_be_sent_is_a_mistake() {
    let found = mistakes(&format!("{OWN}, auth = 'none', api_key = 'env:KEY' }}\n"));
    assert!(found.len() == 1 && found[0].contains("a key is given, but `auth = \"none\"` sends none"), "{found:?}");
    let found = mistakes(&format!("{OWN}, auth = 'bearer', options = {{ auth = 'header' }} }}\n"));
    assert!(found.len() == 1 && found[0].contains("both `auth` and the option `auth` are given"), "{found:?}");
}

#[test]
fn neighbours_are_told_from_the_world() {
    let is_local = |url: &str| match Address::parse(url, Path::new("")).unwrap() {
        Address::Http(base) => base.is_local(),
        Address::Replay { .. } => panic!(),
    };
    for url in ["http://localhost:1/", "http://127.0.0.1/", "http://[::1]/", "http://10.1.2.3/", "http://vllm:8000/v1/"]
    {
        assert!(is_local(url), "{url}");
    }
    for url in
        ["https://api.example.com/v1/", "http://8.8.8.8/", "http://[2001:4860::1]/", "https://localhost.example/"]
    {
        assert!(!is_local(url), "{url}");
    }
}
