//! The inputs of many calls: an array of objects in JSON, which are told apart and not read any further.

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::Failure;

/// The texts of the objects of an array, of which there may be `most`; 0 is no limit.
///
/// # Errors
/// [`Failure::Invalid`]
pub(super) fn read(array: &str, most: u64) -> Result<Vec<&str>, Failure> {
    // Some clients of .NET put it before a text.
    let mut reader = serde_json::Deserializer::from_str(array.strip_prefix('\u{feff}').unwrap_or(array));
    let most = if most == 0 { usize::MAX } else { usize::try_from(most).unwrap_or(usize::MAX) };
    let read = Calls(most).deserialize(&mut reader).and_then(|calls| reader.end().map(|()| calls));
    read.map_err(|error| Failure::Invalid(format!("The body has to be an array of objects, one for each call: {error}.")))
}

/// Reads this many calls at most: an array of small things would take much more memory than its text.
struct Calls(usize);

impl<'de> DeserializeSeed<'de> for Calls {
    type Value = Vec<&'de str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Calls {
    type Value = Vec<&'de str>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut calls = Vec::new();
        while let Some(item) = items.next_element::<&RawValue>()? {
            if !item.get().starts_with('{') {
                return Err(de::Error::custom(format!("item {} is not an object", calls.len())));
            }
            if calls.len() == self.0 {
                return Err(de::Error::custom(format!("it has more than {} items, which is the most (services.batch_items)", self.0)));
            }
            calls.push(item.get());
        }
        Ok(calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_apart_and_stay_as_they_were_written() {
        assert_eq!(read(r#" [ {"x": 1.0,"x":2} , {} ] "#, 2).unwrap(), [r#"{"x": 1.0,"x":2}"#, "{}"]);
        assert_eq!(read("\u{feff}[]", 1).unwrap(), [""; 0]);
        for (wrong, said) in [
            ("", "EOF"),
            ("{}", "an array"),
            ("[1]", "item 0 is not an object"),
            ("[{}, [{}]]", "item 1 is not an object"),
            ("[{}", "EOF"),
            ("[{]", "key"),
            ("[{}] []", "trailing"),
            ("[{},{},{}]", "more than 2 items"),
        ] {
            let error = read(wrong, 2).unwrap_err().to_string();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}
