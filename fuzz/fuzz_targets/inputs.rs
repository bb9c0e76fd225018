//! Any text is inputs, in JSON or in XML or in plain JSON, or is refused with a sentence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offshoot::wire::{
    plain::{self, Kind, Parameter},
    typed::input::{self, Column, Input, Inputs},
};

fuzz_target!(|bytes: &[u8]| {
    look(bytes);
    // What stands inside is more often to the point than what begins as anything.
    look(&[b"{\"x\":", bytes, b"}"].concat());
    plain(bytes);
    plain(&[b"{\"x\":", bytes, b"}"].concat());
    look(&[b"<inputs><robject name=\"x\" ", bytes, b"</inputs>"].concat());
});

fn look(bytes: &[u8]) {
    match input::read(bytes) {
        Ok(inputs) => check_all(&inputs),
        Err(invalid) => {
            let sentence = invalid.to_string();
            assert!(sentence.starts_with("inputs") && sentence.ends_with('.'), "{sentence}");
        }
    }
}

/// The same as plain JSON, of which nothing or something is declared.
fn plain(bytes: &[u8]) {
    const KINDS: [Kind; 7] =
        [Kind::Logical, Kind::Numeric, Kind::Integer, Kind::Character, Kind::Vector, Kind::Matrix, Kind::DataFrame];
    let declared = KINDS.map(|kind| vec![Parameter { name: "x".to_owned(), kind }]);
    for parameters in declared.iter().map(|declared| Some(declared.as_slice())).chain([None, Some(&[][..])]) {
        match plain::input::read(bytes, parameters) {
            Ok(inputs) => check_all(&inputs),
            Err(unfit) => assert!(unfit.to_string().ends_with('.'), "{unfit}"),
        }
    }
}

fn check_all(inputs: &Inputs<'_>) {
    for (name, input) in &inputs.members {
        assert!(!name.is_empty() && !name.contains('\0'));
        check(input);
    }
}

/// What R relies on.
fn check(input: &Input<'_>) {
    match input {
        Input::Vector(column) => check_column(column),
        Input::Matrix { rows, columns, elements } => {
            assert_eq!(rows * columns, elements.len());
            check_column(elements);
        }
        Input::Factor(factor) => check_column(&factor.values),
        Input::List(members) => members.iter().for_each(|(_, member)| check(member)),
        Input::DataFrame(columns) => {
            assert!(columns.iter().all(|(_, column)| column.len() == columns[0].1.len()));
            columns.iter().for_each(|(_, column)| check(column));
        }
        Input::Null | Input::Integers(_) | Input::Dates(_) | Input::Moments(_) => {}
    }
}

fn check_column(column: &Column<'_>) {
    if let Column::Text(texts) = column {
        assert!(texts.iter().flatten().all(|text| !text.contains('\0')));
    }
}
