//! How history is asked for and bounded.

use faas_types::{ExecutionId, ExecutionRecord, ExecutionState};

/// Which executions are wanted. Every `Some` must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that stand here.
    pub status: Option<ExecutionState>,
    /// Only calls of this function.
    pub function: Option<String>,
    /// Only those with this label at this value.
    pub label: Option<(String, String)>,
}

/// A place in a list, newest first: everything after this execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last execution of the page before.
    pub after: ExecutionId,
}

/// One page of history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Which.
    pub filter: Filter,
    /// Where to go on.
    pub cursor: Option<Cursor>,
    /// How many at most, from 1 to 200.
    pub limit: u32,
}

/// A page, newest first by id.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The records, without output.
    pub items: Vec<ExecutionRecord>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

impl Page {
    /// A page of these records; `more` when others follow them.
    #[must_use]
    pub fn cut(items: Vec<ExecutionRecord>, more: bool) -> Self {
        let next = items.last().filter(|_| more).map(|last| Cursor { after: last.id });
        Self { items, next }
    }
}

/// How much history is kept. What goes first is what ended first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Ended executions.
    pub rows: u64,
    /// Bytes of their records as JSON, together.
    pub bytes: u64,
}

/// How many executions stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting.
    pub queued: u64,
    /// Begun and not ended.
    pub running: u64,
    /// Ended.
    pub ended: u64,
}
