#![no_main]

use weir_types::contract::types::Framing;
use weir_fuzz::oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::frames(Framing::Sse, data));
