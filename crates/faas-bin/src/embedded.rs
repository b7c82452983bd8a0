//! The platform in this process behind the same routes as a server's.
//!
//! There is one path for every execution; what is different here is that the connection is a pipe, and
//! that everything is forgotten with the process.

use crate::diagnostic::CliError;
use crate::served;
use faas_client::{Client, Connect};
use faas_config::Config;
use faas_gateway::HttpLimits;
use faas_lib::{Bootstrap, Platform};
use faas_telemetry::Metrics;
use faas_types::ByteSize;
use std::sync::Arc;
use std::time::Duration;

/// What the pipe holds.
const PIPE_BYTES: usize = 256 * 1024;
/// Who is on both ends is never too slow.
const FOR_EVER: Duration = Duration::from_secs(7 * 24 * 3600);

/// A platform and the way to it.
pub(crate) struct Embedded {
    platform: Platform,
    connect: Connect,
}

impl Embedded {
    /// Starts it. Called inside a tokio runtime.
    pub(crate) async fn start(bootstrap: Bootstrap, config: &Config) -> Result<Self, CliError> {
        let platform = bootstrap.into_platform().await?;
        let limits = HttpLimits {
            // The user's files were bounded when they were read.
            body_bytes: ByteSize::mib(64 * 1024),
            body_timeout: FOR_EVER,
            write_timeout: FOR_EVER,
            idle_timeout: FOR_EVER,
            ..HttpLimits::default()
        };
        let server = served::server(&platform, config, limits, &Metrics::new(), None);
        let connect = move || {
            let (near, far) = tokio::io::duplex(PIPE_BYTES);
            let server = server.clone();
            tokio::spawn(async move { server.connection(far).await });
            near
        };
        Ok(Self { platform, connect: Connect::InProcess(Arc::new(connect)) })
    }

    /// How it is reached.
    pub(crate) const fn connect(&self) -> &Connect {
        &self.connect
    }

    /// A client of it, with connections of its own.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.connect.clone())
    }

    /// Ends everything and returns when nothing of any execution is left.
    pub(crate) async fn shutdown(self) {
        self.platform.shutdown().await;
    }
}
