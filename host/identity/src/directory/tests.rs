use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::document::{Document, Kind};
use crate::key_text::KeyText;

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn document(kind: Kind, changes: &Value) -> Document {
    let mut value = json!({"schema": 1, "name": "n", "created": "2026-01-01T00:00:00Z"});
    for (name, field) in changes.as_object().unwrap() {
        value[name] = field.clone();
    }
    Document::parse(kind, &value.to_string()).unwrap()
}

fn id(number: u64) -> KeyId {
    KeyId::from_bits(number)
}

/// A key whose text is `text N`.
fn key(number: u64, changes: &Value) -> Document {
    let hash = KeyHash::of(&format!("text {number}")).to_string();
    let mut all = json!({"id": id(number), "hash": hash});
    for (name, field) in changes.as_object().unwrap() {
        all[name] = field.clone();
    }
    document(Kind::Key, &all)
}

fn team(name: &str, changes: &Value) -> Document {
    let mut all = changes.clone();
    all["id"] = json!(name);
    document(Kind::Team, &all)
}

fn directory(documents: Vec<Document>) -> Directory {
    let mut writer = DirectoryWriter::new();
    let count = documents.len();
    let applied = writer.apply((1..).zip(documents).map(|(version, document)| Change::put(version, document)));
    assert_eq!(applied.taken, count);
    writer.snapshot()
}

fn found(directory: &Directory, text: &str, seconds: i64) -> Result<String, KeyDenied> {
    directory.look_up(text, at(seconds)).map(|caller| caller.id().to_owned())
}

#[test]
fn keys_of_all_origins_are_found_by_their_text() {
    let text = KeyText::generate().unwrap();
    let own = document(Kind::Key, &json!({"id": text.id(), "hash": text.hash().to_string()}));
    let imported = KeyHash::parse("sha256:88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b").unwrap();
    let imported = document(Kind::Key, &json!({"id": id(7), "hash": imported.to_string()}));
    let directory = directory(vec![own, imported]);
    assert_eq!(found(&directory, text.expose(), 0), Ok(text.id().to_string()));
    assert_eq!(found(&directory, "sk-1234", 0), Ok(id(7).to_string()));
    assert_eq!(found(&directory, "sk-12345", 0), Err(KeyDenied::Unknown));
    assert_eq!(found(&directory, "", 0), Err(KeyDenied::Unknown));
    let other = KeyText::generate_for(text.id()).unwrap();
    assert_eq!(found(&directory, other.expose(), 0), Err(KeyDenied::Unknown), "the id alone opens nothing");
    let mistyped = format!("{}0", text.expose());
    assert_eq!(found(&directory, &mistyped, 0), Err(KeyDenied::Mistyped(KeyTextError::Shape)));
}

#[test]
fn expiry_and_grace_end_to_the_second() {
    let previous = KeyHash::of("text 99").to_string();
    let rotated = json!({"expires": at(100), "rotated": {"at": at(0), "previous": previous, "grace_ends": at(50)}});
    let directory = directory(vec![key(1, &rotated)]);
    assert_eq!(found(&directory, "text 1", 99), Ok(id(1).to_string()));
    assert_eq!(found(&directory, "text 1", 100), Err(KeyDenied::Expired { id: id(1), at: at(100) }));
    assert_eq!(found(&directory, "text 99", 49), Ok(id(1).to_string()), "one id for both");
    assert_eq!(found(&directory, "text 99", 50), Err(KeyDenied::RotatedAway { id: id(1), at: at(50) }));
    assert_eq!(KeyDenied::Expired { id: id(1), at: at(100) }.status(), 401);
}

#[test]
fn a_snapshot_does_not_change_and_the_next_one_has_the_change() {
    let mut writer = DirectoryWriter::new();
    writer.apply([Change::put(1, key(1, &json!({})))]);
    let before = writer.snapshot();
    writer.apply([Change::put(2, key(1, &json!({"disabled": true})))]);
    assert!(found(&before, "text 1", 0).is_ok());
    assert_eq!(found(&writer.snapshot(), "text 1", 0), Err(KeyDenied::Disabled(id(1))));
    writer.apply([Change::delete(3, Kind::Key, id(1).as_str())]);
    assert_eq!(found(&writer.snapshot(), "text 1", 0), Err(KeyDenied::Unknown));
    // An older change that arrives late neither enables nor restores.
    let late = writer.apply([Change::put(1, key(1, &json!({}))), Change::put(2, key(1, &json!({})))]);
    assert_eq!((late.taken, late.stale), (0, 2));
    assert_eq!(found(&writer.snapshot(), "text 1", 0), Err(KeyDenied::Unknown));
    assert_eq!((writer.snapshot().len(), before.len()), (0, 1));
    let wrong = Change { id: "0".repeat(12), ..Change::put(9, key(1, &json!({}))) };
    assert_eq!(writer.apply([wrong]).contradictory, 1);
}

#[test]
fn keys_are_found_by_their_name_within_a_team() {
    let red = TeamId::parse("red").unwrap();
    let mut writer = DirectoryWriter::new();
    let mut put = |version, number, changes: Value| {
        writer.apply([Change::put(version, key(number, &changes))]);
        writer.snapshot()
    };
    put(1, 1, json!({"name": "build"}));
    let both = put(2, 2, json!({"name": "build", "owner": {"team": "red"}}));
    assert_eq!(both.key_named(None, "build").map(|key| key.id), Some(id(1)));
    assert_eq!(both.key_named(Some(&red), "build").map(|key| key.id), Some(id(2)));
    assert!(both.key_named(Some(&red), "other").is_none());
    let renamed = put(3, 2, json!({"name": "deploy", "owner": {"team": "red"}}));
    assert!(renamed.key_named(Some(&red), "build").is_none());
    assert_eq!(renamed.key_named(Some(&red), "deploy").map(|key| key.id), Some(id(2)));
    assert_eq!((renamed.keys().count(), renamed.len()), (2, 2));
}

#[test]
fn owners_that_are_disabled_or_gone_close_their_keys() {
    let organisation = |changes: &Value| {
        let mut all = changes.clone();
        all["id"] = json!("org");
        document(Kind::Organisation, &all)
    };
    let user = |disabled: bool| document(Kind::User, &json!({"id": "u", "disabled": disabled}));
    let owned = || key(1, &json!({"owner": {"team": "red", "user": "u"}}));
    let red = |disabled: bool| team("red", &json!({"organisation": "org", "disabled": disabled}));
    let of = |documents| found(&directory(documents), "text 1", 0);
    let open = organisation(&json!({}));
    assert!(of(vec![owned(), user(false), red(false), open.clone()]).is_ok());
    assert!(matches!(of(vec![owned(), user(true), red(false), open.clone()]), Err(KeyDenied::User(_))));
    assert!(matches!(of(vec![owned(), user(false), red(true), open.clone()]), Err(KeyDenied::Team(_))));
    assert!(matches!(of(vec![owned(), user(false), open]), Err(KeyDenied::Team(_))));
    assert!(matches!(of(vec![owned(), user(false), red(false)]), Err(KeyDenied::Organisation(_))));
    let closed = organisation(&json!({"disabled": true}));
    assert!(matches!(of(vec![owned(), user(false), red(false), closed]), Err(KeyDenied::Organisation(_))));
}

#[test]
fn the_chain_intersects_rights_and_collects_everything_else() {
    let budget = |name: &str| json!([{"name": name, "usd": "5", "per": "day"}]);
    let directory = directory(vec![
        key(
            1,
            &json!({"owner": {"team": "red"}, "models": ["fast", "gpt-*", "huge"], "aliases": {"fast": "small",
                "gpt-x": "huge"}, "tags": ["ci"], "budgets": budget("k"), "limits": {"streams": 1}}),
        ),
        team(
            "red",
            &json!({"organisation": "org", "models": ["small", "gpt-*"], "operations": ["chat"], "aliases":
                {"small": "acme-small"}, "tags": ["red"], "budgets": budget("t"), "priority": "low"}),
        ),
        document(
            Kind::Organisation,
            &json!({"id": "org", "models": ["acme-*", "gpt-5"], "limits": {"requests_per_minute": 9},
                "priority": "high", "may_choose": true}),
        ),
    ]);
    let caller = directory.look_up("text 1", now()).unwrap();
    assert!(caller.may_use("fast") && caller.model("fast") == "acme-small");
    assert!(caller.may_use("gpt-5") && caller.model("gpt-5") == "gpt-5");
    assert!(!caller.may_use("gpt-4"), "the organisation forbids it");
    assert!(!caller.may_use("small"), "the key does");
    assert!(!caller.may_use("huge") && !caller.may_use("gpt-x"), "the team does, also behind an alias");
    assert!(caller.may_do("chat", true) && !caller.may_do("embeddings", true));
    assert!(!caller.may_list("chat"), "the key does not name it");
    assert_eq!(caller.tags().into_iter().collect::<Vec<_>>(), ["ci", "red"]);
    let budgets: Vec<_> = caller.budgets().map(|(kind, owner, budget)| (kind, owner, budget.name.as_str())).collect();
    assert_eq!(budgets, [(Kind::Key, id(1).as_str(), "k"), (Kind::Team, "red", "t")]);
    assert_eq!(caller.limits().map(|(kind, ..)| kind).collect::<Vec<_>>(), [Kind::Key, Kind::Organisation]);
    assert_eq!(caller.priority(), crate::document::Priority::Low, "the nearest that says something decides");
    assert!(caller.may_choose());
}

#[test]
fn a_token_has_the_rights_of_its_team_within_its_own() {
    let login = Login { issuer: "https://id.example".to_owned(), subject: "s".to_owned() };
    let pattern = |text: &str| crate::document::Pattern::parse(text).unwrap();
    let token = Arc::new(TokenIdentity {
        id: "corp:s".to_owned(),
        login: login.clone(),
        team: Some(TeamId::parse("red").unwrap()),
        models: Some(vec![pattern("small"), pattern("huge")]),
        tags: ["t".to_owned()].into(),
        expires: at(60),
        basis: None,
    });
    let user = |disabled: bool| {
        document(
            Kind::User,
            &json!({"id": "u", "logins": [login], "disabled": disabled, "grants": [{"access": "read"}]}),
        )
    };
    let red = || team("red", &json!({"models": ["small", "mid"]}));
    let caller = directory(vec![red(), user(false)]).caller_of_token(&token).unwrap();
    assert!(caller.may_use("small") && !caller.may_use("huge") && !caller.may_use("mid"));
    assert!(!caller.may_do("files-list", false));
    assert_eq!((caller.id(), caller.grants().len()), ("corp:s", 1));
    let caller = directory(vec![red()]).caller_of_token(&token).unwrap();
    assert!(caller.user.is_none() && caller.grants().is_empty());
    assert!(matches!(directory(vec![red(), user(true)]).caller_of_token(&token), Err(KeyDenied::User(_))));
    assert!(matches!(directory(vec![user(false)]).caller_of_token(&token), Err(KeyDenied::Team(_))));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Put { key: u64, text: u64, disabled: bool, previous: Option<u64>, version: u64 },
    Delete { key: u64, version: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let put = (0u64..12, 0u64..20, any::<bool>(), proptest::option::of(20u64..30), 0u64..40)
        .prop_map(|(key, text, disabled, previous, version)| Step::Put { key, text, disabled, previous, version });
    prop_oneof![4 => put, 1 => (0u64..12, 0u64..40).prop_map(|(key, version)| Step::Delete { key, version })]
}

/// By id: the version and, unless the key was deleted, its text, the text before, and whether it is disabled.
type Naive = BTreeMap<KeyId, (u64, Option<State>)>;
type State = (u64, Option<u64>, bool);

/// What a plain map of documents would answer: the first key by id that has the text now or had it before.
fn naive(keys: &Naive, text: u64) -> Result<String, KeyDenied> {
    let has = |(now, before, _): &State| *now == text || *before == Some(text);
    let key = keys.iter().find_map(|(id, (_, state))| state.filter(|it| has(it)).map(|state| (id, state)));
    match key {
        None => Err(KeyDenied::Unknown),
        Some((id, (_, _, true))) => Err(KeyDenied::Disabled(*id)),
        Some((id, _)) => Ok(id.to_string()),
    }
}

/// The change of a step, with the key's number, the version, and what the key is then.
fn change_of(step: Step) -> (Change, u64, u64, Option<State>) {
    match step {
        Step::Put { key: number, text, disabled, previous, version } => {
            let mut fields = json!({"disabled": disabled, "hash": KeyHash::of(&format!("text {text}")).to_string()});
            if let Some(previous) = previous {
                let hash = KeyHash::of(&format!("text {previous}")).to_string();
                fields["rotated"] = json!({"at": at(0), "previous": hash, "grace_ends": at(50)});
            }
            (Change::put(version, key(number, &fields)), number, version, Some((text, previous, disabled)))
        }
        Step::Delete { key, version } => (Change::delete(version, Kind::Key, id(key).as_str()), key, version, None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_directory_agrees_with_a_plain_map(steps in proptest::collection::vec(step(), 1..60)) {
        let mut writer = DirectoryWriter::new();
        let mut keys: Naive = Naive::new();
        for step in steps {
            let (change, number, version, state) = change_of(step);
            let held = writer.snapshot();
            let was: Vec<_> = (0..30).map(|text| found(&held, &format!("text {text}"), 0)).collect();
            writer.apply([change]);
            let is_newer = keys.get(&id(number)).is_none_or(|(known, _)| *known < version);
            if is_newer {
                keys.insert(id(number), (version, state));
            }
            let snapshot = writer.snapshot();
            for text in 0..30 {
                let text_of = format!("text {text}");
                prop_assert_eq!(found(&snapshot, &text_of, 0), naive(&keys, text));
                prop_assert_eq!(&found(&held, &text_of, 0), &was[text as usize], "snapshots stay");
            }
            prop_assert_eq!(snapshot.len(), keys.values().filter(|(_, state)| state.is_some()).count());
        }
    }

    /// Also where keys come twice, or before the deletion that ends them.
    #[test]
    fn what_is_loaded_at_once_is_found_as_if_it_came_one_by_one(
        steps in proptest::collection::vec(step(), 1..60),
        later in proptest::collection::vec(step(), 0..6),
    ) {
        let (mut one_by_one, mut at_once) = (DirectoryWriter::new(), DirectoryWriter::new());
        // Of one version of a document there is one content.
        let numbered = |(at, step)| {
            let change = change_of(step).0;
            Change { version: change.version * 100 + at, ..change }
        };
        let changes: Vec<Change> = (0..).zip(steps).map(numbered).collect();
        one_by_one.apply(changes.clone());
        let (first, second) = changes.split_at(changes.len() / 2);
        at_once.load(second.to_vec());
        at_once.load(first.to_vec());
        at_once.loaded();
        for changes in [Vec::new(), (0..).zip(later).map(numbered).collect()] {
            one_by_one.apply(changes.clone());
            at_once.apply(changes);
            let (expected, loaded) = (one_by_one.snapshot(), at_once.snapshot());
            for text in 0..30 {
                let text = format!("text {text}");
                prop_assert_eq!(found(&loaded, &text, 0), found(&expected, &text, 0));
            }
            for number in 0..12 {
                let version = |directory: &Directory| directory.key(id(number)).map(|key| key.version);
                prop_assert_eq!(version(&loaded), version(&expected));
            }
            let named = |directory: &Directory| directory.key_named(None, "n").map(|key| key.id);
            prop_assert_eq!((loaded.len(), named(&loaded)), (expected.len(), named(&expected)));
        }
    }
}
