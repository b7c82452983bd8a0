//! A function as a client writes it and as an answer shows it: every thing under one name.

use super::{FunctionBody, ScalingBody};
use crate::request::content::SentFiles;
use crate::request::entries::SentVariables;
use faas_types::ByteSize;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::time::Duration;

/// What is `None` or empty is not written.
impl Serialize for FunctionBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        macro_rules! optional {
            ($($field:ident),*) => {$(
                if let Some(value) = &self.$field {
                    map.serialize_entry(stringify!($field), value)?;
                }
            )*};
        }
        optional!(name, runtime, code);
        if !self.files.is_empty() {
            map.serialize_entry("files", &SentFiles(&self.files))?;
        }
        optional!(main, module, handler, contract, executor, isolation, mode);
        if [self.cpu.is_some(), self.memory.is_some(), self.disk.is_some(), self.pids.is_some()].contains(&true) {
            map.serialize_entry("resources", &SentResources(self))?;
        }
        if let Some(timeout) = self.timeout {
            map.serialize_entry("timeout_ms", &milliseconds(timeout))?;
        }
        if !self.env.is_empty() {
            map.serialize_entry("env", &SentVariables(&self.env))?;
        }
        if let Some(limit) = self.output_limit {
            map.serialize_entry("output_limit", &limit.to_string())?;
        }
        optional!(on_output_limit);
        if self.scaling != ScalingBody::default() {
            map.serialize_entry("scaling", &self.scaling)?;
        }
        if !self.dependencies.is_empty() {
            map.serialize_entry("dependencies", &self.dependencies)?;
        }
        optional!(allow_build);
        if !self.routes.is_empty() {
            map.serialize_entry("routes", &self.routes)?;
        }
        optional!(auth);
        map.end()
    }
}

impl Serialize for ScalingBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in [("min", self.min), ("max", self.max), ("concurrency", self.concurrency)] {
            if let Some(value) = value {
                map.serialize_entry(name, &value)?;
            }
        }
        if let Some(ttl) = self.idle_ttl {
            map.serialize_entry("idle_ttl_ms", &milliseconds(ttl))?;
        }
        map.end()
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Cores and MiB as numbers where they are that, else as text with a unit.
struct SentResources<'a>(&'a FunctionBody);

impl Serialize for SentResources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const MIB: u64 = 1 << 20;
        let Self(body) = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(cpu) = body.cpu {
            match cpu.as_milli() {
                milli if milli.is_multiple_of(1000) => map.serialize_entry("cpu_cores", &(milli / 1000))?,
                milli => map.serialize_entry("cpu_cores", &(f64::from(milli) / 1000.0))?,
            }
        }
        let mut size = |whole: &str, other: &str, size: Option<ByteSize>| match size.map(ByteSize::as_bytes) {
            None => Ok(()),
            Some(bytes) if bytes.is_multiple_of(MIB) => map.serialize_entry(whole, &(bytes / MIB)),
            Some(bytes) => map.serialize_entry(other, &format!("{bytes}B")),
        };
        size("memory_mb", "memory", body.memory)?;
        size("disk_mb", "disk", body.disk)?;
        if let Some(pids) = body.pids {
            map.serialize_entry("pids", &pids)?;
        }
        map.end()
    }
}
