//! What a browser keeps of a login that has begun. It is signed, so that a callback without a login that was begun here
//! is refused at once: it costs neither a request to the provider nor one of the wrong tokens that an address may send.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use weir_config::Secret;

use super::PendingLogin;
use crate::key_text::{NoRandomNumbers, random};

/// The longest text, in bytes.
const MAX_TEXT_BYTES: usize = 512;

/// Writes and reads the texts of cookies. It has a key of its own, which no other process knows: a login ends where it
/// began, as the session that follows from it stays there.
#[derive(Debug)]
pub struct LoginCookies(hmac::Key);

impl LoginCookies {
    /// Cookies under a new key.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub fn new() -> Result<Self, NoRandomNumbers> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()?)))
    }

    /// The text that is kept of a login.
    pub fn text(&self, pending: &PendingLogin) -> Secret {
        let PendingLogin { state, nonce, verifier, expires } = pending;
        let login = format!("{}.{}.{}.{}", state.expose(), nonce.expose(), verifier.expose(), expires.as_second());
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, login.as_bytes()));
        Secret::new(format!("{login}.{signature}"))
    }

    /// The login of a text; `None` unless [`Self::text`] made it.
    pub fn read(&self, text: &str) -> Option<PendingLogin> {
        let (login, signature) = text.rsplit_once('.').filter(|_| text.len() <= MAX_TEXT_BYTES)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.0, login.as_bytes(), &signature).ok()?;
        let parts: Vec<&str> = login.split('.').collect();
        let [state, nonce, verifier, expires] = parts.try_into().ok()?;
        let expires = Timestamp::from_second(expires.parse().ok()?).ok()?;
        let [state, nonce, verifier] = [state, nonce, verifier].map(Secret::new);
        Some(PendingLogin { state, nonce, verifier, expires })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_kept_in_its_cookie_and_nothing_else_is_taken_for_one() {
        let now = Timestamp::from_second(1_795_262_400).unwrap();
        let pending = PendingLogin::from_random([[1; 32], [2; 32], [3; 32]], now);
        let cookies = LoginCookies::new().unwrap();
        let text = cookies.text(&pending);
        let text = text.expose();
        assert_eq!(cookies.read(text), Some(pending));
        assert_eq!(LoginCookies::new().unwrap().read(text), None, "another process's");
        let unsigned = text.rsplit_once('.').unwrap().0;
        for other in ["", "....", unsigned, &format!("{unsigned}."), &format!("{text}.1"), &"a.".repeat(MAX_TEXT_BYTES)]
        {
            assert_eq!(cookies.read(other), None, "{other}");
        }
        assert_eq!(cookies.read(&text.replacen("AQEB", "AQEC", 1)), None, "another state");
    }
}
