//! An execution as a client writes it.

use super::ExecuteBody;
use crate::request::content::{Content, SentFiles};
use crate::request::entries::SentVariables;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// What is `None` or empty is not sent, so that the server's configuration decides it.
impl Serialize for ExecuteBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        macro_rules! optional {
            ($($field:ident),*) => {$(
                if let Some(value) = &self.$field {
                    map.serialize_entry(stringify!($field), value)?;
                }
            )*};
        }
        if let Some(function) = &self.function {
            map.serialize_entry("function", &function.to_string())?;
        }
        optional!(code, name, language, command, mode, executor, isolation, contract, input);
        if !self.args.is_empty() {
            map.serialize_entry("args", &self.args)?;
        }
        if let Some(stdin) = &self.stdin {
            map.serialize_entry("stdin", &Content(stdin.clone()))?;
        }
        if !self.env.is_empty() {
            map.serialize_entry("env", &SentVariables(&self.env))?;
        }
        if !self.files.is_empty() {
            map.serialize_entry("files", &SentFiles(&self.files))?;
        }
        if [self.cpu.is_some(), self.memory.is_some(), self.disk.is_some(), self.pids.is_some()].contains(&true) {
            map.serialize_entry("resources", &SentResources(self))?;
        }
        if let Some(timeout) = self.timeout {
            map.serialize_entry("timeout_ms", &u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))?;
        }
        if let Some(limit) = self.output_limit {
            map.serialize_entry("output_limit", &limit.to_string())?;
        }
        optional!(on_output_limit, wait, on_disconnect);
        if !self.labels.is_empty() {
            map.serialize_entry("labels", &self.labels)?;
        }
        map.end()
    }
}

struct SentResources<'a>(&'a ExecuteBody);

impl Serialize for SentResources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(body) = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(cpu) = body.cpu {
            map.serialize_entry("cpu", &cpu.to_string())?;
        }
        if let Some(memory) = body.memory {
            map.serialize_entry("memory", &memory.to_string())?;
        }
        if let Some(disk) = body.disk {
            map.serialize_entry("disk", &disk.to_string())?;
        }
        if let Some(pids) = body.pids {
            map.serialize_entry("pids", &pids)?;
        }
        map.end()
    }
}
