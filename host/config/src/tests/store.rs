//! Where the store is, as it may be written.

use super::*;

fn url(value: &str) -> Result<StoreUrl, String> {
    let variables = [("DB", "postgres://weir:a-word@db.internal/weir"), ("FILE", "sqlite:///var/lib/weir/weir.db")];
    read_with(&format!("[store]\nurl = \"{value}\""), &variables)
        .map(|config| config.store.url)
        .map_err(|all| all.to_string())
}

#[test]
fn the_store_is_beside_the_configuration_unless_the_file_names_another() {
    assert_eq!(read("").store, StoreSettings::default());
    let defaults = StoreSettings::default();
    assert_eq!((defaults.url, defaults.retention, defaults.max_bytes), (StoreUrl::Beside, 30, 2 << 30));
    assert_eq!(url("none"), Ok(StoreUrl::Off));
    assert_eq!(url("sqlite:///var/weir.db"), Ok(StoreUrl::Sqlite("/var/weir.db".into())));
    assert_eq!(url("env:FILE"), Ok(StoreUrl::Sqlite("/var/lib/weir/weir.db".into())));
    let Ok(StoreUrl::Sqlite(path)) = url("sqlite://logs/weir.db") else { panic!("not a file") };
    assert!(path.ends_with("logs/weir.db"));
    let address = "postgres://weir@db.internal/weir";
    assert_eq!(url(address), Ok(StoreUrl::Postgres(Secret::new(address))));
}

#[test]
fn an_address_of_a_database_is_a_secret() {
    let Ok(StoreUrl::Postgres(secret)) = url("env:DB") else { panic!("not a database") };
    assert_eq!(secret.expose(), "postgres://weir:a-word@db.internal/weir");
    let config = read("[store]\nurl = \"postgres://weir:a-word@db.internal/weir\"");
    assert!(!format!("{config:?}").contains("a-word"));
    assert!(!config.source.text().contains("a-word"));
    assert!(config.warnings.iter().any(|warning| warning.message.contains("stands in the file itself")));
    let config = read("[store]\nurl = \"postgres://weir@db.internal/weir\"");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn what_is_no_address_or_no_number_of_days_is_a_mistake() {
    for value in ["", "sqlite://", "sqlite://folder/", "postgres://", "mysql://db/weir", "weir.db", "env:NOT_SET"] {
        assert!(url(value).is_err(), "{value}");
    }
    let mistake = url("postgres://db/weir?user=weir&password=a-word").unwrap_err();
    assert!(mistake.contains("as a parameter"), "{mistake}");
    for value in ["30", "0d", "9999d", "1h", "-1d", "d"] {
        assert!(!mistakes(&format!("[store]\nretention = \"{value}\"")).is_empty(), "{value}");
    }
    assert_eq!(read("[store]\nretention = \"7d\"").store.retention, 7);
}
