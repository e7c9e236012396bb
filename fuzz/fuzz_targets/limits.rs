#![no_main]

use weir_fuzz::gateway;

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::limits(data));
