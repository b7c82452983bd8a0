//! A full disk: nothing is accepted that is not kept, what runs still ends, and service returns with the space.

use anyhow::{Context, Result, bail, ensure};
use faas_tester::server::{
    Client, Connection, DataDirectory, EXECUTIONS, EventStream, Options, Outcome, Server, accept, get, is_terminal,
    running, shell, terminal, text, try_accept, until,
};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(60);
/// How large the data directory's file system is.
const SIZE: &str = "size=24m,mode=0755";
/// A request that does not fit into what space a database has left for itself.
const LARGE: usize = 256 << 10;

#[test]
fn a_full_disk_refuses_loses_nothing_and_recovers() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIP a_full_disk_refuses_loses_nothing_and_recovers: only root can mount a small file system");
        return Ok(());
    }
    let disk = SmallDisk::mount()?;
    let options = Options::new(disk.data.path());
    let server = options.start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(filled_and_emptied(&server, &disk)).with_context(|| server.last_lines())?;
    server.stop(SOON)?;

    let mut server = options.start()?;
    runtime.block_on(still_succeeded(&server, &found)).with_context(|| server.last_lines())?;

    // The same once more, with a server that dies while there is no space.
    let lost = runtime.block_on(accept(server.address(), "lost", "sleep 600"))?;
    runtime.block_on(running(server.address(), &lost))?;
    let filler = disk.fill()?;
    server.kill()?;
    let starts_when_full = match options.start() {
        Ok(mut started) => {
            started.kill()?;
            true
        }
        // It says what is missing.
        Err(error) => {
            let said = format!("{error:#}");
            let directory = disk.data.path().display().to_string();
            let parts = ["storage_unavailable", &directory, "bytes are free", "make space there, then start again"];
            ensure!(parts.iter().all(|part| said.contains(part)), "a start on a full disk: {said}");
            false
        }
    };
    drop(filler);
    disk.empty()?;
    let server = options.start()?;
    runtime
        .block_on(async {
            still_succeeded(&server, &found).await?;
            let ended = terminal(server.address(), &lost).await?;
            ensure!(text(&ended, "error_kind") == "sandbox_lost", "what ran when the server was killed: {ended}");
            anyhow::Ok(())
        })
        .with_context(|| server.last_lines())?;
    server.stop(SOON)?;
    println!(
        "full: {} requests refused, {} still accepted for space the database had; attached ones: {} ended, {} refused; \
         {} accepted in all, each succeeded and is still so after a restart and after a kill; a server starts on a full \
         disk: {starts_when_full}",
        found.refused,
        found.accepted_when_full,
        found.attached_ended,
        found.attached_refused,
        found.accepted.len()
    );
    Ok(())
}

#[derive(Debug, Default)]
struct Found {
    /// Ids and marks.
    accepted: Vec<(String, String)>,
    accepted_when_full: u32,
    refused: u32,
    attached_ended: u32,
    attached_refused: u32,
}

async fn still_succeeded(server: &Server, found: &Found) -> Result<()> {
    for (id, token) in &found.accepted {
        let after = terminal(server.address(), id).await?;
        ensure!(text(&after, "status") == "succeeded", "{token} after a restart: {after}");
    }
    Ok(())
}

async fn filled_and_emptied(server: &Server, disk: &SmallDisk) -> Result<Found> {
    let address = server.address();
    let mut found = Found::default();

    // Under way when the disk becomes full: one that nobody waits for, and one that is followed.
    let begun = accept(address, "begun", "sleep 3; echo begun").await?;
    let followed = accept(address, "followed", "echo first; sleep 3; echo followed").await?;
    let mut connection = Connection::open(address).await?;
    connection
        .send("GET", &format!("{EXECUTIONS}/{followed}/stream"), &[("accept", "text/event-stream")], None)
        .await?;
    ensure!(connection.head().await?.status == 200, "the stream is there");
    let mut events = EventStream::new(connection);
    while events.next().await?.context("the stream goes on")?.name != "output" {}
    running(address, &begun).await?;

    let filler = disk.fill()?;
    until("a request is refused", SOON, async || Ok(refusal(address, &mut found, 0).await?.then_some(()))).await?;
    for _ in 0..20 {
        ensure!(refusal(address, &mut found, LARGE).await?, "{LARGE} bytes were accepted on a full disk");
    }
    for number in 0..5 {
        let token = format!("attached-{number}");
        match Client::default().execute(address, &[], &shell(&token, &format!("echo {token}"))).await {
            Outcome::Ended(ended) if is_terminal(&ended) => found.attached_ended += 1,
            Outcome::Wrong(answer) if answer.starts_with("503") && answer.contains("storage_unavailable") => {
                found.attached_refused += 1;
            }
            other => bail!("attached on a full disk: {other:?}"),
        }
    }
    let health = get(address, "/health").await?;
    ensure!(health.status() == 200, "a full disk is no reason to be restarted: {health:?}");

    // What was under way ends while there is no space, and its caller learns it.
    for id in [&begun, &followed] {
        let ended = terminal(address, id).await?;
        ensure!(text(&ended, "status") == "succeeded", "what ran when the disk became full: {ended}");
    }
    loop {
        let event = events.next().await?.context("the stream of what ran ends with its end")?;
        if event.name == "complete" {
            break;
        }
    }

    drop(filler);
    disk.empty()?;
    let mut again = 0;
    let id = until("requests are accepted again", SOON, async || {
        again += 1;
        match try_accept(address, &format!("again-{again}"), "echo again", LARGE).await? {
            Ok(id) => Ok(Some(id)),
            Err(_) => Ok(None),
        }
    })
    .await?;
    found.accepted.push((id, "again".to_owned()));
    found.accepted.extend([(begun, "begun".to_owned()), (followed, "followed".to_owned())]);
    for (id, token) in &found.accepted {
        let ended = terminal(address, id).await?;
        ensure!(text(&ended, "status") == "succeeded", "{token}: {ended}");
    }
    let attached = Client::default().execute(address, &[], &shell("well", "echo well")).await;
    let Outcome::Ended(attached) = attached else { bail!("with space again: {attached:?}") };
    ensure!(text(&attached, "stdout") == "well\n", "with space again: {attached}");
    Ok(found)
}

/// Asks for one more; answers whether it was refused as it should be. What is accepted has to be kept.
async fn refusal(address: SocketAddr, found: &mut Found, stdin: usize) -> Result<bool> {
    let token = format!("full-{}-{}", found.refused, found.accepted_when_full);
    match try_accept(address, &token, "cat > /dev/null; echo full", stdin).await? {
        Ok(id) => {
            found.accepted.push((id, token));
            found.accepted_when_full += 1;
            Ok(false)
        }
        Err(answer) => {
            ensure!(answer.starts_with("503") && answer.contains("storage_unavailable"), "refused with {answer}");
            found.refused += 1;
            Ok(true)
        }
    }
}

/// A file system of a few megabytes below the server's data directory, unmounted at the end.
struct SmallDisk {
    data: DataDirectory,
}

impl SmallDisk {
    fn mount() -> Result<Self> {
        let data = DataDirectory::make()?;
        std::fs::create_dir(data.path())?;
        std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755))?;
        let options = std::ffi::CString::new(SIZE)?;
        mount("server-test", data.path(), "tmpfs", MountFlags::NODEV | MountFlags::NOSUID, options.as_c_str())?;
        Ok(Self { data })
    }

    fn filler(&self) -> PathBuf {
        self.data.path().join("filler")
    }

    /// Takes all the space there is, to the last byte.
    fn fill(&self) -> Result<File> {
        let mut file = File::create(self.filler())?;
        for size in [1 << 16, 1] {
            let piece = vec![b'x'; size];
            while file.write_all(&piece).is_ok() {}
        }
        Ok(file)
    }

    fn empty(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.filler())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing can be done about one that stays but to leave the directory.
        let _ = unmount(self.data.path(), UnmountFlags::DETACH);
    }
}
