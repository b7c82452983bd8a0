//! Making a sandbox as new between two calls.
//!
//! Init ends what still runs, empties what can be written and says what is left; the launcher looks for what
//! the kernel still holds and lets the memory's peak count anew. Whatever goes wrong ends the sandbox: nobody
//! would know what is in it.
//!
//! A program that stays is spared, and its memory and its sockets are its own. One that has ended is found out
//! by init, which then makes the sandbox as new without it.

use crate::call::{Idle, Resident};
use crate::sandbox::{Running, Shared, Unfinished, lost};
use faas_executor_api::CallError;
use faas_protocol::control::{FromInit, ToInit};
use faas_protocol::leftover::Leftover;
use std::pin::pin;
use std::time::Duration;

/// How long it may take: a millisecond, unless the host hardly runs at all or a process cannot die.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Recycles; the caller has made sure that no call runs.
pub(crate) async fn recycle(shared: &Shared) -> Result<(), CallError> {
    shared.running.send_replace(Running::Call);
    let unfinished = Unfinished::new(shared);
    let (waiting, resident) = (shared.waiting().take(), shared.resident().take());
    let restored = async {
        // It ran nothing, and waits for nobody any more.
        if let Some(waiting) = waiting {
            waiting.end(shared).await?;
        }
        restore(shared, resident).await
    };
    // Where it stays, as it is large.
    let restored = pin!(restored);
    match tokio::time::timeout(TIMEOUT, restored).await {
        Ok(Ok(resident)) => {
            unfinished.finished();
            *shared.resident() = resident;
            shared.running.send_replace(Running::Idle);
            Ok(())
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(lost(&format!("it was not as new within {TIMEOUT:?}"))),
    }
}

/// Gives back the program that stays, if it still does.
async fn restore(shared: &Shared, mut resident: Option<Resident>) -> Result<Option<Resident>, CallError> {
    let frame = ToInit::Recycle.encode().map_err(|error| lost(&error.to_string()))?;
    shared.control.send(&frame, &[]).await.map_err(|errno| lost(&errno.to_string()))?;
    loop {
        match shared.hear().await?.0 {
            Some(FromInit::Recycled { left }) => break as_new(left)?,
            Some(FromInit::Exited { call, .. }) if resident.as_ref().is_some_and(|one| one.was_started_by(call)) => {
                resident = None;
            }
            _ => return Err(lost("init broke the protocol")),
        }
    }
    let (counters, left) = shared.renew(resident.is_some()).await.ok_or_else(|| lost("it ended"))?;
    as_new(left)?;
    match resident.as_ref().map(Resident::idle) {
        None | Some(Idle::Waits) => {}
        Some(Idle::Busy) => return Err(lost("an earlier call left something that goes on in its program")),
        Some(Idle::Closed) => return Err(lost("the program that stayed cannot be asked any more")),
    }
    // What was used until now, by recycling too, is not the next call's.
    shared.remember(counters);
    Ok(resident)
}

fn as_new(left: Option<Leftover>) -> Result<(), CallError> {
    left.map_or(Ok(()), |left| Err(lost(&format!("an earlier call left {}", left.as_str()))))
}
