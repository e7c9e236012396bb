//! The custom sections of a component: removes those that Weir does not read, debug names and the list of producers,
//! and adds its own.

/// The component without custom sections, neither at its top nor in its modules and inner components; `None` if a
/// section's length is wrong.
pub(crate) fn component(bytes: &[u8]) -> Option<Vec<u8>> {
    let (preamble, mut rest) = bytes.split_at_checked(8)?;
    let is_component = preamble.get(6) == Some(&1);
    let mut kept = preamble.to_vec();
    while let Some((&id, after)) = rest.split_first() {
        let (length, after) = number(after)?;
        let (content, after) = after.split_at_checked(length)?;
        rest = after;
        // In a component, section 1 is a module and section 4 a component; both are complete binaries.
        match (is_component, id) {
            (_, 0) => {}
            (true, 1 | 4) => section(&mut kept, id, &component(content)?),
            _ => section(&mut kept, id, content),
        }
    }
    Some(kept)
}

/// Adds a custom section of this name.
pub(crate) fn add_custom(component: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut named = Vec::new();
    write_number(&mut named, name.len());
    named.extend_from_slice(name.as_bytes());
    named.extend_from_slice(content);
    section(component, 0, &named);
}

fn section(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    write_number(out, content.len());
    out.extend_from_slice(content);
}

/// Writes a number in LEB128.
fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number in LEB128; returns it with the remaining bytes.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    fn with(preamble: &[u8], sections: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = preamble.to_vec();
        for (id, content) in sections {
            section(&mut bytes, *id, content);
        }
        bytes
    }

    #[test]
    fn custom_sections_go_wherever_they_stand() {
        let long = vec![7; 300];
        let module = |custom: &[(u8, &[u8])]| with(MODULE, &[custom, &[(10, &long)]].concat());
        let (named, bare) = (module(&[(0, b"\x04nameX")]), module(&[]));
        let inner = with(COMPONENT, &[(0, b"\x01x"), (7, b"abc")]);
        let whole = with(COMPONENT, &[(1, &named), (0, b"\x01x"), (4, &inner), (11, b"d")]);
        let expected = with(COMPONENT, &[(1, &bare), (4, &with(COMPONENT, &[(7, b"abc")])), (11, b"d")]);
        assert_eq!(component(&whole).unwrap(), expected);
        assert_eq!(component(&expected).unwrap(), expected, "nothing else is left out");
    }

    #[test]
    fn a_section_that_is_added_goes_with_the_others() {
        let bare = with(COMPONENT, &[(7, b"abc")]);
        let mut named = bare.clone();
        add_custom(&mut named, "x", &[1; 200]);
        assert_eq!(named.get(bare.len()..bare.len() + 5), Some(&[0, 0xca, 1, 1, b'x'][..]));
        assert_eq!(component(&named).unwrap(), bare);
    }

    #[test]
    fn a_cut_component_is_refused() {
        let whole = with(COMPONENT, &[(7, b"abc")]);
        assert!(component(&whole[..whole.len() - 1]).is_none() && component(&whole[..9]).is_none());
        assert!(component(b"").is_none());
    }
}
