//! Ways to cut one stream into reads. An adapter sees only whole frames, so what a cut changes for it is which frames come
//! together; every cut of the bytes is made, and each grouping that comes of it is replayed once.

use std::collections::BTreeSet;

use crate::contract::types::{Frame, Framing};
use crate::frame::{Decoder, FrameError, Limits};

/// A stream, cut into frames.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stream {
    /// The frames, in order.
    pub(super) frames: Vec<Frame>,
    /// Whether the stream ends as streams should.
    pub(super) broken: Option<FrameError>,
    /// How many frames are complete after so many bytes.
    complete: Vec<usize>,
}

/// How frames come together: the number of frames after each read.
pub(super) type Grouping = Vec<usize>;

impl Stream {
    /// Cuts a stream into its frames, a byte at a time.
    pub(super) fn new(bytes: &[u8], framing: Framing) -> Self {
        let mut decoder = Decoder::new(framing, Limits::default());
        let (mut frames, mut complete, mut broken) = (Vec::new(), Vec::with_capacity(bytes.len()), None);
        for byte in bytes.chunks(1) {
            if let Err(error) = decoder.push(byte, &mut |frame| frames.push(frame.to_owned())) {
                broken = Some(error);
                break;
            }
            complete.push(frames.len());
        }
        if broken.is_none() {
            broken = decoder.finish(&mut |frame| frames.push(frame.to_owned())).err();
        }
        Self { frames, broken, complete }
    }

    /// The groupings to replay beside all at once, `most` of them at the most: frame by frame, then those of the cuts in
    /// two, spread evenly over the stream where there are too many, then some in three.
    pub(super) fn groupings(&self, most: usize) -> Vec<Grouping> {
        let all = self.frames.len();
        if all < 2 {
            return Vec::new();
        }
        let mut groupings = vec![(1..=all).collect::<Grouping>()];
        // Every byte is a place to cut; what differs for the adapter is how many frames came before it.
        let places: BTreeSet<usize> =
            self.complete.iter().copied().filter(|&before| before > 0 && before < all).collect();
        let places: Vec<usize> = places.into_iter().collect();
        let room = most.saturating_sub(2).max(1);
        let step = places.len().div_ceil(room).max(1);
        groupings.extend(places.iter().step_by(step).map(|&place| vec![place, all]));
        if let (Some(&first), Some(&last)) = (places.first(), places.last())
            && first < last
        {
            groupings.push(vec![first, last, all]);
        }
        groupings.truncate(most);
        groupings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = "data: ä\n\ndata: b\n\ndata: c\n\ndata: d\n\n".as_bytes();

    #[test]
    fn every_cut_gives_the_same_frames() {
        let stream = Stream::new(STREAM, Framing::Sse);
        assert_eq!(stream.broken, None);
        for place in 0..=STREAM.len() {
            let mut decoder = Decoder::new(Framing::Sse, Limits::default());
            let mut frames = Vec::new();
            for piece in [&STREAM[..place], &STREAM[place..]] {
                decoder.push(piece, &mut |frame| frames.push(frame.to_owned())).unwrap();
            }
            assert_eq!(frames, stream.frames, "cut at {place}");
        }
    }

    #[test]
    fn each_border_of_frames_is_cut_at() {
        let groupings = Stream::new(STREAM, Framing::Sse).groupings(100);
        for wanted in [vec![1, 2, 3, 4], vec![1, 4], vec![2, 4], vec![3, 4], vec![1, 3, 4]] {
            assert!(groupings.contains(&wanted), "{wanted:?} in {groupings:?}");
        }
    }

    #[test]
    fn a_long_stream_is_cut_at_a_bounded_number_of_places() {
        let long = STREAM.repeat(500);
        let groupings = Stream::new(&long, Framing::Sse).groupings(16);
        assert!((10..=16).contains(&groupings.len()), "{}", groupings.len());
        assert_eq!(groupings, Stream::new(&long, Framing::Sse).groupings(16), "always the same");
    }

    #[test]
    fn a_stream_that_breaks_off_says_so() {
        assert!(Stream::new(b"[{\"a\":1}", Framing::JsonArray).broken.is_some());
    }
}
