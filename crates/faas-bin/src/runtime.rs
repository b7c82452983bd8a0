//! The runtime of every command that waits for something.

use crate::diagnostic::CliError;

/// Runs a future on a runtime of one thread, which waits for nothing at its end: a reader of a
/// terminal may be left behind.
pub(crate) fn on_runtime<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::io("the runtime cannot be started", &error))?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}
