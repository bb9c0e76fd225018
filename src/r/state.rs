//! What packages keep, in R's values, of the process that has loaded them: the path of its temporary folder, which is not
//! that of a session, and values that are others in each process, such as a random seed.

use std::{
    ffi::{CStr, CString},
    hash::{DefaultHasher, Hash, Hasher},
};

use libR_sys::{
    ALTREP, ATTRIB, CAR, CDR, CLOENV, ENCLOS, INTEGER, LOGICAL, PRINTNAME, R_BaseEnv, R_BaseNamespace, R_BindingIsActive, R_CHAR,
    R_EmptyEnv, R_GlobalEnv, R_NamespaceRegistry, R_NilValue, R_UnboundValue, R_lsInternal3, RAW, REAL, Rboolean, Rf_cons, Rf_defineVar,
    Rf_findVarInFrame, Rf_inherits, Rf_installTrChar, Rf_protect, Rf_unprotect, SET_TAG, SEXP, SEXPTYPE, STRING_ELT, TAG, TYPEOF,
    VECTOR_ELT, XLENGTH,
};
use rustc_hash::FxHashSet;

use super::{
    exec::{R, RError, protect_quietly},
    ffi, scripts, strings,
};
use crate::wire::Text;

/// The most values that are looked at. A package with more of them is one that nothing is known of.
const MOST: usize = 5_000_000;
/// Numbers that are others in each process and mean no harm.
const TIMES: [&CStr; 4] = [c"POSIXct", c"POSIXlt", c"difftime", c"proc_time"];

/// The temporary folder that is looked for.
#[derive(Debug)]
pub struct Sought {
    /// Its own name, which no other folder has.
    pub name: String,
    /// Its path, in all forms that can be replaced.
    pub paths: Vec<String>,
}

impl Sought {
    /// How this text mentions the folder.
    #[must_use]
    pub fn mentions(&self, text: &[u8]) -> Mentions {
        let count = |what: &str| memchr::memmem::find_iter(text, what).count();
        match count(&self.name) {
            0 => Mentions::Not,
            all if self.paths.iter().map(|path| count(path)).sum::<usize>() == all => Mentions::Path,
            _ => Mentions::Part,
        }
    }
}

/// How something mentions the temporary folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mentions {
    /// It does not.
    Not,
    /// By its path, which can be replaced.
    Path,
    /// In another way.
    Part,
}

/// A variable or an option.
#[derive(Debug)]
pub struct Variable {
    /// What to call it: "tmp of package callr".
    pub name: String,
    /// Two processes in which it has the same value have the same number here.
    pub digest: u64,
    /// Whether it has the temporary folder in it.
    pub mentions: Mentions,
}

/// What was found.
#[derive(Debug)]
pub struct Findings {
    /// Each variable and option, in no order. Variables of the same name in one package may be there more than once.
    pub variables: Vec<Variable>,
    /// Whether everything was looked at.
    pub complete: bool,
}

/// The names of all namespaces that are loaded.
///
/// # Errors
/// R's.
pub fn namespaces() -> Result<Vec<String>, RError> {
    scripts::ask(c"loadedNamespaces", &[])
}

/// Looks at all variables of these namespaces, also in environments that can be reached from there, and at all options.
/// Has our own R code remember where the temporary folder is mentioned.
///
/// # Errors
/// R's.
pub fn look(namespaces: &[String], sought: &Sought) -> Result<Findings, RError> {
    // Owned here, outside of the frames that R may jump over.
    let namespaces: Vec<CString> = namespaces.iter().filter_map(|name| CString::new(name.as_str()).ok()).collect();
    let mut walk = Walk {
        namespaces: &namespaces,
        sought,
        environments: Vec::new(),
        values: Vec::new(),
        seen: FxHashSet::default(),
        found: Vec::new(),
        looks: 0,
    };
    protect_quietly(|r| walk.run(r))?;
    // SAFETY: symbols are never freed, and their names are terminated.
    let name = |symbol| unsafe { CStr::from_ptr(R_CHAR(PRINTNAME(symbol))) }.to_string_lossy().into_owned();
    let variables = walk.found.iter().map(|found| Variable {
        name: match found.namespace {
            Some(at) => format!("{} of package {}", name(found.symbol), namespaces[at].to_string_lossy()),
            None => format!("option {}", name(found.symbol)),
        },
        digest: found.digest,
        mentions: found.mentions,
    });
    Ok(Findings { variables: variables.collect(), complete: walk.looks < MOST })
}

struct Found {
    /// An index; options have none.
    namespace: Option<usize>,
    /// R's `NULL` for options.
    environment: SEXP,
    symbol: SEXP,
    digest: u64,
    mentions: Mentions,
}

struct Walk<'w> {
    namespaces: &'w [CString],
    sought: &'w Sought,
    /// Environments that were found and not visited yet, each with the namespace that leads to it.
    environments: Vec<(SEXP, Option<usize>)>,
    /// Values of the current variable that were found and not visited yet. Only environments can lead back to themselves.
    values: Vec<SEXP>,
    seen: FxHashSet<SEXP>,
    found: Vec<Found>,
    looks: usize,
}

impl Walk<'_> {
    fn run(&mut self, r: R) {
        // SAFETY: inside `protect`. What is found can be reached from a namespace or from the options; none of these changes
        // meanwhile, and the values of variables are protected while they are visited.
        unsafe {
            self.leave_out_what_is_shared(r);
            for (at, name) in self.namespaces.iter().enumerate() {
                let namespace = Rf_findVarInFrame(R_NamespaceRegistry, strings::symbol(r, name));
                if TYPEOF(namespace) == SEXPTYPE::ENVSXP {
                    self.environments.push((namespace, Some(at)));
                }
            }
            let mut options = ffi::SYMVALUE(strings::symbol(r, c".Options"));
            while TYPEOF(options) == SEXPTYPE::LISTSXP {
                self.variable(r, None, R_NilValue, TAG(options), CAR(options));
                options = CDR(options);
            }
            while let Some((environment, namespace)) = self.environments.pop() {
                self.environment(r, environment, namespace);
            }
            let mut places = R_NilValue;
            for found in self.found.iter().filter(|found| found.mentions == Mentions::Path) {
                Rf_protect(places);
                places = Rf_cons(found.environment, places);
                Rf_unprotect(1);
                SET_TAG(places, found.symbol);
            }
            Rf_protect(places);
            Rf_defineVar(strings::symbol(r, c"places"), places, scripts::environment());
            Rf_unprotect(1);
        }
    }

    /// Environments that are not a package's own: namespaces, which are looked at by their names, and the search path.
    ///
    /// # Safety
    /// Inside `protect`.
    unsafe fn leave_out_what_is_shared(&mut self, _: R) {
        // SAFETY: as promised; the names are protected.
        unsafe {
            self.seen.extend([R_EmptyEnv, R_BaseEnv, R_BaseNamespace, R_NamespaceRegistry, scripts::environment()]);
            let mut attached = R_GlobalEnv;
            while attached != R_EmptyEnv {
                self.seen.insert(attached);
                attached = ENCLOS(attached);
            }
            let names = Rf_protect(R_lsInternal3(R_NamespaceRegistry, Rboolean::TRUE, Rboolean::FALSE));
            for at in 0..XLENGTH(names) {
                self.seen.insert(Rf_findVarInFrame(R_NamespaceRegistry, Rf_installTrChar(STRING_ELT(names, at))));
            }
            Rf_unprotect(1);
        }
    }

    /// # Safety
    /// `environment` is one that can be reached from R.
    unsafe fn environment(&mut self, r: R, environment: SEXP, namespace: Option<usize>) {
        // SAFETY: inside `protect`; names and values are protected while they are used.
        unsafe {
            let names = Rf_protect(R_lsInternal3(environment, Rboolean::TRUE, Rboolean::FALSE));
            for at in 0..XLENGTH(names) {
                let symbol = Rf_installTrChar(STRING_ELT(names, at));
                if R_BindingIsActive(symbol, environment) == Rboolean::FALSE {
                    // R makes a value of a number that is stored in the binding itself.
                    let value = Rf_protect(Rf_findVarInFrame(environment, symbol));
                    self.variable(r, namespace, environment, symbol, value);
                    Rf_unprotect(1);
                }
            }
            Rf_unprotect(1);
        }
    }

    /// # Safety
    /// `value` is protected.
    unsafe fn variable(&mut self, r: R, namespace: Option<usize>, environment: SEXP, symbol: SEXP, value: SEXP) {
        let mut hasher = DefaultHasher::new();
        let mut mentions = Mentions::Not;
        self.values.push(value);
        while let Some(value) = self.values.pop() {
            self.looks += 1;
            if self.looks >= MOST {
                self.values.clear();
                self.environments.clear();
                return;
            }
            // SAFETY: as promised; all that is reached from a value lives as long as it does.
            mentions = mentions.max(unsafe { self.value(r, value, namespace, &mut hasher) });
        }
        self.found.push(Found { namespace, environment, symbol, digest: hasher.finish(), mentions });
    }

    /// # Safety
    /// `value` can be reached from R.
    unsafe fn value(&mut self, _: R, value: SEXP, namespace: Option<usize>, hasher: &mut DefaultHasher) -> Mentions {
        let mut mentions = Mentions::Not;
        // SAFETY: each function is called for the types that it is for, each index is below the length, and nothing is
        // changed meanwhile.
        unsafe {
            let length = |value| usize::try_from(XLENGTH(value)).unwrap_or(0);
            match TYPEOF(value) {
                SEXPTYPE::ENVSXP => {
                    if self.seen.insert(value) {
                        self.environments.push((value, namespace));
                    }
                    return mentions;
                }
                // The code of a function is what it was when the package was installed.
                SEXPTYPE::CLOSXP => {
                    self.values.push(CLOENV(value));
                    return mentions;
                }
                SEXPTYPE::PROMSXP => {
                    let forced = ffi::PRVALUE(value);
                    if forced != R_UnboundValue {
                        self.values.push(forced);
                    }
                    return mentions;
                }
                SEXPTYPE::LISTSXP => self.values.extend([CAR(value), CDR(value)]),
                SEXPTYPE::S4SXP => {}
                SEXPTYPE::LGLSXP
                | SEXPTYPE::INTSXP
                | SEXPTYPE::REALSXP
                | SEXPTYPE::RAWSXP
                | SEXPTYPE::STRSXP
                | SEXPTYPE::VECSXP
                | SEXPTYPE::EXPRSXP => {
                    // R might expand an ALTREP vector when it is asked for an element.
                    if ALTREP(value) != 0 || TIMES.iter().any(|class| Rf_inherits(value, class.as_ptr()) == Rboolean::TRUE) {
                        return mentions;
                    }
                    length(value).hash(hasher);
                    let whole = |start: *const u8, size: usize| std::slice::from_raw_parts(start, length(value) * size);
                    match TYPEOF(value) {
                        _ if length(value) == 0 => {}
                        SEXPTYPE::LGLSXP => whole(LOGICAL(value).cast(), 4).hash(hasher),
                        SEXPTYPE::INTSXP => whole(INTEGER(value).cast(), 4).hash(hasher),
                        SEXPTYPE::REALSXP => whole(REAL(value).cast(), 8).hash(hasher),
                        SEXPTYPE::RAWSXP => whole(RAW(value), 1).hash(hasher),
                        SEXPTYPE::STRSXP => {
                            self.looks += length(value);
                            for at in 0..XLENGTH(value) {
                                mentions = mentions.max(self.text(strings::text(STRING_ELT(value, at)), hasher));
                            }
                        }
                        _ => self.values.extend((0..XLENGTH(value)).map(|at| VECTOR_ELT(value, at))),
                    }
                }
                _ => return mentions,
            }
            self.values.push(ATTRIB(value));
        }
        mentions
    }

    /// A file in the temporary folder has another name in each process: only what is not in that folder is compared.
    fn text(&self, text: Text<'_>, hasher: &mut DefaultHasher) -> Mentions {
        let (Text::Utf8(bytes) | Text::Latin1(bytes)) = text else { return Mentions::Not };
        let mentions = self.sought.mentions(bytes);
        if mentions == Mentions::Not {
            bytes.hash(hasher);
        }
        mentions
    }
}
