//! Questions as bytes for the server: what they mean, the digest of their words, and the key of their answer.

use ring::aead::{Aad, NONCE_LEN, Nonce};

use super::{DIGEST, Seal};
use crate::Key;
use crate::similar::shared_list::SharedList;
use crate::similar::wording::Wording;
use crate::similar::{Direction, Question};

/// What every sealed question begins with: its version.
const VERSION: &[u8] = b"weir-question-1";
/// What a sealed question takes besides its numbers, in bytes: the version, the nonce, two digests, the end and the
/// tag.
const BESIDE: usize = VERSION.len() + NONCE_LEN + 2 * DIGEST + size_of::<u64>() + 16;

/// A question that was opened.
#[derive(Debug)]
pub struct OpenedQuestion {
    /// What was asked.
    pub question: Question,
    /// The key of its answer.
    pub key: Key,
    /// When that ends, in milliseconds since 1970.
    pub ends: u64,
}

/// The bytes of a sealed question whose vector has so many numbers.
pub fn sealed_question_bytes(numbers: usize) -> usize {
    BESIDE + numbers * size_of::<f32>()
}

impl Seal {
    /// A question as bytes, with the key of its answer and when that ends, in milliseconds since 1970. `random` must be
    /// new each time.
    pub fn seal_question(
        &self,
        list: &SharedList,
        question: &Question,
        key: &Key,
        ends: u64,
        random: [u8; NONCE_LEN],
    ) -> Option<Vec<u8>> {
        let numbers = question.direction.numbers();
        let mut content = Vec::with_capacity(sealed_question_bytes(numbers.len()));
        content.extend_from_slice(key.bytes());
        content.extend_from_slice(question.wording.bytes());
        content.extend_from_slice(&ends.to_le_bytes());
        content.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let nonce = Nonce::assume_unique_for_key(random);
        self.cipher_of_list(list)?.seal_in_place_append_tag(nonce, Aad::from(VERSION), &mut content).ok()?;
        Some([VERSION, &random, &content].concat())
    }

    /// Opens what a server returned of a list; none unless it was sealed for this list.
    pub fn open_question(&self, list: &SharedList, sealed: &[u8]) -> Option<OpenedQuestion> {
        let (random, rest) = sealed.strip_prefix(VERSION)?.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(random).ok()?;
        let mut rest = rest.to_vec();
        let content = self.cipher_of_list(list)?.open_in_place(nonce, Aad::from(VERSION), &mut rest).ok()?;
        let (key, content) = content.split_first_chunk::<DIGEST>()?;
        let (wording, content) = content.split_first_chunk::<DIGEST>()?;
        let (ends, numbers) = content.split_first_chunk::<{ size_of::<u64>() }>()?;
        let (numbers, rest) = numbers.as_chunks::<{ size_of::<f32>() }>();
        if numbers.len() != list.numbers || !rest.is_empty() {
            return None;
        }
        let direction = Direction::of(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())?;
        let question = Question { direction, wording: Wording::from_bytes(*wording) };
        Some(OpenedQuestion { question, key: Key::from_bytes(*key), ends: u64::from_le_bytes(*ends) })
    }

    fn cipher_of_list(&self, list: &SharedList) -> Option<ring::aead::LessSafeKey> {
        self.cipher_of(&[b"questions", list.scope.bytes(), list.partition.bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similar::shared_list::Removals;
    use crate::{KeyWriter, Scope};
    use std::sync::Arc;

    fn list(tenant: &str, what: &str, numbers: usize) -> SharedList {
        let scope = Scope::of(&Arc::from(tenant));
        let mut writer = KeyWriter::new(&scope, 0);
        writer.part("what", what.as_bytes());
        let removals = Removals { all: 0, model: 0 };
        SharedList { partition: writer.finish(), scope, model: Arc::from("m"), removals, numbers }
    }

    #[test]
    fn a_question_opens_for_its_own_partition_and_scope_only_and_as_it_was() {
        let seal = Seal::new("a secret of the operator");
        let direction = Direction::of(vec![1.0, 2.0, 3.0]).unwrap();
        let question = Question { direction, wording: Wording::of("How do I enable 2FA?") };
        let (own, key) = (list("a", "x", 3), list("a", "answer", 3).partition);
        let sealed = seal.seal_question(&own, &question, &key, 7, [1; NONCE_LEN]).unwrap();
        assert_eq!(sealed.len(), sealed_question_bytes(3));
        let opened = seal.open_question(&own, &sealed).unwrap();
        assert_eq!((opened.key, opened.ends, opened.question.wording), (key, 7, question.wording));
        let pairs = opened.question.direction.numbers().iter().zip(question.direction.numbers());
        assert!(pairs.clone().count() == 3 && pairs.clone().all(|(one, other)| (one - other).abs() < 1e-6));
        // The partition of one tenant and the scope of another, too; and a vector of another length.
        let mixed = SharedList { scope: list("b", "x", 3).scope, ..list("a", "x", 3) };
        for other in [list("b", "x", 3), list("a", "y", 3), mixed, list("a", "x", 2)] {
            assert!(seal.open_question(&other, &sealed).is_none());
        }
        assert!(Seal::new("another secret").open_question(&own, &sealed).is_none());
        for at in 0..sealed.len() {
            assert!(seal.open_question(&own, &sealed[..at]).is_none(), "cut at {at}");
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(seal.open_question(&own, &changed).is_none(), "changed at {at}");
        }
    }
}
