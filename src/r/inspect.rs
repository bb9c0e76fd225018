//! R's values as the rules of jsonlite look at them. Questions that R's memory does not answer are put to the functions
//! of `r-init/json.R`.

use std::{
    ffi::{CStr, c_int},
    slice,
};

use libR_sys::{
    IS_S4_OBJECT, PRINTNAME, R_BaseEnv, R_CheckUserInterrupt, R_NilValue, R_QuoteSymbol, R_RowNamesSymbol, RAW, Rf_ScalarInteger,
    Rf_ScalarString, Rf_eval, Rf_lang2, Rf_lang4, Rf_protect, Rf_type2char, Rf_unprotect, SEXPTYPE, STRING_ELT, VECTOR_ELT,
};

use super::{
    kept::keep,
    reports, scripts, strings,
    view::{RValue, index, protected},
};
use crate::wire::{
    Text, Value,
    jsonlite::{Question, RObject, Type},
};

impl<'r> RObject<'r> for RValue<'r> {
    fn type_of(self) -> Type {
        match self.kind() {
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
            other => Type::Other(unsafe { CStr::from_ptr(Rf_type2char(other)) }.to_str().unwrap_or_default()),
        }
    }

    fn is_s4(self) -> bool {
        // SAFETY: any value can be asked.
        unsafe { IS_S4_OBJECT(self.value()) != 0 }
    }

    fn classes(self) -> usize {
        let classes = self.class_attribute();
        if classes.kind() == SEXPTYPE::STRSXP { classes.len().saturating_sub(self.passed()) } else { 0 }
    }

    fn class_at(self, at: usize) -> Text<'r> {
        self.class_attribute().string(self.passed() + at)
    }

    fn without_classes(self, count: usize) -> Self {
        self.passing(self.passed() + count)
    }

    fn first_superclass(self, among: &[&str]) -> Option<usize> {
        if self.classes() == 0 {
            return None;
        }
        // SAFETY: inside `protect`, as the token shows; the call is protected while it is evaluated, and its value while it
        // is looked at. There is a class at this index.
        unsafe {
            let classes = self.class_attribute().value();
            // For an S4 object, the whole attribute: its own attribute says which package defines the class.
            let class = if self.is_s4() { classes } else { Rf_ScalarString(STRING_ELT(classes, index(self.passed()))) };
            let class = Rf_protect(class);
            let call = Rf_protect(Rf_lang2(strings::symbol(self.token(), c"json_superclasses"), class));
            let found = protected(self.token(), scripts::eval(self.token(), call), |supers| {
                (0..supers.len()).find_map(|at| among.iter().position(|name| name.as_bytes() == supers.string(at).bytes()))
            });
            Rf_unprotect(2);
            found
        }
    }

    fn dimensions(self) -> &'r [i32] {
        self.extents()
    }

    fn element(self, at: usize) -> Self {
        // SAFETY: inside `protect`, as the token shows. It is long lists that take long to write, so this is where we look
        // for an interrupt; R's own loops do so as often.
        unsafe { R_CheckUserInterrupt() };
        self.child(at)
    }

    fn row_names(self) -> Self {
        // SAFETY: R's symbols are constants.
        self.attribute(unsafe { R_RowNamesSymbol })
    }

    fn held_doubles(self) -> Option<&'r [f64]> {
        self.memory()
    }

    fn held_integers(self) -> Option<&'r [i32]> {
        self.memory()
    }

    fn bytes(self) -> &'r [u8] {
        if self.kind() != SEXPTYPE::RAWSXP || self.is_empty() {
            return &[];
        }
        // SAFETY: a raw vector that is not empty, and lives as long as the view.
        unsafe { slice::from_raw_parts(RAW(self.value()), self.len()) }
    }

    fn symbol(self) -> Text<'r> {
        if self.kind() != SEXPTYPE::SYMSXP {
            return Text::Na;
        }
        // SAFETY: symbols are never collected.
        unsafe { strings::text(PRINTNAME(self.value())) }
    }

    fn ask(self, question: Question) -> Option<Self> {
        let r = self.token();
        // SAFETY: inside `protect`, as the token shows; everything is protected while R runs, and the answer is kept. The
        // value is quoted, as it may be code.
        unsafe {
            let function = strings::symbol(r, function(question));
            let quoted = Rf_protect(Rf_lang2(R_QuoteSymbol, self.value()));
            if question == Question::Attributes {
                // This cannot fail, and is asked of everything: it goes without a function of ours in between.
                let call = Rf_protect(Rf_lang2(function, quoted));
                reports::begin_own_work();
                let attributes = Rf_protect(Rf_eval(call, R_BaseEnv));
                keep(r, attributes);
                Rf_unprotect(3);
                return Some(Self::as_it_is(r, attributes));
            }
            let passed = Rf_protect(Rf_ScalarInteger(c_int::try_from(self.passed()).unwrap_or(c_int::MAX)));
            let call = Rf_protect(Rf_lang4(strings::symbol(r, c"json_answer"), function, quoted, passed));
            let answer = Rf_protect(scripts::eval(r, call));
            keep(r, answer);
            Rf_unprotect(4);
            (answer != R_NilValue).then(|| Self::as_it_is(r, VECTOR_ELT(answer, 0)))
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
