//! The environment that this process was started with, which the kernel shows to others of its user (proc(5), `/proc/PID/environ`).

use std::{
    ffi::{CStr, OsStr, OsString, c_char},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

/// Removes variables, and overwrites what they were at the start of this process.
///
/// # Safety
/// No other thread reads or changes the environment meanwhile.
pub unsafe fn forget(is_secret: impl Fn(&OsStr) -> bool) {
    let mut names: Vec<OsString> = Vec::new();
    // SAFETY: by the caller's promise, nobody changes the list, its strings are terminated, and they are this process's own memory.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            let text = CStr::from_ptr(*entry).to_bytes();
            if let Some(at) = text.iter().position(|&byte| byte == b'=').filter(|&at| is_secret(OsStr::from_bytes(&text[..at]))) {
                names.push(OsString::from_vec(text[..at].to_vec()));
                let rest = text.len() - at - 1;
                std::ptr::write_bytes((*entry).add(at + 1), 0, rest);
            }
            entry = entry.add(1);
        }
        names.iter().for_each(|name| std::env::remove_var(name));
    }
}

unsafe extern "C" {
    /// environ(7)
    static mut environ: *mut *mut c_char;
}
