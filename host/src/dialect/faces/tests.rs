use http::HeaderValue;

use super::*;
use crate::contract::about::exports::weir::adapter::about::{
    BodyKind, Capabilities, Isolation, StreamFlag, Suggestions,
};

fn claim(method: &str, path: &str, when: Option<Condition>) -> Claim {
    Claim {
        format: "zeta.talk".into(),
        operation: Operation::Chat,
        method: method.into(),
        path: path.into(),
        prefixes: vec!["/zeta".into()],
        when,
        credentials: vec![CredentialPlace::Query("zkey".into())],
        model: Vec::new(),
        stream: StreamFlag::Constant(false),
        body: BodyKind::Json,
        output_limit: Vec::new(),
        end_user: Vec::new(),
        object_ids: Vec::new(),
        features: Vec::new(),
        request_headers: Vec::new(),
        framings: Vec::new(),
    }
}

fn manifest(faces: Vec<Claim>) -> Manifest {
    Manifest {
        name: "zeta".into(),
        version: "0.1.0".into(),
        contract: "0.1.0".into(),
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

fn found(faces: &Faces, method: &Method, path: &str, headers: &HeaderMap) -> Option<usize> {
    match faces.find(method, path, &Head { headers, query: "" }) {
        Lookup::Found(face, _) => Some(face.index),
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
    let faces = Faces::new([("zeta", &manifest)]).unwrap();
    let mut headers = HeaderMap::new();
    assert_eq!(found(&faces, &Method::GET, "/v1/models", &headers), Some(0));
    assert_eq!(found(&faces, &Method::GET, "/zeta/v1/models", &headers), Some(0));
    headers.insert("x-zeta", HeaderValue::from_static("1"));
    assert_eq!(found(&faces, &Method::GET, "/v1/models", &headers), Some(1));
    assert_eq!(found(&faces, &Method::POST, "/v1/models/a:talk", &headers), Some(3));
    assert_eq!(found(&faces, &Method::POST, "/v1/models/a/b:talk", &headers), Some(2));
}

#[test]
fn another_method_and_an_unknown_path_are_told_apart() {
    let manifest = manifest(vec![claim("POST", "/v1/talk", None)]);
    let faces = Faces::new([("zeta", &manifest)]).unwrap();
    let headers = HeaderMap::new();
    let head = Head { headers: &headers, query: "" };
    let Lookup::WrongMethod(_, methods) = faces.find(&Method::GET, "/v1/talk", &head) else { panic!("found") };
    assert_eq!(methods, [Method::POST]);
    assert!(matches!(faces.find(&Method::GET, "/v1/other", &head), Lookup::Unknown));
    assert!(faces.likeliest("/v1/other", &head).is_some());
    assert!(faces.likeliest("/other", &head).is_none());
}

#[test]
fn c69_nothing_of_a_clients_credential_is_kept_of_a_requests_head() {
    let mut faces = Faces::default();
    faces.credential_headers.insert("x-key".into());
    faces.credential_queries.insert("key".into());
    let mut headers = HeaderMap::new();
    for name in ["authorization", "cookie", "proxy-authorization", "x-key", "x-fine"] {
        headers.append(name, "secret".parse().unwrap());
        headers.append(name, "secret too".parse().unwrap());
    }
    let (headers, query) = faces.without_credentials(headers, "a=1&key=secret&%6bey=secret&keys=2&key");
    assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-fine"]);
    assert_eq!(query, "a=1&keys=2");
    assert_eq!(Faces::default().without_credentials(HeaderMap::new(), "a&b=%zz").1, "a&b=%zz");
}

#[test]
fn equal_claims_are_refused_naming_both() {
    let manifest = manifest(vec![claim("POST", "/v1/talk", None)]);
    let error = Faces::new([("first", &manifest), ("second", &manifest)]).unwrap_err();
    assert_eq!(error.to_string(), "adapters `first` and `second` both claim POST /v1/talk");
}

#[test]
fn places_of_credentials_are_known() {
    let faces = Faces::new([("zeta", &manifest(vec![claim("POST", "/v1/talk", None)]))]).unwrap();
    assert!(faces.is_credential_query("zkey"));
    assert!(!faces.is_credential_query("alt"));
}
