//! Checks of a manifest that hold for every adapter.

use serde_json::{Value, json};

use crate::adapter::About;
use crate::manifest::{ErrorFormat, Manifest};
use crate::types::ErrorKind;

/// Checks the manifest: it is always the same, its options are a schema that names every way to authenticate, whatever
/// has a face or is accepted is a declared format, and errors of every kind have a form.
pub fn check<A: About>() {
    let manifest = A::describe();
    assert_eq!(manifest, A::describe(), "a manifest never changes");
    check_settings(&manifest);
    let declared = |id: &str| manifest.formats.iter().any(|format| format.id == id);
    manifest.faces.iter().for_each(|face| assert!(declared(&face.format), "{} is not declared", face.format));
    manifest.accepts.iter().for_each(|one| assert!(declared(&one.format), "{} is not declared", one.format));
    manifest.formats.iter().filter_map(|format| format.errors.as_ref()).for_each(check_errors);
}

fn check_settings(manifest: &Manifest) {
    if manifest.settings.is_empty() {
        return;
    }
    let schema: Value = serde_json::from_str(&manifest.settings).unwrap();
    assert_eq!((&schema["type"], &schema["additionalProperties"]), (&json!("object"), &json!(false)));
    for (name, option) in schema["properties"].as_object().unwrap() {
        assert!(option["description"].is_string(), "the option {name} has no description");
    }
    let schemes: Vec<&str> = manifest.auth.iter().map(|auth| auth.name.as_str()).collect();
    assert_eq!(schema["properties"]["auth"]["enum"], json!(schemes));
}

fn check_errors(errors: &ErrorFormat) {
    for kind in ErrorKind::ALL {
        let spelled: Vec<u16> = errors.spellings.iter().filter(|one| one.kind == kind).map(|one| one.status).collect();
        assert!(matches!(spelled[..], [400..600]), "{kind:?}: {spelled:?}");
    }
    let frames = [&errors.stream_failure, &errors.keep_alive];
    let templates = frames.into_iter().flatten().map(|frame| &frame.data).chain([&errors.body]);
    templates.for_each(|template| {
        let filled = filled(template);
        assert!(filled.is_empty() || serde_json::from_str::<Value>(&filled).is_ok(), "{filled}");
    });
}

/// The template with null in all of its placeholders.
fn filled(template: &str) -> String {
    let mut pieces = template.split("{{");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str("null");
        out.push_str(piece.split_once("}}").unwrap_or_default().1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Auth, Face, Format, Operation};

    /// An adapter whose face belongs to a format that is declared, or to another one.
    struct Toy<const DECLARED: bool>;

    impl<const DECLARED: bool> About for Toy<DECLARED> {
        fn describe() -> Manifest {
            let errors = ErrorFormat::new(r#"{"why":{{message}}}"#, |_| ("error", 500));
            let format = if DECLARED { "toy" } else { "another" };
            Manifest {
                formats: vec![Format { errors: Some(errors), ..Format::new("toy") }],
                faces: vec![Face::post(format, Operation::Chat, "/toy")],
                auth: vec![Auth::bearer()],
                ..Manifest::new("toy", "1.0.0", "A toy")
            }
        }
    }

    #[test]
    fn a_manifest_of_the_short_constructors_holds() {
        check::<Toy<true>>();
    }

    #[test]
    #[should_panic(expected = "another is not declared")]
    fn a_face_of_a_format_that_is_not_declared_fails() {
        check::<Toy<false>>();
    }

    #[test]
    fn placeholders_are_filled_and_braces_stay() {
        assert_eq!(filled(r#"{"a":{"b":{{kind}}}}"#), r#"{"a":{"b":null}}"#);
        assert_eq!(filled(r#"{"a":{{kind}},"b":{{message}}}"#), r#"{"a":null,"b":null}"#);
    }
}
