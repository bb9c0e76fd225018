//! R's values as the rules of jsonlite look at them; what memory does not say is asked of `r-init/json.R`.

use std::{
    ffi::{CStr, c_int},
    slice,
};

use libR_sys::{
    INTEGER, IS_S4_OBJECT, PRINTNAME, R_BaseEnv, R_CheckUserInterrupt, R_DimSymbol, R_NilValue, R_QuoteSymbol, R_RowNamesSymbol, RAW,
    Rf_ScalarInteger, Rf_ScalarString, Rf_eval, Rf_getAttrib, Rf_lang2, Rf_lang4, Rf_protect, Rf_type2char, Rf_unprotect, SEXP, SEXPTYPE,
    STRING_ELT, TYPEOF, VECTOR_ELT,
};

use super::{
    exec::R,
    scripts, strings,
    view::{RValue, index, keep, length_of},
};
use crate::wire::{
    Text,
    jsonlite::{Object, Question, Type},
};

impl<'a> Object<'a> for RValue<'a> {
    fn type_of(self) -> Type {
        // SAFETY: any value has a type.
        let code = unsafe { TYPEOF(self.value()) };
        match code {
            SEXPTYPE::NILSXP => Type::Null,
            SEXPTYPE::SYMSXP => Type::Symbol,
            SEXPTYPE::LISTSXP => Type::Pairlist,
            SEXPTYPE::CLOSXP => Type::Closure,
            SEXPTYPE::ENVSXP => Type::Environment,
            SEXPTYPE::LANGSXP => Type::Language,
            SEXPTYPE::SPECIALSXP => Type::Special,
            SEXPTYPE::BUILTINSXP => Type::Builtin,
            SEXPTYPE::LGLSXP => Type::Logical,
            SEXPTYPE::INTSXP => Type::Integer,
            SEXPTYPE::REALSXP => Type::Double,
            SEXPTYPE::CPLXSXP => Type::Complex,
            SEXPTYPE::STRSXP => Type::Character,
            SEXPTYPE::VECSXP => Type::List,
            SEXPTYPE::EXPRSXP => Type::Expression,
            SEXPTYPE::EXTPTRSXP => Type::ExternalPointer,
            SEXPTYPE::RAWSXP => Type::Raw,
            SEXPTYPE::S4SXP => Type::S4,
            // SAFETY: R has a constant name for each type.
            _ => Type::Other(unsafe { CStr::from_ptr(Rf_type2char(code)) }.to_str().unwrap_or_default()),
        }
    }

    fn is_s4(self) -> bool {
        // SAFETY: any value can be asked.
        unsafe { IS_S4_OBJECT(self.value()) != 0 }
    }

    fn classes(self) -> usize {
        let classes = self.class_attribute();
        // SAFETY: any value has a type.
        if unsafe { TYPEOF(classes) } != SEXPTYPE::STRSXP {
            return 0;
        }
        length_of(classes).saturating_sub(self.passed())
    }

    fn class_at(self, at: usize) -> Text<'a> {
        Self::string_of(self.class_attribute(), self.passed() + at)
    }

    fn without_classes(self, count: usize) -> Self {
        self.passing(self.passed() + count)
    }

    fn first_superclass(self, among: &[&str]) -> Option<usize> {
        // SAFETY: inside `protect`, as the token shows; the call is protected while it is evaluated, and what
        // comes of it while it is looked at. There is a class at this index.
        unsafe {
            let classes = self.class_attribute();
            // The attribute of an S4 object says which package defines the class.
            let class = if self.is_s4() { classes } else { Rf_ScalarString(STRING_ELT(classes, index(self.passed()))) };
            let class = Rf_protect(class);
            let call = Rf_protect(Rf_lang2(strings::symbol(self.token(), c"json_superclasses"), class));
            let supers = Rf_protect(scripts::eval(self.token(), call));
            let found =
                (0..length_of(supers)).find_map(|at| among.iter().position(|name| name.as_bytes() == Self::string_of(supers, at).bytes()));
            Rf_unprotect(3);
            found
        }
    }

    fn dimensions(self) -> &'a [i32] {
        // SAFETY: R keeps the dimensions as an integer vector, which lives as long as its value; the type is
        // checked before it is read.
        unsafe {
            let dimensions = Rf_getAttrib(self.value(), R_DimSymbol);
            if TYPEOF(dimensions) != SEXPTYPE::INTSXP || length_of(dimensions) == 0 {
                return &[];
            }
            slice::from_raw_parts(INTEGER(dimensions), length_of(dimensions))
        }
    }

    fn element(self, at: usize) -> Self {
        // SAFETY: inside `protect`, as the token shows. Asked only of lists, below their length; the element lives
        // as long as its list.
        unsafe {
            // What takes long is long lists: R's own loops look for an interrupt as often.
            R_CheckUserInterrupt();
            Self::as_it_is(self.token(), VECTOR_ELT(self.value(), index(at)))
        }
    }

    fn row_names(self) -> Self {
        // SAFETY: inside `protect`. Numbers that R keeps in a short form are made anew, and kept.
        unsafe {
            let names = Rf_getAttrib(self.value(), R_RowNamesSymbol);
            keep(self.token(), names);
            Self::as_it_is(self.token(), names)
        }
    }

    fn held_doubles(self) -> Option<&'a [f64]> {
        self.memory()
    }

    fn held_integers(self) -> Option<&'a [i32]> {
        self.memory()
    }

    fn bytes(self) -> &'a [u8] {
        // SAFETY: asked only of raw vectors, which live as long as the view.
        unsafe {
            if length_of(self.value()) == 0 {
                return &[];
            }
            slice::from_raw_parts(RAW(self.value()), length_of(self.value()))
        }
    }

    fn symbol(self) -> Text<'a> {
        // SAFETY: asked only of symbols, which are never collected.
        unsafe { strings::text(PRINTNAME(self.value())) }
    }

    fn ask(self, question: Question) -> Option<Self> {
        // SAFETY: inside `protect`, as the token shows; what R answers is kept.
        unsafe {
            let answer = ask(self.token(), question, self.value(), self.passed())?;
            Some(Self::as_it_is(self.token(), answer))
        }
    }
}

/// The function of `r-init/json.R` that has the answer.
fn function(question: Question) -> &'static CStr {
    match question {
        Question::Attributes => c"attributes",
        Question::Text => c"json_text",
        Question::Format => c"json_format",
        Question::Moments => c"json_moments",
        Question::TimeOfDay => c"json_time_of_day",
        Question::Hexadecimal => c"json_hexadecimal",
        Question::Complex => c"json_complex",
        Question::Deparse => c"json_deparse",
        Question::DeparseCall => c"json_deparse_call",
        Question::DeparseFirst => c"json_deparse_first",
        Question::List => c"json_list",
        Question::RowNames => c"json_row_names",
        Question::Geometry => c"json_geometry",
        Question::Slots => c"json_slots",
        Question::ClassSlots => c"json_class_slots",
        Question::S4Class => c"json_s4_class",
        Question::Namespace => c"json_namespace",
        Question::Serialized => c"json_serialized",
    }
}

/// Evaluates a question; the answer is kept from R's garbage collector as long as all views are.
///
/// # Safety
/// `value` stays reachable from R meanwhile.
unsafe fn ask(r: R, question: Question, value: SEXP, passed: usize) -> Option<SEXP> {
    // SAFETY: inside `protect`; everything is protected while R runs. The value is quoted, as it may be code.
    unsafe {
        let function = strings::symbol(r, function(question));
        let quoted = Rf_protect(Rf_lang2(R_QuoteSymbol, value));
        if question == Question::Attributes {
            // This cannot fail, and is asked of everything: it goes without a function of ours in between.
            let call = Rf_protect(Rf_lang2(function, quoted));
            let attributes = Rf_protect(Rf_eval(call, R_BaseEnv));
            keep(r, attributes);
            Rf_unprotect(3);
            return Some(attributes);
        }
        let passed = Rf_protect(Rf_ScalarInteger(c_int::try_from(passed).unwrap_or(c_int::MAX)));
        let call = Rf_protect(Rf_lang4(strings::symbol(r, c"json_answer"), function, quoted, passed));
        let answer = Rf_protect(scripts::eval(r, call));
        keep(r, answer);
        Rf_unprotect(4);
        (answer != R_NilValue).then(|| VECTOR_ELT(answer, 0))
    }
}
