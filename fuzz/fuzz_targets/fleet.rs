#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mta_sts_testkit::fuzz::fleet(data));
