//! Tests that fields are found however the body is cut, and that ambiguous bodies are refused.

use proptest::prelude::*;

use super::*;

const BOUNDARY: &str = "xYzZy";

fn part(head: &str, content: &str) -> String {
    format!("--{BOUNDARY}\r\n{head}\r\n\r\n{content}\r\n")
}

fn field(name: &str, content: &str) -> String {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), content)
}

fn body(parts: &[String]) -> Vec<u8> {
    format!("{}--{BOUNDARY}--\r\n", parts.concat()).into_bytes()
}

fn whole(body: &[u8]) -> Vec<Bytes> {
    vec![Bytes::copy_from_slice(body)]
}

fn scan(body: &[u8]) -> Result<Vec<Field>, FormError> {
    fields(&whole(body), BOUNDARY, &["model", "stream"])
}

fn texts(body: &[u8]) -> Vec<(usize, Option<String>)> {
    let fields = scan(body).unwrap();
    let is_there =
        |field: &Field| field.text.as_deref().is_none_or(|text| body[field.range.clone()] == *text.as_bytes());
    assert!(fields.iter().all(is_there));
    fields.into_iter().map(|field| (field.name, field.text)).collect()
}

#[test]
fn wanted_fields_are_found_among_files() {
    let file = part(
        "content-disposition: form-data; name=\"file\"; filename=\"C:\\a\\model\"\r\nContent-Type: audio/wav",
        "RIFF\r\n\r\nname=\"model\"\r\n--other\r\n",
    );
    let body = body(&[file, field("model", "m-1"), field("stream", "true"), field("prompt", "model")]);
    assert_eq!(texts(&body), [(0, Some("m-1".into())), (1, Some("true".into()))]);
}

#[test]
fn preamble_epilogue_and_repeated_fields_are_allowed() {
    let mut body = b"preamble\r\n".to_vec();
    body.extend(self::body(&[field("model", ""), field("model", "b")]));
    body.extend(b"epilogue");
    assert_eq!(texts(&body), [(0, Some(String::new())), (0, Some("b".into()))]);
}

#[test]
fn long_values_files_and_other_bytes_are_seen_but_not_read() {
    let file = part("Content-Disposition: form-data; name=\"model\"; filename=\"m\"", "m");
    assert_eq!(texts(&body(&[file, field("model", &"x".repeat(MAX_TEXT + 1))])), [(0, None), (0, None)]);
    let mut bytes = body(&[field("model", "abc")]);
    let at = scan(&bytes).unwrap()[0].range.start;
    bytes[at] = 0xff;
    assert_eq!(texts(&bytes), [(0, None)]);
}

#[test]
fn ambiguous_bodies_are_refused() {
    let plain = "Content-Disposition: form-data; name=\"x\"";
    let (head, boundary) = (FormError::Head { offset: 0 }, FormError::Boundary { offset: 0 });
    for (parts, expected) in [
        (part("Content-Disposition: form-data; name=\"x\"; name*=utf-8''model", "m"), head),
        (part("Content-Disposition: form-data; name=\"x\"; name*0=\"mod\"; name*1=\"el\"", "m"), head),
        (part("Content-Disposition: form-data; name=\"x\"; name=\"model\"", "m"), head),
        (part("Content-Disposition: form-data; name=\"Model\"", "m"), head),
        (part("Content-Disposition: form-data; name=\" model\"", "m"), head),
        (part("Content-Disposition: form-data; name=\"mod\\el\"", "m"), head),
        (part("Content-Disposition: attachment; name=\"model\"", "m"), head),
        (part("Content-Disposition: form-data", "m"), head),
        (part("Content-Type: text/plain", "m"), head),
        (part(&format!("{plain}\r\nContent-Disposition: form-data; name=\"model\""), "m"), head),
        (part(&format!("{plain};\r\n name=\"model\""), "m"), head),
        (part(&format!("X: y\n{plain}"), "m"), head),
        (part(&format!("{}\r\nContent-Transfer-Encoding: base64", plain.replace('x', "model")), "bQ=="), head),
        (format!("--{BOUNDARY}\r\n{plain}\r\n"), head),
        (field("x", &format!("\n--{BOUNDARY}\r\n")), boundary),
        (field("x", &format!("\r\n--{BOUNDARY}y\r\n")), boundary),
        (field("x", &format!("\r\n--{BOUNDARY} \r\n")), boundary),
        (field("x", &format!("a--{BOUNDARY}")), boundary),
    ] {
        let error = scan(&body(std::slice::from_ref(&parts))).unwrap_err();
        assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(&expected), "{parts}: {error}");
    }
    for charset in ["utf-16", "utf-7", "x; y="] {
        let other =
            part(&format!("{}\r\nContent-Type: text/plain; charset={charset}", plain.replace('x', "model")), "m");
        assert!(matches!(scan(&body(&[other])), Err(FormError::NoText { .. })), "{charset}");
    }
    assert!(matches!(scan(&body(&[field("_charset_", "utf-16")])), Err(FormError::NoText { .. })));
    let twice = [body(&[field("x", "")]), body(&[field("model", "m")])].concat();
    assert!(matches!(scan(&twice), Err(FormError::Boundary { .. })));
    assert_eq!(scan(b"{\"model\":\"m\"}"), Err(FormError::NoParts));
    assert_eq!(scan(field("model", "m").as_bytes()), Err(FormError::Truncated));
    assert_eq!(scan(&body(&vec![field("x", ""); MAX_PARTS + 1])), Err(FormError::TooManyParts));
}

/// What a scan of a passing body finds.
fn passing(pieces: &[Bytes]) -> Result<Vec<Field>, FormError> {
    let mut scan = FieldScan::new(BOUNDARY, ["model", "stream"].map(str::to_owned).to_vec());
    pieces.iter().try_for_each(|piece| scan.push(piece))?;
    scan.finish().map(|()| scan.found().to_vec())
}

#[test]
fn a_passing_form_keeps_little_and_shows_its_texts() {
    let file = part("Content-Disposition: form-data; name=\"file\"; filename=\"a\"", &"\r\n--xYzZ".repeat(100_000));
    let body = body(&[field("model", "m"), file, field("prompt", "text"), field("long", &"x".repeat(5000))]);
    let mut scan = FieldScan::new(BOUNDARY, vec!["model".to_owned()]);
    let mut texts = Vec::new();
    for piece in body.chunks(100) {
        scan.push(piece).unwrap();
        texts.extend(scan.take_texts());
        assert!(scan.kept() <= MAX_TEXT + 200, "{}", scan.kept());
    }
    assert_eq!((scan.finish(), texts), (Ok(()), vec!["m".to_owned(), "text".to_owned()]));
    assert_eq!(scan.found()[0].text.as_deref(), Some("m"));
}

#[test]
fn boundaries_are_taken_from_content_types() {
    for (text, expected) in [
        ("multipart/form-data; boundary=xYz", Some("xYz")),
        ("Multipart/Form-Data;Boundary=\"a b'c\"; charset=utf-8", Some("a b'c")),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=\"\"", None),
        ("multipart/form-data; boundary=a; boundary=b", None),
        ("multipart/form-data; boundary=a; boundary*=utf-8''b", None),
        ("multipart/form-data; boundary=a; boundary*0=b", None),
        ("multipart/form-data; boundary=\"a\tb\"", None),
        ("multipart/mixed; boundary=a", None),
        ("application/json", None),
    ] {
        assert_eq!(boundary(text).ok().as_deref(), expected, "{text}");
    }
    assert!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))).is_err());
}

fn cut(body: &[u8], cuts: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    at.extend([0, body.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| Bytes::copy_from_slice(&body[pair[0]..pair[1]])).collect()
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..12)
}

/// Contents made of pieces that resemble delimiters.
fn content() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec!["\r\n", "\r", "\n", "--", "-", "xYzZ", "xYz", "a", "model", "é"]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn parts() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let name = prop::sample::select(vec!["model", "stream", "file", "x"]);
    prop::collection::vec((name, content()), 1..6)
}

proptest! {
    #[test]
    fn every_wanted_field_is_found_whole_wherever_the_body_is_cut(parts in parts(), cuts in cuts()) {
        let written: Vec<String> = parts.iter().map(|(name, content)| field(name, content)).collect();
        let body = body(&written);
        let found = fields(&cut(&body, &cuts), BOUNDARY, &["model", "stream"]).unwrap();
        prop_assert_eq!(passing(&cut(&body, &cuts)).unwrap(), found.clone());
        let expected: Vec<(usize, &str)> = parts
            .iter()
            .filter_map(|(name, content)| Some((["model", "stream"].iter().position(|one| one == name)?, content.as_str())))
            .collect();
        let found: Vec<(usize, &str)> =
            found.iter().map(|field| (field.name, std::str::from_utf8(&body[field.range.clone()]).unwrap())).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn cuts_never_matter_whatever_the_body(
        mut body in parts().prop_map(|parts| {
            body(&parts.iter().map(|(name, content)| field(name, content)).collect::<Vec<_>>())
        }),
        faults in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"\r\n-\"\\xY: ;=\xff".to_vec())), 0..4),
        cuts in cuts(),
    ) {
        for (at, byte) in faults {
            let at = at.index(body.len());
            body[at] = byte;
        }
        prop_assert_eq!(fields(&cut(&body, &cuts), BOUNDARY, &["model"]), fields(&whole(&body), BOUNDARY, &["model"]));
        prop_assert_eq!(passing(&cut(&body, &cuts)).ok(), fields(&whole(&body), BOUNDARY, &["model", "stream"]).ok());
    }
}

fn read(body: &[u8], more: &str) -> Result<Vec<Part>, FormError> {
    super::parts(&whole(body), &format!("multipart/form-data; boundary={BOUNDARY}{more}"))
}

#[test]
fn all_texts_of_a_form_are_read_also_those_that_look_like_files() {
    let file = |name: &str, content: &str| {
        part(&format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"f\""), content)
    };
    let form = body(&[field("prompt", "Hi"), file("prompt", "Hi"), file("image", "\0PNG"), field("n", "")]);
    let one = |name: &str, file: Option<&str>, text: Option<&str>| Part {
        name: name.to_owned(),
        file: file.map(str::to_owned),
        text: text.map(str::to_owned),
    };
    let expected = [
        one("prompt", None, Some("Hi")),
        one("prompt", Some("f"), Some("Hi")),
        one("image", Some("f"), None),
        one("n", None, Some("")),
    ];
    assert_eq!(read(&form, "").unwrap(), expected);
    assert_eq!(read(&form, "; charset=UTF-8").unwrap(), expected);
    assert_eq!(read(&form, "; charset=utf-7"), Err(FormError::ContentType));
    let large = body(&[file("audio", &"x".repeat(300 << 10))]);
    assert_eq!(read(&large, "").unwrap()[0].text, None);
}

#[test]
fn files_and_wanted_fields_are_handed_out_as_they_come() {
    let file = |more: &str, content: &str| {
        part(&format!("Content-Disposition: form-data; name=\"f\"; filename=\"f\"{more}"), content)
    };
    let long = "\r\n--xYz".repeat(500);
    let encoded = file("\r\nContent-Transfer-Encoding: base64", "SGk=");
    let form = body(&[field("n", "1"), file("", &long), field("model", "m\n"), encoded, file("", "")]);
    for size in [1, 7, 64, form.len()] {
        let mut scan = FieldScan::new(BOUNDARY, vec!["model".to_owned()]).handing_out_files();
        let mut all: Vec<(bool, Vec<u8>)> = Vec::new();
        let mut ended = 0;
        for piece in form.chunks(size) {
            scan.push(piece).unwrap();
            for piece in scan.take_files() {
                match piece {
                    FilePiece::Begun { is_plain } => all.push((is_plain, Vec::new())),
                    FilePiece::Bytes(bytes) => all.last_mut().unwrap().1.extend_from_slice(&bytes),
                    FilePiece::Ended => ended += 1,
                }
            }
            assert!(scan.kept() <= size + 128, "{size}: no more than a head is kept");
        }
        scan.finish().unwrap();
        let expected = [(true, long.as_str()), (true, "m\n"), (false, "SGk="), (true, "")];
        assert_eq!(all, expected.map(|(is_plain, text)| (is_plain, text.as_bytes().to_vec())), "{size}");
        assert_eq!((ended, scan.found()[0].name), (4, 0));
    }
}

#[test]
fn a_part_that_is_neither_a_file_nor_plain_text_is_refused() {
    let disposition = "Content-Disposition: form-data; name=\"prompt\"";
    for (head, content) in [
        (String::new(), "a\0b"),
        ("\r\nContent-Transfer-Encoding: base64".to_owned(), "SGk="),
        ("\r\nContent-Type: text/plain; charset=utf-16".to_owned(), "Hi"),
        ("\r\nContent-Type: text/plain; charset".to_owned(), "Hi"),
        ("; filename=x\r\nContent-Transfer-Encoding: base64".to_owned(), "SGk="),
    ] {
        let form = body(&[part(&format!("{disposition}{head}"), content)]);
        assert_eq!(read(&form, ""), Err(FormError::NoText { offset: 0 }), "{head}");
    }
    let mut bytes = body(&[field("prompt", "abc")]);
    let at = bytes.windows(3).position(|three| three == b"abc").unwrap();
    bytes[at] = 0xff;
    assert_eq!(read(&bytes, ""), Err(FormError::NoText { offset: 0 }));
}
