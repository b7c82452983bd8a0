//! A package index for tests, on loopback: pages and packages of both tools, and ways to misbehave.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256, Sha512};
use std::collections::HashMap;
use std::io::{Cursor, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zip::write::SimpleFileOptions;

/// What the index wants to be told by who asks.
pub(crate) const USER: &str = "reader:s3cret-of-the-host";

/// How a path is answered.
#[derive(Clone)]
pub(crate) enum Answer {
    Page(&'static str, Vec<u8>),
    /// The head, and then nothing.
    Silence,
    /// Bytes without end.
    Endless,
    /// To another address.
    Redirect(String),
}

#[derive(Default)]
struct State {
    answers: HashMap<String, Answer>,
    asked: Vec<String>,
    /// Requests without the host's credentials.
    strangers: u32,
}

/// The index. It ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct FakeIndex {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl FakeIndex {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let index = Self { port: listener.local_addr().expect("an address").port(), state: Arc::default() };
        let serving = index.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        index
    }

    pub(crate) fn put(&self, path: impl Into<String>, answer: Answer) {
        self.state.lock().expect("free").answers.insert(path.into(), answer);
    }

    /// The paths asked for that hold `part`.
    pub(crate) fn asked(&self, part: &str) -> usize {
        self.state.lock().expect("free").asked.iter().filter(|path| path.contains(part)).count()
    }

    pub(crate) fn strangers(&self) -> u32 {
        self.state.lock().expect("free").strangers
    }

    /// The index's address without its user.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut head = Vec::new();
        let mut buffer = [0; 4096];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => head.extend_from_slice(&buffer[..count]),
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = {
            let mut state = self.state.lock().expect("free");
            state.asked.push(path.clone());
            let wanted = format!("authorization: Basic {}", STANDARD.encode(USER));
            if !head.lines().any(|line| line.eq_ignore_ascii_case(&wanted)) {
                state.strangers += 1;
            }
            state.answers.get(&path).cloned()
        };
        // A client that went away is none of the index's business.
        let _ = Self::reply(&mut stream, answer).await;
    }

    async fn reply(stream: &mut TcpStream, answer: Option<Answer>) -> std::io::Result<()> {
        match answer {
            None => {
                stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await
            }
            Some(Answer::Page(kind, body)) => {
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body).await
            }
            Some(Answer::Silence) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n<").await?;
                tokio::time::sleep(Duration::from_secs(600)).await;
                Ok(())
            }
            Some(Answer::Endless) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n").await?;
                loop {
                    stream.write_all(&[b' '; 65536]).await?;
                }
            }
            Some(Answer::Redirect(to)) => {
                let head =
                    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).await
            }
        }
    }

    /// A wheel on its page. `requires` are its own dependencies, `files` what it installs.
    pub(crate) fn wheel(&self, name: &str, version: &str, requires: &[&str], files: &[(&str, &str)]) {
        let info = format!("{name}-{version}.dist-info");
        let mut metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
        requires.iter().for_each(|one| metadata.push_str(&format!("Requires-Dist: {one}\n")));
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let mut put = |path: &str, text: &str| {
            zip.start_file(path, SimpleFileOptions::default()).expect("begun");
            zip.write_all(text.as_bytes()).expect("written");
        };
        files.iter().for_each(|(path, text)| put(path, text));
        put(&format!("{info}/METADATA"), &metadata);
        put(
            &format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        );
        put(&format!("{info}/RECORD"), "");
        let wheel = zip.finish().expect("ended").into_inner();
        self.file(name, &format!("{name}-{version}-py3-none-any.whl"), wheel);
    }

    /// A source on its page.
    pub(crate) fn source(&self, name: &str, version: &str, files: &[(&str, &str)]) {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("{name}-{version}/{path}"), text.as_bytes()).expect("appended");
        }
        let archive = tar.into_inner().expect("ended").finish().expect("ended");
        self.file(name, &format!("{name}-{version}.tar.gz"), archive);
    }

    /// Any file on a project's page, by its absolute address.
    pub(crate) fn file(&self, project: &str, file: &str, content: Vec<u8>) {
        let digest: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        let page =
            format!("<html><body><a href=\"{}/files/{file}#sha256={digest}\">{file}</a></body></html>", self.address());
        self.put(format!("/simple/{project}/"), Answer::Page("text/html", page.into_bytes()));
        self.put(format!("/files/{file}"), Answer::Page("application/octet-stream", content));
    }

    /// An npm package: `manifest` beside its name and version, and what it installs.
    pub(crate) fn npm(&self, name: &str, version: &str, manifest: &str, files: &[(&str, &str)]) {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let own = format!(r#"{{"name":"{name}","version":"{version}"{manifest}}}"#);
        for (path, text) in files.iter().copied().chain([("package.json", own.as_str())]) {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("package/{path}"), text.as_bytes()).expect("appended");
        }
        let tarball = tar.into_inner().expect("ended").finish().expect("ended");
        let file = format!("/tarballs/{}-{version}.tgz", name.replace(['@', '/'], "_"));
        let integrity = STANDARD.encode(Sha512::digest(&tarball));
        let dist = format!(r#""dist":{{"tarball":"{}{file}","integrity":"sha512-{integrity}"}}"#, self.address());
        let version_of = format!(r#"{{"name":"{name}","version":"{version}"{manifest},{dist}}}"#);
        let page = format!(
            r#"{{"name":"{name}","dist-tags":{{"latest":"{version}"}},"versions":{{"{version}":{version_of}}}}}"#
        );
        self.put(format!("/{}", name.replace('/', "%2f")), Answer::Page("application/json", page.into_bytes()));
        self.put(file, Answer::Page("application/octet-stream", tarball));
    }
}
