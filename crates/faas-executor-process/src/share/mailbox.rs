//! What was heard of one call and not passed on yet.
//!
//! The listening task puts it in, the call's own takes it out. Bytes of a kind are joined, so that what waits is
//! bounded by the call's window whatever the size of its frames.

use bytes::BytesMut;
use faas_executor_api::ResponseHead;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is whole.
    Whole,
    /// User code said that it has none, and why.
    Failed(String),
}

/// In the order in which it is passed on.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) stdout: BytesMut,
    pub(super) stderr: BytesMut,
    pub(super) head: Option<ResponseHead>,
    pub(super) body: BytesMut,
    pub(super) end: Option<Answer>,
}

impl Mail {
    /// How many bytes of it took credit.
    pub(super) fn taken(&self) -> usize {
        self.stdout.len() + self.stderr.len() + self.body.len()
    }
}

/// One call's.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    came: Notify,
}

impl Mailbox {
    /// Something more was heard.
    pub(super) fn put(&self, add: impl FnOnce(&mut Mail)) {
        add(&mut self.mail());
        self.came.notify_one();
    }

    /// What is there now.
    pub(super) fn take(&self) -> Mail {
        std::mem::take(&mut *self.mail())
    }

    /// Waits until something came since the last time.
    pub(super) async fn came(&self) {
        self.came.notified().await;
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        // It is changed by single statements, so a panic elsewhere is no reason to give up.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
