#![no_main]

use weir_fuzz::oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::words(data));
