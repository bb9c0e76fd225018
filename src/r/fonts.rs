//! Fonts that are installed or removed while the server runs.
//!
//! The zygote has asked fontconfig for the fonts of the machine, and its sessions have the answer from it. Fontconfig looks
//! again only if it is told to, and then sees no change within the second in which it looked last. So we look ourselves.
//! Fontconfig and Pango are not ours to link with: they are R's, where R draws with them.

use std::{
    cell::Cell,
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    mem::transmute_copy,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::PathBuf,
    time::{Duration, Instant},
};

/// A process looks no more often than this, as it takes some 50 µs: each file of the configuration, each folder of fonts.
const INTERVAL: Duration = Duration::from_secs(1);

const FONTCONFIG: &CStr = c"libfontconfig.so.1";
const PANGO: &CStr = c"libpangocairo-1.0.so.0";
/// The functions that list what fontconfig has read.
const LISTS: [&CStr; 2] = [c"FcConfigGetConfigFiles", c"FcConfigGetFontDirs"];

thread_local! {
    /// When this process, or the one from which it was forked, has looked last, and what it saw.
    static LOOKED: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
}

/// Whether the fonts have changed since this was asked first.
#[must_use]
pub fn have_changed() -> bool {
    let before = LOOKED.get();
    if before.is_some_and(|(looked, _)| looked.elapsed() < INTERVAL) {
        return false;
    }
    let now = state();
    LOOKED.set(now.map(|state| (Instant::now(), state)));
    matches!((before, now), (Some((_, before)), Some(now)) if before != now)
}

/// Looks at the fonts for the first time, if this process has just begun to draw: what changes from now on, it has not read.
pub fn note() {
    if LOOKED.get().is_none() {
        LOOKED.set(state().map(|state| (Instant::now(), state)));
    }
}

/// Makes Pango forget its map of fonts, and end the thread with which newer versions (1.52 and later) have it made. What fontconfig has
/// read stays.
pub fn forget_map() {
    // SAFETY: the type is that in pangocairo.h; NULL has Pango make another map when it needs one. One thread calls.
    unsafe {
        if let Some(set) = function(PANGO, c"pango_cairo_font_map_set_default") {
            transmute_copy::<_, unsafe extern "C" fn(*mut c_void)>(&set)(std::ptr::null_mut());
        }
    }
}

/// Reads the fonts again if they have changed.
pub fn keep_current() {
    if have_changed() {
        read_again();
    }
}

/// Reads the fonts again, for all that is drawn from now on. What changes meanwhile, and may not be read, is still a change since
/// [`have_changed`] has looked.
pub fn read_again() {
    // SAFETY: the type is that in fontconfig.h. One thread calls.
    unsafe {
        if let Some(read) = function(FONTCONFIG, c"FcInitReinitialize") {
            transmute_copy::<_, unsafe extern "C" fn() -> c_int>(&read)();
        }
    }
    // What uses the map that there was keeps it.
    forget_map();
}

/// The files of its configuration, and the folders of fonts, that fontconfig has read; `None` if it has read none.
#[must_use]
pub fn places() -> Option<Vec<PathBuf>> {
    let mut places = Vec::new();
    let (next, done) = (function(FONTCONFIG, c"FcStrListNext")?, function(FONTCONFIG, c"FcStrListDone")?);
    for list in LISTS {
        let list = function(FONTCONFIG, list)?;
        // SAFETY: the types are those in fontconfig.h; NULL stands for the configuration in use. A list and its strings, which
        // are terminated, live until the list is done with.
        unsafe {
            let list = transmute_copy::<_, unsafe extern "C" fn(*mut c_void) -> *mut c_void>(&list)(std::ptr::null_mut());
            let next: unsafe extern "C" fn(*mut c_void) -> *const c_char = transmute_copy(&next);
            if list.is_null() {
                return None;
            }
            loop {
                let path = next(list);
                if path.is_null() {
                    break;
                }
                places.push(PathBuf::from(OsStr::from_bytes(CStr::from_ptr(path).to_bytes())));
            }
            transmute_copy::<_, unsafe extern "C" fn(*mut c_void)>(&done)(list);
        }
    }
    Some(places)
}

/// A digest of when the files and folders that fontconfig has read were changed; `None` if it has read none.
fn state() -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    for path in places()? {
        let changed = fs::metadata(&path).ok().map(|metadata| (metadata.mtime(), metadata.mtime_nsec(), metadata.ino()));
        (path, changed).hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// A function of a library that this process has loaded.
fn function(library: &CStr, name: &CStr) -> Option<*mut c_void> {
    // SAFETY: plain calls of the loader. With RTLD_NOLOAD, it looks whether the library is there, and runs nothing.
    unsafe {
        let library = libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
        if library.is_null() {
            return None;
        }
        Some(libc::dlsym(library, name.as_ptr())).filter(|function| !function.is_null())
    }
}
