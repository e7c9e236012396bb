use http::{HeaderName, HeaderValue};

use super::*;
use weir_types::contract::about::{BodyKind, Capabilities, CredentialPlace, Isolation, Operation, Suggestions};
use weir_types::contract::types::Header;

fn claim(method: &str, path: &str, when: Option<Condition>) -> Face {
    Face {
        prefixes: vec!["/zeta".into()],
        when,
        credentials: vec![CredentialPlace::Query("zkey".into())],
        body: BodyKind::Json,
        ..Face::unread("zeta.talk", Operation::Chat, method, path.into())
    }
}

fn manifest(faces: Vec<Face>) -> Manifest {
    Manifest {
        name: "zeta".into(),
        version: "0.1.0".into(),
        contract: "0.2.0".into(),
        description: String::new(),
        family: "zeta".into(),
        settings: String::new(),
        isolation: Isolation::Fresh,
        takes_blobs: true,
        suggests: Suggestions { url: None, key_variables: Vec::new(), models: Vec::new(), origins: Vec::new() },
        formats: Vec::new(),
        faces,
        accepts: Vec::new(),
        auth: Vec::new(),
        capabilities: Capabilities { operations: Vec::new(), media: Vec::new(), tools: false, counts_tokens: false },
    }
}

fn found(endpoints: &Endpoints, method: &Method, path: &str, headers: &HeaderMap) -> Option<usize> {
    match endpoints.find(method, path, &Head { headers, query: "" }) {
        Lookup::Found(endpoint, _) => Some(endpoint.index),
        _ => None,
    }
}

#[test]
fn the_most_specific_face_wins() {
    let manifest = manifest(vec![
        claim("GET", "/v1/models", None),
        claim("GET", "/v1/models", Some(Condition::HeaderPresent("x-zeta".into()))),
        claim("POST", "/v1/models/{model...}", None),
        claim("POST", "/v1/models/{model}:talk", None),
    ]);
    let endpoints = Endpoints::new([("zeta", &manifest)]).unwrap();
    let mut headers = HeaderMap::new();
    assert_eq!(found(&endpoints, &Method::GET, "/v1/models", &headers), Some(0));
    assert_eq!(found(&endpoints, &Method::GET, "/zeta/v1/models", &headers), Some(0));
    headers.insert("x-zeta", HeaderValue::from_static("1"));
    assert_eq!(found(&endpoints, &Method::GET, "/v1/models", &headers), Some(1));
    assert_eq!(found(&endpoints, &Method::POST, "/v1/models/a:talk", &headers), Some(3));
    assert_eq!(found(&endpoints, &Method::POST, "/v1/models/a/b:talk", &headers), Some(2));
}

#[test]
fn a_wrong_method_and_an_unknown_path_are_distinguished() {
    let manifest = manifest(vec![claim("POST", "/v1/talk", None)]);
    let endpoints = Endpoints::new([("zeta", &manifest)]).unwrap();
    let headers = HeaderMap::new();
    let head = Head { headers: &headers, query: "" };
    let Lookup::WrongMethod(_, methods) = endpoints.find(&Method::GET, "/v1/talk", &head) else { panic!("found") };
    assert_eq!(methods, [Method::POST]);
    assert!(matches!(endpoints.find(&Method::GET, "/v1/other", &head), Lookup::Unknown));
    assert!(endpoints.likeliest("/v1/other", &head).is_some());
    assert!(endpoints.likeliest("/other", &head).is_none());
}

#[test]
fn a_verb_asked_for_with_a_wrong_method_is_no_models_name() {
    let manifest =
        manifest(vec![claim("POST", "/v1/models/{model}:talk", None), claim("GET", "/v1/models/{model}", None)]);
    let endpoints = Endpoints::new([("zeta", &manifest)]).unwrap();
    let headers = HeaderMap::new();
    let head = Head { headers: &headers, query: "" };
    let Lookup::WrongMethod(_, methods) = endpoints.find(&Method::GET, "/v1/models/a:talk", &head) else {
        panic!("a model called `a:talk`")
    };
    assert_eq!(methods, [Method::POST]);
    assert_eq!(found(&endpoints, &Method::GET, "/v1/models/a:7b", &headers), Some(1));
}

#[test]
fn c69_nothing_of_a_clients_credential_is_kept_of_a_requests_head() {
    let place = CredentialPlace::Header(Header { name: "X-Key".into(), value: String::new() });
    let claim =
        Face { credentials: vec![place, CredentialPlace::Query("key".into())], ..claim("POST", "/v1/talk", None) };
    let endpoints = Endpoints::new([("zeta", &manifest(vec![claim]))]).unwrap();
    let mut headers = HeaderMap::new();
    for name in ["authorization", "cookie", "proxy-authorization", "x-key", "x-fine"] {
        headers.append(name, "secret".parse().unwrap());
        headers.append(name, "secret too".parse().unwrap());
    }
    let (headers, query) =
        endpoints.without_credentials("zeta", &[], headers, "a=1&key=secret&%6bey=secret&keys=2&key");
    assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-fine"]);
    assert_eq!(query, "a=1&keys=2");
    assert_eq!(Endpoints::default().without_credentials("zeta", &[], HeaderMap::new(), "a&b=%zz").1, "a&b=%zz");
}

#[test]
fn equal_claims_are_refused_naming_both() {
    let manifest = manifest(vec![claim("POST", "/v1/talk", None)]);
    let error = Endpoints::new([("first", &manifest), ("second", &manifest)]).unwrap_err();
    assert_eq!(error.to_string(), "adapters `first` and `second` both claim POST /v1/talk");
}

#[test]
fn places_of_credentials_are_known() {
    let endpoints = Endpoints::new([("zeta", &manifest(vec![claim("POST", "/v1/talk", None)]))]).unwrap();
    assert!(endpoints.credentials.is_query("zkey"));
    assert!(!endpoints.credentials.is_query("alt"));
}

#[test]
fn a_clients_key_stands_nowhere_in_a_requests_head() {
    let endpoints = Endpoints::new([("zeta", &manifest(vec![claim("POST", "/v1/talk", None)]))]).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-named", "Bearer key-of-the-client"),
        ("x-copy", "it is key-of-the-client"),
        ("cookie", "theme=dark-blue"),
        ("x-theme", "theme=dark-blue"),
        ("x-fine", "key-of-another"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let named = ["X-Named".to_owned()];
    let (headers, query) =
        endpoints.without_credentials("zeta", &named, headers, "a=key%2Dof-the-client&b=2&zkey=other-key&c=other-key");
    let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["x-fine", "x-theme"]);
    assert_eq!(query, "b=2");
}

fn stranger<'a>(name: &'a str, manifest: &'a Manifest) -> FaceOwner<'a> {
    FaceOwner { name, manifest, is_known: false }
}

#[test]
fn an_unknown_adapter_takes_no_path_of_another() {
    let known = manifest(vec![claim("POST", "/v1/talk", None), claim("POST", "/v1/models/{model}:talk", None)]);
    let when = || Some(Condition::HeaderPresent("content-type".into()));
    let evil = manifest(vec![
        claim("POST", "/v1/talk", when()),
        claim("POST", "/v1/models/{model...}", None),
        claim("POST", "/{any}/talk", None),
        claim("GET", "/v1/talk", None),
        claim("POST", "/v1/own", None),
    ]);
    let evil = Manifest {
        faces: evil.faces.into_iter().map(|face| Face { prefixes: vec!["/evil".into()], ..face }).collect(),
        ..evil
    };
    let endpoints = Endpoints::new([stranger("evil", &evil), ("zeta", &known).into()]).unwrap();
    let left: Vec<(&str, &str)> = endpoints.left_out().iter().map(|one| (&*one.path, &*one.other)).collect();
    assert_eq!(left, [("/v1/models/{model...}", "zeta"), ("/{any}/talk", "zeta"), ("/v1/talk", "zeta")]);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let head = Head { headers: &headers, query: "" };
    let found = |method, path| match endpoints.find(&method, path, &head) {
        Lookup::Found(endpoint, _) => Some(endpoint.adapter.to_string()),
        _ => None,
    };
    assert_eq!(found(Method::POST, "/v1/talk").as_deref(), Some("zeta"));
    assert_eq!(found(Method::POST, "/v1/models/a:talk").as_deref(), Some("zeta"));
    for (method, path) in [(Method::POST, "/evil/v1/talk"), (Method::GET, "/v1/talk"), (Method::POST, "/v1/own")] {
        assert_eq!(found(method, path).as_deref(), Some("evil"), "{path}");
    }
}

#[test]
fn credential_places_of_an_unknown_adapter_apply_to_itself_only() {
    let place = |name: &str| CredentialPlace::Header(Header { name: name.into(), value: String::new() });
    let of = |name, path| manifest(vec![Face { credentials: vec![place(name)], ..claim("POST", path, None) }]);
    let (known, evil) = (of("x-key", "/v1/talk"), of("x-beta", "/v1/own"));
    let endpoints = Endpoints::new([stranger("evil", &evil), ("zeta", &known).into()]).unwrap();
    assert_eq!(endpoints.credential_headers().collect::<Vec<_>>(), ["x-key"]);
    let left = |adapter: &str| {
        let headers =
            ["x-key", "x-beta"].map(|name| (HeaderName::from_static(name), HeaderValue::from_static("some value")));
        let (headers, _) = endpoints.without_credentials(adapter, &[], headers.into_iter().collect(), "");
        headers.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert!(left("evil").is_empty());
    assert_eq!(left("zeta"), ["x-beta"]);
}
