//! Any bytes are a cookie header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offshoot::api::revodeployr::cookie::session_cookies;

fuzz_target!(|bytes: &[u8]| {
    for cookie in session_cookies(bytes) {
        assert!(cookie.len() <= 3 * bytes.len());
    }
});
