//! Content codings.

use std::io::{Read as _, Write as _};

/// Compresses bytes with the coding `gzip`, `deflate`, `br` or `zstd`.
///
/// # Panics
///
/// For any other coding.
pub fn pack(coding: &str, plain: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut packed = Vec::new();
            brotli::CompressorReader::new(plain, 4096, 5, 22).read_to_end(&mut packed).unwrap();
            packed
        }
        "zstd" => zstd::encode_all(plain, 3).unwrap(),
        other => panic!("{other} is not a coding"),
    }
}
