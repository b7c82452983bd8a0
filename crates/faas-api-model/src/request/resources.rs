//! `resources` of a request: each limit under one of two names.

use super::error::BodyError;
use super::object::{Object, Value};
use super::scalar::{Number, Scalar};
use faas_types::{ByteSize, CpuAmount, parse_count};
use serde::de::MapAccess;

/// The limits a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ResourcesBody {
    pub(super) cpu: Option<CpuAmount>,
    pub(super) memory: Option<ByteSize>,
    pub(super) disk: Option<ByteSize>,
    pub(super) pids: Option<u32>,
    /// Two names of one limit were used; the first of them.
    pub(super) doubled: Option<&'static str>,
}

impl Object for ResourcesBody {
    const FIELDS: &'static [&'static str] =
        &["cpu_cores", "cpu", "memory_mb", "memory", "disk_mb", "disk", "pids", "gpu"];
    const PREFIX: &'static str = "resources.";

    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match field {
            "cpu_cores" | "cpu" => {
                let given = value.parse(|Scalar(text)| text.parse::<CpuAmount>())?;
                put(&mut self.cpu, given, &mut self.doubled, "cpu");
            }
            "memory_mb" => {
                let given = value.parse(|Number(text)| text.parse::<ByteSize>())?;
                put(&mut self.memory, given, &mut self.doubled, "memory");
            }
            "memory" => {
                let given = value.parse(|Scalar(text)| text.parse::<ByteSize>())?;
                put(&mut self.memory, given, &mut self.doubled, "memory");
            }
            "disk_mb" => {
                let given = value.parse(|Number(text)| text.parse::<ByteSize>())?;
                put(&mut self.disk, given, &mut self.doubled, "disk");
            }
            "disk" => {
                let given = value.parse(|Scalar(text)| text.parse::<ByteSize>())?;
                put(&mut self.disk, given, &mut self.doubled, "disk");
            }
            "pids" => self.pids = value.parse(|Scalar(text)| parse_count(&text, "pids"))?,
            _ => {
                value.judge(|Scalar(count)| match count.as_str() {
                    "0" => Ok(()),
                    _ => Err(BodyError::Unsupported {
                        field: "resources.gpu".to_owned(),
                        reason: "no executor here offers one; leave it out, or send 0".to_owned(),
                    }),
                })?;
            }
        }
        Ok(())
    }
}

fn put<T>(place: &mut Option<T>, given: Option<T>, doubled: &mut Option<&'static str>, name: &'static str) {
    if given.is_some() && place.is_some() {
        *doubled = Some(name);
    }
    *place = given.or(place.take());
}
