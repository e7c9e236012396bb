//! Whether a manifest's sessions can be served: they are asked for by a handshake, and what is read of their messages
//! can be compiled.

use super::tap::{check_tap, frame_test};
use super::{Problems, is_json};
use weir_transcoding::Method;
use weir_types::contract::about::{
    Acceptance, BodyKind, CredentialPlace, Face, GrpcMethod, ModelPlace, Operation, SessionConfiguration, SessionTap,
    Transport,
};

/// Where the configuration stands in the message that configures a session.
const CONFIGURATION_PLACEHOLDER: &str = "{{session}}";
const NO_SESSION: &str = "belongs to sessions only";

pub(super) fn check_session(tap: &SessionTap, place: &str, p: &mut Problems) {
    for test in tap.requests.iter().chain(&tap.begins) {
        frame_test(test, place, p);
    }
    check_tap(&tap.responses, place, p);
    p.unless(!tap.responses.end.is_empty(), place, "nothing ends a response");
    if let Some(cancel) = &tap.cancel {
        p.unless(is_json(cancel), place, "the message that cancels is not JSON");
    }
    if let Some(configuration) = &tap.configuration {
        let SessionConfiguration { message, confirmed } = configuration;
        let is_filled = message.matches(CONFIGURATION_PLACEHOLDER).count() == 1;
        p.unless(
            is_filled,
            place,
            format_args!("the message that configures has not one placeholder {CONFIGURATION_PLACEHOLDER}"),
        );
        let filled = message.replace(CONFIGURATION_PLACEHOLDER, "{}");
        p.unless(is_json(&filled), place, "the message that configures is not JSON");
        p.unless(!confirmed.is_empty(), place, "nothing confirms a configuration");
        for test in confirmed {
            frame_test(test, place, p);
        }
    }
}

pub(super) fn check_session_face(face: &Face, place: &str, p: &mut Problems) {
    let (is_session, is_realtime) = (face.body == BodyKind::Session, face.operation == Operation::Realtime);
    p.unless(is_session == is_realtime, place, "a session is of the operation realtime, and no other face is");
    p.unless(!is_session || face.method == "GET", place, "the handshake of a session is a GET");
    if is_session {
        let is_found = |model: &ModelPlace| matches!(model, ModelPlace::Query(_) | ModelPlace::Message(_));
        let is_there = !face.model.is_empty() && face.model.iter().all(is_found);
        p.unless(is_there, &format!("{place}.model"), "a session's model is in the query or in its first message");
        return;
    }
    let is_of_session = |model: &ModelPlace| matches!(model, ModelPlace::Query(_) | ModelPlace::Message(_));
    p.unless(!face.model.iter().any(is_of_session), &format!("{place}.model"), NO_SESSION);
    let is_offered = |credential: &CredentialPlace| matches!(credential, CredentialPlace::Subprotocol(_));
    p.unless(!face.credentials.iter().any(is_offered), &format!("{place}.credentials"), NO_SESSION);
}

/// A path without the slash by which that of a session is relative to the origin of the target's url.
pub(super) fn at_origin<'a>(accepts: &Acceptance, path: &'a str) -> &'a str {
    let is_session = matches!(accepts.transport, Some(Transport::Session));
    path.strip_prefix('/').filter(|_| is_session).unwrap_or(path)
}

pub(super) fn check_transport(accepts: &Acceptance, place: &str, p: &mut Problems) {
    let place = format!("{place}.transport");
    let is_session = matches!(accepts.transport, Some(Transport::Session));
    if let Some(Transport::Grpc(method)) = &accepts.transport {
        check_grpc(accepts, method, &place, p);
    }
    p.unless(
        is_session == (accepts.operation == Operation::Realtime),
        &place,
        "the operation realtime, and no other, travels as a session",
    );
    p.unless(!is_session || accepts.method == "GET", &place, "the handshake of a session is a GET");
}

/// A method is called by its own path, by which a rendered request is known to be a call of it.
fn check_grpc(accepts: &Acceptance, method: &GrpcMethod, place: &str, p: &mut Problems) {
    match Method::compile(method) {
        Ok(method) => {
            let path = method.path();
            p.unless(
                accepts.path == path && accepts.stream_path.is_none(),
                place,
                format_args!("the path must be {path}"),
            );
            p.unless(accepts.method == "POST", place, "a call of gRPC is a POST");
        }
        Err(error) => p.unless(false, place, error),
    }
}
