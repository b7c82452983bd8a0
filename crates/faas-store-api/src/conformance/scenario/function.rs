//! Functions: names, versions, what is live, and who may see them.

use crate::conformance::StoreFactory;
use crate::conformance::trial::{OTHER_TENANT, TENANT, Trial};
use crate::{ChangeError, CreateFunctionError, FunctionChange, Idempotency, NewFunction, StoredFunction};
use faas_types::{FunctionId, FunctionKey, FunctionName, TenantId, Timestamp, VersionId};

fn name(text: &str) -> FunctionName {
    match text.parse() {
        Ok(name) => name,
        Err(error) => panic!("{error}"),
    }
}

fn new(tenant: TenantId, text: &str, spec: &[u8]) -> NewFunction {
    NewFunction {
        id: FunctionId::generate(),
        tenant,
        name: name(text),
        version: VersionId::generate(),
        spec: spec.to_vec(),
        made_with: None,
        at: Timestamp::now(),
    }
}

fn deploy(spec: &[u8]) -> FunctionChange {
    FunctionChange::Deploy { version: VersionId::generate(), spec: spec.to_vec() }
}

async fn change(
    trial: &Trial<'_>,
    function: &StoredFunction,
    expected: Option<u64>,
    change: FunctionChange,
) -> Result<StoredFunction, ChangeError> {
    let (tenant, id) = (function.tenant, function.id);
    trial.within("change", trial.store().change_function(tenant, id, expected, change, Timestamp::now())).await
}

/// What was made is read back, by its name and by its id, also after a restart.
pub async fn a_function_is_read_back(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("a_function_is_read_back", factory).await;
    let spec = b"\0\xff spec".to_vec();
    let made = trial.ok("create", trial.store().create_function(new(TENANT, "hello", &spec))).await;
    trial.equal(&(made.live, made.newest, made.revision), &(1, 1, 1), "the counts of a new function");
    for restarted in [false, true] {
        if restarted {
            if !trial.is_durable() {
                return;
            }
            trial.restart().await;
        }
        for key in [FunctionKey::Name(name("hello")), FunctionKey::Id(made.id)] {
            let found = trial.ok("get", trial.store().function(TENANT, &key)).await;
            trial.equal(&found.as_ref(), &Some(&made), "the function");
        }
        let version = trial.ok("version", trial.store().version(TENANT, made.id, 1)).await;
        trial.equal(&version.map(|version| version.spec), &Some(spec.clone()), "its first version");
    }
}

/// Of two at once of one name one is made; another tenant has names of its own; a deleted one's is free.
pub async fn a_name_belongs_to_one_function(factory: &dyn StoreFactory) {
    let trial = Trial::new("a_name_belongs_to_one_function", factory).await;
    let store = trial.store();
    let (first, second) = trial
        .within("create twice", async {
            tokio::join!(
                store.create_function(new(TENANT, "same", b"1")),
                store.create_function(new(TENANT, "same", b"2"))
            )
        })
        .await;
    let (made, refused) = match (first, second) {
        (Ok(made), Err(refused)) | (Err(refused), Ok(made)) => (made, refused),
        other => trial.fail(format!("two of one name gave {other:?}")),
    };
    trial.equal(&refused, &CreateFunctionError::Taken, "the refusal");
    trial.ok("create for another tenant", store.create_function(new(OTHER_TENANT, "same", b"3"))).await;
    trial.ok("delete", store.delete_function(TENANT, made.id, None)).await;
    let gone = trial.ok("get", store.function(TENANT, &FunctionKey::Id(made.id))).await;
    trial.equal(&gone, &None, "a deleted function");
    trial.equal(&trial.ok("version", store.version(TENANT, made.id, 1)).await, &None, "a deleted function's version");
    let again = trial.ok("create again", store.create_function(new(TENANT, "same", b"4"))).await;
    trial.holds(again.id != made.id, "an id was given again");
}

/// What a function was made with is kept, and belongs to no other until it is deleted.
pub async fn a_key_makes_one_function(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("a_key_makes_one_function", factory).await;
    let keyed = |tenant, text: &str| NewFunction {
        made_with: Some(Idempotency { key: "order-1".to_owned(), digest: [7; 32] }),
        ..new(tenant, text, b"1")
    };
    let made = trial.ok("create", trial.store().create_function(keyed(TENANT, "first"))).await;
    trial.ok("create for another tenant", trial.store().create_function(keyed(OTHER_TENANT, "first"))).await;
    if trial.is_durable() {
        trial.restart().await;
    }
    let store = trial.store();
    let found = trial.ok("get", store.function(TENANT, &FunctionKey::Id(made.id))).await;
    let digest = found.and_then(|found| found.made_with).map(|made_with| made_with.digest);
    trial.equal(&digest, &Some([7; 32]), "what it was made with");
    let same_name = trial.within("create", store.create_function(keyed(TENANT, "first"))).await;
    trial.equal(&same_name.err(), &Some(CreateFunctionError::Taken), "the same key and name");
    let other_name = trial.within("create", store.create_function(keyed(TENANT, "second"))).await;
    trial.equal(&other_name.err(), &Some(CreateFunctionError::KeyConflict), "the same key for another name");
    trial.ok("delete", store.delete_function(TENANT, made.id, None)).await;
    trial.ok("create with a key that is free", store.create_function(keyed(TENANT, "second"))).await;
}

/// A deployment is a new version and live; earlier ones stay as they were and can be live again.
pub async fn versions_never_change(factory: &dyn StoreFactory) {
    let trial = Trial::new("versions_never_change", factory).await;
    let store = trial.store();
    let made = trial.ok("create", store.create_function(new(TENANT, "hello", b"1"))).await;
    for number in 2..=5_u32 {
        let changed = trial.ok("deploy", change(&trial, &made, None, deploy(number.to_string().as_bytes()))).await;
        trial.equal(&(changed.live, changed.newest), &(number, number), "what is live after a deployment");
    }
    let back = trial.ok("rollback", change(&trial, &made, None, FunctionChange::GoLive { version: 2 })).await;
    trial.equal(&(back.live, back.newest, back.revision), &(2, 5, 6), "what is live after a rollback");
    let next = trial.ok("deploy", change(&trial, &made, None, deploy(b"6"))).await;
    trial.equal(&(next.live, next.newest), &(6, 6), "what is live after the next deployment");
    for number in 1..=6_u32 {
        let version = trial.ok("version", store.version(TENANT, made.id, number)).await;
        let spec = version.map(|version| version.spec);
        trial.equal(&spec, &Some(number.to_string().into_bytes()), "a version's content");
    }
    let page = trial.ok("versions", store.versions(TENANT, made.id, Some(5), 3)).await;
    let numbers: Vec<u32> = page.iter().map(|version| version.number).collect();
    trial.equal(&numbers, &vec![4, 3, 2], "a page of versions");
    let missing = change(&trial, &made, None, FunctionChange::GoLive { version: 7 }).await;
    trial.equal(&missing.err(), &Some(ChangeError::NoVersion { version: 7, newest: 6 }), "a version that is not");
}

/// Who has not seen a change does not undo it, and a refused change changes nothing.
pub async fn a_change_expects_what_was_seen(factory: &dyn StoreFactory) {
    let trial = Trial::new("a_change_expects_what_was_seen", factory).await;
    let store = trial.store();
    let made = trial.ok("create", store.create_function(new(TENANT, "hello", b"1"))).await;
    let (first, second) = trial
        .within("change twice", async {
            tokio::join!(change(&trial, &made, Some(1), deploy(b"2")), change(&trial, &made, Some(1), deploy(b"3")))
        })
        .await;
    let refused = match (first, second) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        other => trial.fail(format!("two changes of one revision gave {other:?}")),
    };
    trial.equal(&refused, &ChangeError::Stale { revision: 2 }, "the refusal");
    let stale = trial.within("delete", store.delete_function(TENANT, made.id, Some(1))).await;
    trial.equal(&stale, &Err(ChangeError::Stale { revision: 2 }), "deleting what has changed");
    let found = trial.ok("get", store.function(TENANT, &FunctionKey::Id(made.id))).await;
    trial.equal(&found.map(|found| (found.newest, found.revision)), &Some((2, 2)), "what is there afterwards");
}

/// Aliases point to versions, and move.
pub async fn aliases_point_to_versions(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("aliases_point_to_versions", factory).await;
    let made = trial.ok("create", trial.store().create_function(new(TENANT, "hello", b"1"))).await;
    trial.ok("deploy", change(&trial, &made, None, deploy(b"2"))).await;
    let alias = |text: &str, version| match text.parse() {
        Ok(alias) => FunctionChange::Alias { alias, version },
        Err(error) => panic!("{error}"),
    };
    for (text, version) in [("stable", Some(1)), ("canary", Some(2)), ("stable", Some(2)), ("canary", None)] {
        trial.ok("alias", change(&trial, &made, None, alias(text, version))).await;
    }
    let missing = change(&trial, &made, None, alias("stable", Some(9))).await;
    trial.equal(&missing.err(), &Some(ChangeError::NoVersion { version: 9, newest: 2 }), "an alias of no version");
    let gone = change(&trial, &made, None, alias("canary", None)).await.err();
    trial.holds(matches!(gone, Some(ChangeError::NoAlias { .. })), "an alias was removed twice");
    trial.restart().await;
    let found = trial.ok("get", trial.store().function(TENANT, &FunctionKey::Id(made.id))).await;
    if let Some(found) = found {
        let aliases: Vec<_> = found.aliases.iter().map(|(alias, version)| (alias.as_str(), *version)).collect();
        trial.equal(&aliases, &vec![("stable", 2)], "the aliases");
    } else {
        trial.holds(!trial.is_durable(), "the function is gone after a restart");
    }
}

/// Nobody sees, changes or deletes another tenant's function.
pub async fn no_function_is_another_tenants(factory: &dyn StoreFactory) {
    let trial = Trial::new("no_function_is_another_tenants", factory).await;
    let store = trial.store();
    let made = trial.ok("create", store.create_function(new(TENANT, "mine", b"1"))).await;
    for key in [FunctionKey::Name(name("mine")), FunctionKey::Id(made.id)] {
        trial.equal(&trial.ok("get", store.function(OTHER_TENANT, &key)).await, &None, "another tenant's view");
    }
    trial.equal(&trial.ok("version", store.version(OTHER_TENANT, made.id, 1)).await, &None, "another's version");
    trial.equal(&trial.ok("versions", store.versions(OTHER_TENANT, made.id, None, 9)).await, &Vec::new(), "versions");
    trial.equal(&trial.ok("list", store.functions(OTHER_TENANT, None, 9)).await, &Vec::new(), "another's list");
    let stranger = StoredFunction { tenant: OTHER_TENANT, ..made.clone() };
    let changed = change(&trial, &stranger, None, deploy(b"2")).await;
    trial.equal(&changed.err(), &Some(ChangeError::Unknown), "changing another tenant's");
    let deleted = trial.within("delete", store.delete_function(OTHER_TENANT, made.id, None)).await;
    trial.equal(&deleted, &Err(ChangeError::Unknown), "deleting another tenant's");
}

/// Functions are listed newest first, a page at a time; neither a change nor the end of the one that a page begins
/// behind moves any.
pub async fn functions_are_listed_newest_first(factory: &dyn StoreFactory) {
    let trial = Trial::new("functions_are_listed_newest_first", factory).await;
    let store = trial.store();
    let mut expected = Vec::new();
    for number in [3, 1, 4, 0, 2] {
        let made = trial.ok("create", store.create_function(new(TENANT, &format!("f{number}"), b"x"))).await;
        expected.push(made);
    }
    trial.ok("create", store.create_function(new(OTHER_TENANT, "f5", b"x"))).await;
    expected.reverse();
    let mut listed: Vec<FunctionId> = Vec::new();
    loop {
        let page = trial.ok("list", store.functions(TENANT, listed.last().copied(), 2)).await;
        trial.holds(page.len() <= 2, "a page is longer than asked");
        let Some(last) = page.last() else { break };
        if listed.is_empty() {
            trial.ok("deploy", change(&trial, last, None, deploy(b"y"))).await;
            trial.ok("delete", store.delete_function(TENANT, last.id, None)).await;
        }
        listed.extend(page.into_iter().map(|function| function.id));
    }
    let expected: Vec<FunctionId> = expected.iter().map(|function| function.id).collect();
    trial.equal(&listed, &expected, "the list");
}

/// What a node has to know before it serves: every function with its live version, page by page.
pub async fn live_versions_of_all_tenants_are_read(factory: &dyn StoreFactory) {
    let trial = Trial::new("live_versions_of_all_tenants_are_read", factory).await;
    let mut wanted = Vec::new();
    for (tenant, text) in [(TENANT, "a"), (OTHER_TENANT, "a"), (TENANT, "b"), (TENANT, "c")] {
        let made = trial.ok("create", trial.store().create_function(new(tenant, text, b"1"))).await;
        wanted.push((made.id, made.live));
    }
    let second = trial.ok("get", trial.store().function(TENANT, &FunctionKey::Name(name("b")))).await;
    if let Some(second) = second {
        let changed = change(&trial, &second, None, deploy(b"2")).await;
        trial.equal(&changed.map(|changed| changed.live), &Ok(2), "the live version");
        wanted.iter_mut().filter(|(id, _)| *id == second.id).for_each(|(_, live)| *live = 2);
    }
    wanted.sort_unstable();
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let page = trial.ok("live versions", trial.store().live_versions(after, 3)).await;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.id);
        read.extend(page.iter().map(|(function, version)| (function.id, version.number)));
    }
    trial.equal(&read, &wanted, "every function with its live version");
}
