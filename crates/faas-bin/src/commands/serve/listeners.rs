//! Where the server listens. Bound while privileges are there, for low ports need them.

use crate::diagnostic::CliError;
use faas_gateway::{BindError, bind_address};
use faas_types::ErrorCode;
use std::net::{SocketAddr, TcpListener};

/// Refuses addresses that other machines can reach.
pub(super) fn check(addresses: &[SocketAddr]) -> Result<(), CliError> {
    for address in addresses {
        bind_address(&address.to_string()).map_err(|error| match error {
            BindError::Exposed { .. } => CliError::exposed(error.to_string()),
            BindError::Malformed { .. } => CliError::new(ErrorCode::ConfigInvalid, error.to_string()),
        })?;
    }
    Ok(())
}

/// Binds every address.
pub(super) fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, CliError> {
    addresses
        .iter()
        .map(|&address| TcpListener::bind(address).map_err(|error| CliError::not_listening(address, &error)))
        .collect()
}

/// The same as the runtime wants them.
pub(super) fn in_runtime(listeners: Vec<TcpListener>) -> Result<Vec<tokio::net::TcpListener>, CliError> {
    let convert = |listener: TcpListener| {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    };
    let converted: std::io::Result<Vec<_>> = listeners.into_iter().map(convert).collect();
    converted.map_err(|error| CliError::io("the listeners cannot be used", &error))
}
