//! Every key that exists: its place in the file, its variables, its flag, what it means.

use super::KeyInfo;

macro_rules! keys {
    ($($variant:ident {
        name: $name:literal, env: $env:literal, $(also: $also:expr,)? flag: $flag:literal,
        accepted: $accepted:literal, default: $default:literal, about: $about:literal,
    })*) => {
        /// One configuration key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Key {
            $(#[doc = $about] $variant,)*
        }

        impl Key {
            /// Every key, in the order the documentation lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// What is to be known about it.
            #[must_use]
            pub const fn info(self) -> KeyInfo {
                match self {
                    $(Self::$variant => KeyInfo {
                        name: $name,
                        env: $env,
                        also: or_none!($($also)?),
                        flag: $flag,
                        accepted: $accepted,
                        default: $default,
                        about: $about,
                    },)*
                }
            }
        }
    };
}

macro_rules! or_none {
    () => {
        &[]
    };
    ($also:expr) => {
        &$also
    };
}

keys! {
    Listen {
        name: "listen", env: "FAAS_LISTEN",
        also: ["SERVER_ADDRESS", "FAAS_GATEWAY_PORT", "FAAS_API_PORT", "GATEWAY_PORT", "HTTP_PORT"], flag: "--listen",
        accepted: "addresses ADDRESS:PORT, [IPV6]:PORT or localhost:PORT, each once, with commas or as a list; :PORT or a bare port means 127.0.0.1",
        default: "127.0.0.1:8080",
        about: "Addresses the server listens on.",
    }
    CompatPorts {
        name: "compat_ports", env: "FAAS_COMPAT_PORTS", flag: "--compat-ports",
        accepted: "true or false",
        default: "false",
        about: "Whether the server also listens on 127.0.0.1:8000 and 127.0.0.1:9080, where clients of other platforms look.",
    }
    DataDir {
        name: "data_dir", env: "FAAS_DATA_DIR", flag: "--data-dir",
        accepted: "an absolute path",
        default: "/var/lib/faas as root, else $XDG_DATA_HOME/faas or ~/.local/share/faas",
        about: "Directory for the server's database, journal and logs; one server at a time.",
    }
    Database {
        name: "database", env: "FAAS_DATABASE", also: ["DATABASE_URL"], flag: "--database",
        accepted: "sqlite:DIRECTORY or sqlite:DIRECTORY/faas.db, an absolute path",
        default: "the data directory",
        about: "Where executions are recorded, when not in the data directory.",
    }
    RoutesDb {
        name: "routes_db", env: "FAAS_ROUTES_DB", flag: "--routes-db",
        accepted: "the path of a file: absolute, or ./ or ../ and so on from the working directory",
        default: "faas_meta.db in the working directory where it or examples/init.sql is there, else in the data directory",
        about: "The routes file, a SQLite database whose rows are functions with their routes; made with the sample rows where it is named and not there.",
    }
    FunctionRoots {
        name: "function_roots", env: "FAAS_FUNCTION_ROOTS", flag: "--function-roots",
        accepted: "paths of directories with commas or as a list: absolute, or ./ or ../ and so on from the working directory",
        default: "functions in the data directory, /opt/functions, ./examples",
        about: "Directories beneath which the modules are that functions and the routes file's rows name; the first that has one wins.",
    }
    Executor {
        name: "executor", env: "FAAS_EXECUTOR", also: ["FAAS_EXECUTOR_TYPE", "FAAS_DEFAULT_MODE"], flag: "--executor",
        accepted: "platform (the strongest one here) or process",
        default: "platform",
        about: "What makes sandboxes.",
    }
    DrainTimeout {
        name: "drain_timeout", env: "FAAS_DRAIN_TIMEOUT", flag: "--drain-timeout",
        accepted: "a duration such as 30s, 500ms, 5m or 1h, from 1ms to 24h; a bare number is seconds",
        default: "30s",
        about: "How long a server that was told to stop lets running executions go on before it cancels them.",
    }
    QueueWaiting {
        name: "queue.waiting", env: "FAAS_QUEUE_WAITING", flag: "--queue-waiting",
        accepted: "a whole number from 1 to 1000000",
        default: "1000",
        about: "How many executions may wait in memory for a sandbox; above it, one that is waited for is refused and a detached one stays in the database until there is room.",
    }
    WarmSandboxes {
        name: "warm.sandboxes", env: "FAAS_WARM_SANDBOXES", flag: "--warm-sandboxes",
        accepted: "a whole number from 0 to 8191",
        default: "8",
        about: "How many used sandboxes are made as new and kept for the next execution in mode cached; 0 keeps none.",
    }
    WarmMemory {
        name: "warm.memory", env: "FAAS_WARM_MEMORY", flag: "--warm-memory",
        accepted: "bytes with a suffix such as 256Mi, 512M or 1Gi; a bare number is MiB",
        default: "512Mi",
        about: "The memory that kept sandboxes of functions may take together while they wait, by what was measured of their calls. For how long each waits, an hour at most, is decided by how its function is called, what a start of it takes and what it holds; a function that says scaling.idle_ttl is kept for that long.",
    }
    WarmTtl {
        name: "warm.ttl", env: "FAAS_WARM_TTL", flag: "--warm-ttl",
        accepted: "a duration such as 30s, 500ms, 5m or 1h, from 1ms to 24h; a bare number is seconds",
        default: "300s",
        about: "How long a kept sandbox that serves no function waits for its next execution before it is ended.",
    }
    Spares {
        name: "spares.sandboxes", env: "FAAS_SPARES_SANDBOXES", flag: "--spares-sandboxes",
        accepted: "a whole number from 0 to 64",
        default: "8",
        about: "How many sandboxes may be made before anybody asks. How many of what are is decided by how often it is asked for and how long one takes to make; none are for what is asked for less often than every half minute. 0 makes none.",
    }
    SparesMemory {
        name: "spares.memory", env: "FAAS_SPARES_MEMORY", flag: "--spares-memory",
        accepted: "bytes with a suffix such as 256Mi, 512M or 1Gi; a bare number is MiB",
        default: "128Mi",
        about: "The memory that sandboxes which are made before anybody asks may take together, by what was measured of such ones.",
    }
    Zygotes {
        name: "zygotes.enabled", env: "FAAS_ZYGOTES_ENABLED", flag: "--zygotes-enabled",
        accepted: "true or false",
        default: "true",
        about: "Whether Python programs begin in a copy of an interpreter that has loaded what they need, instead of one that loads it for each.",
    }
    PackageZygotes {
        name: "zygotes.packages", env: "FAAS_ZYGOTES_PACKAGES", flag: "--zygotes-packages",
        accepted: "a whole number from 0 to 16",
        default: "4",
        about: "How many such interpreters, beside the one that all share, may have loaded the packages of a function: each is of one tenant and one lock, is made when that was started twice within ten minutes, and takes up to 256 MiB. 0 makes none.",
    }
    ColdStartTimeout {
        name: "cold_start.timeout", env: "FAAS_COLD_START_TIMEOUT", flag: "--cold-start-timeout",
        accepted: "a duration such as 30s, 500ms, 5m or 1h, from 1ms to 24h; a bare number is seconds",
        default: "30s",
        about: "How long the program of a handler may take to be loaded; one that takes longer is ended.",
    }
    HistoryRows {
        name: "history.rows", env: "FAAS_HISTORY_ROWS", flag: "--history-rows",
        accepted: "a whole number from 1 to 1000000000",
        default: "100000",
        about: "How many ended executions are remembered; the oldest are forgotten first.",
    }
    HistoryBytes {
        name: "history.bytes", env: "FAAS_HISTORY_BYTES", flag: "--history-bytes",
        accepted: "bytes with a suffix such as 512Mi or 1Gi; a bare number is MiB; above zero",
        default: "1Gi",
        about: "How much space records of ended executions may take; the oldest are forgotten first.",
    }
    LogsBytes {
        name: "logs.bytes", env: "FAAS_LOGS_BYTES", flag: "--logs-bytes",
        accepted: "bytes with a suffix such as 512Mi or 1Gi; a bare number is MiB; above zero",
        default: "1Gi",
        about: "How much space output of ended executions may take; the oldest is removed first.",
    }
    HttpBodyLimit {
        name: "http.body_limit", env: "FAAS_HTTP_BODY_LIMIT", flag: "--http-body-limit",
        accepted: "bytes with a suffix such as 1Mi or 32M, from 1Ki to 1Gi; a bare number is MiB",
        default: "32Mi",
        about: "The largest body of a request.",
    }
    HttpHeaderTimeout {
        name: "http.header_timeout", env: "FAAS_HTTP_HEADER_TIMEOUT", flag: "--http-header-timeout",
        accepted: "a duration such as 10s or 500ms, from 1ms to 24h; a bare number is seconds",
        default: "10s",
        about: "How long the head of a request may take to arrive.",
    }
    HttpBodyTimeout {
        name: "http.body_timeout", env: "FAAS_HTTP_BODY_TIMEOUT", flag: "--http-body-timeout",
        accepted: "a duration such as 30s or 5m, from 1ms to 24h; a bare number is seconds",
        default: "30s",
        about: "How long the body of a request may take to arrive.",
    }
    HttpWriteTimeout {
        name: "http.write_timeout", env: "FAAS_HTTP_WRITE_TIMEOUT", flag: "--http-write-timeout",
        accepted: "a duration such as 30s or 5m, from 1ms to 24h; a bare number is seconds",
        default: "30s",
        about: "How long a client may take no byte of its answer before it is cut off.",
    }
    HttpIdleTimeout {
        name: "http.idle_timeout", env: "FAAS_HTTP_IDLE_TIMEOUT", flag: "--http-idle-timeout",
        accepted: "a duration such as 75s or 5m, from 1ms to 24h; a bare number is seconds",
        default: "75s",
        about: "How long a connection without a request stays open.",
    }
    HttpConnections {
        name: "http.connections", env: "FAAS_HTTP_CONNECTIONS", flag: "--http-connections",
        accepted: "a whole number from 1 to 1000000",
        default: "4096",
        about: "How many connections may be open at once.",
    }
    LogLevel {
        name: "log.level", env: "FAAS_LOG_LEVEL", also: ["RUST_LOG"], flag: "--log-level",
        accepted: "off, error, warn, info, debug or trace, and TARGET=LEVEL, with commas; RUST_LOG wins over FAAS_LOG_LEVEL",
        default: "info",
        about: "What the server logs.",
    }
    LogFormat {
        name: "log.format", env: "FAAS_LOG_FORMAT", flag: "--log-format",
        accepted: "text or json",
        default: "text",
        about: "The form of the server's log lines on stderr.",
    }
    OtlpEndpoint {
        name: "telemetry.otlp_endpoint", env: "FAAS_TELEMETRY_OTLP_ENDPOINT", also: ["OTEL_EXPORTER_OTLP_ENDPOINT"],
        flag: "--otlp-endpoint",
        accepted: "http://HOST:PORT of a collector that takes OTLP over HTTP, with a path where it needs one; no https, user or password: run a collector beside the server for these",
        default: "none: nothing is exported",
        about: "Where the server sends OpenTelemetry spans; /v1/traces is added.",
    }
    RuntimeDir {
        name: "runtime_dir", env: "FAAS_RUNTIME_DIR", flag: "--runtime-dir",
        accepted: "an absolute path",
        default: "$XDG_RUNTIME_DIR/faas, else /tmp/faas-UID; always /run/faas as root",
        about: "Directory for the locks and journals of an ordinary user's launchers.",
    }
    DefaultLanguage {
        name: "default_language", env: "FAAS_DEFAULT_LANGUAGE", flag: "--default-language",
        accepted: "python, javascript, bash or php",
        default: "python",
        about: "Language of code given without a file name or a language.",
    }
    Isolation {
        name: "isolation", env: "FAAS_ISOLATION", flag: "--isolation",
        accepted: "strict or standard",
        default: "strict",
        about: "strict refuses when a layer or a limit is missing; standard runs and lists what is missing.",
    }
    MaxSandboxes {
        name: "max_sandboxes", env: "FAAS_MAX_SANDBOXES", also: ["MAX_CONCURRENT_EXECUTIONS"], flag: "--max-sandboxes",
        accepted: "a whole number from 1 to 8191",
        default: "64",
        about: "How many sandboxes one platform may have at once, and so how many executions run at once.",
    }
    Memory {
        name: "limits.memory", env: "FAAS_LIMITS_MEMORY", flag: "--memory",
        accepted: "bytes with a suffix such as 256Mi, 512M or 1Gi; a bare number is MiB; at least 8Mi",
        default: "256Mi",
        about: "Memory of one sandbox, page cache and writable areas included.",
    }
    Cpus {
        name: "limits.cpus", env: "FAAS_LIMITS_CPUS", flag: "--cpus",
        accepted: "cores such as 1, 0.5 or 500m, from 1m to 1024",
        default: "1",
        about: "Processor share of one sandbox.",
    }
    Disk {
        name: "limits.disk", env: "FAAS_LIMITS_DISK", flag: "--disk",
        accepted: "bytes with a suffix such as 64Mi; a bare number is MiB; from 64Ki to half of the memory",
        default: "128Mi, or half of a smaller memory limit",
        about: "All writable areas of one sandbox together; they live in its memory.",
    }
    Pids {
        name: "limits.pids", env: "FAAS_LIMITS_PIDS", flag: "--pids",
        accepted: "a whole number from 4 to 4194304",
        default: "64",
        about: "Processes and threads of one sandbox, its first process included.",
    }
    Timeout {
        name: "limits.timeout", env: "FAAS_LIMITS_TIMEOUT", flag: "--timeout",
        accepted: "a duration such as 30s, 500ms, 5m or 1h, from 1ms to 24h; a bare number is seconds",
        default: "30s, or 300s under the argv-json contract",
        about: "How long one execution may take before its whole tree is killed.",
    }
    Output {
        name: "limits.output", env: "FAAS_LIMITS_OUTPUT", flag: "--output-limit",
        accepted: "bytes with a suffix such as 64Mi; a bare number is MiB; above zero",
        default: "64Mi",
        about: "Bytes of stdout and stderr together that one execution may write.",
    }
    OnOutputLimit {
        name: "limits.on_output_limit", env: "FAAS_LIMITS_ON_OUTPUT_LIMIT", flag: "--on-output-limit",
        accepted: "discard or kill",
        default: "discard",
        about: "Past the output limit: discard the rest and go on, or kill the program.",
    }
}
