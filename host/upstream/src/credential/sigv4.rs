//! Signature Version 4 in headers. Written from the public description,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
//!
//! Written by hand: the library for it adds two dozen crates and second copies of hash functions, while TLS already
//! brings HMAC.
//!
//! A path is encoded once more than in the request (`%3A` becomes `%253A`), but for storage ([`STORAGE`]). It is not
//! normalised, because no address here has dot segments or empty ones.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use percent_encoding::percent_decode_str;
use ring::hmac;
use sha2::{Digest as _, Sha256};

use super::super::{Chunks, Redactor, encode_segment};
use super::CredentialError;
use weir_config::secret::Secret;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SESSION: HeaderName = HeaderName::from_static("x-amz-security-token");
const BODY_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// The service whose paths are signed as they are, and whose requests state the hash of their body.
const STORAGE: &str = "s3";
/// Prefix of headers that are always signed.
const SIGNED_PREFIX: &str = "x-amz-";
/// The form of a key.
const FORM: &str = "ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]";
const SECONDS_OF_DAY: u64 = 24 * 60 * 60;

/// The parts of a request that are signed besides its headers.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) body: &'a Chunks,
}

/// Signs requests to one service in one region.
#[derive(Clone)]
pub(super) struct Signer {
    key_id: Box<str>,
    secret: Secret,
    session: Option<Secret>,
    region: Box<str>,
    service: Box<str>,
}

impl Signer {
    /// Parses a key of the form `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`.
    pub(super) fn new(key: &str, region: &str, service: &str) -> Result<Self, CredentialError> {
        let mut parts = key.splitn(3, ':').map(str::trim);
        let (Some(key_id), Some(secret), session) = (parts.next(), parts.next(), parts.next()) else {
            return Err(CredentialError::Form(FORM));
        };
        let text = format!("{key_id}{secret}{}{region}{service}", session.unwrap_or_default());
        if key_id.is_empty() || secret.is_empty() || session.is_some_and(str::is_empty) {
            return Err(CredentialError::Form(FORM));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialError::Characters);
        }
        Ok(Self {
            key_id: key_id.into(),
            secret: Secret::new(secret),
            session: session.map(Secret::new),
            region: region.into(),
            service: service.into(),
        })
    }

    /// Signs a request that is otherwise finished, and adds date, session and signature as headers.
    pub(super) fn sign(
        &self,
        message: Message<'_>,
        headers: &mut HeaderMap,
        now: SystemTime,
    ) -> Result<(), CredentialError> {
        let time = timestamp(now);
        // A client's own values would belong to its own body and session.
        headers.remove(BODY_HASH);
        headers.remove(SESSION);
        headers.insert(DATE, HeaderValue::try_from(&time).map_err(|_| CredentialError::Characters)?);
        let is_storage = &*self.service == STORAGE;
        if is_storage {
            let hash = HeaderValue::try_from(body_hash(message.body)).map_err(|_| CredentialError::Characters)?;
            headers.insert(BODY_HASH, hash);
        }
        if let Some(session) = &self.session {
            headers.insert(SESSION, sensitive(session.expose())?);
        }
        let (canonical, names) = canonical(message, headers, is_storage)?;
        let day = time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let signature = hex(hmac::sign(&self.signing_key(day), to_sign.as_bytes()).as_ref());
        let value =
            format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.key_id);
        headers.insert(header::AUTHORIZATION, sensitive(&value)?);
        Ok(())
    }

    /// Removes the key's secret parts from a text.
    pub(super) fn redact(&self, text: &mut String) {
        self.secret.redact(text);
        self.session.iter().for_each(|session| session.redact(text));
    }

    /// A redactor over the key's secret parts.
    pub(super) fn redactor(&self) -> Redactor {
        Redactor::of([Some(&self.secret), self.session.as_ref()].into_iter().flatten().map(Secret::expose))
    }

    fn signing_key(&self, day: &str) -> hmac::Key {
        let first = Secret::new(format!("AWS4{}", self.secret.expose()));
        let first = hmac::Key::new(hmac::HMAC_SHA256, first.expose().as_bytes());
        [day, &*self.region, &*self.service, "aws4_request"]
            .into_iter()
            .fold(first, |key, part| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref()))
    }
}

/// The canonical request, which is hashed, and the names of its signed headers.
fn canonical(message: Message<'_>, headers: &HeaderMap, is_storage: bool) -> Result<(String, String), CredentialError> {
    let mut signed = signed_headers(headers);
    if !headers.contains_key(header::HOST) {
        signed.push((header::HOST.as_str(), host(message.uri).ok_or(CredentialError::Address)?));
    }
    signed.sort_unstable();
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let path = message.uri.path();
    let path = if is_storage { path.to_owned() } else { canonical_path(path) };
    let query = canonical_query(message.uri.query().unwrap_or_default());
    let mut text = format!("{}\n{path}\n{query}\n", message.method);
    for (name, value) in &signed {
        let _infallible = writeln!(text, "{name}:{value}");
    }
    let _infallible = write!(text, "\n{names}\n{}", body_hash(message.body));
    Ok((text, names))
}

/// Headers that must be signed, and none that an intermediary may change. A header whose value is not text stays
/// unsigned.
fn signed_headers(headers: &HeaderMap) -> Vec<(&str, String)> {
    let is_signed = |name: &HeaderName| {
        *name == header::HOST || *name == header::CONTENT_TYPE || name.as_str().starts_with(SIGNED_PREFIX)
    };
    let value = |name: &HeaderName| {
        let values = headers.get_all(name).iter().map(|value| Some(squeezed(value.to_str().ok()?)));
        values.collect::<Option<Vec<_>>>().map(|values| values.join(","))
    };
    headers.keys().filter(|name| is_signed(name)).filter_map(|name| Some((name.as_str(), value(name)?))).collect()
}

/// Trims white space and reduces each run of it to one space.
fn squeezed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The `host` header as the HTTP client sends it: without the scheme's default port.
fn host(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?.as_str();
    let default = if uri.scheme_str() == Some("http") { ":80" } else { ":443" };
    Some(authority.strip_suffix(default).unwrap_or(authority).to_owned())
}

fn canonical_path(path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(encode_segment).collect();
    segments.join("/")
}

fn canonical_query(query: &str) -> String {
    let encoded = |text: &str| encode_segment(&percent_decode_str(text).decode_utf8_lossy()).into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (encoded(name), encoded(value))
    });
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn body_hash(body: &Chunks) -> String {
    let mut hash = Sha256::new();
    body.pieces().for_each(|piece| hash.update(piece));
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn sensitive(text: &str) -> Result<HeaderValue, CredentialError> {
    super::sensitive("", text)
}

/// Formats a time as `20150830T123600Z`. Days to dates: Howard Hinnant, "chrono-compatible low-level date algorithms",
/// `civil_from_days`.
fn timestamp(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / SECONDS_OF_DAY + 719_468, seconds % SECONDS_OF_DAY);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let day = day - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests;
