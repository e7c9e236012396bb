//! Methods as servers read them.

use http::Method;

/// Whether a server may read a method as one of these. Methods are case-sensitive (RFC 9110, section 9.1), but some
/// servers take `post` for `POST`, so that rights and costs must not depend on how a client writes it.
pub(crate) fn reads_as(method: &str, known: &[Method]) -> bool {
    known.iter().any(|known| known.as_str().eq_ignore_ascii_case(method))
}
