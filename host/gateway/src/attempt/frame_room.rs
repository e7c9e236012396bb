//! Counts the bytes of a stream's incomplete frame among the bytes that requests hold.

use weir_buffers::{Full, Held};

/// The most bytes of a frame that are not counted. Nearly all frames have much fewer.
const UNCOUNTED: usize = 64 << 10;

/// The room for the incomplete frame of one stream.
#[derive(Debug)]
pub(super) struct FrameRoom(Held);

impl FrameRoom {
    /// No room yet; what is taken counts beside what the request holds.
    pub(super) fn new(held: Held) -> Self {
        Self(held)
    }

    /// Holds this many bytes of the frame, instead of as many as before. It cannot wait for room: the stream is being
    /// read.
    #[inline]
    pub(super) fn follow(&mut self, bytes: usize) -> Result<(), Full> {
        let bytes = if bytes > UNCOUNTED { bytes } else { 0 };
        let before = self.0.bytes();
        if bytes > before {
            return self.0.grow_at_once(bytes - before);
        }
        self.0.shrink(before - bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use weir_buffers::BufferLimit;

    #[test]
    fn long_frames_count_until_they_end_and_get_no_more_room_than_there_is() {
        let buffers = Arc::new(BufferLimit::unlimited());
        buffers.set_limit(1 << 20, 0);
        let mut room = FrameRoom::new(buffers.begin(0, None));
        for (bytes, counted) in [(10, 0), (UNCOUNTED, 0), (UNCOUNTED + 1, UNCOUNTED + 1), (300_000, 300_000)] {
            room.follow(bytes).unwrap();
            assert_eq!(buffers.used(), counted);
        }
        assert_eq!(room.follow(2 << 20), Err(Full::AllRequests));
        room.follow(5).unwrap();
        assert_eq!(buffers.used(), 0);
        room.follow(300_000).unwrap();
        drop(room);
        assert_eq!(buffers.used(), 0);
    }
}
