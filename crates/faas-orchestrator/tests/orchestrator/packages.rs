//! Installed packages: kept as long as a version uses them, and gone some time after.

use crate::house::{Ground, TENANT, house_on};
use faas_orchestrator::FunctionSpec;
use faas_store_api::{FunctionChange, FunctionStore as _, NewFunction};
use faas_types::{FunctionId, Language, PackagesId, TenantId, Timestamp, VersionId};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const OF_AN_EARLIER_VERSION: PackagesId = PackagesId::from_bytes([1; 32]);
const LIVE: PackagesId = PackagesId::from_bytes([2; 32]);
const NOBODYS: PackagesId = PackagesId::from_bytes([3; 32]);
const RECENT: PackagesId = PackagesId::from_bytes([4; 32]);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Packages that were used last so long ago.
fn installed(root: &Path, tenant: TenantId, packages: PackagesId, ago: Duration) -> PathBuf {
    let place = root.join(packages.directory(tenant));
    fs::create_dir_all(&place).expect("made");
    fs::write(place.join("faas.lock"), "a lock").expect("written");
    let directory = File::open(&place).expect("there");
    directory.set_modified(SystemTime::now() - ago).expect("set");
    place
}

/// How the store keeps a version with these packages.
async fn stored(ground: &Ground, packages: PackagesId) -> Vec<u8> {
    let house = house_on(&Ground::new(), 1, 1).await;
    let spec = FunctionSpec::new(Language::Python, "x = 1\n");
    let made = house.orchestrator.functions().create(TENANT, "model".parse().expect("a name"), spec).await;
    let function = made.expect("made").function.id;
    let versions = house.store.memory.versions(TENANT, function, None, 1).await.expect("read");
    house.shut_down().await;
    let mut spec: Value = serde_json::from_slice(&versions.first().expect("one").spec).expect("JSON");
    spec["packages"] = json!({"id": packages.to_string(), "lock": "a lock"});
    assert!(ground.packages.is_some());
    serde_json::to_vec(&spec).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn packages_that_no_version_uses_go_and_all_others_stay() {
    let root = tempfile::tempdir().expect("a directory");
    let ground = Ground { packages: Some(root.path().to_owned()), ..Ground::new() };
    let another = TenantId::from_bytes([9; 16]);
    let earlier = installed(root.path(), another, OF_AN_EARLIER_VERSION, DAY * 30);
    let live = installed(root.path(), another, LIVE, DAY * 30);
    let nobodys = installed(root.path(), another, NOBODYS, DAY * 30);
    let recent = installed(root.path(), TENANT, RECENT, DAY);
    let id = FunctionId::generate();
    let new = NewFunction {
        id,
        tenant: another,
        name: "f".parse().expect("a name"),
        version: VersionId::generate(),
        spec: stored(&ground, OF_AN_EARLIER_VERSION).await,
        at: Timestamp::now(),
        made_with: None,
    };
    ground.memory.create_function(new).await.expect("made");
    let change = FunctionChange::Deploy { version: VersionId::generate(), spec: stored(&ground, LIVE).await };
    ground.memory.change_function(another, id, None, change, Timestamp::now()).await.expect("changed");

    let house = house_on(&ground, 1, 1).await;
    for _ in 0..10_000 {
        if !nobodys.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(!nobodys.exists(), "no version uses it");
    assert!(earlier.join("faas.lock").exists() && live.join("faas.lock").exists(), "a version uses it");
    assert!(recent.exists(), "it may be a deploy's that is under way");
    let used = fs::metadata(&earlier).and_then(|place| place.modified()).expect("there");
    assert!(used.elapsed().expect("in the past") < DAY, "that it is used was noted");
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_while_a_version_cannot_be_read() {
    let root = tempfile::tempdir().expect("a directory");
    let ground = Ground { packages: Some(root.path().to_owned()), ..Ground::new() };
    let nobodys = installed(root.path(), TENANT, NOBODYS, DAY * 30);
    let new = NewFunction {
        id: FunctionId::generate(),
        tenant: TENANT,
        name: "f".parse().expect("a name"),
        version: VersionId::generate(),
        spec: b"{".to_vec(),
        at: Timestamp::now(),
        made_with: None,
    };
    ground.memory.create_function(new).await.expect("made");
    let house = house_on(&ground, 1, 1).await;
    // Several looks on the clock of this test.
    for _ in 0..48 {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    assert!(nobodys.exists(), "nobody knows what is used");
    house.shut_down().await;
}
