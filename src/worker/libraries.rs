//! The memory in which shared libraries have their variables, such as the state of a random generator.

use std::{
    ffi::{CStr, c_int, c_void},
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::PathBuf,
};

/// The size of a word, and of what the allocator puts before each piece of memory that it hands out.
const WORD: usize = size_of::<usize>();
/// As much of a variable's memory as is compared.
const LONGEST: usize = 16 << 20;
/// As much of what a pointer leads to as is compared. The state of most generators is smaller, and all of a larger one is
/// another when its seed is.
const LED_TO: usize = 4 << 10;

/// A shared library in this process.
#[derive(Debug)]
pub struct SharedLibrary {
    /// Its file.
    pub path: PathBuf,
    /// The memory of its variables.
    variables: Vec<Range<usize>>,
}

/// The shared libraries of this process.
#[must_use]
pub fn all() -> Vec<SharedLibrary> {
    unsafe extern "C" fn add(info: *mut libc::dl_phdr_info, _: usize, libraries: *mut c_void) -> c_int {
        // SAFETY: the C library passes what it has read from the library's file when it loaded it, and our own vector.
        unsafe {
            let (info, libraries) = (&*info, &mut *libraries.cast::<Vec<SharedLibrary>>());
            let parts = std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
            let at = |address: u64| usize::try_from(info.dlpi_addr + address).unwrap_or(0);
            let variables = parts.iter().filter(|part| part.p_type == libc::PT_LOAD && part.p_flags & libc::PF_W != 0);
            libraries.push(SharedLibrary {
                path: PathBuf::from(CStr::from_ptr(info.dlpi_name).to_string_lossy().into_owned()),
                variables: variables.map(|part| at(part.p_vaddr)..at(part.p_vaddr + part.p_memsz)).collect(),
            });
        }
        0
    }
    let mut libraries = Vec::<SharedLibrary>::new();
    // SAFETY: the callback gets the vector that it is for, which nobody else uses meanwhile.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut libraries).cast()) };
    libraries
}

/// The memory of this process, to be read without trusting any pointer in it.
#[derive(Debug)]
pub struct Memory {
    memory: File,
    mapped: Vec<Range<usize>>,
}

/// What there is in the memory of a library's variables.
#[derive(Debug)]
pub struct Variables {
    /// Two processes in which the variables have the same values have the same number here.
    pub digest: u64,
    /// Whether the words that were looked for are there.
    pub mentions: bool,
}

impl Memory {
    /// The memory as it is mapped now.
    ///
    /// # Errors
    /// The system's.
    pub fn own() -> io::Result<Self> {
        let maps = std::fs::read_to_string("/proc/self/maps")?;
        let range = |line: &str| {
            let (start, end) = line.split_once(' ')?.0.split_once('-')?;
            Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
        };
        Ok(Self { memory: File::open("/proc/self/mem")?, mapped: maps.lines().filter_map(range).collect() })
    }

    /// The content of a library's variables, and of the memory that they lead to.
    #[must_use]
    pub fn content(&self, library: &SharedLibrary, sought: &str) -> Variables {
        let mut content = Variables { digest: 0, mentions: false };
        let mut hasher = DefaultHasher::new();
        for variables in &library.variables {
            let bytes = self.read(variables.start, variables.len().min(LONGEST));
            self.add(&bytes, sought, &mut hasher, &mut content.mentions);
            for pointer in words(&bytes) {
                let own = library.variables.iter().any(|range| range.contains(&pointer));
                if let Some(size) = self.allocated(pointer).filter(|_| !own) {
                    self.add(&self.read(pointer, size.min(LED_TO)), sought, &mut hasher, &mut content.mentions);
                }
            }
        }
        content.digest = hasher.finish();
        content
    }

    /// The same library has its pointers at other places in another process, so these are left out.
    fn add(&self, bytes: &[u8], sought: &str, hasher: &mut DefaultHasher, mentions: &mut bool) {
        words(bytes).map(|word| if self.range(word).is_some() { 0 } else { word }).for_each(|word| word.hash(hasher));
        *mentions |= memchr::memmem::find(bytes, sought.as_bytes()).is_some();
    }

    /// The size of the memory that the C library has handed out at this address; `None` if it has not, as far as one can
    /// see. The word before has the size, with three flags in its lowest bits.
    fn allocated(&self, address: usize) -> Option<usize> {
        let range = self.range(address).filter(|range| address.is_multiple_of(2 * WORD) && address - range.start >= WORD)?;
        let size = words(&self.read(address - WORD, WORD)).next()? & !7;
        (size.is_multiple_of(2 * WORD) && size > 2 * WORD && size - WORD <= range.end - address).then(|| size - WORD)
    }

    fn range(&self, address: usize) -> Option<&Range<usize>> {
        let after = self.mapped.partition_point(|range| range.end <= address);
        self.mapped.get(after).filter(|range| range.contains(&address))
    }

    /// Nothing if it cannot be read.
    fn read(&self, address: usize, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        match self.memory.read_exact_at(&mut bytes, address as u64) {
            Ok(()) => bytes,
            Err(_) => Vec::new(),
        }
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.chunks_exact(WORD).map(|word| usize::from_ne_bytes(word.try_into().expect("invariant: a chunk has the size of a word")))
}
