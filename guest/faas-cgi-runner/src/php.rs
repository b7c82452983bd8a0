//! PHP as the peer of requests: one php-cgi process, asked over FastCGI, a connection for each request.
//!
//! php-cgi gets a listening socket as its standard input, which is how FastCGI applications are started;
//! the socket has an abstract name, which is the sandbox's own because its network is. A process that has
//! ended, by its own choice or not, is replaced at the next request, with a new socket, so that nothing
//! asked of the old one is answered by the new one.

mod connection;
mod fatal;

pub(crate) use connection::Connection;

use crate::executable::watch;
use rustix::fd::OwnedFd;
use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Where Debian and its relatives keep PHP's shared extensions, beneath a directory for each version.
const EXTENSIONS: &str = "/usr/lib/php";

/// What is loaded where it is installed, in an order in which each finds what it needs. `-n` leaves out
/// the host's configuration, which would load them otherwise.
const LOADED: [&str; 20] = [
    "bcmath",
    "calendar",
    "ctype",
    "curl",
    "dom",
    "exif",
    "fileinfo",
    "gd",
    "gmp",
    "iconv",
    "intl",
    "mbstring",
    "phar",
    "posix",
    "simplexml",
    "tokenizer",
    "xml",
    "xmlreader",
    "xmlwriter",
    "zip",
];

/// What PHP is told instead of a php.ini. Limits of time, memory and size are the sandbox's.
const SETTINGS: [&str; 17] = [
    "cgi.fix_pathinfo=0",
    "date.timezone=UTC",
    "display_errors=0",
    "expose_php=0",
    "fastcgi.logging=1",
    "html_errors=0",
    "log_errors=1",
    "max_execution_time=0",
    "max_input_time=-1",
    "memory_limit=-1",
    "output_buffering=4096",
    "post_max_size=0",
    "request_order=GP",
    "session.save_path=/tmp",
    "short_open_tag=0",
    "upload_max_filesize=1G",
    "variables_order=EGPCS",
];

/// PHP, started when it is first asked.
pub(crate) struct Php {
    interpreter: String,
    /// How many processes there were.
    started: u32,
    running: Option<Running>,
}

/// A php-cgi process.
pub(crate) struct Running {
    child: Child,
    process: OwnedFd,
    address: SocketAddr,
}

impl Php {
    pub(crate) const fn new(interpreter: String) -> Self {
        Self { interpreter, started: 0, running: None }
    }

    /// A connection to a process that lives.
    pub(crate) fn connect(&mut self) -> io::Result<(&mut Running, UnixStream)> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => self.start()?,
        };
        if running.child.try_wait()?.is_some() {
            running = self.start()?;
        }
        let stream = match UnixStream::connect_addr(&running.address) {
            Ok(stream) => stream,
            // It ended just now.
            Err(_) => {
                running.end();
                running = self.start()?;
                UnixStream::connect_addr(&running.address)?
            }
        };
        stream.set_nonblocking(true)?;
        Ok((self.running.insert(running), stream))
    }

    fn start(&mut self) -> io::Result<Running> {
        self.started += 1;
        let name = format!("faas-cgi-{}-{}", std::process::id(), self.started);
        let address = SocketAddr::from_abstract_name(name)?;
        let listener = UnixListener::bind_addr(&address)?;
        let mut command = Command::new(&self.interpreter);
        command.arg("-n");
        for setting in SETTINGS {
            command.args(["-d", setting]);
        }
        for extension in extensions(Path::new(EXTENSIONS)) {
            command.args(["-d", &format!("extension={extension}")]);
        }
        // One process serves, however the program's environment would have it: it is the one that is watched.
        command.env_remove("PHP_FCGI_CHILDREN").env_remove("PHP_FCGI_MAX_REQUESTS");
        command.stdin(Stdio::from(OwnedFd::from(listener)));
        let mut child = command.spawn()?;
        let process = watch(&mut child)?;
        Ok(Running { child, process, address })
    }
}

impl Running {
    /// Ends it, whatever it does.
    fn end(&mut self) {
        // One that has ended already needs nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            running.end();
        }
    }
}

/// The shared extensions of the only PHP that is installed; of several none is known to be the right one.
fn extensions(directory: &Path) -> Vec<&'static str> {
    let versions = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    // Named by a date, which is the version of the interface.
    let is_date = |path: &std::path::PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut versions = versions.filter(is_date);
    let (Some(version), None) = (versions.next(), versions.next()) else { return Vec::new() };
    LOADED.into_iter().filter(|name| version.join(format!("{name}.so")).exists()).collect()
}
