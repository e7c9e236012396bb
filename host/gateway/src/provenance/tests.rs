use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn issuer(provider: &str, model: &str) -> Issuer {
    Issuer { target: format!("{provider}/{model}").into(), provider: provider.into(), key: 0 }
}

/// A unique opaque value.
fn value(number: usize) -> String {
    format!("gAAAAAB{number:0>8}{}==", "x".repeat(80))
}

fn learnt(provenance: &Arc<Provenance>, tenant: &str, issuer: &Issuer, answer: &str) {
    let scope = RecordScope { values: true, objects: true };
    let models = vec!["model-of-2024-08-06".to_owned()];
    let mut recorder = ProvenanceRecorder::new(Arc::clone(provenance), tenant.into(), issuer.clone(), scope, models);
    answer.as_bytes().chunks(7).for_each(|piece| recorder.see(piece));
}

fn carried(provenance: &Provenance, tenant: &str, body: &str) -> Carried {
    let body: Vec<Bytes> = body.as_bytes().chunks(11).map(Bytes::copy_from_slice).collect();
    Carried::in_body(provenance, tenant, &body)
}

fn turn(values: &[usize]) -> String {
    let values: Vec<_> = values.iter().map(|number| serde_json::json!({"is": value(*number)})).collect();
    serde_json::json!({"said": values}).to_string()
}

#[test]
fn c34_the_last_issuer_of_carried_values_is_known_and_tenants_share_nothing() {
    let provenance = Arc::new(Provenance::new(1 << 20));
    let (one, two) = (issuer("a", "m"), issuer("b", "m"));
    assert!(!provenance.has(Kind::Value));
    learnt(&provenance, "t", &one, &turn(&[1, 2]));
    learnt(&provenance, "t", &two, &turn(&[3]));
    assert_eq!(carried(&provenance, "t", &turn(&[1, 2])).issuers, std::slice::from_ref(&one));
    let both = carried(&provenance, "t", &turn(&[1, 3, 99]));
    assert_eq!(both.issuers, [two.clone(), one.clone()]);
    assert!(both.is_foreign_to(&one) && both.is_foreign_to(&two) && !both.is_empty());
    assert!(!carried(&provenance, "t", &turn(&[2])).is_foreign_to(&one));
    assert!(carried(&provenance, "other", &turn(&[1, 2, 3])).is_empty());
    assert!(carried(&provenance, "t", &turn(&[4])).is_empty());
    assert!(provenance.is_from(&one, "t", &value(1)) && !provenance.is_from(&two, "t", &value(1)));
}

#[test]
fn c34_another_key_may_be_another_account() {
    let provenance = Arc::new(Provenance::new(1 << 20));
    let (first, second) = (issuer("a", "m"), Issuer { key: 1, ..issuer("a", "m") });
    learnt(&provenance, "t", &second, &turn(&[1]));
    let carried = carried(&provenance, "t", &turn(&[1]));
    assert_eq!((carried.key("a"), carried.key("b")), (Some(1), None));
    assert!(carried.is_foreign_to(&first) && !carried.is_foreign_to(&second));
    assert!(!provenance.is_from(&first, "t", &value(1)));
}

#[test]
fn a_call_leads_to_the_issuer_of_its_kept_values() {
    let provenance = Provenance::new(1 << 20);
    let (one, two) = (issuer("a", "m"), issuer("b", "m"));
    provenance.learn(Kind::Call, "t", b"call_00001", &one);
    let body = r#"{"calls":[{"id":"call_00001"}],"call_00001":1}"#;
    assert_eq!(carried(&provenance, "t", body).issuers, std::slice::from_ref(&one));
    assert!(carried(&provenance, "t", r#"{"call_00001":1}"#).is_empty());
    // Values in the request count before values kept for its calls.
    provenance.learn(Kind::Value, "t", &value(1).as_bytes()[..WORD], &two);
    assert_eq!(carried(&provenance, "t", &format!("[\"{}\",{body}]", value(1))).issuers, [two, one]);
}

#[test]
fn words_that_are_looked_up_and_recorded_are_bounded() {
    let provenance = Arc::new(Provenance::new(1 << 20));
    learnt(&provenance, "t", &issuer("a", "m"), &turn(&(0..300).collect::<Vec<_>>()));
    let is_known = |number: usize| provenance.of(Kind::Value, "t", &value(number).as_bytes()[..WORD]).is_some();
    assert_eq!((0..300).filter(|number| is_known(*number)).count(), 256);
    let behind: Vec<usize> = [1].into_iter().chain(1000..1256).collect();
    assert!(carried(&provenance, "t", &turn(&behind)).is_empty());
    assert!(!carried(&provenance, "t", &turn(&behind[..256])).is_empty());
}

#[test]
fn objects_are_recorded_from_the_beginning_of_an_answer() {
    let provenance = Arc::new(Provenance::new(1 << 20));
    let answer = format!(
        "{{\"id\":\"resp_0123456789abcdef\",\"model\":\"model-of-2024-08-06\",\"parallel_things_2\":\"only_words_in_this_one\",\
         \"text\":\"{}\",\"late\":\"resp_fedcba9876543210\"}}",
        "words ".repeat(1000)
    );
    learnt(&provenance, "t", &issuer("a", "m"), &answer);
    let is_known = |id: &str| provenance.of(Kind::Object, "t", id.as_bytes()).is_some();
    assert!(is_known("resp_0123456789abcdef"));
    for id in ["model-of-2024-08-06", "parallel_things_2", "only_words_in_this_one", "resp_fedcba9876543210"] {
        assert!(!is_known(id), "{id}");
    }
    let mut names = Carried::default();
    names.names(&provenance, "t", ["resp_0123456789abcdef".to_owned(), "unknown".to_owned()].iter());
    assert_eq!(names.object, Some(issuer("a", "m")));
    names.names(&provenance, "other", ["resp_0123456789abcdef".to_owned()].iter());
    assert_eq!(names.object, None, "it is another tenant's");
    let mut names = Carried::default();
    names.names_in_body(&provenance, "t", &[Bytes::from_static(b"{\"of\":\"resp_0123456789abcdef\"}")]);
    assert_eq!((names.object, names.issuers.len()), (Some(issuer("a", "m")), 0));
}

#[test]
fn images_are_no_opaque_values() {
    let provenance = Arc::new(Provenance::new(1 << 20));
    let picture = format!("{{\"data\":\"iVBORw0KGgoAAAANSUhEUgAA{}\"}}", "A".repeat(200));
    learnt(&provenance, "t", &issuer("a", "m"), &picture);
    assert!(carried(&provenance, "t", &picture).is_empty());
}

#[test]
fn the_issuer_ranks_first_and_its_provider_next() {
    let carried = Carried { object: Some(issuer("c", "m")), issuers: vec![issuer("b", "m"), issuer("a", "m")] };
    let far = |provider: &str, model: &str| carried.distance(&format!("{provider}/{model}"), provider, true);
    let order = [("c", "m"), ("c", "n"), ("b", "m"), ("a", "m"), ("b", "n")].map(|(p, m)| far(p, m).unwrap());
    assert!(order.is_sorted_by(|a, b| a < b), "{order:?}");
    assert_eq!((far("a", "n"), far("d", "m")), (None, None));
    assert_eq!(carried.distance("b/n", "b", false), None);
    assert_eq!(carried.reason("c/m"), Some("made the object that the request names"));
    assert_eq!(carried.reason("a/m"), Some("issued its opaque reasoning"));
    assert_eq!(carried.reason("b/n"), None);
}

#[test]
fn recorded_words_are_bounded() {
    let provenance = Provenance::new(64 * ENTRY);
    for number in 0..10_000 {
        provenance.learn(Kind::Value, "t", value(number).as_bytes(), &issuer("a", "m"));
    }
    assert!(provenance.known.len() <= 128, "{}", provenance.known.len());
    let nothing = Provenance::new(0);
    nothing.learn(Kind::Value, "t", value(1).as_bytes(), &issuer("a", "m"));
    assert_eq!(nothing.of(Kind::Value, "t", value(1).as_bytes()), None);
}

proptest! {
    /// The issuer is found wherever its values are in a later request.
    #[test]
    fn recorded_values_are_found_again(numbers in prop::collection::vec(0usize..10_000, 1..20), filler in "\\PC{0,200}") {
        let provenance = Arc::new(Provenance::new(1 << 20));
        learnt(&provenance, "t", &issuer("a", "m"), &turn(&numbers));
        let body = serde_json::json!([filler, turn(&numbers), {"x": numbers.iter().map(|n| value(*n)).collect::<Vec<_>>()}]);
        prop_assert_eq!(carried(&provenance, "t", &body.to_string()).issuers, [issuer("a", "m")]);
    }
}
