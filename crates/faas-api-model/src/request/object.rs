//! Reading one JSON object strictly, in one pass, without building a tree of it.
//!
//! A tree would cost a multiple of the body: a list of small numbers grows more than tenfold. Instead
//! each field is read into its own type, and what is wrong with it is left in a [`Report`], because a
//! JSON parser's errors carry only text.

use super::error::{BodyError, excerpt};
use super::scalar::{Number, Scalar};
use faas_types::parse_duration;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::error::Category;
use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

/// Where the first refusal is kept until the parser has given up.
#[derive(Debug, Default)]
pub(super) struct Report {
    problem: RefCell<Option<BodyError>>,
}

impl Report {
    /// Keeps a refusal, unless there is an earlier one, and stops the parser.
    pub(super) fn refuse<E: de::Error>(&self, problem: BodyError) -> E {
        self.problem.borrow_mut().get_or_insert(problem);
        E::custom("refused")
    }
}

/// An object whose fields are known by name.
pub(super) trait Object: Default {
    /// Every accepted field.
    const FIELDS: &'static [&'static str];
    /// What stands before a field's name in errors: `resources.` for a nested object.
    const PREFIX: &'static str;

    /// Reads the value of a field, one of [`Self::FIELDS`].
    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, value: Value<'_, A>) -> Result<(), A::Error>;
}

/// A field's value, not read yet.
pub(super) struct Value<'a, A> {
    map: &'a mut A,
    report: &'a Report,
    name: &'a str,
}

impl<'de, A: MapAccess<'de>> Value<'_, A> {
    /// Reads it as what it should be; `None` for `null`, which means the same as no field.
    pub(super) fn get<T: Deserialize<'de>>(self) -> Result<Option<T>, A::Error> {
        self.map.next_value::<Option<T>>().map_err(|error| note(self.report, self.name, error))
    }

    /// Reads it and turns it into what is meant.
    pub(super) fn parse<T: Deserialize<'de>, U, E: fmt::Display>(
        self,
        parse: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Option<U>, A::Error> {
        let Self { map, report, name } = self;
        let Some(given) = Value { map, report, name }.get::<T>()? else { return Ok(None) };
        parse(given).map(Some).map_err(|error| report.refuse(BodyError::field(name, error.to_string())))
    }

    /// Reads it and turns it into what is meant, with an error of its own.
    pub(super) fn judge<T: Deserialize<'de>, U>(
        self,
        judge: impl FnOnce(T) -> Result<U, BodyError>,
    ) -> Result<Option<U>, A::Error> {
        let Self { map, report, name } = self;
        let Some(given) = Value { map, report, name }.get::<T>()? else { return Ok(None) };
        judge(given).map(Some).map_err(|error| report.refuse(error))
    }

    /// Reads it as a duration, in seconds where it is a bare number.
    pub(super) fn duration(self) -> Result<Option<Duration>, A::Error> {
        self.parse(|Scalar(text)| parse_duration(&text))
    }

    /// Reads it as a number of milliseconds.
    pub(super) fn milliseconds(self) -> Result<Option<Duration>, A::Error> {
        self.parse(|Number(text)| parse_duration(&format!("{text}ms")))
    }

    /// Reads it as a nested object.
    pub(super) fn object<T: Object>(self) -> Result<Option<T>, A::Error> {
        let Self { map, report, name } = self;
        map.next_value_seed(Nullable { report, empty: T::default }).map_err(|error| note(report, name, error))
    }
}

fn note<E: de::Error>(report: &Report, name: &str, error: E) -> E {
    report.problem.borrow_mut().get_or_insert_with(|| BodyError::field(name, error.to_string()));
    error
}

/// Reads a whole body.
pub(super) fn read<T: Object>(body: &[u8]) -> Result<T, BodyError> {
    let report = Report::default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let result = Whole { report: &report, empty: T::default }
        .deserialize(&mut deserializer)
        .and_then(|object| deserializer.end().map(|()| object));
    result.map_err(|error| match (error.classify(), report.problem.into_inner()) {
        (Category::Data, Some(problem)) => problem,
        (Category::Data | Category::Syntax | Category::Eof | Category::Io, _) => {
            BodyError::Json { reason: excerpt(&error.to_string()) }
        }
    })
}

struct Whole<'r, T> {
    report: &'r Report,
    empty: fn() -> T,
}

impl<'de, T: Object> DeserializeSeed<'de> for Whole<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Object> Visitor<'de> for Whole<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = (self.empty)();
        let mut seen = Vec::with_capacity(T::FIELDS.len());
        while let Some(key) = map.next_key::<String>()? {
            let Some(field) = T::FIELDS.iter().copied().find(|field| *field == key) else {
                let accepted = T::FIELDS.join(", ");
                let field = excerpt(&format!("{}{key}", T::PREFIX));
                return Err(self.report.refuse(BodyError::Unknown { field, accepted }));
            };
            let name = format!("{}{field}", T::PREFIX);
            if seen.contains(&field) {
                let problem = BodyError::Json { reason: format!("{name} is given twice; accepted: each field once") };
                return Err(self.report.refuse(problem));
            }
            seen.push(field);
            object.read(field, Value { map: &mut map, report: self.report, name: &name })?;
        }
        Ok(object)
    }
}

struct Nullable<'r, T> {
    report: &'r Report,
    empty: fn() -> T,
}

impl<'de, T: Object> DeserializeSeed<'de> for Nullable<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, T: Object> Visitor<'de> for Nullable<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_none<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        Whole { report: self.report, empty: self.empty }.deserialize(deserializer).map(Some)
    }
}
