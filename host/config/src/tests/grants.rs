//! Tests of grants: folders are checked when the configuration is read.

use super::*;

/// The folder of this crate, as the configuration's folder.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn parse(text: &str) -> Result<Config, Problems> {
    Config::parse("weir.toml", text, Path::new(HERE), environment(&[]))
}

fn errors(text: &str) -> Vec<String> {
    let Err(problems) = parse(text) else { return Vec::new() };
    let shown = problems.to_string().replace(HERE, "HERE");
    shown.lines().filter(|line| line.contains(": error: ")).map(str::to_owned).collect()
}

#[test]
fn a_mistake_is_reported_with_file_and_line() {
    for (table, expected) in [
        (
            "[plugins.x]\ngrants = { read = [\"no/such\"] }\n",
            "weir.toml:2:20: error: `read`: there is no folder HERE/no/such (No such file or directory (os error 2)) (relative paths are taken from the configuration's folder)",
        ),
        (
            "[plugins.x]\ngrants = { read = [\"Cargo.toml\"] }\n",
            "weir.toml:2:20: error: `read`: HERE/Cargo.toml is not a folder (grant the folder that contains it)",
        ),
        (
            "[plugins.x]\ngrants = { read = [\"src\", \"../types/src\"] }\n",
            "weir.toml:2:27: error: `read`: HERE/../types/src and HERE/src would both be at /read/src (an adapter finds a folder by the last part of its path)",
        ),
        (
            "[plugins.x]\ngrants = { read = [\"/\"] }\n",
            "weir.toml:2:20: error: `read`: / has no name by which the adapter could find it",
        ),
        ("[plugins.x]\ngrants = { read = [\"\"] }\n", "weir.toml:2:20: error: `read` must not be empty"),
        (
            "[plugins.x]\ngrants = { network = true }\n",
            "weir.toml:2:12: error: unknown key `network` in `grants = { ... }`",
        ),
        (
            "[plugins]\ngrants = { clock = true }\n",
            "weir.toml:2:12: error: unknown key `clock` in `[plugins.NAME]` (`clock` belongs to `grants = { ... }`)",
        ),
    ] {
        let found = errors(table);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{table}\nexpected {expected}\nfound {found:#?}");
    }
}

#[test]
fn grants_are_those_of_one_adapter_and_folders_lie_beside_the_configuration() {
    let provider = "[[providers]]\nname = 'p'\nadapter = 'x'\n";
    let text = "[plugins.x]\ngrants = { random = true, read = [\"src/keys\", \"src/..\"] }\n[plugins.y]\nprewarm = 1\n";
    let config = parse(&format!("{text}{provider}")).unwrap_or_else(|found| panic!("{found}"));
    let here = Path::new(HERE);
    let expected =
        Grants { clock: false, random: true, read: vec![here.join("src/keys"), here.canonicalize().unwrap()] };
    assert_eq!(config.plugins.adapter("x").grants, expected);
    assert_eq!(config.plugins.adapter("y").grants, Grants::default());
    assert_eq!(config.plugins.defaults.grants, Grants::default());
}
