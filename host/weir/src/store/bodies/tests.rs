use super::*;

use std::path::Path;

use http::{HeaderMap, Method};
use weir_config::{Config, Environment};
use weir_fixtures::fixture::{Exchange, Rules};
use weir_store::{Sqlite, Store, Writer, WriterOptions};

const KEY: &str = "provider-key-0123456789";

fn config(folder: &Path, text: &str) -> Config {
    let text = format!(
        "{text}\n[[providers]]\nname = \"p\"\nadapter = \"zeta\"\nurl = \"http://127.0.0.1:1/\"\napi_key = \"{KEY}\"\n"
    );
    let file = folder.join("weir.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&file, Environment::default()).unwrap()
}

fn side(question: &str, answer: &str) -> CapturedSide {
    let body = format!(r#"{{"text":"{question}"}}"#);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert("x-private", "mine".parse().unwrap());
    CapturedSide {
        method: Method::POST,
        path_and_query: "/v1/ask".to_owned(),
        request_headers: headers,
        request_body: vec![Bytes::from(body)],
        status: 200,
        answer: answer.as_bytes().to_vec(),
        pieces: vec![(answer.len(), Duration::from_millis(3))],
        is_whole: true,
        ..CapturedSide::default()
    }
}

#[test]
fn secrets_are_removed_before_a_store_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "[[rule]]\nname = \"customer\"\npattern = 'CUST-\\d+'\nreplace = \"CUST-0\"\n";
    std::fs::write(folder.path().join("own.toml"), rules).unwrap();
    let config = config(folder.path(), "[store]\nbodies = \"all\"\nredaction_rules = \"own.toml\"");
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path().join("weir.db")).unwrap());
    let writer = Writer::start(Arc::clone(&store), WriterOptions::default()).unwrap();
    let redaction = Arc::new(Redaction::of(&config.store).unwrap());
    let bodies = BodyLog::start(&config.store, writer.recorder(), redaction).unwrap();
    let id = weir_types::uuid::Uuid7::new(1_795_262_400_000);
    let known = "client-secret-987654321";
    let question = side(&format!("{KEY} and {known} of CUST-4711"), r#"{"ok":1.50}"#);
    let rules = Rules::read(&[folder.path().join("own.toml")]).unwrap();
    let secrets = [config.secrets().next().unwrap().expose(), known];
    let file = recorded(question).into_file_without(&rules, 1 << 20, secrets).unwrap();
    let text = serde_json::to_string(&file.request).unwrap();
    let key = RequestId::from_bytes(*id.as_bytes());
    assert!(writer.recorder().keep(body(key, Side::Request, text, Cut::Elements)));
    bodies.close(Duration::from_secs(5));
    writer.close(Duration::from_secs(5));
    let kept = String::from_utf8(store.body(&key, Side::Request).unwrap().unwrap()).unwrap();
    for gone in [KEY, known, "4711", "x-private"] {
        assert!(!kept.contains(gone), "{gone}: {kept}");
    }
    assert!(kept.contains("CUST-0") && kept.contains("/v1/ask"), "{kept}");
    assert_eq!(bodies.lost().map(|(_, count)| count), [0; 4]);
}

#[test]
fn an_answer_that_broke_off_is_recorded_as_far_as_it_came() {
    let mut cut = side("?", "{\"a\":");
    cut.is_whole = false;
    let exchange: Exchange = recorded(cut);
    let file = exchange.into_file(&Rules::ours().unwrap(), 1 << 20).unwrap();
    assert_eq!(file.response.body_text.as_deref(), Some("{\"a\":"));
}

#[test]
fn a_panic_costs_one_exchange() {
    let lost = contained(|| panic!("a rule has a defect"));
    assert!(matches!(lost, Err(UnkeptBody::Defect)));
    assert!(contained(|| Ok(())).is_ok(), "the next one is written");
}
