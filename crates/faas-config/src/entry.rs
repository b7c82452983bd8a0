//! A configuration as a list: every key with its value as text and where it came from.

use crate::{Config, Key, Origin, Setting};
use faas_types::OnOutputLimit;
use std::path::PathBuf;
use std::time::Duration;

/// One key of a resolved configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value in a form that its key accepts.
    pub value: EntryValue,
    /// Where it came from.
    pub origin: Origin,
}

/// The shape of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryValue {
    /// Nobody chose; it is decided when it is needed.
    Unset,
    /// A text.
    Text(String),
    /// A whole number.
    Number(u32),
    /// True or false.
    Truth(bool),
    /// Several texts.
    List(Vec<String>),
}

impl Config {
    /// Every key with its value, in the order of the documentation.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        Key::ALL.iter().map(|key| self.entry(*key)).collect()
    }

    fn entry(&self, key: Key) -> Entry {
        let (server, http) = (&self.server, &self.server.http);
        let (value, origin) = match key {
            Key::Listen => shown(&server.listen, |all| EntryValue::List(all.iter().map(ToString::to_string).collect())),
            Key::CompatPorts => shown(&server.compat_ports, |value| EntryValue::Truth(*value)),
            Key::DataDir => shown(&server.data_dir, |path| directory(path.as_ref(), "")),
            Key::Database => shown(&server.database, |path| directory(path.as_ref(), "sqlite:")),
            Key::RoutesDb => shown(&server.routes_db, |path| directory(path.as_ref(), "")),
            Key::FunctionRoots => shown(&server.function_roots, |paths| {
                paths.as_ref().map_or(EntryValue::Unset, |all| {
                    EntryValue::List(all.iter().map(|path| path.display().to_string()).collect())
                })
            }),
            Key::Executor => shown(&server.executor, |executor| text(executor.as_str())),
            Key::DrainTimeout => shown(&server.drain_timeout, duration),
            Key::QueueWaiting => shown(&server.queue_waiting, number),
            Key::WarmSandboxes => shown(&server.warm_sandboxes, number),
            Key::Spares => shown(&server.spares, number),
            Key::SparesMemory => shown(&server.spares_memory, text),
            Key::Zygotes => shown(&server.zygotes, |value| EntryValue::Truth(*value)),
            Key::PackageZygotes => shown(&server.package_zygotes, number),
            Key::WarmMemory => shown(&server.warm_memory, text),
            Key::WarmTtl => shown(&server.warm_ttl, duration),
            Key::ColdStartTimeout => shown(&server.cold_start_timeout, duration),
            Key::HistoryRows => shown(&server.history_rows, number),
            Key::HistoryBytes => shown(&server.history_bytes, text),
            Key::LogsBytes => shown(&server.logs_bytes, text),
            Key::HttpBodyLimit => shown(&http.body_limit, text),
            Key::HttpHeaderTimeout => shown(&http.header_timeout, duration),
            Key::HttpBodyTimeout => shown(&http.body_timeout, duration),
            Key::HttpWriteTimeout => shown(&http.write_timeout, duration),
            Key::HttpIdleTimeout => shown(&http.idle_timeout, duration),
            Key::HttpConnections => shown(&http.connections, number),
            Key::LogLevel => shown(&server.log_level, text),
            Key::LogFormat => shown(&server.log_format, |format| text(format.as_str())),
            Key::OtlpEndpoint => shown(&server.otlp_endpoint, |url| url.as_ref().map_or(EntryValue::Unset, text)),
            Key::RuntimeDir => shown(&self.runtime_dir, |path| directory(path.as_ref(), "")),
            Key::DefaultLanguage => shown(&self.default_language, |language| text(language.as_str())),
            Key::Isolation => shown(&self.isolation, |level| text(level.as_str())),
            Key::MaxSandboxes => shown(&self.max_sandboxes, number),
            Key::Memory => shown(&self.memory, text),
            Key::Cpus => shown(&self.cpus, text),
            Key::Disk => shown(&self.disk, text),
            Key::Pids => shown(&self.pids, number),
            Key::Timeout => shown(&self.timeout, duration),
            Key::Output => shown(&self.output, text),
            Key::OnOutputLimit => shown(&self.on_output_limit, |past| {
                text(match past {
                    OnOutputLimit::Discard => "discard",
                    OnOutputLimit::Kill => "kill",
                })
            }),
        };
        Entry { key, value, origin }
    }
}

fn shown<'a, T>(setting: &'a Setting<T>, show: impl FnOnce(&'a T) -> EntryValue) -> (EntryValue, Origin) {
    (show(&setting.value), setting.origin.clone())
}

fn text(value: impl ToString) -> EntryValue {
    EntryValue::Text(value.to_string())
}

const fn number(value: &u32) -> EntryValue {
    EntryValue::Number(*value)
}

/// Whole seconds where it is so, else milliseconds: no configured duration is finer.
fn duration(value: &Duration) -> EntryValue {
    if value.subsec_millis() == 0 {
        text(format!("{}s", value.as_secs()))
    } else {
        text(format!("{}ms", value.as_millis()))
    }
}

/// All paths came from texts, so none is lost here.
fn directory(path: Option<&PathBuf>, scheme: &str) -> EntryValue {
    path.map_or(EntryValue::Unset, |path| text(format!("{scheme}{}", path.display())))
}
