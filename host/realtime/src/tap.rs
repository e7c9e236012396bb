//! What a manifest says of a session's messages, compiled: which ask for a response, which begin, end or refuse one,
//! and how usage is read of them.

use weir_types::contract::about::{FrameTest, SessionTap};
use weir_wire::frame::FrameRef;
use weir_wire::tap::{CompiledCheck, CompiledTap, FrameCheck, TapError};

use super::conversation::MediaPlaces;
use super::named::{NamePlaces, Named};
use super::requests::{CompiledRequests, RequestReader};

/// Where the configuration stands in the message that configures a session.
const CONFIGURATION_PLACEHOLDER: &str = "{{session}}";

/// Why a manifest's tap of sessions cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct SessionTapError(#[from] TapError);

/// How a message begins a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// It is sent once for each response: the manifest compares a value of it, such as its kind.
    Once,
    /// It may be a later part of a response that has begun: the manifest asks only for something to be there.
    Perhaps,
}

/// Which messages ask for a response, begin, end or cancel one, and where usage stands in them.
#[derive(Debug)]
pub struct CompiledSessionTap {
    /// The client's messages that ask for a response, and what its messages name.
    pub requests: CompiledRequests,
    /// Where the client's messages have media.
    pub media: MediaPlaces,
    begins: Vec<(CompiledCheck, Beginning)>,
    ends: Vec<CompiledCheck>,
    failures: Vec<CompiledCheck>,
    /// Reads usage, ends and failures of responses.
    pub responses: CompiledTap,
    /// The client's message that cancels a response.
    pub cancel: Option<String>,
    /// The client's message that configures a session, with a placeholder, and what confirms it.
    configuration: Option<(String, Vec<CompiledCheck>)>,
}

impl CompiledSessionTap {
    /// Compiles a tap. `media` are the places of sounds and images in base64 in the client's messages, `names` those of
    /// models and objects.
    pub fn new(tap: &SessionTap, media: &[&str], names: &NamePlaces<'_>) -> Result<Self, SessionTapError> {
        let compiled = |test: &FrameTest| CompiledCheck::new(test, &[]);
        let checks = |tests: &[FrameTest]| tests.iter().map(compiled).collect::<Result<Vec<_>, _>>();
        let configuration = tap.configuration.as_ref();
        let configuration = configuration.map(|one| Ok::<_, TapError>((one.message.clone(), checks(&one.confirmed)?)));
        let begins = tap.begins.iter().map(|test| Ok((compiled(test)?, Beginning::by(test))));
        Ok(Self {
            requests: CompiledRequests::new(&tap.requests, names)?,
            media: MediaPlaces::new(media).map_err(TapError::from)?,
            begins: begins.collect::<Result<Vec<_>, TapError>>()?,
            ends: checks(&tap.responses.end)?,
            failures: checks(&tap.responses.failure)?,
            responses: CompiledTap::new(&tap.responses)?,
            cancel: tap.cancel.clone(),
            configuration: configuration.transpose()?,
        })
    }

    /// Whether and how a provider's message begins a response.
    pub fn beginning(&self, message: &[u8]) -> Option<Beginning> {
        let holds = |beginning| self.begins.iter().any(|(check, how)| *how == beginning && holds(check, message));
        [Beginning::Once, Beginning::Perhaps].into_iter().find(|beginning| holds(*beginning))
    }

    /// The client's message that gives a session this configuration, which is JSON; `None` if sessions of the format
    /// take none.
    pub fn configuring(&self, configuration: &str) -> Option<String> {
        let (message, _) = self.configuration.as_ref()?;
        Some(message.replace(CONFIGURATION_PLACEHOLDER, configuration))
    }

    /// Whether sessions of the format can be configured.
    pub fn takes_configuration(&self) -> bool {
        self.configuration.is_some()
    }

    /// Whether a provider's message confirms the configuration of a session.
    pub fn is_configured(&self, message: &[u8]) -> bool {
        let confirmed = self.configuration.iter().flat_map(|(_, confirmed)| confirmed);
        confirmed.into_iter().any(|check| holds(check, message))
    }

    /// The model beside the session's own that a provider's message confirms, such as one that writes down what is
    /// said: the last one that it names, if any. `None` if the message confirms no configuration.
    pub fn confirmed_beside(&self, message: &[u8]) -> Option<Option<String>> {
        if !self.is_configured(message) {
            return None;
        }
        let read = RequestReader::default().read(&self.requests, message, true).ok()?;
        let beside = read.names.into_iter().rev().find(|name| name.named == Named::FurtherModel);
        Some(beside.and_then(|name| name.name))
    }

    /// Whether a provider's message ends a response.
    pub fn is_end(&self, message: &[u8]) -> bool {
        self.ends.iter().any(|check| holds(check, message))
    }

    /// Whether a provider's message is an error, or ends a response that failed.
    pub fn is_failure(&self, message: &[u8]) -> bool {
        self.failures.iter().any(|check| holds(check, message))
    }
}

impl Beginning {
    fn by(test: &FrameTest) -> Self {
        match test {
            FrameTest::Equals(_) | FrameTest::Event(_) | FrameTest::Data(_) => Self::Once,
            _ => Self::Perhaps,
        }
    }
}

fn holds(check: &CompiledCheck, message: &[u8]) -> bool {
    FrameCheck::new(check).look(frame(message)).holds
}

/// A message as a tap takes it: without an event.
pub fn frame(message: &[u8]) -> FrameRef<'_> {
    FrameRef { event: None, data: message }
}

#[cfg(test)]
mod tests {
    use weir_types::contract::about::{PointerEquals, SessionConfiguration, Tap};

    use super::*;

    #[test]
    fn beginnings_ends_and_failures_are_told_apart() {
        let of = |kind: &str| FrameTest::Equals(PointerEquals { pointer: "/type".into(), json: format!("{kind:?}") });
        let responses = Tap { end: vec![of("done")], failure: vec![of("error")], ..Tap::default() };
        let begins = vec![FrameTest::Present("/turn".into()), of("begun")];
        let message = r#"{"type":"set","session":{{session}}}"#.to_owned();
        let configuration = Some(SessionConfiguration { message, confirmed: vec![of("was set")] });
        let tap = SessionTap { requests: vec![of("ask")], begins, responses, cancel: None, configuration };
        let places = NamePlaces { further: vec!["/session/ears/model"], ..NamePlaces::default() };
        let tap = CompiledSessionTap::new(&tap, &[], &places).unwrap();
        assert_eq!(tap.beginning(br#"{"type":"begun","turn":1}"#), Some(Beginning::Once));
        assert_eq!(tap.beginning(br#"{"turn":{"parts":[]}}"#), Some(Beginning::Perhaps));
        assert_eq!([&b"not json"[..], br#"{"a":{"type":"begun"}}"#].map(|message| tap.beginning(message)), [None; 2]);
        assert!(tap.is_end(br#"{"type":"done"}"#) && !tap.is_end(br#"{"type":"error"}"#));
        assert!(tap.is_failure(br#"{"type":"error"}"#) && !tap.is_failure(br#"{"type":"done"}"#));
        assert!(tap.is_configured(br#"{"type":"was set"}"#) && !tap.is_configured(br#"{"type":"set"}"#));
        let beside = |message: &str| tap.confirmed_beside(message.as_bytes());
        assert_eq!(beside(r#"{"type":"set","session":{"ears":{"model":"a"}}}"#), None);
        assert_eq!(beside(r#"{"type":"was set","session":{"ears":null}}"#), Some(None));
        assert_eq!(beside(r#"{"type":"was set","session":{"ears":{"model":"a"}}}"#), Some(Some("a".into())));
        let filled = tap.configuring(r#"{"a":"{{session}}"}"#);
        assert_eq!(filled.as_deref(), Some(r#"{"type":"set","session":{"a":"{{session}}"}}"#));
    }
}
