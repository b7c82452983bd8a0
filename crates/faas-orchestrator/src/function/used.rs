//! Which installed packages the versions of functions use.

use super::FunctionError;
use super::spec::packages_of;
use faas_store_api::Store;
use faas_types::PackagesId;
use std::collections::HashSet;

/// Functions and versions that are read at once.
const PAGE: u32 = 200;

/// The packages of every version in the store, whoever's it is. A version that comes while this is read may be
/// missing: its packages were given to it just now.
///
/// # Errors
/// The store failed, or what it keeps of a version cannot be read: then nobody knows what is unused.
pub(crate) async fn packages_in_use(store: &dyn Store) -> Result<HashSet<PackagesId>, FunctionError> {
    let mut used = HashSet::new();
    let mut after = None;
    loop {
        let page = store.live_versions(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(used) };
        after = Some(last.id);
        for (function, _) in page {
            let mut before = None;
            loop {
                let versions = store.versions(function.tenant, function.id, before, PAGE).await?;
                let Some(oldest) = versions.last() else { break };
                before = Some(oldest.number);
                for version in versions {
                    let packages = packages_of(&version.spec);
                    used.extend(packages.map_err(|reason| FunctionError::Unreadable { reason })?);
                }
            }
        }
    }
}
