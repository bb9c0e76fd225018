//! Reads values that are declared to be data frames.

use std::collections::HashMap;

use super::input::{Misfit, came, out_of_memory};
use crate::wire::typed::input::{
    Input, Sent, json, model,
    raw::{Elements, Raw},
    shown,
};

/// A data frame of columns. A scalar is a column of one row.
pub(super) fn by_columns<'a>(members: Vec<(Sent<'a>, Raw<'a>)>) -> Result<Input<'a>, Misfit> {
    let mut columns = Vec::with_capacity(members.len());
    for (name, value) in members {
        let what = came(&value);
        let elements = json::elements(value, None).map_err(|_| Misfit::Came(format!("{what} as the column {}", shown(&name))))?;
        let column = model::checked(elements).map_err(|invalid| invalid.within(&name))?;
        columns.push((name, Input::Vector(column)));
    }
    Ok(model::data_frame(columns)?)
}

/// The elements of a column so far.
struct Cells<'a> {
    elements: Elements<'a>,
    count: usize,
}

/// A data frame of rows, each an object. All have the same names: otherwise, what is not sent could be much more than what is.
pub(super) fn by_rows<'a>(rows: Vec<Raw<'a>>) -> Result<Input<'a>, Misfit> {
    let mut names: Vec<Sent<'a>> = Vec::new();
    let mut columns: Vec<Cells<'a>> = Vec::new();
    let mut places: HashMap<Sent<'a>, usize> = HashMap::new();
    for (at, row) in rows.into_iter().enumerate() {
        let Raw::Object(cells) = row else {
            return Err(Misfit::Came(format!("an array with {} as element {}", came(&row), at + 1)));
        };
        if at == 0 {
            names = cells.iter().map(|(name, _)| name.clone()).collect();
            columns = names.iter().map(|_| Cells { elements: Elements::Nulls(0), count: 0 }).collect();
            places = names.iter().cloned().zip(0..).collect();
        }
        let uneven = || Misfit::Came(format!("an array in which element {} has other names than the first", at + 1));
        if cells.len() != names.len() {
            return Err(uneven());
        }
        for (usual, (name, value)) in cells.into_iter().enumerate() {
            let place = if names[usual] == name { usual } else { *places.get(&name).ok_or_else(uneven)? };
            let column = &mut columns[place];
            // A name that is there twice would be in the place of another.
            if column.count != at {
                return Err(uneven());
            }
            column.count += 1;
            column.elements.push(value).map_err(|_| out_of_memory())?;
        }
    }
    by_columns(names.into_iter().zip(columns.into_iter().map(|cells| cells.elements.into())).collect())
}
