//! What calls of a function write, as they come.
//!
//! New executions are looked for twice a second; each is then followed to its end over a connection of its
//! own. What executions that run at once write is told apart by headings on standard error.

use crate::diagnostic::CliError;
use crate::output::{Output, Stream};
use crate::terminal::one_line;
use bytes::Bytes;
use faas_client::{Client, ListFilter};
use faas_types::{ExecutionId, ExecutionRecord};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// How often is asked for new executions.
const PAUSE: Duration = Duration::from_millis(500);
/// The most executions of a page.
const PAGE: u32 = 200;
/// The most pages of what came since the last look.
const PAGES: usize = 10;
/// Executions that are followed at once.
const AT_ONCE: usize = 16;
/// Pieces on their way.
const PIECES: usize = 64;

/// What an execution says.
enum Said {
    Output(Box<ExecutionRecord>, Bytes),
    Ended(Box<ExecutionRecord>),
}

/// The executions of one function.
pub(crate) struct Following {
    client: Client,
    function: String,
    /// Executions up to this one are not new. Ids are in the order of time.
    floor: Option<ExecutionId>,
    /// Those after it that were seen.
    seen: BTreeSet<ExecutionId>,
    /// Whose output was shown last.
    heading: Option<ExecutionId>,
}

impl Following {
    pub(crate) const fn new(client: Client, function: String) -> Self {
        Self { client, function, floor: None, seen: BTreeSet::new(), heading: None }
    }

    /// The last executions, oldest first. From now on they are not new, but for those that have not ended.
    pub(crate) async fn last(&mut self, count: u32) -> Result<Vec<ExecutionRecord>, CliError> {
        let filter = self.filter(Some(count.clamp(1, PAGE)), None);
        let mut records = self.client.list(&filter).await?.items;
        self.floor = records.first().map(|record| record.id);
        records.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        records.reverse();
        Ok(records)
    }

    /// Shows what an execution has written so far and how it ended.
    pub(crate) async fn show(&mut self, record: ExecutionRecord, output: &Output) -> Result<(), CliError> {
        let mut logs = self.client.logs(&record.id.to_string(), None, false).await?;
        let record = Box::new(record);
        while let Some(piece) = logs.next().await {
            self.say(Said::Output(record.clone(), piece?), output).await?;
        }
        self.say(Said::Ended(record), output).await
    }

    /// Shows `unfinished` and new executions until nobody reads any more; `trouble` is told of what goes wrong,
    /// and says whether to go on.
    pub(crate) async fn follow(
        &mut self,
        unfinished: Vec<ExecutionRecord>,
        output: &Output,
        mut trouble: impl FnMut(CliError) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let (sender, mut receiver) = mpsc::channel(PIECES);
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut ticks = tokio::time::interval(PAUSE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut begun = unfinished;
        loop {
            for record in begun.drain(..) {
                tokio::spawn(to_its_end(self.client.clone(), record, Arc::clone(&permits), sender.clone()));
            }
            tokio::select! {
                Some(said) = receiver.recv() => match said {
                    Ok(said) => self.say(said, output).await?,
                    Err(error) => trouble(error)?,
                },
                () = output.broken() => return Ok(()),
                _ = ticks.tick() => match self.begun().await {
                    Ok(records) => begun = records,
                    Err(error) => trouble(error)?,
                },
            }
        }
    }

    fn filter(&self, limit: Option<u32>, cursor: Option<String>) -> ListFilter {
        ListFilter { function: Some(self.function.clone()), limit, cursor, ..ListFilter::default() }
    }

    /// Executions that nobody has seen, oldest first.
    async fn begun(&mut self) -> Result<Vec<ExecutionRecord>, CliError> {
        let mut begun: Vec<ExecutionRecord> = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES {
            let page = self.client.list(&self.filter(Some(PAGE), cursor.take())).await?;
            let is_new = |record: &ExecutionRecord| {
                self.floor.is_none_or(|floor| record.id > floor) && !self.seen.contains(&record.id)
            };
            let whole = page.items.iter().all(is_new);
            begun.extend(page.items.into_iter().filter(is_new));
            match page.next_cursor.filter(|_| whole) {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        // One look's newest is the floor of the next: what was written out of order meanwhile is still found.
        self.floor = self.seen.last().copied().max(self.floor);
        let floor = self.floor;
        self.seen.retain(|id| floor.is_none_or(|floor| *id > floor));
        self.seen.extend(begun.iter().map(|record| record.id));
        begun.reverse();
        Ok(begun)
    }

    async fn say(&mut self, said: Said, output: &Output) -> Result<(), CliError> {
        let (id, stream, bytes) = match said {
            Said::Output(record, bytes) => {
                if self.heading != Some(record.id) {
                    self.heading = Some(record.id);
                    let heading = Bytes::from(format!("==> {}\n", called(&record)));
                    // A reader that went away is found out about below.
                    drop(output.write(Stream::Stderr, heading).await);
                }
                (record.id, Stream::Stdout, bytes)
            }
            Said::Ended(record) => (record.id, Stream::Stderr, Bytes::from(ended(&record))),
        };
        if stream == Stream::Stderr && self.heading == Some(id) {
            self.heading = None;
        }
        // Whoever waits for the end of the output learns why it broke.
        drop(output.write(stream, bytes).await);
        Ok(())
    }
}

/// Follows one execution.
async fn to_its_end(
    client: Client,
    record: ExecutionRecord,
    permits: Arc<Semaphore>,
    sender: mpsc::Sender<Result<Said, CliError>>,
) {
    let Ok(_permit) = permits.acquire().await else { return };
    let id = record.id.to_string();
    let record = Box::new(record);
    let followed = async {
        let mut logs = client.logs(&id, None, true).await?;
        while let Some(piece) = logs.next().await {
            if sender.send(Ok(Said::Output(record.clone(), piece?))).await.is_err() {
                return Ok(None);
            }
        }
        Ok::<_, CliError>(Some(client.get(&id).await?))
    };
    let said = match followed.await {
        Ok(Some(record)) => Ok(Said::Ended(Box::new(record))),
        Ok(None) => return,
        Err(error) => Err(error),
    };
    // Nobody is left to tell.
    drop(sender.send(said).await);
}

fn called(record: &ExecutionRecord) -> String {
    let function = record.function.as_deref().unwrap_or_default();
    let version = record.version.as_deref().unwrap_or_default();
    one_line(&format!("{} {function}@{version}", record.id))
}

fn ended(record: &ExecutionRecord) -> String {
    if !record.status.is_terminal() {
        return format!("<== {} {}\n", called(record), record.status);
    }
    let took = Duration::from_micros(record.start.total_us);
    let why = match (&record.error_kind, &record.error) {
        (Some(kind), Some(error)) => format!(": {kind}: {error}"),
        (Some(_), None) | (None, _) => String::new(),
    };
    format!("<== {} {} in {took:.1?}{}\n", called(record), record.status, one_line(&why))
}
