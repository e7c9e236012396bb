//! Messages with their prefixes, in the bodies of requests and answers.

use bytes::{BufMut as _, Bytes};
use prost::Message;

use crate::fields::{self, TooMany};
use weir_transcoding::{PREFIX_BYTES, PrefixError, prefix_of, read_prefix};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// The prefix of a message that is longer than a prefix can say.
const LONGEST: [u8; PREFIX_BYTES] = [0, 0xff, 0xff, 0xff, 0xff];

/// Appends a message with its prefix. A vector, since each of a message's many small writes costs less there than in
/// `BytesMut`.
pub(crate) fn put(out: &mut Vec<u8>, message: &impl Message) {
    let length = message.encoded_len();
    out.reserve(PREFIX_BYTES + length);
    out.put_slice(&prefix_of(length).unwrap_or(LONGEST));
    message.encode_raw(out);
}

/// Reads the one message of a body.
///
/// # Errors
///
/// The body is something else than one uncompressed message of this type.
pub(crate) fn read<M: Message + Default>(body: &[Bytes]) -> Result<M, Fault> {
    let joined;
    let bytes: &[u8] = match body {
        [one] => one,
        many => {
            joined = many.concat();
            &joined
        }
    };
    let broken = |why: &str| Fault::invalid(format!("the body is not one message: {why}"));
    let length = match read_prefix(bytes, usize::MAX) {
        Ok(Some(length)) => length,
        Ok(None) => return Err(broken("it ends within the message's prefix")),
        Err(PrefixError::Compressed) => {
            let message = "compressed messages are not taken here: send them uncompressed (`identity`)";
            return Err(Fault::new(Side::Client, ErrorKind::Unsupported, message));
        }
        Err(error) => return Err(broken(&error.to_string())),
    };
    let message = bytes.get(PREFIX_BYTES..).unwrap_or_default();
    if message.len() != length {
        return Err(broken(&format!("it has {} bytes where its prefix says {length}", message.len())));
    }
    decode(message).map_err(|error| broken(&error.to_string()))
}

/// Why bytes are no message of a type.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MessageError {
    /// It would take more memory than a request may.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// They are not written as the type is.
    #[error(transparent)]
    Decode(#[from] prost::DecodeError),
}

/// Reads a message without its prefix.
pub(crate) fn decode<M: Message + Default>(message: &[u8]) -> Result<M, MessageError> {
    fields::check(name_of::<M>(), message)?;
    Ok(M::decode(message)?)
}

/// The name of a message in the schema, which is that of its type.
fn name_of<M>() -> &'static str {
    std::any::type_name::<M>().rsplit("::").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{CountTokensRequest, EmbedRequest, GenerateRequest, ListModelsRequest, RerankRequest};
    use crate::types::Signature;

    #[test]
    fn the_values_of_every_request_are_counted() {
        let names = [
            name_of::<GenerateRequest>(),
            name_of::<EmbedRequest>(),
            name_of::<RerankRequest>(),
            name_of::<CountTokensRequest>(),
        ];
        for name in names {
            assert!(fields::knows(name), "{name}");
        }
        assert_eq!(size_of::<ListModelsRequest>(), 0, "it has no values");
    }

    #[test]
    fn a_message_is_read_in_any_pieces() {
        let message = Signature { issuer: "a".into(), value: "b".into() };
        let mut out = Vec::new();
        put(&mut out, &message);
        let bytes = Bytes::from(out);
        for at in 0..=bytes.len() {
            let pieces = [bytes.slice(..at), bytes.slice(at..)];
            assert_eq!(read::<Signature>(&pieces).unwrap(), message);
        }
        assert_eq!(read::<Signature>(&[bytes]).unwrap(), message);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for body in [&[][..], &[0, 0, 0, 0], &[0, 0, 0, 0, 1], &[0, 0, 0, 0, 1, 1, 1], &[0, 0, 0, 0, 1, 0xff]] {
            let fault = read::<Signature>(&[Bytes::copy_from_slice(body)]).unwrap_err();
            assert_eq!(fault.error.kind, ErrorKind::InvalidRequest);
        }
        let fault = read::<Signature>(&[Bytes::from_static(&[1, 0, 0, 0, 0])]).unwrap_err();
        assert_eq!(fault.error.kind, ErrorKind::Unsupported);
    }
}
