//! Tests of every framing, also with streams cut at every byte.

use super::*;

/// Decodes a stream that arrives in these pieces: its frames, and how it ends.
pub(super) fn cut(framing: Framing, limits: Limits, pieces: &[&[u8]]) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = Decoder::new(framing, limits);
    let mut frames = Vec::new();
    let each = &mut |frame: FrameRef<'_>| frames.push(frame.to_owned());
    let outcome = pieces.iter().try_for_each(|piece| decoder.push(piece, each)).and_then(|()| decoder.finish(each));
    (frames, outcome)
}

fn whole(framing: Framing, stream: &[u8]) -> (Vec<Frame>, Result<(), FrameError>) {
    cut(framing, Limits::default(), &[stream])
}

pub(super) fn frames(framing: Framing, stream: &[u8]) -> Vec<Frame> {
    let (frames, outcome) = whole(framing, stream);
    assert_eq!(outcome, Ok(()));
    frames
}

pub(super) fn frame(event: &str, data: &str) -> Frame {
    Frame { event: (!event.is_empty()).then(|| event.to_owned()), data: data.to_owned() }
}

pub(super) fn data(lines: &[&str]) -> Vec<Frame> {
    lines.iter().map(|line| frame("", line)).collect()
}

pub(super) fn encoded(framing: Framing, frames: &[Frame]) -> Vec<u8> {
    let mut encoder = Encoder::new(framing);
    let mut out = Vec::new();
    for frame in frames {
        encoder.push(frame, &mut out);
    }
    encoder.finish(&mut out);
    out
}

/// An event-stream message with these text headers.
fn message(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(name.len() as u8);
        block.extend_from_slice(name.as_bytes());
        block.push(7);
        block.extend_from_slice(&(value.len() as u16).to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    raw_message(&block, payload.as_bytes())
}

fn raw_message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&((headers.len() + payload.len() + 16) as u32).to_be_bytes());
    out.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

/// Streams that use every feature of a framing, and some that must be refused.
fn streams() -> Vec<(Framing, Vec<u8>)> {
    let sse: [&[u8]; 12] = [
        b"data: {\"a\":1}\n\ndata: [DONE]\n\n",
        b"event: x\r\ndata: one\r\ndata: two\r\n\r\nevent: y\r\ndata:three\r\n\r\n",
        b"data: a\rdata: b\r\revent: z\rdata\r\r: note\r",
        b"\xEF\xBB\xBF: hello\n\nevent: ping\ndata: \xE4\xBD\xA0\xE5\xA5\xBD\n\n",
        b"id: 7\nretry: 10\nevent: gone\n\ndata:  two spaces\nunknown: 1\ndatax: no\n\n",
        b"data: first\n\ndata: no blank line",
        b"data: first\n\ndata: no blank line\r",
        b"\xEF\xBBdata: not a mark\n\ndata: y\n\n\xEF\xBB\xBF: late\n\n",
        b"event:a\nevent:\ndata:b\n\nevent:c\nevent: d\ndata:\ndata:\n\n",
        b"data: 1\n\n{\n \"error\": {\n  \"code\": 503\n }\n}",
        b"event:\r[{\"a\":1},\r2]\r\r[a]\r{}\rdata:1\r\r",
        b"data: 1\n{}\n\n{\"a\":1}\nid: 2\n\n{}\nevent: x\n[1]\ndata: 3\n{\n",
    ];
    let lines: [&[u8]; 4] = [
        b"{\"a\":1}\n{\"b\":\"\xF0\x9F\x98\x80\"}\n",
        b"\xEF\xBB\xBF{\"a\":1}\r\n\r\n \n{\"b\":2}\r\n[1,\r2]",
        b"{\"a\":1}\n{\"b\":",
        b"\xEF\xBB",
    ];
    let arrays: [&[u8]; 11] = [
        b"[{\"a\":1}\n,\r\n{\"b\":\"]},\\\"{\\\\\"}\n]",
        b"\xEF\xBB\xBF [ \"x,]\" , 12 ,true,null,[[],{\"a\":[1,2]}],-1.5e3]\n",
        b"[]",
        b"{\"error\":{\"code\":400}}\n",
        b"[{\"a\":1},{\"b\":",
        b"[{\"a\":1}",
        b"[1 2]",
        b"[1],",
        b"[,1]",
        b"nonsense",
        b"[{\"a\":\"\\\\\\\\\\\"\\u0041\\\\\"},1]",
    ];
    let mut broken = message(&[(":message-type", "event")], "{}");
    broken[20] ^= 1;
    let mut broken_prelude = message(&[(":message-type", "event")], "{}");
    broken_prelude[2] ^= 1;
    let events = [
        [
            message(&[(":message-type", "event"), (":event-type", "chunk")], "{\"bytes\":\"aGk=\"}"),
            message(&[(":message-type", "exception"), (":exception-type", "throttled")], "{\"message\":\"slow\"}"),
            message(&[(":message-type", "error"), (":error-code", "Broken"), (":error-message", "a \"b\"")], ""),
            raw_message(&[], &[]),
        ]
        .concat(),
        broken,
        broken_prelude,
        message(&[], "cut")[..10].to_vec(),
        raw_message(b"\x01a\x0A", b""),
    ];
    let of = |framing| move |stream: &[u8]| (framing, stream.to_vec());
    sse.into_iter()
        .map(of(Framing::Sse))
        .chain(lines.into_iter().map(of(Framing::Ndjson)))
        .chain(arrays.into_iter().map(of(Framing::JsonArray)))
        .chain(events.iter().map(|stream| (Framing::EventStream, stream.clone())))
        .collect()
}

#[test]
fn a_cut_anywhere_changes_nothing() {
    for (framing, stream) in streams() {
        let expected = whole(framing, &stream);
        for at in 0..=stream.len() {
            for second in at..=stream.len() {
                let pieces = [&stream[..at], &stream[at..second], &stream[second..]];
                assert_eq!(cut(framing, Limits::default(), &pieces), expected, "{framing:?} at {at} and {second}");
            }
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(cut(framing, Limits::default(), &bytes), expected, "{framing:?} byte by byte");
    }
}

#[test]
fn a_cut_anywhere_changes_no_limit() {
    for (framing, stream) in streams() {
        for frame_bytes in [0, 1, 5, 9, 20, 60] {
            let limits = Limits { frame_bytes, header_bytes: 50, depth: 2 };
            let (expected, outcome) = cut(framing, limits, &[&stream]);
            for at in 0..=stream.len() {
                let (frames, cut_outcome) = cut(framing, limits, &[&stream[..at], &stream[at..]]);
                assert_eq!(frames, expected, "{framing:?} {frame_bytes} at {at}");
                // If two limits are exceeded, either may be reported first.
                assert_eq!(cut_outcome.is_ok(), outcome.is_ok(), "{framing:?} {frame_bytes} at {at}");
            }
        }
    }
}

#[test]
fn sse_takes_every_line_end() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = ["event: x", "data: 1", "data: 2", "", "data: 3", "", ""].join(end);
        assert_eq!(frames(Framing::Sse, stream.as_bytes()), [frame("x", "1\n2"), frame("", "3")]);
    }
}

#[test]
fn sse_follows_the_standard_on_odd_lines() {
    let stream = b"\xEF\xBB\xBFdata\n\ndata:\n\ndata:  x\n\nevent: lost\n\ndata: a: b\nid\n\n:data: c\n\ndatum: d\n\n data: e\n\n";
    assert_eq!(frames(Framing::Sse, stream), data(&["", "", " x", "a: b"]));
}

#[test]
fn sse_counts_comments_and_emits_none() {
    let mut decoder = Decoder::new(Framing::Sse, Limits::default());
    decoder.push(b": one\n\n:two\n\n", &mut |frame| panic!("{frame:?}")).unwrap();
    assert_eq!(decoder.comments(), 2);
}

#[test]
fn sse_emits_an_event_at_its_blank_line_and_not_before() {
    let mut decoder = Decoder::new(Framing::Sse, Limits::default());
    let mut seen = 0;
    decoder.push(b"data: 1\r\n\r", &mut |_| seen += 1).unwrap();
    assert_eq!(seen, 1, "the carriage return ends the line");
    decoder.push(b"\ndata: 2\n", &mut |_| seen += 1).unwrap();
    assert_eq!(seen, 1);
    decoder.push(b"\n", &mut |_| seen += 1).unwrap();
    assert_eq!(seen, 2);
}

#[test]
fn a_whole_event_is_borrowed_from_the_read() {
    let read = b"event: x\ndata: {\"a\":1}\n\n".to_vec();
    let within = |slice: &[u8]| read.as_ptr_range().contains(&slice.as_ptr());
    let mut decoder = Decoder::new(Framing::Sse, Limits::default());
    let mut borrowed = 0;
    let each = &mut |frame: FrameRef<'_>| borrowed += usize::from(within(frame.data) && within(frame.event.unwrap()));
    decoder.push(&read, each).unwrap();
    assert_eq!(borrowed, 1);
}

#[test]
fn lines_may_lack_the_last_line_feed_if_the_value_is_whole() {
    assert_eq!(frames(Framing::Ndjson, b"{\"a\":1}\n\n{\"b\":2}"), data(&["{\"a\":1}", "{\"b\":2}"]));
    assert_eq!(whole(Framing::Ndjson, b"{\"a\":1}\n{\"b\":").1, Err(FrameError::Truncated));
}

#[test]
fn array_elements_come_with_their_last_byte() {
    let mut decoder = Decoder::new(Framing::JsonArray, Limits::default());
    let mut seen = Vec::new();
    decoder.push(b"[{\"a\":\"}\"}", &mut |frame| seen.push(frame.to_owned())).unwrap();
    assert_eq!(seen, data(&["{\"a\":\"}\"}"]));
}

#[test]
fn an_object_in_the_place_of_an_array_is_one_frame() {
    assert_eq!(frames(Framing::JsonArray, b" {\"error\":[{}]} \n"), data(&["{\"error\":[{}]}"]));
    assert!(whole(Framing::JsonArray, b"{}{}").1.is_err());
}

#[test]
fn arrays_that_break_off_are_truncated() {
    for stream in ["", "[", "[1", "[{}", "[{},", "[{\"a\":"] {
        assert_eq!(whole(Framing::JsonArray, stream.as_bytes()).1, Err(FrameError::Truncated), "{stream}");
    }
}

#[test]
fn deep_elements_are_refused() {
    let deep = [b"[".repeat(300), b"]".repeat(300)].concat();
    assert_eq!(whole(Framing::JsonArray, &deep).1, Err(FrameError::TooDeep { limit: 256 }));
}

#[test]
fn event_stream_messages_are_named_by_their_kind() {
    let (_, stream) = streams().into_iter().find(|(framing, _)| *framing == Framing::EventStream).unwrap();
    let expected = [
        frame("chunk", "{\"bytes\":\"aGk=\"}"),
        frame("throttled", "{\"message\":\"slow\"}"),
        frame("Broken", "{\"message\":\"a \\\"b\\\"\"}"),
        frame("", ""),
    ];
    assert_eq!(frames(Framing::EventStream, &stream), expected);
}

#[test]
fn event_stream_reads_headers_of_every_type() {
    let mut headers = Vec::new();
    for (kind, length) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
        headers.extend_from_slice(&[1, b'h', kind]);
        headers.extend(std::iter::repeat_n(0xFF, length));
    }
    headers.extend_from_slice(b"\x01h\x06\x00\x03abc");
    headers.extend_from_slice(b"\x0B:event-type\x07\x00\x02ok");
    assert_eq!(frames(Framing::EventStream, &raw_message(&headers, b"{}")), [frame("ok", "{}")]);
    for length in 1..headers.len() {
        // Cut within a header, the message is an error; cut between two, it has fewer headers.
        let (_, outcome) = whole(Framing::EventStream, &raw_message(&headers[..length], b""));
        assert!(matches!(outcome, Ok(()) | Err(FrameError::Malformed { .. })), "{outcome:?}");
    }
}

#[test]
fn event_stream_checks_both_checksums() {
    let good = message(&[(":message-type", "event"), (":event-type", "x")], "{}");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let part = if at < 12 { "prelude" } else { "message" };
        assert_eq!(whole(Framing::EventStream, &bad).1, Err(FrameError::Checksum { part }), "byte {at}");
    }
}

#[test]
fn event_stream_lengths_are_bounded_before_memory_is_taken() {
    let limits = Limits { frame_bytes: 100, header_bytes: 30, depth: 1 };
    let long = raw_message(&[], &[b' '; 90]);
    assert_eq!(cut(Framing::EventStream, limits, &[&long[..12]]).1, Err(FrameError::TooLarge { limit: 100 }));
    let wide = message(&[("name", &"x".repeat(40))], "");
    assert_eq!(cut(Framing::EventStream, limits, &[&wide]).1, Err(FrameError::HeadersTooLarge { limit: 30 }));
}

#[test]
fn encoded_streams_have_their_format() {
    let two = [frame("x", "{\"a\":1}"), frame("", "{\"b\":\n2}")];
    let text = |framing, frames: &[Frame]| String::from_utf8(encoded(framing, frames)).unwrap();
    assert_eq!(text(Framing::Sse, &two), "event: x\ndata: {\"a\":1}\n\ndata: {\"b\":\ndata: 2}\n\n");
    assert_eq!(text(Framing::Ndjson, &two), "{\"a\":1}\n{\"b\": 2}\n");
    assert_eq!(text(Framing::JsonArray, &two), "[{\"a\":1},\n{\"b\":\n2}]");
    assert_eq!(text(Framing::JsonArray, &[]), "[]");
    assert_eq!(text(Framing::Ndjson, &[frame("", "")]), "");
    let expected = [(":message-type", "event"), (":event-type", "x"), (":content-type", "application/json")];
    assert_eq!(encoded(Framing::EventStream, &two[..1]), message(&expected, "{\"a\":1}"));
}

#[test]
fn exceptions_are_sent_as_such() {
    let sent = encoded(Framing::EventStream, &[frame("internalException", "{}")]);
    let headers = [
        (":message-type", "exception"),
        (":exception-type", "internalException"),
        (":content-type", "application/json"),
    ];
    assert_eq!(sent, message(&headers, "{}"));
    assert_eq!(frames(Framing::EventStream, &sent), [frame("internalException", "{}")]);
}

#[test]
fn no_frame_can_break_out_of_its_sse_fields() {
    let sent = encoded(Framing::Sse, &[frame("a\ndata: forged", "b\rdata: forged\r\n\r\nevent: c")]);
    assert_eq!(frames(Framing::Sse, &sent), [frame("a", "b\ndata: forged\n\nevent: c")]);
}

#[test]
fn keep_alives_are_no_frames() {
    let alive = Encoder::new(Framing::Sse).keep_alive().unwrap();
    assert_eq!(frames(Framing::Sse, &[alive, b"data: 1\n\n", alive].concat()), data(&["1"]));
    assert_eq!(Encoder::new(Framing::Ndjson).keep_alive(), None);
}

#[test]
fn content_types_determine_the_framing() {
    for framing in [Framing::Sse, Framing::Ndjson, Framing::JsonArray, Framing::EventStream] {
        assert_eq!(from_content_type(content_type(framing)), Some(framing));
    }
    assert_eq!(from_content_type("Text/Event-Stream;charset=UTF-8"), Some(Framing::Sse));
    assert_eq!(from_content_type("text/plain"), None);
}

#[test]
fn a_decoder_knows_whether_it_stands_between_two_frames() {
    let data = data(&["{\"a\":1}", "{\"b\":[2]}"]);
    for framing in [Framing::Sse, Framing::Ndjson, Framing::JsonArray, Framing::EventStream] {
        let stream = encoded(framing, &data);
        let mut decoder = Decoder::new(framing, Limits::default());
        let (mut seen, mut ends) = (0, Vec::new());
        for (at, byte) in stream.iter().enumerate() {
            let before = seen;
            decoder.push(&[*byte], &mut |_| seen += 1).unwrap();
            if seen > before {
                assert!(decoder.is_between(), "{framing:?}, behind byte {at}");
                ends.push(at);
            } else if ends.is_empty() && at > 2 {
                assert!(!decoder.is_between(), "{framing:?}, behind byte {at}");
            }
        }
        assert_eq!(seen, 2, "{framing:?}");
    }
}

#[test]
fn an_encoder_goes_on_between_two_frames_and_nowhere_else() {
    let data = data(&["{\"a\":1}", "{\"b\":[2]}"]);
    let last = Frame { event: None, data: "{\"error\":3}".to_owned() };
    for framing in [Framing::Sse, Framing::Ndjson, Framing::JsonArray, Framing::EventStream] {
        let stream = encoded(framing, &data);
        for at in 0..=stream.len() {
            let (mut decoder, mut seen) = (Decoder::new(framing, Limits::default()), 0);
            decoder.push(&stream[..at], &mut |_| seen += 1).unwrap();
            let is_between = decoder.is_between();
            let Some(mut encoder) = decoder.encoder() else {
                assert!(!is_between);
                continue;
            };
            let mut rest = Vec::new();
            encoder.push(&last, &mut rest);
            encoder.finish(&mut rest);
            let mut found = Vec::new();
            decoder.push(&rest, &mut |frame| found.push(frame.to_owned().data)).unwrap();
            decoder.finish(&mut |frame| found.push(frame.to_owned().data)).unwrap();
            assert_eq!(found, [last.data.as_str()], "{framing:?}, behind {seen} frames, byte {at}");
        }
    }
}
