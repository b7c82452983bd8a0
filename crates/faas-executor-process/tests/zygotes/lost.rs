//! Without a zygote, or when one is lost, every call is served.

use super::running::{children, ran};
use super::{end, executor, forked, script, spec};
use faas_executor_api::Executor;
use faas_types::Outcome;
use rustix::process::{Pid, Signal, kill_process};

/// The process that is no sandbox's init among the children of launchers that this process started.
fn zygotes() -> Vec<Pid> {
    let is_zygote = |pid: &u32| {
        let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.split('\0').any(|word| word == "--park")
    };
    let of_launchers = children(std::process::id()).into_iter().flat_map(children).filter(is_zygote);
    of_launchers.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
}

#[tokio::test]
async fn a_zygote_that_dies_is_told_of_and_replaced_and_no_call_is_lost() {
    let executor = executor();
    let mut events = executor.zygote_events().expect("one listener");
    end(forked(&executor, &spec()).await).await;
    for _ in 0..2 {
        let before = forked(&executor, &spec()).await;
        for zygote in zygotes() {
            kill_process(zygote, Signal::KILL).expect("it lives");
        }
        let mut sandbox = executor.create(spec()).await.expect("a sandbox");
        let (seen, done) = ran(sandbox.as_mut(), script("print('served')")).await;
        assert_eq!((seen.as_str(), done.outcome), ("served\n", Outcome::Exited { code: 0 }));
        end(sandbox).await;
        let event = events.recv().await.expect("an event");
        assert!(event.to_string().starts_with("the zygote of python ended: "), "{event}");

        // What was forked from it lives on.
        let mut before = before;
        assert_eq!(ran(before.as_mut(), script("print('lives')")).await.0, "lives\n");
        end(before).await;
        end(forked(&executor, &spec()).await).await;
    }
    executor.shutdown().await;
    assert_eq!(zygotes(), [], "none outlives its launcher");
}

#[tokio::test]
async fn many_at_once_are_all_served() {
    let executor = std::sync::Arc::new(executor());
    end(forked(&executor, &spec()).await).await;
    let calls: Vec<_> = (0..40)
        .map(|number| {
            let executor = std::sync::Arc::clone(&executor);
            tokio::spawn(async move {
                let mut sandbox = executor.create(spec()).await.expect("a sandbox");
                let (seen, _) = ran(sandbox.as_mut(), script(&format!("print({number})"))).await;
                end(sandbox).await;
                assert_eq!(seen, format!("{number}\n"));
            })
        })
        .collect();
    for call in calls {
        call.await.expect("a call");
    }
    executor.shutdown().await;
}
