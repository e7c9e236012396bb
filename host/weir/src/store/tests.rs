use super::*;
use weir_config::Environment;
use weir_store::{Fact, RequestId};

fn config(folder: &Path, text: &str) -> Config {
    let file = folder.join("weir.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&file, Environment::default()).unwrap()
}

async fn open(config: &Config) -> Option<OpenStore> {
    OpenStore::open(config).await.unwrap()
}

/// Records a fact and returns whether the store has it within a time.
fn keeps_a_fact(open: &OpenStore, time: u64) -> bool {
    let id = RequestId::new(time, [7; 10]);
    open.recorder().record(&Fact::of(id));
    open.recorder().flush(Duration::from_secs(10)) && open.store().fact(&id).is_ok_and(|fact| fact.is_some())
}

#[tokio::test]
async fn without_settings_the_store_is_a_file_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&config(folder.path(), "")).await.unwrap();
    assert_eq!(store.kind(), Kind::Sqlite);
    assert!(keeps_a_fact(&store, 1_795_262_400_000));
    store.close().await;
    assert!(folder.path().join("weir.db").exists());
}

#[tokio::test]
async fn no_file_and_none_mean_no_store() {
    let folder = tempfile::tempdir().unwrap();
    assert!(open(&Config::without_file(Environment::default()).unwrap()).await.is_none());
    assert!(open(&config(folder.path(), "[store]\nurl = \"none\"")).await.is_none());
    assert!(!folder.path().join("weir.db").exists());
}

#[tokio::test]
async fn a_folder_that_takes_no_file_means_no_store_unless_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    // What holds for a folder that is read-only holds for one that is gone, and rights do not keep root from writing.
    let gone = folder.path().join("gone");
    let mut config = config(folder.path(), "");
    config.folder.clone_from(&gone);
    assert!(open(&config).await.is_none());
    config.store.url = StoreUrl::Sqlite(gone.join("weir.db"));
    let store = open(&config).await.unwrap();
    assert!(matches!(store.store().check(), Err(StoreError::Unavailable(_))));
    std::fs::create_dir(&gone).unwrap();
    assert!(keeps_a_fact(&store, 1_795_262_400_000));
}

#[tokio::test]
async fn a_second_process_waits_for_the_file_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "");
    let first = open(&config).await.unwrap();
    let second = open(&config).await.unwrap();
    assert!(matches!(second.store().check(), Err(StoreError::InUse(_))));
    first.close().await;
    drop(first);
    assert!(keeps_a_fact(&second, 1_795_262_400_000));
}

#[tokio::test]
async fn a_database_that_does_not_answer_delays_no_start() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let address = silent.local_addr().unwrap();
    let begun = Instant::now();
    let config = config(folder.path(), &format!("[store]\nurl = \"postgres://weir@{address}/weir\""));
    let store = open(&config).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(store.kind(), Kind::Postgres);
}

#[tokio::test]
async fn an_address_that_can_never_work_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "[store]\nurl = \"postgres://weir@db:port/weir\"");
    assert!(OpenStore::open(&config).await.unwrap_err().to_string().contains("cannot be opened as configured"));
}

#[tokio::test]
async fn rules_that_cannot_be_used_are_an_error_of_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "[store]\nredaction_rules = \"none.toml\"");
    let error = OpenStore::open(&config).await.unwrap_err();
    assert!(error.to_string().contains("redaction_rules"), "{error}");
}
