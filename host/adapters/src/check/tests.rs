//! Tests with the manifest of a made-up format that is valid in every member, and with one changed member at a time.

use super::*;
use weir_sandbox::Version;
use weir_types::contract::about::{
    Bucket, Capabilities, ErrorSpelling, Exclusion, FrameTest, GrpcMethod, Isolation, Merge, ModelPointer, Oauth,
    Operation, PointerBound, PointerEquals, PointerValues, SessionConfiguration, SessionTap, Suggestions, Tap,
    Transport, UnitPlace, UnitSource, UsagePlace, UsageRequest,
};
use weir_types::contract::types::Unit;

fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: value.into() }
}

fn format() -> Format {
    let spelling = |kind| ErrorSpelling { kind, name: "odd".into(), code: None, status: 500 };
    let frame = FrameTemplate { event: Some("oops".into()), data: r#"{"oops":{{message}}}"#.into() };
    Format {
        id: "zeta.talk".into(),
        errors: Some(ErrorFormat {
            body: r#"{"oops":{{message}},"n":{{status}},"k":{{kind}},"c":{{code}},"p":{{param}},"r":{{request_id}}}"#
                .into(),
            spellings: ErrorKind::ALL.into_iter().map(spelling).collect(),
            headers: vec![header("x-oops", "1")],
            stream_failure: Some(frame),
            keep_alive: Some(FrameTemplate { event: None, data: "still here".into() }),
            request_id_header: Some("zeta-id".into()),
            rate_limit_headers: vec![header("zeta-{{scope}}-left", "{{remaining}}")],
        }),
        tap: Some(Tap {
            usage: vec![UsagePlace {
                bucket: Bucket::Input,
                pointers: vec!["/cost/in".into()],
                merge: Merge::Last,
                includes: vec![Bucket::CacheRead],
                beside: None,
                headers: Vec::new(),
            }],
            finish: vec!["/all/*/why".into()],
            model: vec!["/who".into()],
            content: vec![FrameTest::Present("/say".into())],
            end: vec![FrameTest::Data("BYE".into())],
            failure: vec![FrameTest::Event("oops".into())],
            ..Tap::default()
        }),
        session: None,
    }
}

fn good() -> Manifest {
    let place = |pointer: &str| FrameTest::Equals(PointerEquals { pointer: pointer.into(), json: "\"x\"".into() });
    let face = Face {
        format: "zeta.talk".into(),
        operation: Operation::Chat,
        method: "PUT".into(),
        path: "/zeta/{model...}/talk".into(),
        prefixes: vec!["/odd".into()],
        when: Some(Condition::HeaderPresent("zeta-version".into())),
        credentials: vec![CredentialPlace::Header(header("zeta-key", "Key ")), CredentialPlace::Query("k".into())],
        model: vec![ModelPlace::Path],
        stream: StreamFlag::Constant(true),
        body: BodyKind::Json,
        output_limit: vec!["/limit".into()],
        candidates: vec!["/times".into()],
        service_tier: vec!["/class".into()],
        end_user: vec!["/for".into()],
        object_ids: vec!["{id}".into(), "/earlier".into()],
        features: vec![],
        request_headers: vec!["zeta-*".into()],
        framings: vec![],
    };
    let accepts = Acceptance {
        format: "zeta.talk".into(),
        operation: Operation::Chat,
        method: "PUT".into(),
        path: "talk/{model}:go/{option.room}".into(),
        stream_path: None,
        query: vec![],
        query_forwarded: vec![],
        request_headers: vec!["zeta-version".into()],
        set_headers: vec![header("zeta-version", "7")],
        response_headers: vec!["zeta-*".into()],
        exclusions: vec![Exclusion { test: place("/mode"), reason: "odd".into() }],
        ask_usage: Some(UsageRequest { pointer: "/count".into(), json: "true".into(), withheld: place("/kind") }),
        transport: None,
        preferred: true,
    };
    let oauth = Oauth { token_url: "https://zeta.test/token".into(), scopes: vec![] };
    Manifest {
        name: "zeta".into(),
        version: "1".into(),
        contract: Version::V0_1_0.name().into(),
        description: String::new(),
        family: "zeta".into(),
        settings: "{}".into(),
        isolation: Isolation::Fresh,
        takes_blobs: true,
        suggests: Suggestions {
            url: Some("https://{region}.zeta.test/{option.room}/".into()),
            key_variables: vec![],
            models: vec![],
            origins: vec!["https://files.zeta.test".into()],
        },
        formats: vec![format()],
        faces: vec![face],
        accepts: vec![accepts],
        auth: vec![Auth { name: "token".into(), scheme: AuthScheme::Oauth2ClientCredentials(oauth) }],
        capabilities: Capabilities { operations: vec![], media: vec![], tools: false, counts_tokens: false },
    }
}

/// The only problem of a manifest with this change.
fn problem(change: impl FnOnce(&mut Manifest)) -> String {
    let mut changed = good();
    change(&mut changed);
    let problems = manifest(&changed, Version::V0_1_0).unwrap_err();
    assert_eq!(problems.lines().len(), 1, "{problems}");
    problems.to_string()
}

fn errors(manifest: &mut Manifest) -> &mut ErrorFormat {
    manifest.formats[0].errors.as_mut().unwrap()
}

fn tap(manifest: &mut Manifest) -> &mut Tap {
    manifest.formats[0].tap.as_mut().unwrap()
}

#[test]
fn a_manifest_of_any_format_is_valid() {
    assert_eq!(manifest(&good(), Version::V0_1_0), Ok(()));
}

#[test]
fn the_identity_must_be_plain() {
    for name in ["", "Zeta", "../zeta", "-zeta", "ze ta", &"z".repeat(65)] {
        assert!(problem(|m| m.name = name.into()).starts_with("name:"), "{name}");
    }
    assert!(problem(|m| m.contract = "9.0.0".into()).contains("9.0.0"));
    assert!(problem(|m| m.settings = "[]".into()).starts_with("settings:"));
    assert!(problem(|m| m.suggests.url = Some("zeta.test".into())).starts_with("suggests.url:"));
    assert!(problem(|m| m.suggests.url = Some("https://{host}/".into())).contains("{host}"));
    assert!(problem(|m| m.suggests.origins = vec!["file:///".into()]).starts_with("suggests.origins:"));
}

#[test]
fn an_error_template_is_json_whatever_fills_it() {
    for body in ["{", r#"{"a":"{{message}}"}"#, r#"{"a":{{unknown}}}"#, ""] {
        assert!(problem(|m| errors(m).body = body.into()).starts_with("formats[0].errors.body:"), "{body}");
    }
    let frame = FrameTemplate { event: None, data: "oops {{message}}".into() };
    assert!(problem(|m| errors(m).stream_failure = Some(frame)).starts_with("formats[0].errors.frame:"));
}

#[test]
fn an_errors_headers_neither_frame_the_connection_nor_imitate_weirs() {
    let refused = |text: String| assert!(text.contains("only Weir sets"), "{text}");
    for name in ["content-length", "set-cookie", "x-weir-provider"] {
        refused(problem(|m| errors(m).headers = vec![header(name, "3")]));
        refused(problem(|m| errors(m).request_id_header = Some(name.into())));
    }
    refused(problem(|m| errors(m).rate_limit_headers = vec![header("x-weir-{{scope}}", "{{limit}}")]));
}

#[test]
fn every_kind_of_error_is_spelled_once() {
    assert!(problem(|m| drop(errors(m).spellings.pop())).contains("Internal"));
    assert!(problem(|m| errors(m).spellings[0].status = 200).contains("status 200"));
    let twice = problem(|m| {
        let spelling = errors(m).spellings[3].clone();
        errors(m).spellings.push(spelling);
    });
    assert!(twice.contains("NotFound"), "{twice}");
}

#[test]
fn every_pointer_parses() {
    for pointer in ["cost", "/a~2", "/a~"] {
        assert!(problem(|m| tap(m).usage[0].pointers = vec![pointer.into()]).contains("JSON pointer"));
        assert!(problem(|m| tap(m).content = vec![FrameTest::Present(pointer.into())]).contains("JSON pointer"));
        assert!(problem(|m| m.faces[0].output_limit = vec![pointer.into()]).contains("JSON pointer"));
        assert!(problem(|m| m.faces[0].candidates = vec![pointer.into()]).contains("JSON pointer"));
        assert!(problem(|m| m.faces[0].service_tier = vec![pointer.into()]).contains("JSON pointer"));
        assert!(problem(|m| m.faces[0].object_ids = vec![pointer.into()]).contains("JSON pointer"));
        assert!(
            problem(|m| m.accepts[0].ask_usage.as_mut().unwrap().pointer = pointer.into()).contains("JSON pointer")
        );
    }
    for place in ["{sound}sound/id", "{sound}", "{}/sound/id", "{a/b}/id", "{sound}/a~"] {
        let named = problem(|m| m.faces[0].object_ids = vec![place.into()]);
        assert!(
            ["JSON pointer", "no member", "in braces"].iter().any(|words| named.contains(words)),
            "{place}: {named}"
        );
    }
    for pointers in [["/model", "/file/*/id"], ["/file/*/model", "/other/*/id"], ["/file/model", "/file/*/id"]] {
        let raw = problem(|m| {
            let face = &mut m.faces[0];
            face.body = BodyKind::Raw;
            face.model = vec![ModelPlace::Pointer(ModelPointer { pointer: pointers[0].into(), prefix: String::new() })];
            face.object_ids = vec!["{id}".into(), pointers[1].into()];
        });
        assert!(raw.contains("the lines of one field's file"), "{pointers:?}: {raw}");
    }
    assert!(problem(|m| tap(m).usage[0].includes = vec![Bucket::Input]).contains("includes itself"));
    let test = FrameTest::Equals(PointerEquals { pointer: "/a".into(), json: "x".into() });
    assert!(problem(|m| tap(m).end = vec![test]).contains("not JSON"));
}

#[test]
fn tests_of_values_compare_with_something() {
    let values = |json: &str| FrameTest::OtherThan(PointerValues { pointer: "/a".into(), json: vec![json.into()] });
    assert!(problem(|m| m.accepts[0].exclusions[0].test = values("x")).contains("not JSON"));
    let above = FrameTest::Above(PointerBound { pointer: "/a".into(), bound: f64::NAN });
    assert!(problem(|m| m.accepts[0].exclusions[0].test = above).contains("not a bound"));
    let fractional = FrameTest::Fractional("a".into());
    assert!(problem(|m| m.accepts[0].exclusions[0].test = fractional).contains("JSON pointer"));
}

#[test]
fn figures_have_neighbours_in_their_own_object() {
    for pointer in ["kind", "/a/b", ""] {
        let beside = PointerEquals { pointer: pointer.into(), json: "\"x\"".into() };
        assert!(problem(|m| tap(m).usage[0].beside = Some(beside)).contains("is not one member"), "{pointer}");
    }
    let all = UnitSource::Matches(FrameTest::Event("x".into()));
    let units = UnitPlace { unit: Unit::Page, source: all, merge: Merge::Last };
    assert!(problem(|m| tap(m).units = vec![units]).contains("counts neither"));
}

#[test]
fn a_method_of_grpc_has_descriptors_and_its_own_path() {
    let method = GrpcMethod { service: "s".into(), method: "m".into(), stream: false, descriptors: String::new() };
    let problem = problem(|m| m.accepts[0].transport = Some(Transport::Grpc(method)));
    assert!(problem.contains("no method `s/m`"), "{problem}");
}

#[test]
fn sessions_are_handshakes_whose_messages_can_be_read() {
    let session = |change: fn(&mut Face)| {
        problem(move |m| {
            let face = &mut m.faces[0];
            (face.body, face.operation) = (BodyKind::Session, Operation::Realtime);
            (face.method, face.model) = ("GET".into(), vec![ModelPlace::Query("model".into())]);
            change(face);
        })
    };
    assert!(session(|face| face.operation = Operation::Chat).contains("of the operation realtime"));
    assert!(session(|face| face.method = "POST".into()).contains("is a GET"));
    assert!(session(|face| face.model.clear()).contains("in the query"));
    let problems = [
        problem(|m| m.faces[0].model = vec![ModelPlace::Query("model".into())]),
        problem(|m| m.faces[0].credentials = vec![CredentialPlace::Subprotocol("key.".into())]),
    ];
    assert!(problems.iter().all(|problem| problem.contains("sessions only")), "{problems:?}");
    let other = |m: &mut Manifest| {
        (m.accepts[0].transport, m.accepts[0].method) = (Some(Transport::Session), "GET".into());
    };
    assert!(problem(other).contains("travels as a session"));
    let endless = SessionTap {
        requests: Vec::new(),
        begins: Vec::new(),
        responses: Tap::default(),
        cancel: None,
        configuration: None,
    };
    assert!(problem(|m| m.formats[0].session = Some(endless)).contains("nothing ends a response"));
    let configured = |message: &str, confirmed: Vec<FrameTest>| {
        let configuration = SessionConfiguration { message: message.into(), confirmed };
        let responses = Tap { end: vec![FrameTest::Present("/end".into())], ..Tap::default() };
        let (requests, begins, cancel) = (Vec::new(), Vec::new(), None);
        let tap = SessionTap { requests, begins, responses, cancel, configuration: Some(configuration) };
        problem(move |m| m.formats[0].session = Some(tap))
    };
    let confirms = || vec![FrameTest::Present("/updated".into())];
    assert!(configured(r#"{"session":{{session}}}"#, Vec::new()).contains("nothing confirms"));
    assert!(configured("{}", confirms()).contains("not one placeholder"));
    assert!(configured("{{session}}}", confirms()).contains("not JSON"));
}

#[test]
fn formats_that_are_named_are_there() {
    assert!(problem(|m| m.faces[0].format = "eta".into()).contains("eta"));
    assert!(problem(|m| m.accepts[0].format = "eta".into()).contains("eta"));
    assert!(problem(|m| m.formats[0].errors = None).starts_with("faces[0]:"));
    assert!(problem(|m| m.formats.push(format())).contains("twice"));
}

#[test]
fn a_path_upstream_stays_below_the_targets_url() {
    for path in ["/talk", "//evil", "../talk", "a/../b", "https://evil/", "a@evil", "talk?x=1", "a\r\nb", "a\\b"] {
        assert!(problem(|m| m.accepts[0].path = path.into()).starts_with("accepts[0].path:"), "{path}");
        assert!(problem(|m| m.accepts[0].stream_path = Some(path.into())).starts_with("accepts[0].path:"), "{path}");
    }
    assert!(problem(|m| m.accepts[0].path = "{key}".into()).contains("{key}"));
    assert!(problem(|m| m.accepts[0].path = "a/{model".into()).contains("open {"));
}

#[test]
fn a_face_has_a_path() {
    assert!(problem(|m| m.faces[0].path = "/talk".into()).contains("no {model}"));
    assert!(problem(|m| m.faces[0].path = "{model}".into()).starts_with("faces[0].path:"));
    assert!(problem(|m| m.faces[0].path = "/{model}/{x}".into()).contains("{x}"));
    assert!(problem(|m| m.faces[0].method = "put".into()).contains("not a method"));
    assert!(problem(|m| m.faces[0].prefixes = vec!["/odd/".into()]).starts_with("faces[0].prefixes:"));
}

#[test]
fn headers_are_headers() {
    let wrong = || header("Zeta Key", "");
    assert!(problem(|m| m.faces[0].credentials = vec![CredentialPlace::Header(wrong())]).contains("header"));
    assert!(problem(|m| m.accepts[0].set_headers = vec![wrong()]).contains("header"));
    assert!(problem(|m| m.accepts[0].set_headers = vec![header("a", "b\r\nc: d")]).contains("control"));
    assert!(problem(|m| m.accepts[0].response_headers = vec!["X-*".into()]).contains("header"));
    assert!(problem(|m| m.auth[0].scheme = AuthScheme::Header(wrong())).contains("header"));
}

#[test]
fn a_manifest_is_bounded_and_can_be_printed() {
    let refusal = |spoil: fn(&mut Manifest)| {
        let mut faulty = good();
        spoil(&mut faulty);
        manifest(&faulty, Version::V0_1_0).unwrap_err().to_string()
    };
    assert!(refusal(|m| m.faces = vec![m.faces[0].clone(); 10_000]).contains("faces: has 10000 entries"));
    assert!(refusal(|m| m.accepts = vec![m.accepts[0].clone(); 257]).contains("257 entries"));
    assert!(refusal(|m| m.faces[0].prefixes = vec!["/a".into(); 300]).contains("prefixes: has 300"));
    assert!(refusal(|m| m.settings = " ".repeat(2 << 20)).contains("the manifest: has"));
    assert!(problem(|m| m.description = "d".repeat(2000)).starts_with("description:"));
    for text in ["1\u{1b}[2J", "1\n2", &"1".repeat(200)] {
        assert!(problem(|m| m.version = text.into()).starts_with("version:"));
        assert!(problem(|m| m.formats[0].id = text.into()).starts_with("format:"));
        assert!(problem(|m| m.auth[0].name = text.into()).starts_with("auth:"));
    }
}

#[test]
fn many_problems_are_reported_at_once_within_a_bound() {
    let mut faulty = good();
    faulty.faces =
        std::iter::repeat_with(|| Face { method: String::new(), ..good().faces.remove(0) }).take(50).collect();
    let problems = manifest(&faulty, Version::V0_1_0).unwrap_err();
    assert_eq!(problems.lines().len(), problems::REPORTED);
}
