use super::*;
use weir_config::Environment;

fn config(text: &str) -> Config {
    Config::parse("weir.toml", text, Path::new(""), Environment::default()).unwrap()
}

#[test]
fn settings_for_the_next_start_are_named() {
    let started = config("");
    assert!(at_next_start(&started, &config("\n\n[[models]]\nalias = 'x'\ntype = 'y'\n")).is_empty());
    let changed = config("log_level = 'debug'\n[server]\nport = 9\nstrict = true\n[plugins]\nprewarm = 3\n");
    assert_eq!(at_next_start(&started, &changed), ["server.port", "log_level, log_format", "plugins"]);
}

#[test]
fn old_versions_are_forgotten() {
    let mut versions = Versions { started: Arc::new(config("")), last_number: 0, kept: VecDeque::new() };
    for _ in 0..KEPT + 5 {
        versions.add(config(""), Origin::Reload);
    }
    assert_eq!(versions.kept.len(), KEPT);
    assert_eq!(versions.current().number, KEPT as u64 + 5);
}
