use super::*;
use weir_types::contract::about::{BodyKind, Face, Feature, Operation};

const ANSWER: &str = r#"{"id":"resp_1","output":[
    {"id":"msg_0_r1","type":"message","content":[{"type":"output_text","text":"Hi"}]},
    {"id":"fc_1_r1","type":"function_call","call_id":"c","arguments":"{}"},
    {"id":"of the provider","type":"function_call"}]}"#;

fn endpoint(format: &str, names_answers: bool) -> Arc<Endpoint> {
    let feature = Feature { name: NAMES_ANSWERS.to_owned(), tests: Vec::new() };
    let face = Face {
        body: BodyKind::Json,
        features: names_answers.then_some(feature).into_iter().collect(),
        ..Face::unread(format, Operation::Chat, "POST", "/v1/x".into())
    };
    let limit_headers = Vec::new();
    Arc::new(Endpoint { adapter: "zeta".into(), face, errors: None, id_header: None, limit_headers, index: 0 })
}

fn kept(items: &Arc<EarlierItems>, tenant: &str, request: &str, written: &str) {
    let (tenant, request) = (tenant.into(), request.into());
    if let Some(keeper) = ItemKeeper::new(items, &tenant, &endpoint("zeta.one", true), &request) {
        keeper.keep(written);
    }
}

fn put_in(items: &EarlierItems, tenant: &str, body: &str) -> Option<String> {
    let (first, rest) = body.split_at(body.len() / 2);
    let pieces = [first, rest].map(|piece| Bytes::copy_from_slice(piece.as_bytes()));
    let put = items.put_in(tenant, &endpoint("zeta.one", true), &pieces, 1 << 20).unwrap()?;
    Some(String::from_utf8(put.to_vec()).unwrap())
}

fn items() -> Arc<EarlierItems> {
    Arc::new(EarlierItems::new(1 << 20))
}

#[test]
fn items_stand_in_the_place_of_their_names() {
    let items = items();
    kept(&items, "t", "r1", ANSWER);
    let body = r#"{"input":["Hi", {"type":"item_reference", "id":"msg_0_r1"},{ "id" : "fc_1_r1" } ,{"a":1}]}"#;
    let expected = r#"{"input":["Hi", {"id":"msg_0_r1","type":"message","content":[{"type":"output_text","text":"Hi"}]},{"id":"fc_1_r1","type":"function_call","call_id":"c","arguments":"{}"} ,{"a":1}]}"#;
    assert_eq!(put_in(&items, "t", body).unwrap(), expected);
}

#[test]
fn items_of_the_last_event_are_kept_too() {
    let items = items();
    kept(&items, "t", "r1", &format!(r#"{{"type":"completed","response":{ANSWER}}}"#));
    assert!(put_in(&items, "t", r#"[{"id":"fc_1_r1"}]"#).is_some());
}

#[test]
fn only_elements_that_are_nothing_but_a_known_name_are_replaced() {
    let items = items();
    let body = r#"{"input":[{"type":"item_reference","id":"fc_1_r1"}]}"#;
    assert_eq!(put_in(&items, "t", body), None, "nothing is kept yet");
    kept(&items, "t", "r1", ANSWER);
    for other in [
        r#"{"input":[{"id":"fc_1_r1","call_id":"c"}]}"#,
        r#"{"input":[{"id":"of the provider"}]}"#,
        r#"{"input":[{"id":"resp_1"}]}"#,
        r#"{"prompt":{"id":"fc_1_r1"}}"#,
        r#"{"input":"[{\"id\":\"fc_1_r1\"}]"}"#,
        r#"{"input":[{"id":"fc_1_r1","id":"fc_1_r1"}]}"#,
        r#"{"input":[{"id":["fc_1_r1"]}]}"#,
        r#"{"input":["id"]}"#,
        r#"[{"id":"#,
        r#"{"id""#,
        "",
    ] {
        assert_eq!(put_in(&items, "t", other), None, "{other}");
    }
    assert!(put_in(&items, "t", body).is_some());
}

#[test]
fn tenants_and_formats_are_kept_apart() {
    let items = items();
    kept(&items, "t", "r1", ANSWER);
    let body = r#"[{"id":"fc_1_r1"}]"#;
    assert_eq!(put_in(&items, "other", body), None);
    for (format, names_answers) in [("zeta.two", true), ("zeta.one", false)] {
        assert_eq!(items.put_in("t", &endpoint(format, names_answers), &[Bytes::from(body)], 1 << 20), Ok(None));
    }
}

#[test]
fn only_ids_that_the_dialect_made_for_this_answer_are_kept() {
    let items = items();
    kept(&items, "t", "r2", ANSWER);
    assert_eq!(put_in(&items, "t", r#"[{"id":"fc_1_r1"}]"#), None);
}

#[test]
fn an_id_that_two_items_have_had_stands_for_none() {
    let items = items();
    let body = r#"[{"id":"fc_1_r1"}]"#;
    kept(&items, "t", "r1", ANSWER);
    kept(&items, "t", "r1", ANSWER);
    assert!(put_in(&items, "t", body).is_some(), "it is the same item");
    kept(&items, "t", "r1", &ANSWER.replace("{}", r#"{\"a\":1}"#));
    assert_eq!(put_in(&items, "t", body), None);
    kept(&items, "t", "r1", ANSWER);
    assert_eq!(put_in(&items, "t", body), None);
}

#[test]
fn a_request_cannot_grow_beyond_its_limit_by_naming_an_item_often() {
    let items = items();
    kept(&items, "t", "r1", ANSWER);
    let item = r#"{"id":"fc_1_r1","type":"function_call","call_id":"c","arguments":"{}"}"#;
    let body = Bytes::from(format!("[{}]", [r#"{"id":"fc_1_r1"}"#; 3].join(",")));
    let length = 3 * item.len() + 4;
    let put = |limit| items.put_in("t", &endpoint("zeta.one", true), std::slice::from_ref(&body), limit);
    assert_eq!(put(length).unwrap().unwrap().len(), length);
    assert_eq!(put(length - 1), Err(TooMany(length - 1)));
}

#[test]
fn memory_is_bounded() {
    let items = Arc::new(EarlierItems::new(64 * 1024));
    let text = "x".repeat(1000);
    for number in 0..1000 {
        let request = format!("r{number}");
        kept(&items, "t", &request, &format!(r#"{{"output":[{{"id":"m_0_{request}","text":"{text}"}}]}}"#));
    }
    let found = (0..1000).filter(|n| put_in(&items, "t", &format!(r#"[{{"id":"m_0_r{n}"}}]"#)).is_some());
    let found = found.count();
    assert!((10..=64).contains(&found), "{found}");
    kept(&items, "t", "big", &format!(r#"{{"output":[{{"id":"m_0_big","text":"{}"}}]}}"#, "x".repeat(ITEM_LIMIT)));
    assert_eq!(put_in(&items, "t", r#"[{"id":"m_0_big"}]"#), None);
}
