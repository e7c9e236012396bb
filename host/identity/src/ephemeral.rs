//! Ephemeral keys: sealed texts that stand for a client key for a short time, in sessions for one model. A program
//! hands one to a browser, so that the key itself stays where it is.
//!
//! A text holds all that it stands for, encrypted and authenticated, so nothing is stored, and each node with the same
//! sealing key takes the texts of the others. What the key may do is looked up when the text is presented.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};
use weir_config::{KeyHash, Secret};

/// How each text begins.
pub const PREFIX: &str = "ek-weir-";
/// The bytes of a sealing key.
pub const SEALING_KEY_BYTES: usize = 32;
/// The longest name of a model, in bytes.
pub const MAX_MODEL: usize = 256;
/// The longest configuration of a session, in bytes: a text must fit into a header.
pub const MAX_CONFIGURATION: usize = 8 << 10;
/// The longest id of a format, in bytes.
const MAX_FORMAT: usize = 128;
/// Stands between the model's name, the format and the configuration, and in none of the first two.
const BETWEEN: char = '\0';
/// The bytes by which a text names the sealing key that it was made with.
const ISSUER_BYTES: usize = 4;
/// The seconds of the time when it expires.
const TIME_BYTES: usize = 8;
const HASH_BYTES: usize = 32;
/// The longest text that is opened: that of the longest parts, with room for the seal.
const MAX_TEXT: usize = (MAX_MODEL + MAX_FORMAT + MAX_CONFIGURATION + 128) / 3 * 4;

/// What an ephemeral key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EphemeralKey {
    /// The hash of the client key.
    pub stands_for: KeyHash,
    /// The model that sessions may have, as the client names it.
    pub model: String,
    /// From when on no session begins with it.
    pub expires: Timestamp,
    /// How its sessions begin; `None` for the provider's own defaults.
    pub configuration: Option<SessionConfiguration>,
}

/// How a session begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfiguration {
    /// The id of the format that it is written in.
    pub format: String,
    /// A JSON object.
    pub json: String,
}

/// Why a text is no valid ephemeral key. No variant holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EphemeralKeyError {
    /// It was not made here, or was changed.
    #[error("the ephemeral key is not known here")]
    Unknown,
    /// It was made with another sealing key.
    #[error(
        "the ephemeral key was issued by another node or before a restart: nodes that set the same \
         `realtime.sealing_key` take each other's"
    )]
    OtherIssuer,
    /// Its time is over.
    #[error("the ephemeral key expired at {0}")]
    Expired(Timestamp),
}

impl EphemeralKeyError {
    /// The code in errors. Codes do not change.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "invalid_api_key",
            Self::OtherIssuer => "ephemeral_key_of_another_node",
            Self::Expired(_) => "ephemeral_key_expired",
        }
    }
}

/// No text could be made: the operating system gives no random numbers, the cipher takes no text, or a part is too long
/// or has a character that no name has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an ephemeral key could not be made")]
pub struct SealError;

/// Makes and opens ephemeral keys.
pub struct EphemeralKeys {
    key: LessSafeKey,
    /// Names the key without telling it.
    issuer: [u8; ISSUER_BYTES],
}

impl fmt::Debug for EphemeralKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealing key]")
    }
}

impl EphemeralKeys {
    /// With the sealing key that an operator's text stands for.
    pub fn from_text(text: &Secret) -> Option<Self> {
        let digest = Sha256::new().chain_update("weir ephemeral keys ").chain_update(text.expose()).finalize();
        Self::new(&digest.into())
    }

    /// With a sealing key; `None` if the cipher does not take it, which it does.
    pub fn new(key: &[u8; SEALING_KEY_BYTES]) -> Option<Self> {
        let name = Sha256::new().chain_update("weir name of ").chain_update(key).finalize();
        let issuer = name.first_chunk().copied()?;
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
        Some(Self { key, issuer })
    }

    /// Makes the text of an ephemeral key, whose model has at most [`MAX_MODEL`] bytes and whose configuration has at
    /// most [`MAX_CONFIGURATION`].
    ///
    /// # Errors
    ///
    /// No text could be made.
    pub fn seal(&self, key: &EphemeralKey) -> Result<Secret, SealError> {
        let rest = key.rest()?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| SealError)?;
        let seconds = key.expires.as_second().to_be_bytes();
        let mut sealed = [&seconds[..], key.stands_for.as_bytes(), rest.as_bytes()].concat();
        let (aad, of) = (Aad::from(self.issuer), Nonce::assume_unique_for_key(nonce));
        self.key.seal_in_place_append_tag(of, aad, &mut sealed).map_err(|_| SealError)?;
        let bytes = [&self.issuer[..], &nonce, &sealed].concat();
        Ok(Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Opens a text.
    ///
    /// # Errors
    ///
    /// It was not made with this sealing key, was changed, or its time is over.
    pub fn open(&self, text: &str, now: Timestamp) -> Result<EphemeralKey, EphemeralKeyError> {
        let unknown = EphemeralKeyError::Unknown;
        let encoded = text.strip_prefix(PREFIX).filter(|rest| rest.len() <= MAX_TEXT).ok_or(unknown)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| unknown)?;
        let (issuer, rest) = bytes.split_first_chunk::<ISSUER_BYTES>().ok_or(unknown)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(unknown)?;
        if *issuer != self.issuer {
            return Err(EphemeralKeyError::OtherIssuer);
        }
        let mut opened = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(self.issuer), &mut opened).map_err(|_| unknown)?;
        let (seconds, rest) = opened.split_first_chunk::<TIME_BYTES>().ok_or(unknown)?;
        let (hash, rest) = rest.split_first_chunk::<HASH_BYTES>().ok_or(unknown)?;
        let expires = Timestamp::from_second(i64::from_be_bytes(*seconds)).map_err(|_| unknown)?;
        if now >= expires {
            return Err(EphemeralKeyError::Expired(expires));
        }
        let rest = std::str::from_utf8(rest).map_err(|_| unknown)?;
        let (model, configuration) = match rest.split_once(BETWEEN) {
            None => (rest, None),
            Some((model, of)) => (model, Some(of.split_once(BETWEEN).ok_or(unknown)?)),
        };
        let configuration = configuration.map(|(format, json)| SessionConfiguration::new(format, json));
        Ok(EphemeralKey { stands_for: KeyHash::from_bytes(*hash), model: model.to_owned(), expires, configuration })
    }
}

impl SessionConfiguration {
    /// A configuration in a format.
    pub fn new(format: &str, json: &str) -> Self {
        Self { format: format.to_owned(), json: json.to_owned() }
    }
}

impl EphemeralKey {
    /// The model, and what follows it. A node that knows no configurations takes all of it for a model's name, and so
    /// refuses the session in place of beginning it without its configuration.
    fn rest(&self) -> Result<String, SealError> {
        let fits = |name: &str, most: usize| name.len() <= most && !name.contains(BETWEEN);
        if !fits(&self.model, MAX_MODEL) {
            return Err(SealError);
        }
        let Some(SessionConfiguration { format, json }) = &self.configuration else {
            return Ok(self.model.clone());
        };
        if !fits(format, MAX_FORMAT) || json.len() > MAX_CONFIGURATION {
            return Err(SealError);
        }
        Ok(format!("{}{BETWEEN}{format}{BETWEEN}{json}", self.model))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(byte: u8) -> EphemeralKeys {
        EphemeralKeys::new(&[byte; SEALING_KEY_BYTES]).unwrap()
    }

    fn key() -> EphemeralKey {
        let expires = Timestamp::from_second(1_800_000_000).unwrap();
        EphemeralKey { stands_for: KeyHash::of("sk-some"), model: "voice".to_owned(), expires, configuration: None }
    }

    fn before() -> Timestamp {
        Timestamp::from_second(1_799_999_999).unwrap()
    }

    #[test]
    fn a_text_stands_for_its_key_until_it_expires_and_can_be_a_subprotocol() {
        let text = keys(1).seal(&key()).unwrap();
        assert_eq!(keys(1).open(text.expose(), before()), Ok(key()));
        assert_eq!(keys(1).open(text.expose(), key().expires), Err(EphemeralKeyError::Expired(key().expires)));
        assert!(text.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
        assert_ne!(keys(1).seal(&key()).unwrap().expose(), text.expose(), "no two texts are the same");
    }

    #[test]
    fn a_text_carries_a_configuration_up_to_its_bound_and_shows_none_of_it() {
        let configuration = |json: &str| Some(SessionConfiguration::new("zeta.live", json));
        let largest = "x".repeat(MAX_CONFIGURATION);
        let model = "m".repeat(MAX_MODEL);
        for json in ["{}", "\0", largest.as_str()] {
            let key = EphemeralKey { configuration: configuration(json), model: model.clone(), ..key() };
            let text = keys(1).seal(&key).unwrap();
            assert!(!text.expose().contains("xxxx"));
            assert_eq!(keys(1).open(text.expose(), before()), Ok(key));
        }
        let refused = |key: EphemeralKey| keys(1).seal(&key).unwrap_err();
        refused(EphemeralKey { configuration: configuration(&(largest + "x")), ..key() });
        refused(EphemeralKey { model: "voice\0zeta".to_owned(), ..key() });
        refused(EphemeralKey { model: model + "m", ..key() });
    }

    #[test]
    fn another_node_takes_it_only_with_the_same_sealing_key() {
        let shared = |text: &str| EphemeralKeys::from_text(&Secret::new(text)).unwrap();
        let text = shared("one").seal(&key()).unwrap();
        assert_eq!(shared("one").open(text.expose(), before()), Ok(key()));
        assert_eq!(shared("two").open(text.expose(), before()), Err(EphemeralKeyError::OtherIssuer));
    }

    proptest! {
        #[test]
        fn no_changed_text_is_taken(at: prop::sample::Index, with in "[A-Za-z0-9_-]") {
            let text = keys(1).seal(&key()).unwrap();
            let mut changed = text.expose().to_owned();
            let at = PREFIX.len() + at.index(changed.len() - PREFIX.len());
            changed.replace_range(at..=at, &with);
            prop_assume!(changed != text.expose());
            prop_assert!(keys(1).open(&changed, before()).is_err());
        }

        #[test]
        fn nothing_makes_it_panic(text in "(ek-weir-)?[A-Za-z0-9_=-]{0,200}") {
            prop_assert!(keys(1).open(&text, before()).is_err());
        }
    }
}
