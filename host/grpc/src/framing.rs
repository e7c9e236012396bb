//! Messages in their frames: a byte that says whether the message is compressed, its length in four bytes, its bytes.

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message;

use crate::fields;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// Bytes in front of a message.
const HEAD: usize = 5;

/// Appends a message in its frame. A vector, since each of a message's many small writes costs less there than in `BytesMut`.
pub(crate) fn put(out: &mut Vec<u8>, message: &impl Message) {
    let length = message.encoded_len();
    out.reserve(HEAD + length);
    out.put_u8(0);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
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
    let (Some(head), Some(message)) = (bytes.get(..HEAD), bytes.get(HEAD..)) else {
        return Err(broken("it ends within the message's head"));
    };
    if head.first() != Some(&0) {
        let message = "compressed messages are not taken here: send them uncompressed (`identity`)";
        return Err(Fault::new(Side::Client, ErrorKind::Unsupported, message));
    }
    let length = length(head);
    if message.len() != length {
        return Err(broken(&format!("it has {} bytes where its head says {length}", message.len())));
    }
    let name = std::any::type_name::<M>().rsplit("::").next().unwrap_or_default();
    fields::check(name, message).map_err(|error| broken(&error.to_string()))?;
    M::decode(message).map_err(|error| Fault::invalid(format!("the message cannot be read: {error}")))
}

/// A message is longer than it may be.
#[derive(Debug)]
pub(crate) struct TooLong;

/// Takes the next message, in its frame, off the bytes that have arrived; `None` if it is not complete yet.
///
/// # Errors
///
/// With its frame it is longer than this.
pub(crate) fn split(held: &mut BytesMut, most: usize) -> Result<Option<Bytes>, TooLong> {
    let Some(head) = held.get(..HEAD) else { return Ok(None) };
    let length = HEAD + length(head);
    if length > most {
        return Err(TooLong);
    }
    Ok((held.len() >= length).then(|| held.split_to(length).freeze()))
}

/// The length that a frame's head says.
fn length(head: &[u8]) -> usize {
    head.iter().skip(1).fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Signature;

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
