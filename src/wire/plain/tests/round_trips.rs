//! Any value that is written is read as the same.

use proptest::{collection::vec, prelude::*};

use super::{held::Held, read, read_as, written, written_as};
use crate::wire::{
    plain::Kind,
    typed::input::{Column, Input, NA_REAL, Sent},
    value::NA_INTEGER,
};

fn text() -> impl Strategy<Value = Sent<'static>> + Clone {
    prop_oneof!["[\\PC\\t\\n]{0,6}", Just("Inf".to_owned())].prop_map(Sent::from).prop_filter("no NUL", |text| !text.contains('\0'))
}

fn number() -> impl Strategy<Value = f64> + Clone {
    let finite = any::<f64>().prop_filter("finite", |number| number.is_finite());
    prop_oneof![4 => finite, 1 => (-1000..1000).prop_map(f64::from), 1 => (50..63).prop_map(|power| 2_f64.powi(power))]
}

/// A vector whose JSON tells its type, and its kind.
fn column(length: usize) -> impl Strategy<Value = (Column<'static>, Kind)> {
    let special = prop_oneof![6 => number(), 1 => Just(f64::INFINITY), 1 => Just(NA_REAL)];
    let doubles = (number(), vec(special, length)).prop_map(|(first, mut all)| {
        all.iter_mut().take(1).for_each(|one| *one = first);
        (Column::Double(all), Kind::Numeric)
    });
    let texts = vec(proptest::option::of(text()), length).prop_map(|mut all| {
        all.iter_mut().take(1).for_each(|one| *one = Some("first".into()));
        (Column::Text(all), Kind::Character)
    });
    let truths = vec(prop_oneof![Just(0), Just(1), Just(NA_INTEGER)], length).prop_map(|mut all| {
        all.iter_mut().take(1).for_each(|one| *one = 1);
        (Column::Logical(all), Kind::Logical)
    });
    prop_oneof![doubles, texts, truths]
}

fn vector() -> impl Strategy<Value = Input<'static>> {
    (2_usize..5).prop_flat_map(column).prop_map(|(elements, _)| Input::Vector(elements))
}

fn frame() -> impl Strategy<Value = Input<'static>> {
    (1_usize..4, 1_usize..4).prop_flat_map(|(rows, columns)| vec(column(rows), columns)).prop_map(|columns| {
        let columns = columns.into_iter().enumerate();
        Input::DataFrame(columns.map(|(at, (column, _))| (format!("c{at}").into(), Input::Vector(column))).collect())
    })
}

fn matrix() -> impl Strategy<Value = Input<'static>> {
    (1_usize..4, 1_usize..4)
        .prop_flat_map(|(rows, columns)| column(rows * columns).prop_map(move |(elements, _)| Input::Matrix { rows, columns, elements }))
}

proptest! {
    #[test]
    fn values_that_are_declared_come_back_as_they_were((elements, kind) in (0_usize..5).prop_flat_map(column)) {
        let value = Input::Vector(elements);
        let json = written_as(&Held::of(&value), Some(kind)).unwrap();
        prop_assert_eq!(format!("{:?}", read_as(&json, Some(kind)).unwrap()), format!("{value:?}"), "{}", json);
    }

    #[test]
    fn integers_come_back_as_they_were(all in vec(any::<i32>(), 0..5)) {
        let json = written_as(&Held::integers(&all), Some(Kind::Integer)).unwrap();
        prop_assert_eq!(read_as(&json, Some(Kind::Integer)).unwrap(), Input::Integers(all));
    }

    #[test]
    fn values_tell_themselves_what_they_are(value in prop_oneof![frame(), matrix(), vector()]) {
        let json = written(&Held::of(&value));
        prop_assert_eq!(format!("{:?}", read(&json)), format!("{value:?}"), "{}", json);
    }

    #[test]
    fn rows_are_the_same_frame_as_columns(value in frame()) {
        let columns: serde_json::Value = serde_json::from_str(&written(&Held::of(&value))).unwrap();
        let rows = columns["c0"].as_array().unwrap().len();
        let columns = columns.as_object().unwrap();
        let row = |at| columns.iter().map(move |(name, all)| (name.clone(), all[at].clone())).collect::<serde_json::Map<_, _>>();
        let sent = serde_json::to_string(&(0..rows).map(row).collect::<Vec<_>>()).unwrap();
        prop_assert_eq!(format!("{:?}", read_as(&sent, Some(Kind::DataFrame)).unwrap()), format!("{value:?}"), "{}", sent);
    }
}
