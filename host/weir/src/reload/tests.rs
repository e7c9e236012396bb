use super::*;
use weir_config::Environment;

fn config(text: &str) -> Config {
    Config::parse("weir.toml", text, Path::new(""), Environment::default()).unwrap()
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
