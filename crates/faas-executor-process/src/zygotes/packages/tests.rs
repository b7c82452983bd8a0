use super::{IN_USE, Lock, Next, OFTEN, Packages};
use crate::zygotes::countdown::REST;
use crate::zygotes::{AGE, FAILURES, FORKS, Identity, LOOK};
use faas_types::{IsolationLevel, PackagesId, TenantId};
use std::time::Duration;
use tokio::time::{Instant, advance};

const SECOND: Duration = Duration::from_secs(1);
const INTERPRETER: Option<Identity> = Some((1, 2, 3, 4, 5));

fn of(tenant: u8, packages: u8) -> Lock {
    let (tenant, packages) = (TenantId::from_bytes([tenant; 16]), PackagesId::from_bytes([packages; 32]));
    Lock { tenant, packages, isolation: IsolationLevel::Strict }
}

fn start(packages: &mut Packages, lock: Lock) -> Option<u32> {
    packages.started(lock, Instant::now(), || INTERPRETER)
}

fn next(packages: &mut Packages) -> Next {
    packages.next(Instant::now())
}

/// Starts a lock twice, and makes what is due then.
fn make(packages: &mut Packages, lock: Lock) -> u32 {
    assert_eq!((start(packages, lock), start(packages, lock)), (None, None));
    let Next::Make(zygote, made) = next(packages) else { panic!("none is made") };
    assert_eq!(made, lock);
    assert_eq!((next(packages), start(packages, lock)), (Next::Wait(None), None), "nobody waits for it");
    packages.made(zygote, INTERPRETER, Instant::now());
    zygote
}

#[tokio::test(start_paused = true)]
async fn one_is_made_for_a_lock_that_is_started_twice_within_a_while() {
    let mut packages = Packages::new(4);
    for _ in 0..3 {
        assert_eq!((start(&mut packages, of(1, 1)), next(&mut packages)), (None, Next::Wait(None)));
        advance(OFTEN + SECOND).await;
    }
    let zygote = make(&mut packages, of(1, 1));
    assert_eq!(start(&mut packages, of(1, 1)), Some(zygote));
    assert!(matches!(next(&mut packages), Next::Wait(Some(_))));
}

#[tokio::test(start_paused = true)]
async fn two_tenants_never_share_a_package_zygote() {
    let mut packages = Packages::new(4);
    let first = make(&mut packages, of(1, 1));
    assert_eq!(start(&mut packages, of(2, 1)), None, "the same digest, another tenant");
    assert_eq!(start(&mut packages, of(1, 2)), None, "the same tenant, another digest");
    let weaker = Lock { isolation: IsolationLevel::Standard, ..of(1, 1) };
    assert_eq!(start(&mut packages, weaker), None, "the same packages, loaded behind other walls");
    let second = make(&mut packages, of(2, 1));
    assert_ne!(first, second);
    assert_eq!(start(&mut packages, of(1, 1)), Some(first));
    assert_eq!(start(&mut packages, of(2, 1)), Some(second));
}

#[tokio::test(start_paused = true)]
async fn where_none_are_wanted_none_is_made_and_nothing_is_remembered() {
    let mut packages = Packages::new(0);
    for _ in 0..3 {
        assert_eq!((start(&mut packages, of(1, 1)), next(&mut packages)), (None, Next::Wait(None)));
    }
    assert!(packages.locks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_one_that_was_used_longest_ago_goes_for_another_unless_it_is_in_use() {
    let mut packages = Packages::new(2);
    let (first, second) = (make(&mut packages, of(1, 1)), make(&mut packages, of(1, 2)));
    assert_eq!((start(&mut packages, of(1, 3)), start(&mut packages, of(1, 3))), (None, None));
    assert!(matches!(next(&mut packages), Next::Wait(_)), "both are in use");
    advance(IN_USE).await;
    assert_eq!(start(&mut packages, of(1, 1)), Some(first));
    let third = make(&mut packages, of(1, 3));
    assert_eq!(next(&mut packages), Next::Retire(second));
    assert_eq!(start(&mut packages, of(1, 1)), Some(first));
    assert_eq!(start(&mut packages, of(1, 3)), Some(third));
    assert_eq!(start(&mut packages, of(1, 2)), None);
}

#[tokio::test(start_paused = true)]
async fn one_serves_until_its_successor_does() {
    for age in [true, false] {
        let mut packages = Packages::new(1);
        let old = make(&mut packages, of(1, 1));
        if age {
            advance(AGE).await;
            assert_eq!(start(&mut packages, of(1, 1)), Some(old));
        } else {
            (0..FORKS).for_each(|_| assert_eq!(start(&mut packages, of(1, 1)), Some(old)));
        }
        let Next::Make(new, _) = next(&mut packages) else { panic!("none is made") };
        assert_eq!(start(&mut packages, of(1, 1)), Some(old));
        packages.made(new, INTERPRETER, Instant::now());
        assert_eq!(start(&mut packages, of(1, 1)), Some(new));
        assert_eq!(next(&mut packages), Next::Retire(old));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_uses_has_no_successor() {
    let mut packages = Packages::new(1);
    let zygote = make(&mut packages, of(1, 1));
    advance(AGE).await;
    assert_eq!(next(&mut packages), Next::Retire(zygote));
    assert_eq!(next(&mut packages), Next::Wait(None));
    assert_eq!(start(&mut packages, of(1, 1)), None);
}

#[tokio::test(start_paused = true)]
async fn one_of_another_interpreter_than_the_hosts_serves_nobody() {
    let mut packages = Packages::new(1);
    let zygote = make(&mut packages, of(1, 1));
    assert_eq!(packages.started(of(1, 1), Instant::now(), || None), Some(zygote), "it is looked at once in a while");
    advance(LOOK).await;
    assert_eq!(packages.started(of(1, 1), Instant::now(), || None), None);
    assert_eq!(next(&mut packages), Next::Retire(zygote));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_made_is_tried_again_ever_later() {
    let mut packages = Packages::new(1);
    assert_eq!((start(&mut packages, of(1, 1)), start(&mut packages, of(1, 1))), (None, None));
    for wait in [REST, REST * 2, REST * 4] {
        let Next::Make(zygote, lock) = next(&mut packages) else { panic!("none is made") };
        assert_eq!(packages.failed(zygote, Instant::now()), Some((lock, wait)));
        assert_eq!(next(&mut packages), Next::Wait(Some(Instant::now() + wait)));
        assert_eq!(start(&mut packages, of(1, 1)), None);
        advance(wait).await;
    }
    let Next::Make(zygote, _) = next(&mut packages) else { panic!("none is made") };
    packages.postponed(zygote, Instant::now());
    assert_eq!(next(&mut packages), Next::Wait(Some(Instant::now() + REST)));
    // While one cannot be made, another can.
    make(&mut packages, of(2, 2));
}

#[tokio::test(start_paused = true)]
async fn one_that_dies_or_whose_forks_fail_serves_nobody() {
    let mut packages = Packages::new(1);
    let zygote = make(&mut packages, of(1, 1));
    assert_eq!(packages.ended(zygote, Instant::now()), Some((of(1, 1), REST)));
    assert_eq!(start(&mut packages, of(1, 1)), None);
    assert_eq!(packages.ended(zygote, Instant::now()), None, "it is told of once");
    advance(REST).await;
    let Next::Make(zygote, _) = next(&mut packages) else { panic!("none is made") };
    packages.made(zygote, INTERPRETER, Instant::now());
    assert_eq!(packages.forked(zygote, true, Instant::now()), None);
    for _ in 1..FAILURES {
        assert_eq!(packages.forked(zygote, false, Instant::now()), None);
        assert_eq!(start(&mut packages, of(1, 1)), Some(zygote));
    }
    assert_eq!(packages.forked(zygote, false, Instant::now()), Some((of(1, 1), REST)));
    assert_eq!(start(&mut packages, of(1, 1)), None);
    assert_eq!(next(&mut packages), Next::Retire(zygote));
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_bounded() {
    let mut packages = Packages::new(1);
    let zygote = make(&mut packages, of(0, 0));
    for tenant in 1..3 {
        (0..=u8::MAX).for_each(|digest| assert_eq!(start(&mut packages, of(tenant, digest)), None));
    }
    assert_eq!(packages.locks.len(), super::KNOWN);
    assert_eq!(next(&mut packages), Next::Retire(zygote), "nobody could ask for it");
}
