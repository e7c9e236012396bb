//! Tests of every coding, cut at every byte.

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;
use proptest::prelude::*;
use std::io::Write;

use super::*;

const BOUND: Bound = Bound { total: 1 << 20, piece: 1 << 20 };

fn encoded(coding: Coding, text: &[u8]) -> Vec<u8> {
    match coding {
        Coding::Identity => text.to_vec(),
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Brotli => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
            encoder.write_all(text).unwrap();
            encoder.into_inner()
        }
        Coding::Zstd => zstd::encode_all(text, 3).unwrap(),
    }
}

fn decoded(coding: Coding, pieces: &[&[u8]]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = Decoder::new(coding, BOUND)?;
    let mut all = Vec::new();
    for piece in pieces {
        all.extend_from_slice(&decoder.push(piece)?);
    }
    all.extend_from_slice(&decoder.finish()?);
    Ok(all)
}

const ALL: [Coding; 5] = [Coding::Identity, Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

fn any_coding() -> impl Strategy<Value = Coding> {
    proptest::sample::select(&ALL[..])
}

proptest! {
    #[test]
    fn a_body_decodes_to_itself_wherever_it_is_cut(
        coding in any_coding(),
        text in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 0..3000),
        size in 1..200_usize,
    ) {
        let encoded = encoded(coding, &text);
        let pieces: Vec<&[u8]> = encoded.chunks(size).collect();
        prop_assert_eq!(decoded(coding, &pieces).unwrap(), text);
    }

    #[test]
    fn noise_is_an_error_or_something_but_never_a_panic(coding in any_coding(), noise in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decoded(coding, &[&noise]);
    }
}

#[test]
fn a_truncated_body_is_distinguished_from_a_broken_one() {
    let text = b"some text that is long enough to be cut, some text that is long enough to be cut".repeat(20);
    for coding in ALL.into_iter().skip(1) {
        let encoded = encoded(coding, &text);
        let cut = &encoded[..encoded.len() - 5];
        assert_eq!(decoded(coding, &[cut]), Err(DecodeError::Truncated(coding)));
        assert_eq!(decoded(coding, &[b"\xff\xfe\xfdthis is no such thing at all"]), Err(DecodeError::Broken(coding)));
        assert_eq!(decoded(coding, &[]), Ok(Vec::new()));
    }
}

#[test]
fn c_23_bare_deflate_is_taken_as_well_as_zlib() {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(b"bare").unwrap();
    let bare = encoder.finish().unwrap();
    assert_eq!(decoded(Coding::Deflate, &[&bare[..1], &bare[1..]]).unwrap(), b"bare");
}

#[test]
fn several_members_or_frames_are_one_body() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let both = [encoded(coding, b"one "), encoded(coding, b"two")].concat();
        assert_eq!(decoded(coding, &[&both]).unwrap(), b"one two");
    }
}

#[test]
fn c_25_what_the_sender_flushed_is_out_at_once() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    let mut decoders = [Coding::Gzip, Coding::Brotli, Coding::Zstd].map(|coding| Decoder::new(coding, BOUND).unwrap());
    for round in 0..5 {
        let event = format!("data: {round}\n\n");
        for encoder in [&mut gzip as &mut dyn Write, &mut brotli, &mut zstd] {
            encoder.write_all(event.as_bytes()).unwrap();
            encoder.flush().unwrap();
        }
        let sent = [std::mem::take(gzip.get_mut()), std::mem::take(brotli.get_mut()), std::mem::take(zstd.get_mut())];
        for (decoder, sent) in decoders.iter_mut().zip(sent) {
            assert_eq!(decoder.push(&sent).unwrap(), event.as_bytes(), "{decoder:?}");
        }
    }
}

#[test]
fn a_decompression_bomb_ends_at_its_bound() {
    let zeros = vec![0; 3 << 20];
    for coding in ALL {
        let bomb = encoded(coding, &zeros);
        for bound in [Bound { total: 1 << 20, piece: usize::MAX }, Bound { total: u64::MAX, piece: 1 << 20 }] {
            let mut decoder = Decoder::new(coding, bound).unwrap();
            assert_eq!(decoder.push(&bomb), Err(DecodeError::TooLarge), "{coding:?}");
            assert!(decoder.engine.sink().take().len() <= 1 << 20);
        }
    }
}

#[test]
fn the_total_counts_over_all_pieces() {
    let mut decoder = Decoder::new(Coding::Identity, Bound { total: 5, piece: 5 }).unwrap();
    assert_eq!(decoder.push(b"abc").unwrap(), "abc");
    assert_eq!(decoder.push(b"def"), Err(DecodeError::TooLarge));
}

#[test]
fn the_coding_is_read_from_the_headers() {
    let of = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(value));
        Coding::of(&headers)
    };
    assert_eq!(Coding::of(&HeaderMap::new()), Ok(Coding::Identity));
    assert_eq!(of("GZIP"), Ok(Coding::Gzip));
    assert_eq!(of("identity, br"), Ok(Coding::Brotli));
    assert_eq!(of("gzip, br"), Err(DecodeError::Stacked));
    assert_eq!(of("lzma"), Err(DecodeError::Unknown));
}

/// Reads a body that is all there, this many bytes at a time.
fn read(coding: Coding, pieces: &[&[u8]], size: usize) -> Result<Vec<u8>, DecodeError> {
    let pieces = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
    let (mut body, mut all) = (CodedBody::new(coding, pieces)?, Vec::new());
    loop {
        let mut room = vec![0; size];
        let Filled { bytes, is_all } = body.fill(&mut room)?;
        all.extend_from_slice(&room[..bytes]);
        if is_all {
            return Ok(all);
        }
    }
}

proptest! {
    #[test]
    fn a_whole_body_decodes_to_itself_wherever_it_is_cut_and_however_much_is_read(
        coding in any_coding(),
        text in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 0..3000),
        cut in 1..200_usize,
        size in 1..5000_usize,
    ) {
        let encoded = encoded(coding, &text);
        let pieces: Vec<&[u8]> = encoded.chunks(cut).collect();
        prop_assert_eq!(read(coding, &pieces, size).unwrap(), text);
    }
}

/// The turns in which a body is read.
fn turns(coding: Coding, coded: &[u8]) -> usize {
    let mut body = CodedBody::new(coding, vec![Bytes::copy_from_slice(coded)]).unwrap();
    1 + std::iter::from_fn(|| (!body.fill(&mut [0; 64]).unwrap().is_all).then_some(())).count()
}

#[test]
fn no_more_of_a_whole_body_is_read_at_once_than_in_a_turn_however_little_comes_out() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let empty = encoded(coding, b"");
        let many = empty.repeat(5 * TURN / empty.len());
        assert!(turns(coding, &many) > 4, "{coding:?}");
        assert_eq!(read(coding, &[&many], 64), Ok(Vec::new()), "{coding:?}");
    }
    let named = flate2::GzBuilder::new().filename(vec![b'n'; 60_000]).comment(vec![b'c'; 60_000]);
    let mut named = named.write(Vec::new(), Compression::default());
    named.write_all(b"Hello").unwrap();
    let named = named.finish().unwrap();
    assert!(turns(Coding::Gzip, &named) > 4);
    assert_eq!(read(Coding::Gzip, &[&named], 64).unwrap(), b"Hello");
}

/// Bytes that no coding makes shorter.
fn noise() -> impl Iterator<Item = u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
}

#[test]
fn a_body_of_several_turns_decodes_to_itself() {
    let noise: Vec<u8> = noise().take(5 * TURN).collect();
    for coding in ALL {
        let encoded = encoded(coding, &noise);
        for size in [1_000, 64 << 10] {
            let cut: Vec<&[u8]> = encoded.chunks(10_000).collect();
            assert!(read(coding, &cut, size).unwrap() == noise, "{coding:?}");
            assert!(read(coding, &[&encoded], size).unwrap() == noise, "{coding:?}");
        }
    }
}

#[test]
fn a_whole_body_that_ends_early_or_does_not_fit_its_coding_is_refused() {
    let text = b"Hello, Hello, Hello and so on".repeat(20);
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
        let encoded = encoded(coding, &text);
        for len in 1..encoded.len() {
            assert!(read(coding, &[&encoded[..len]], 64).is_err(), "{coding:?} of {len} bytes");
        }
        assert!(read(coding, &[b"{\"model\": \"m\", \"messages\": []}"], 64).is_err(), "{coding:?}");
        assert_eq!(read(coding, &[b"", b""], 64), Ok(Vec::new()), "{coding:?}");
    }
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
    raw.write_all(&text).unwrap();
    assert_eq!(read(Coding::Deflate, &[&raw.finish().unwrap()], 64).unwrap(), text);
}

#[test]
fn a_coding_that_goes_on_without_content_is_refused_and_noise_never_is() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let nothing = encoded(coding, b"");
        let piece = nothing.repeat(1000);
        let mut decoder = Decoder::new(coding, BOUND).unwrap();
        let pieces = std::iter::from_fn(|| decoder.push(&piece).ok()).take(2 * BARREN / piece.len()).count();
        assert_eq!(pieces, BARREN / piece.len(), "{coding:?}");
        let spaced = [encoded(coding, b"x"), nothing.repeat(BARREN / nothing.len() / 2)].concat();
        assert_eq!(decoded(coding, &[&spaced, &spaced, &spaced]), Ok(b"xxx".to_vec()), "{coding:?}");
    }
    let noise: Vec<u8> = noise().take(3 * BARREN).collect();
    for coding in ALL {
        for size in [100, 50_000] {
            let encoded = encoded(coding, &noise);
            let pieces: Vec<&[u8]> = encoded.chunks(size).collect();
            assert!(decoded(coding, &pieces).unwrap() == noise, "{coding:?}");
        }
    }
}
