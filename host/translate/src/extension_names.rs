//! The names that extensions of a request in the unified model must not have. A client's own dialect reads each member
//! once; a program over gRPC and a guard may name extensions as they like.

/// What the unified model has a field for, as formats call it, in small letters and without the marks between words:
/// what an extension would say beside the field, or in place of one that is not set, is neither judged nor counted.
const OWNED: &[&str] = &[
    "model",
    "modelid",
    "stream",
    "messages",
    "contents",
    "prompt",
    "input",
    "system",
    "systeminstruction",
    "systemprompt",
    "instructions",
    "preamble",
    "tools",
    "functions",
    "toolconfig",
    "n",
    "candidatecount",
    "maxtokens",
    "maxcompletiontokens",
    "maxoutputtokens",
    "maxtokenstosample",
    "numpredict",
];

/// Whether a request's extension has the name of what the unified model has a field for. A name may be a path, as in
/// `options.num_predict`.
pub fn is_owned(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key).chars().filter(|char| !matches!(char, '_' | '-'));
    let name: String = name.map(|char| char.to_ascii_lowercase()).collect();
    OWNED.contains(&name.as_str())
}
