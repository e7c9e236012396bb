//! Validates manifests: everything that the host compiles into tables is checked once, here, so that no request meets a
//! pointer that does not parse or a template that is not JSON.

use std::collections::HashSet;

use serde_json::Value;

use self::credentials::credential_header;
pub use self::problems::Problems;
use self::session::{at_origin, check_session, check_session_face, check_transport};
use self::tap::{check_tap, frame_test, pointer};
use weir_sandbox::guard::GuardManifest;
use weir_sandbox::version::Version;
use weir_types::adapter_headers::is_answerable;
use weir_types::contract::about::{
    Acceptance, Auth, AuthScheme, BodyKind, Condition, CredentialPlace, ErrorFormat, Face, Format, FrameTemplate,
    Manifest, ModelPlace, StreamFlag,
};
use weir_types::contract::types::{ErrorKind, Header};

/// Checks a manifest by itself; conflicts between manifests are checked elsewhere. `spoken` is the version of the
/// contract whose interfaces the component exports.
pub fn manifest(manifest: &Manifest, spoken: Version) -> Result<(), Problems> {
    bounds::check(manifest)?;
    let mut p = Problems::default();
    identity(manifest, spoken, &mut p);
    let mut formats = HashSet::new();
    for (i, format) in manifest.formats.iter().enumerate() {
        let place = format!("formats[{i}]");
        p.unless(!format.id.is_empty(), &place, "has no id");
        p.unless(formats.insert(format.id.as_str()), &place, format_args!("{} is there twice", format.id));
        check_format(format, &place, &mut p);
    }
    for (i, face) in manifest.faces.iter().enumerate() {
        let place = format!("faces[{i}]");
        let format = manifest.formats.iter().find(|format| format.id == face.format);
        p.unless(
            format.is_some_and(|format| format.errors.is_some()),
            &place,
            format_args!("format {:?} is not among the formats that have errors", face.format),
        );
        check_face(face, &place, &mut p);
    }
    for (i, acceptance) in manifest.accepts.iter().enumerate() {
        let place = format!("accepts[{i}]");
        p.unless(
            formats.contains(acceptance.format.as_str()),
            &place,
            format_args!("format {:?} is not among the formats", acceptance.format),
        );
        check_acceptance(acceptance, &place, &mut p);
    }
    auth(&manifest.auth, &mut p);
    p.into_result()
}

/// The number of phases.
const PHASES: usize = 3;
/// The most characters that a guard may hold back of each part of an answer.
const HOLD_BACK: u32 = 64 << 10;
/// The most places of answers that a face may name.
const MOST_MADE: usize = 32;

/// Checks what a guard says about itself, besides its manifest.
pub fn guard(guard: &GuardManifest) -> Result<(), Problems> {
    let mut p = Problems::default();
    p.unless(!guard.phases.is_empty(), "phases", "is empty");
    p.unless(guard.phases.len() <= PHASES, "phases", "names a phase twice");
    let held = guard.hold_back;
    p.unless(held <= HOLD_BACK, "hold-back", format_args!("is {held} characters, the limit is {HOLD_BACK}"));
    p.into_result()
}

/// The rule of [`is_name`] in words.
pub const NAME_RULE: &str = "must be lower-case letters, digits, - and _, at most 64";

/// Whether an adapter may have this name.
pub fn is_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    !name.is_empty() && name.len() <= 64 && name.chars().all(sound) && !name.starts_with(['-', '_'])
}

fn identity(manifest: &Manifest, spoken: Version, p: &mut Problems) {
    p.unless(is_name(&manifest.name), "name", NAME_RULE);
    p.unless(!manifest.version.is_empty(), "version", "is empty");
    p.unless(!manifest.family.is_empty(), "family", "is empty");
    p.unless(
        manifest.contract == spoken.name(),
        "contract",
        format_args!("is {:?}, but the component exports the interfaces of {}", manifest.contract, spoken.name()),
    );
    if !manifest.settings.is_empty() {
        let schema = serde_json::from_str::<Value>(&manifest.settings);
        p.unless(schema.is_ok_and(|schema| schema.is_object()), "settings", "is not a JSON object");
    }
    let suggests = &manifest.suggests;
    if let Some(url) = &suggests.url {
        // A variable holds the whole url, or everything before its path.
        p.unless(is_url(url) || url.starts_with("{env."), "suggests.url", "is not an http or https url");
        placeholders(url, "{", "}", &["region", "option.", "env."], "suggests.url", p);
    }
    for origin in &suggests.origins {
        p.unless(is_url(origin), "suggests.origins", format_args!("{origin} is not an http or https origin"));
    }
}

fn check_format(format: &Format, place: &str, p: &mut Problems) {
    if let Some(errors) = &format.errors {
        check_errors(errors, &format!("{place}.errors"), p);
    }
    if let Some(session) = &format.session {
        check_session(session, &format!("{place}.session"), p);
    }
    if let Some(tap) = &format.tap {
        check_tap(tap, &format!("{place}.tap"), p);
    }
}

fn check_errors(errors: &ErrorFormat, place: &str, p: &mut Problems) {
    json_template(&errors.body, &format!("{place}.body"), p);
    for kind in ErrorKind::ALL {
        let count = errors.spellings.iter().filter(|spelling| spelling.kind == kind).count();
        p.unless(
            count == 1,
            &format!("{place}.spellings"),
            format_args!("{kind:?} is there {count} times, once is right"),
        );
    }
    for spelling in &errors.spellings {
        let right = (400..600).contains(&spelling.status);
        p.unless(
            right,
            &format!("{place}.spellings"),
            format_args!("{:?} has status {}", spelling.kind, spelling.status),
        );
    }
    for frame in [&errors.stream_failure, &errors.keep_alive].into_iter().flatten() {
        frame_template(frame, &format!("{place}.frame"), p);
    }
    headers(&errors.headers, &format!("{place}.headers"), p);
    let limits = errors.rate_limit_headers.iter().map(|header| header.name.replace("{{scope}}", "x"));
    let names =
        errors.headers.iter().map(|header| header.name.clone()).chain(limits).chain(errors.request_id_header.clone());
    names.for_each(|name| answer_header_name(&name, place, p));
}

fn frame_template(frame: &FrameTemplate, place: &str, p: &mut Problems) {
    if let Some(event) = &frame.event {
        p.unless(!event.contains(['\n', '\r']), place, "the event's name has a line break");
    }
    // Without a placeholder it need not be JSON: some formats end with a bare word.
    if frame.data.contains("{{") {
        json_template(&frame.data, place, p);
    }
}

fn check_face(face: &Face, place: &str, p: &mut Problems) {
    check_session_face(face, place, p);
    method(&face.method, place, p);
    p.unless(
        face.path.starts_with('/') && bounds::is_plain_path(&face.path),
        &format!("{place}.path"),
        "must begin with / and hold no //, .., ?, # or control character",
    );
    placeholders(&face.path, "{", "}", &["model", "model...", "id"], &format!("{place}.path"), p);
    for prefix in &face.prefixes {
        let right = prefix.starts_with('/') && !prefix.ends_with('/') && bounds::is_plain_path(prefix);
        p.unless(right, &format!("{place}.prefixes"), format_args!("{prefix:?} must begin with / and not end with it"));
    }
    for when in face.when.iter().chain(face.framings.iter().filter_map(|framing| framing.when.as_ref())) {
        condition(when, place, p);
    }
    for credential in &face.credentials {
        match credential {
            CredentialPlace::Header(header) => credential_header(&header.name, &format!("{place}.credentials"), p),
            CredentialPlace::Query(name) => {
                p.unless(!name.is_empty(), &format!("{place}.credentials"), "empty query name");
            }
            CredentialPlace::Subprotocol(front) => {
                p.unless(!front.is_empty(), &format!("{place}.credentials"), "no text in front of the credential");
            }
        }
    }
    for model in &face.model {
        match model {
            ModelPlace::Path => {
                p.unless(face.path.contains("{model"), &format!("{place}.model"), "the path has no {model}");
            }
            ModelPlace::Pointer(at) | ModelPlace::Message(at) => pointer(&at.pointer, &format!("{place}.model"), p),
            ModelPlace::Field(name) => p.unless(!name.is_empty(), &format!("{place}.model"), "empty field name"),
            ModelPlace::Query(name) => p.unless(!name.is_empty(), &format!("{place}.model"), "empty query name"),
        }
    }
    if let StreamFlag::Pointer(at) = &face.stream {
        pointer(&at.pointer, &format!("{place}.stream"), p);
    }
    for text in [&face.output_limit, &face.candidates, &face.service_tier, &face.end_user].into_iter().flatten() {
        pointer(text, place, p);
    }
    check_objects(face, &format!("{place}.object-ids"), p);
    check_lines(face, place, p);
    for test in face.features.iter().flat_map(|feature| &feature.tests) {
        frame_test(test, &format!("{place}.features"), p);
    }
    patterns(&face.request_headers, &format!("{place}.request-headers"), p);
}

/// Places of requests are pointers, and those of answers stand behind the member of requests without which there are
/// none.
fn check_objects(face: &Face, place: &str, p: &mut Problems) {
    let made: Vec<(&str, &str)> = face.made_ids().collect();
    p.unless(made.len() <= MOST_MADE, place, format_args!("more than {MOST_MADE} places of answers"));
    for (member, text) in made {
        p.unless(
            !member.is_empty() && !member.contains(['/', '~', '*']),
            place,
            format_args!("{member:?} is no member"),
        );
        pointer(text, place, p);
    }
    for text in face.object_ids.iter().filter(|text| !text.starts_with('{')) {
        pointer(text, place, p);
    }
    let odd = face.object_ids.iter().filter(|text| text.starts_with('{') && *text != "{id}").count();
    p.unless(odd == face.made_ids().count(), place, "a name in braces without a pointer behind it");
}

/// In a body of any bytes, only a form's file can be looked into, whose lines are requests.
fn check_lines(face: &Face, place: &str, p: &mut Problems) {
    if face.body != BodyKind::Raw {
        return;
    }
    let models = face.model.iter().filter_map(|model| match model {
        ModelPlace::Pointer(at) => Some(at.pointer.as_str()),
        _ => None,
    });
    let objects = face.object_ids.iter().map(String::as_str).filter(|text| !text.starts_with('{'));
    let counts = face.output_limit.iter().chain(&face.candidates).map(String::as_str);
    let fields: HashSet<Option<&str>> =
        models.chain(objects).chain(counts).map(|at| Some(Face::in_line(at)?.0)).collect();
    let are_lines = fields.is_empty() || fields.len() == 1 && !fields.contains(&None);
    p.unless(are_lines, place, "in a raw body, pointers are at the lines of one field's file: /file/*/body/model");
}

fn check_acceptance(accepts: &Acceptance, place: &str, p: &mut Problems) {
    check_transport(accepts, place, p);
    method(&accepts.method, place, p);
    for path in [Some(&accepts.path), accepts.stream_path.as_ref()].into_iter().flatten() {
        let path = at_origin(accepts, path);
        let right =
            !path.starts_with('/') && bounds::is_plain_path(path) && !path.contains("://") && !path.contains('@');
        p.unless(right, &format!("{place}.path"), format_args!("{path:?} must stay below the target's url"));
        placeholders(path, "{", "}", &["model", "id", "option."], &format!("{place}.path"), p);
    }
    for query in &accepts.query {
        p.unless(!query.name.is_empty(), &format!("{place}.query"), "empty name");
        placeholders(&query.value, "{", "}", &["model", "id", "option."], &format!("{place}.query"), p);
    }
    patterns(&accepts.request_headers, &format!("{place}.request-headers"), p);
    patterns(&accepts.response_headers, &format!("{place}.response-headers"), p);
    headers(&accepts.set_headers, &format!("{place}.set-headers"), p);
    for exclusion in &accepts.exclusions {
        frame_test(&exclusion.test, &format!("{place}.exclusions"), p);
    }
    if let Some(ask) = &accepts.ask_usage {
        let place = format!("{place}.ask-usage");
        pointer(&ask.pointer, &place, p);
        p.unless(is_json(&ask.json), &place, "its value is not JSON");
        frame_test(&ask.withheld, &place, p);
    }
}

fn auth(schemes: &[Auth], p: &mut Problems) {
    let mut names = HashSet::new();
    for auth in schemes {
        p.unless(
            !auth.name.is_empty() && names.insert(&auth.name),
            "auth",
            format_args!("{:?} is empty or there twice", auth.name),
        );
        match &auth.scheme {
            AuthScheme::Header(header) => credential_header(&header.name, "auth", p),
            AuthScheme::Query(name) | AuthScheme::AwsSigv4(name) => p.unless(!name.is_empty(), "auth", "empty name"),
            AuthScheme::Oauth2ClientCredentials(oauth) | AuthScheme::ServiceAccount(oauth) => {
                // `{origin}` stands for the start of a url: the provider's own origin.
                let url = oauth.token_url.strip_prefix("{origin}").map(|path| format!("https://origin{path}"));
                p.unless(
                    is_url(url.as_deref().unwrap_or(&oauth.token_url)),
                    "auth",
                    "the token url is not an http or https url",
                );
            }
            AuthScheme::Open | AuthScheme::Bearer => {}
        }
    }
}

fn condition(when: &Condition, place: &str, p: &mut Problems) {
    match when {
        Condition::HeaderPresent(name) => header_name(name, place, p),
        Condition::QueryPresent(name) => p.unless(!name.is_empty(), place, "empty query name"),
        Condition::QueryEquals(query) => p.unless(!query.name.is_empty(), place, "empty query name"),
    }
}

/// Whether a template is JSON once each placeholder holds a whole JSON value.
fn json_template(text: &str, place: &str, p: &mut Problems) {
    const PLACEHOLDERS: [(&str, &str); 6] = [
        ("{{kind}}", "\"k\""),
        ("{{status}}", "400"),
        ("{{message}}", "\"m\""),
        ("{{code}}", "null"),
        ("{{param}}", "null"),
        ("{{request_id}}", "\"r\""),
    ];
    let filled =
        PLACEHOLDERS.iter().fold(text.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value));
    p.unless(
        is_json(&filled),
        place,
        "is not JSON when its placeholders hold JSON values (a placeholder stands without quotes)",
    );
}

/// Checks that all placeholders are known; a known name that ends with a dot covers all names that begin with it.
fn placeholders(text: &str, open: &str, close: &str, known: &[&str], place: &str, p: &mut Problems) {
    for rest in text.split(open).skip(1) {
        let Some((name, _)) = rest.split_once(close) else {
            return p.add(place, format_args!("{text:?} has an open {open}"));
        };
        let is_known =
            known.iter().any(|k| *k == name || (k.ends_with('.') && name.len() > k.len() && name.starts_with(k)));
        p.unless(is_known, place, format_args!("{{{name}}} is not known here"));
    }
}

fn method(text: &str, place: &str, p: &mut Problems) {
    p.unless(
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase()),
        place,
        format_args!("{text:?} is not a method"),
    );
}

fn headers(all: &[Header], place: &str, p: &mut Problems) {
    for header in all {
        header_name(&header.name, place, p);
        p.unless(
            !header.value.chars().any(char::is_control),
            place,
            format_args!("{} has a control character", header.name),
        );
    }
}

fn patterns(all: &[String], place: &str, p: &mut Problems) {
    for pattern in all {
        header_name(pattern.strip_suffix('*').filter(|text| !text.is_empty()).unwrap_or(pattern), place, p);
    }
}

/// Checks that a header's name is a token (RFC 9110, section 5.6.2) in lower case.
fn header_name(text: &str, place: &str, p: &mut Problems) {
    let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'+-.^_`|~".contains(&b);
    p.unless(
        !text.is_empty() && text.bytes().all(sound),
        place,
        format_args!("{text:?} is not the name of a header in lower case"),
    );
}

/// Checks that an adapter may set a header of this name on an answer.
fn answer_header_name(text: &str, place: &str, p: &mut Problems) {
    header_name(text, place, p);
    p.unless(is_answerable(text), place, format_args!("{text:?} is a header that only Weir sets"));
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn is_url(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && !host.starts_with('/') && !text.contains(|c: char| c.is_control() || c == ' ')
    })
}

mod bounds;
mod credentials;
mod problems;
mod session;
mod tap;
#[cfg(test)]
mod tests;
