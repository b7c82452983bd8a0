//! What a server says when it serves.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

/// The banner: where it is, who may come in, where its state and its routes file are,
/// where to read on.
pub(super) fn text(addresses: &[SocketAddr], data: &Path, routes: &Path) -> String {
    let mut text = format!("faas {} serves\n", env!("CARGO_PKG_VERSION"));
    for address in addresses {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  address  http://{address}");
    }
    let _ = writeln!(text, "  access   local mode: only this machine reaches it, and nobody needs credentials");
    let _ = writeln!(text, "  data     {}", data.display());
    let _ = writeln!(text, "  routes   {}", routes.display());
    if let Some(address) = addresses.first() {
        let _ = writeln!(text, "  docs     http://{address}/docs");
    }
    text
}
