//! Fields that a translation lost, as they are counted.

/// The longest name of a field, in characters.
const MAX_FIELD_CHARS: usize = 64;

/// A field's name without indices and special characters, so that few names are counted: `messages[2].name` becomes
/// `messages.name`. It may come from a request, so it is short and has letters, digits, `_`, `.` and `-` only.
pub fn field_name(field: &str) -> String {
    let mut depth = 0;
    let keep = |c: &char| {
        depth += i32::from(*c == '[');
        let kept = depth == 0 && (c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        depth -= i32::from(*c == ']');
        kept
    };
    field.chars().filter(keep).take(MAX_FIELD_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_indices_and_are_short() {
        assert_eq!(field_name("messages[2].name"), "messages.name");
        assert_eq!(field_name("a[1][2].b{c}"), "a.bc");
        assert_eq!(field_name(&"x".repeat(100)).len(), MAX_FIELD_CHARS);
    }
}
