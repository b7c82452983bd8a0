//! Making one instance ahead of its calls.
//!
//! It is given up when the platform is stopping, and when every place is taken and somebody waits for one; but not
//! while calls that have places wait for this very instance.

use crate::driver::{self, Kept};
use crate::house::House;
use crate::request::Call;
use crate::shared::Place;
use crate::submit::purpose_of;
use crate::{ExecutionRequest, function::Called};
use faas_executor_api::{DestroyReason, Event, ExecSession, Interrupt, Sandbox, Stay};
use faas_types::{Outcome, TenantId};
use std::sync::Arc;
use std::time::Instant;

/// How much of what a program says last is shown where it could not be loaded.
const LAST_WORDS: usize = 1024;

/// Why a program was not loaded.
enum NotLoaded {
    /// It ended, or took too long.
    Program(String),
    /// It was given up, or something else failed.
    Other(String),
}

/// Makes a sandbox with the program loaded, where it stays between calls, and keeps it; or why that failed.
pub(super) async fn make(
    house: &Arc<House>,
    tenant: TenantId,
    request: ExecutionRequest,
    place: Option<&Place>,
) -> Result<(), String> {
    let ttl = house.warm.ttl(request.function.as_ref().map(|called| (called.served(), &called.scaling)));
    let purpose = purpose_of(tenant, &request);
    house.make_room().await;
    let created = house.executor.create(purpose.spec.clone()).await;
    let mut sandbox = created.map_err(|error| error.to_string())?;
    let began = Instant::now();
    let served = request.function.as_ref().map(Called::served);
    if house.stays(tenant, &request) {
        let name = request.function.as_ref().map(|called| called.name.clone());
        let loaded = load(house, sandbox.as_mut(), request, place).await;
        if let (Some(served), Some(name)) = (served, name) {
            match &loaded {
                Ok(()) => house.starts.loaded(served),
                Err(NotLoaded::Program(why)) => house.start_failed(served, name.as_str(), began, why),
                Err(NotLoaded::Other(_)) => {}
            }
        }
        if let Err(NotLoaded::Program(why) | NotLoaded::Other(why)) = loaded {
            sandbox.destroy(DestroyReason::Finished).await;
            return Err(why);
        }
    }
    match driver::keep(house, purpose, ttl, sandbox).await {
        Kept::Waits => Ok(()),
        Kept::Unwanted => Err("nobody wants it any more".to_owned()),
        Kept::Retired(error) => Err(error.to_string()),
    }
}

/// Loads the program; or why it could not be.
async fn load(
    house: &House,
    sandbox: &mut dyn Sandbox,
    request: ExecutionRequest,
    place: Option<&Place>,
) -> Result<(), NotLoaded> {
    let deadline = Instant::now() + house.settings.cold_start_timeout;
    let Call::Invoke(invocation) = request.into_call(deadline, Stay::Loaded) else { return Ok(()) };
    let session = sandbox.invoke(*invocation).await.map_err(|error| NotLoaded::Other(error.to_string()))?;
    let interrupter = sandbox.interrupter();
    let ExecSession { input, mut events } = session;
    drop(input);
    let (mut loaded, mut given_up, mut said) = (false, false, Vec::new());
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = in_the_way(house, place), if !given_up => {
                given_up = true;
                interrupter.interrupt(Interrupt::Cancel);
                continue;
            }
        };
        match event {
            Some(Event::Loaded) => loaded = true,
            Some(Event::Stderr(bytes)) => {
                said.extend_from_slice(&bytes);
                said.drain(..said.len().saturating_sub(LAST_WORDS));
            }
            Some(Event::Done(done)) => {
                let said = String::from_utf8_lossy(&said);
                let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
                return match done.outcome {
                    Outcome::Exited { code: 0 } if loaded => Ok(()),
                    Outcome::Cancelled => Err(NotLoaded::Other("it gave way to somebody who waits".to_owned())),
                    Outcome::SandboxLost => Err(NotLoaded::Other("its sandbox was lost".to_owned())),
                    outcome => Err(NotLoaded::Program(format!("{outcome:?} while it was loaded: {said}"))),
                };
            }
            // What a program prints while it is loaded ahead is of no call.
            Some(
                Event::Stdout(_) | Event::ResponseHead(_) | Event::Body(_) | Event::ResponseEnd | Event::Failed(_),
            ) => {}
            None => return Err(NotLoaded::Other("its sandbox was lost".to_owned())),
        }
    }
}

/// Waits until the place is somebody else's.
async fn in_the_way(house: &House, place: Option<&Place>) {
    let mut busy = house.busy.subscribe();
    while place.is_some_and(Place::is_waited_for) || !house.state().wants_places_back() {
        // The sender lives as long as the house.
        drop(busy.changed().await);
    }
}
