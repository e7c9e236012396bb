//! The models that a request names besides its own: some of them may answer instead, tools may consult others. No
//! adapter can declare whether its provider obeys them, so a client's rights apply to these names wherever they are
//! sent.

use std::sync::LazyLock;

use bytes::Bytes;
use serde::Deserialize;

use weir_wire::peek::{Found, Hit, Limits, Peek, Pointers, Scalar};

/// The places, each with the page that describes it.
const PLACES: &str = include_str!("../../../data/named_models.json");

/// A place where requests name a model beside their own.
#[derive(Debug, Deserialize)]
struct Place {
    place: String,
    holds: Holds,
}

/// The kind of value at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Holds {
    /// A list of what the places below it have.
    List,
    /// A model's name.
    Name,
    /// A model's name, or an object that has one.
    NameOrObject,
    /// A model's name if it is a text: a schema of arguments may have a member of such a name.
    NameIfText,
    /// A model's name in one of the requests of work that is done later: each may be for another model, and none
    /// replaces the request's own.
    NameInWork,
}

/// The most values of one place. Work that is done later may be of a hundred thousand requests.
const MAX_NAMES: usize = 128 << 10;

static KNOWN: LazyLock<Vec<Place>> = LazyLock::new(|| serde_json::from_str(PLACES).unwrap_or_default());
/// The pointers to [`places`], compiled once.
static POINTERS: LazyLock<Option<Pointers>> = LazyLock::new(|| Pointers::compile(&places().collect::<Vec<_>>()).ok());

/// A request names something else where names of models stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The member of the request.
    pub(crate) member: &'static str,
}

/// All places where requests name models beside their own.
pub(crate) fn places() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| &*known.place)
}

/// Finds the names of models in a body of JSON.
///
/// # Errors
///
/// The body has something else where the names stand, or cannot be read.
pub(crate) fn in_body(body: &[Bytes]) -> Result<Vec<String>, Unreadable> {
    in_found(&scanned(body)?, 0)
}

/// Finds all texts where names of models may stand that answer or are consulted beside the request's own, whatever else
/// does: what a reader might take for a name.
///
/// # Errors
///
/// The body cannot be read.
pub(crate) fn mentioned(body: &[Bytes]) -> Result<Vec<String>, Unreadable> {
    let found = scanned(body)?;
    let counts = |hit: &&Hit| KNOWN.get(hit.pointer).is_some_and(|known| known.holds != Holds::NameInWork);
    Ok(found.hits().iter().filter(counts).filter_map(|hit| hit.value.as_text()).map(str::to_owned).collect())
}

fn scanned(body: &[Bytes]) -> Result<Found, Unreadable> {
    let unreadable = Unreadable { member: "models" };
    let limits = Limits { utf8: false, hits: MAX_NAMES, ..Limits::default() };
    let mut scan = Peek::new(POINTERS.as_ref().ok_or(unreadable)?, limits);
    for piece in body {
        scan.push(piece);
    }
    scan.finish().map_err(|_| unreadable)
}

/// The same of a scan that looked for [`places`] behind so many others.
pub(crate) fn in_found(found: &Found, others: usize) -> Result<Vec<String>, Unreadable> {
    let (mut names, mut lists) = (Vec::new(), Vec::new());
    for hit in found.hits() {
        let Some(Place { place, holds }) = hit.pointer.checked_sub(others).and_then(|place| KNOWN.get(place)) else {
            continue;
        };
        let member = place.split('/').nth(1).unwrap_or_default();
        names.extend(name(hit, *holds).map_err(|()| Unreadable { member })?.map(str::to_owned));
        // Readers differ in which of two lists counts.
        if *holds == Holds::List {
            if lists.contains(&member) {
                return Err(Unreadable { member });
            }
            lists.push(member);
        }
    }
    Ok(names)
}

/// The name at a place, if there is one.
fn name(hit: &Hit, holds: Holds) -> Result<Option<&str>, ()> {
    match (holds, &hit.value) {
        (Holds::List, Scalar::Null | Scalar::Array { .. })
        | (Holds::NameOrObject, Scalar::Object { .. })
        | (
            Holds::NameIfText | Holds::NameInWork,
            Scalar::Null | Scalar::Bool(_) | Scalar::Number(_) | Scalar::Object { .. } | Scalar::Array { .. },
        ) => Ok(None),
        (Holds::Name | Holds::NameOrObject | Holds::NameIfText | Holds::NameInWork, Scalar::Text(name)) => {
            Ok(Some(name))
        }
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Result<Vec<String>, &'static str> {
        in_body(&[Bytes::copy_from_slice(body.as_bytes())]).map_err(|unreadable| unreadable.member)
    }

    #[test]
    fn the_places_are_read_and_compiled() {
        assert!(KNOWN.len() >= 15 && POINTERS.is_some());
    }

    #[test]
    fn names_are_found_wherever_they_stand() {
        for body in [
            r#"{"model":"own","models":["a"]}"#,
            r#"{"\u006dodels":["a"]}"#,
            r#"{"fallbacks":[{"model":"a"}]}"#,
            r#"{"fallbacks":["a"]}"#,
            r#"{"plugins":[{"id":"x","model":"a"}]}"#,
            r#"{"plugins":[{"analysis_models":["a"]}]}"#,
            r#"{"tools":[{"type":"function","function":{"name":"model"}},{"type":"x","model":"a"}]}"#,
            r#"{"tools":[{"type":"x","parameters":{"model":"a"}}]}"#,
            r#"{"tools":[{"model":null}],"tools":[{"model":"a"}]}"#,
            r#"{"input":[{"role":"user"},{"type":"x","tools":[{"model":"a"}]}]}"#,
            r#"{"compound_custom":{"models":{"answering_model":"a"}}}"#,
        ] {
            assert_eq!(names(body), Ok(vec!["a".to_owned()]), "{body}");
        }
    }

    #[test]
    fn all_texts_are_mentioned_whatever_stands_beside_them() {
        for body in [
            r#"{"models":"a"}"#,
            r#"{"models":[7,"a",{"x":1}]}"#,
            r#"{"models":[],"models":["a"]}"#,
            r#"{"models":["a"],"models":7}"#,
            r#"{"fallbacks":"a"}"#,
        ] {
            let mentioned = mentioned(&[Bytes::copy_from_slice(body.as_bytes())]);
            assert_eq!(mentioned, Ok(vec!["a".to_owned()]), "{body}");
        }
        assert!(mentioned(&[Bytes::from_static(b"{")]).is_err());
    }

    #[test]
    fn requests_of_later_work_name_models_and_none_that_stands_in() {
        let one = |more: &str| format!(r#"{{"custom_id":"x","params":{{"model":"a","max_tokens":9{more}}}}}"#);
        let of = |requests: &[String]| format!(r#"{{"requests":[{}]}}"#, requests.join(","));
        for (body, expected) in [
            (of(&[one("")]), vec!["a"]),
            (of(&[one(""), one(r#","\u006dodel":"b""#)]), vec!["a", "a", "b"]),
            (
                of(&[one(r#","tools":[{"type":"x","model":"b"},{"model":{}}],"fallbacks":[{"model":"c"},"d"]"#)]),
                vec!["a", "b", "c", "d"],
            ),
        ] {
            assert_eq!(names(&body).unwrap(), expected, "{body}");
            assert_eq!(mentioned(&[Bytes::from(body)]), Ok(Vec::new()));
        }
        let many = of(&vec![one(""); 100_000]);
        assert_eq!(names(&many).map(|names| names.len()), Ok(100_000));
    }

    #[test]
    fn what_names_none_is_let_pass_and_what_may_name_any_is_not() {
        for body in [
            r#"{"model":"own","models":null,"tools":[]}"#,
            r#"{"tools":[{"parameters":{"type":"object","properties":{"model":{"type":"string"}}}}]}"#,
            r#"{"tools":[{"parameters":{"model":{"type":"string"}}}],"messages":[{"content":"{\"models\":[\"a\"]}"}]}"#,
            r#"{"input":"Hi"}"#,
        ] {
            assert_eq!(names(body), Ok(Vec::new()), "{body}");
        }
        let long = format!(r#"{{"tools":[{{"model":"{}"}}]}}"#, "a".repeat(2_000));
        for (body, member) in [
            (r#"{"models":"a"}"#, "models"),
            (r#"{"models":[7]}"#, "models"),
            (r#"{"models":[{"model":"a"}]}"#, "models"),
            (r#"{"models":["a"],"models":["a"]}"#, "models"),
            (r#"{"fallbacks":"default"}"#, "fallbacks"),
            (&long, "tools"),
            ("{", "models"),
        ] {
            assert_eq!(names(body), Err(member), "{body}");
        }
    }
}
