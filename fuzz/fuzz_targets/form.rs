//! Any bytes are a form, and its parameters are values or errors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offshoot::api::form::Form;

fuzz_target!(|bytes: &[u8]| {
    let mut form = Form::new(1000);
    let _ = form.add(bytes);
    for name in ["", "a", "format", "code"] {
        let _ = form.get(name);
        let _ = form.list(name);
        let _ = form.boolean(name);
        let _ = form.count(name);
    }
});
