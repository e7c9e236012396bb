//! A gRPC method, compiled from its descriptors: the path, and the messages of both directions as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor};
use weir_types::contract::about::GrpcMethod;

use crate::prefix::{PREFIX_BYTES, prefix_of};
use crate::size;

/// The most bytes of descriptors.
const DESCRIPTOR_BYTES: usize = 256 << 10;

/// Why a method cannot be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// The descriptors are not base64.
    #[error("the descriptors are not base64")]
    Base64,
    /// The descriptors are too large.
    #[error("the descriptors have more than {DESCRIPTOR_BYTES} bytes")]
    TooLarge,
    /// The descriptors are no complete set of files.
    #[error("the descriptors are no complete file descriptor set: {0}")]
    Descriptors(String),
    /// The service, or its method, is not among the descriptors.
    #[error("the descriptors have no method `{0}`")]
    Absent(String),
    /// The method takes a stream of messages.
    #[error("the method takes a stream of messages, and a request is one")]
    ClientStreams,
    /// The descriptors and the manifest differ.
    #[error("the descriptors say otherwise whether the method answers with a stream")]
    Stream,
}

/// Why a message cannot be converted. Never a part of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The JSON is no message of the method.
    #[error("the JSON is not a message of the method")]
    Json,
    /// The message is too long for its prefix.
    #[error("the message is too long")]
    TooLong,
    /// The bytes are no message of the method.
    #[error("the bytes are no message of the method")]
    Bytes,
    /// The message has more values than are decoded.
    #[error("the message has more than {} values", size::MAX_VALUES)]
    TooMany,
}

/// A method that can be called.
#[derive(Clone, Debug)]
pub struct Method {
    path: String,
    streams: bool,
    input: MessageDescriptor,
    output: MessageDescriptor,
}

impl Method {
    /// Compiles a method of a manifest.
    ///
    /// # Errors
    ///
    /// [`MethodError`] if the descriptors do not describe it, or describe a method that takes a stream.
    pub fn compile(claim: &GrpcMethod) -> Result<Self, MethodError> {
        if claim.descriptors.len() / 4 * 3 > DESCRIPTOR_BYTES {
            return Err(MethodError::TooLarge);
        }
        let set = STANDARD.decode(&claim.descriptors).map_err(|_| MethodError::Base64)?;
        let pool =
            DescriptorPool::decode(set.as_slice()).map_err(|error| MethodError::Descriptors(error.to_string()))?;
        let path = format!("{}/{}", claim.service, claim.method);
        let service = pool.get_service_by_name(&claim.service);
        let method = service.and_then(|service| service.methods().find(|method| method.name() == claim.method));
        let Some(method) = method else { return Err(MethodError::Absent(path)) };
        if method.is_client_streaming() {
            return Err(MethodError::ClientStreams);
        }
        if method.is_server_streaming() != claim.stream {
            return Err(MethodError::Stream);
        }
        Ok(Self { path, streams: claim.stream, input: method.input(), output: method.output() })
    }

    /// The path of a call, without a slash in front: `inference.v1.Generation/Generate`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the method answers with a stream of messages.
    pub fn streams(&self) -> bool {
        self.streams
    }

    /// The request's message with its prefix. An empty text is the message without fields.
    ///
    /// # Errors
    ///
    /// [`MessageError::Json`] for JSON that is no message of the method, [`MessageError::TooLong`].
    pub fn request(&self, json: &[u8]) -> Result<Bytes, MessageError> {
        let json = if json.is_empty() { b"{}" } else { json };
        let mut text = serde_json::Deserializer::from_slice(json);
        let strict = DeserializeOptions::new().deny_unknown_fields(true);
        let message = DynamicMessage::deserialize_with_options(self.input.clone(), &mut text, &strict);
        let message = message.map_err(|_| MessageError::Json)?;
        text.end().map_err(|_| MessageError::Json)?;
        let length = message.encoded_len();
        let prefix = prefix_of(length).ok_or(MessageError::TooLong)?;
        let mut framed = BytesMut::with_capacity(length.saturating_add(PREFIX_BYTES));
        framed.put_slice(&prefix);
        message.encode(&mut framed).map_err(|_| MessageError::TooLong)?;
        Ok(framed.freeze())
    }

    /// An answer's message as JSON on one line. Fields with their default values are left out; unknown ones are
    /// ignored.
    ///
    /// # Errors
    ///
    /// [`MessageError::Bytes`] for bytes that are no message of the method, [`MessageError::TooMany`].
    pub fn answer(&self, message: Bytes) -> Result<String, MessageError> {
        size::check(&self.output, &message).map_err(|_| MessageError::TooMany)?;
        let message = DynamicMessage::decode(self.output.clone(), message).map_err(|_| MessageError::Bytes)?;
        serde_json::to_string(&message).map_err(|_| MessageError::Bytes)
    }
}

#[cfg(test)]
mod tests;
