//! Models in paths: `/model/MODEL/OPERATION`, where the model's id is one segment, whatever its characters.

/// The path of an operation, relative to the target's url.
pub(crate) fn operation(model: &str, operation: &str) -> String {
    format!("model/{}/{operation}", encoded(model))
}

/// Percent-encodes a segment like the service's own clients: all but letters, digits and `-._~`.
fn encoded(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    out
}

/// Decodes percent-encoding.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(value) = hex.filter(|_| byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            out.push(value);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            out.push(byte);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The model and the operation in a client's path.
pub(crate) fn read(path: &str) -> Option<(String, &str)> {
    let (rest, operation) = path.rsplit_once('/')?;
    let (_, model) = rest.rsplit_once("/model/").or_else(|| rest.split_once("model/"))?;
    (!model.is_empty()).then(|| (decoded(model), operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_colons_and_slashes_come_back_as_they_went() {
        for id in [
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "arn:aws:bedrock:us-east-1:012345678901:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
            "ü%2F x",
        ] {
            let path = format!("/bedrock/{}", operation(id, "converse-stream"));
            assert_eq!(read(&path), Some((id.to_owned(), "converse-stream")));
        }
        assert_eq!(operation("a.b-v1:0", "converse"), "model/a.b-v1%3A0/converse");
        assert_eq!(read("/model//converse"), None);
        assert_eq!(read("/model/a:0/converse"), Some(("a:0".to_owned(), "converse")));
    }
}
