//! Lists: what the store has and what only lives here, as one.

use crate::house::{House, TENANT, bounded, command, house, started};
use faas_orchestrator::Attached;
use faas_store_api::{Cursor, Filter, ListQuery};
use faas_types::{ExecutionId, ExecutionState, TenantId};

async fn pages(house: &House, filter: Filter, limit: u32) -> Vec<(ExecutionId, ExecutionState)> {
    let mut found = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let query = ListQuery { filter: filter.clone(), cursor, limit };
        let page = house.orchestrator.list(TENANT, &query).await.expect("listed");
        assert!(page.items.len() <= usize::try_from(limit).expect("small"));
        found.extend(page.items.iter().map(|record| (record.id, record.status)));
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn every_execution_is_listed_once_newest_first_as_it_stands() {
    let house = house(2, 50).await;
    let mut expected = Vec::new();
    let mut callers: Vec<Attached> = Vec::new();
    // Ended, in the store only.
    for _ in 0..7 {
        let attached = house.attach(command("fake nothing")).await;
        expected.push((attached.id, ExecutionState::Succeeded));
        bounded(attached.watch.complete()).await;
    }
    // Running: one with a row that says `starting`, one without any.
    let row = house.detach(command("fake sleep")).await;
    started(&mut house.watch(row).await).await;
    expected.push((row, ExecutionState::Running));
    let mut running = house.attach(command("fake sleep")).await;
    started(&mut running.watch).await;
    expected.push((running.id, ExecutionState::Running));
    // Waiting, with and without a row.
    for _ in 0..5 {
        expected.push((house.detach(command("fake nothing")).await, ExecutionState::Queued));
        let attached = house.attach(command("fake nothing")).await;
        expected.push((attached.id, ExecutionState::Queued));
        callers.push(attached);
    }
    house.attach_as(TenantId::generate(), command("fake nothing")).await.expect("room");
    expected.reverse();
    for limit in [1, 2, 3, 5, 18, 19, 20, 200] {
        assert_eq!(pages(&house, Filter::default(), limit).await, expected, "{limit} at a time");
        for status in ExecutionState::ALL {
            let filter = Filter { status: Some(status), ..Filter::default() };
            let wanted: Vec<_> = expected.iter().filter(|(_, found)| *found == status).copied().collect();
            assert_eq!(pages(&house, filter, limit).await, wanted, "{status}, {limit} at a time");
        }
    }
    house.shut_down().await;
}
