//! Lists: pages, filters, tenants.

use crate::conformance::StoreFactory;
use crate::conformance::trial::{OTHER_TENANT, TENANT, Trial, new, record, succeeded, with};
use crate::{Filter, NewExecution};
use faas_types::{ExecutionId, ExecutionState};

/// Pages of every size give everything once, newest first.
pub async fn pages_follow_each_other(factory: &dyn StoreFactory) {
    let trial = Trial::new("pages_follow_each_other", factory).await;
    trial.equal(&trial.listed(TENANT, Filter::default(), 5).await, &Vec::new(), "an empty list");
    let mut ids = Vec::new();
    for number in 0..23 {
        if number % 2 == 0 {
            ids.push(trial.accept(new()).await);
        } else {
            let record = succeeded(record());
            ids.push(record.id);
            trial.journal(record);
        }
    }
    ids.reverse();
    for limit in [1, 2, 5, 22, 23, 24, 200] {
        trial.equal(&trial.listed(TENANT, Filter::default(), limit).await, &ids, &format!("pages of {limit}"));
    }
}

/// Every condition of a filter must hold.
pub async fn filters_hold_together(factory: &dyn StoreFactory) {
    let trial = Trial::new("filters_hold_together", factory).await;
    let mut kept: Vec<(ExecutionId, ExecutionState, Option<&str>, &str)> = Vec::new();
    for number in 0..24 {
        let mut record = record();
        let function = [None, Some("resize"), Some("mail")][number % 3];
        let team = ["blue", "red"][number % 2];
        record.function = function.map(str::to_owned);
        record.labels.insert("team".to_owned(), team.to_owned());
        record.labels.insert("number".to_owned(), number.to_string());
        let id = record.id;
        let status = if number % 4 == 0 {
            trial.journal(succeeded(record));
            ExecutionState::Succeeded
        } else {
            trial.accept(with(record)).await;
            ExecutionState::Queued
        };
        kept.push((id, status, function, team));
    }
    kept.reverse();
    for status in [None, Some(ExecutionState::Queued), Some(ExecutionState::Succeeded), Some(ExecutionState::Failed)] {
        for function in [None, Some("resize"), Some("nobody")] {
            for team in [None, Some("red"), Some("green")] {
                let filter = Filter {
                    status,
                    function: function.map(str::to_owned),
                    label: team.map(|team| ("team".to_owned(), team.to_owned())),
                };
                let wanted: Vec<_> = kept
                    .iter()
                    .filter(|row| status.is_none_or(|status| row.1 == status))
                    .filter(|row| function.is_none_or(|function| row.2 == Some(function)))
                    .filter(|row| team.is_none_or(|team| row.3 == team))
                    .map(|row| row.0)
                    .collect();
                let what = format!("what passes {filter:?}");
                trial.equal(&trial.listed(TENANT, filter, 3).await, &wanted, &what);
            }
        }
    }
    let other_name = Filter { label: Some(("number".to_owned(), "red".to_owned())), ..Filter::default() };
    trial.equal(&trial.listed(TENANT, other_name, 10).await, &Vec::new(), "another label's value");
}

/// Tenants see their own, also through another tenant's cursor and labels.
pub async fn no_list_shows_another_tenant(factory: &dyn StoreFactory) {
    let trial = Trial::new("no_list_shows_another_tenant", factory).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 0..10 {
        let mut record = record();
        record.labels.insert("shared".to_owned(), "yes".to_owned());
        let new = with(record);
        if number % 2 == 0 {
            ours.push(trial.accept(new).await);
        } else {
            theirs.push(trial.accept(NewExecution { tenant: OTHER_TENANT, ..new }).await);
        }
    }
    ours.reverse();
    theirs.reverse();
    let label = Filter { label: Some(("shared".to_owned(), "yes".to_owned())), ..Filter::default() };
    for filter in [Filter::default(), label] {
        trial.equal(&trial.listed(TENANT, filter.clone(), 2).await, &ours, "our list");
        trial.equal(&trial.listed(OTHER_TENANT, filter.clone(), 2).await, &theirs, "their list");
        let cursor = Some(crate::Cursor { after: theirs[0] });
        let query = crate::ListQuery { filter, cursor, limit: 200 };
        let page = trial.ok("list", trial.store().list(TENANT, &query)).await;
        let ids: Vec<_> = page.items.iter().map(|record| record.id).collect();
        trial.equal(&ids, &ours, "our list from their cursor");
    }
}
