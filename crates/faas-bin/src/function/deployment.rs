//! Makes the server's function equal to a source: made, changed, or left alone where nothing differs.
//!
//! What was compared is what is changed: a deployment in between is noticed by its etag and refused.

use super::change::{self, Change, Difference};
use super::source::Source;
use crate::diagnostic::CliError;
use crate::printed::json_line;
use faas_client::model::ProgressEvent;
use faas_client::{Client, ClientError};
use faas_types::ErrorCode;
use serde_json::json;

/// What became of a deployment.
#[derive(Debug)]
pub(crate) struct Deployment {
    name: String,
    /// The version that is live now, or would be.
    version: u32,
    created: bool,
    dry_run: bool,
    changes: Vec<Change>,
}

/// Deploys a source; a dry run only says what would be done. `hears` is told what is installed meanwhile.
pub(crate) async fn deploy(
    client: &Client,
    source: &Source,
    dry_run: bool,
    hears: &mut (dyn FnMut(ProgressEvent) + Send),
) -> Result<Deployment, CliError> {
    let name = source.name.as_str();
    let deployment =
        |version, created, changes| Deployment { name: name.to_owned(), version, created, dry_run, changes };
    let shown = match client.functions().get(name).await {
        Ok(shown) => shown,
        Err(error) if error.known() == Some(ErrorCode::FunctionNotFound) => {
            let version =
                if dry_run { 1 } else { client.functions().create_telling(&source.body, hears).await?.version };
            return Ok(deployment(version, true, change::all_new(&source.body)));
        }
        Err(error) => return Err(error.into()),
    };
    let defaults = client.limits().await?.defaults;
    let Difference { changes, patch } = change::compare(&shown.definition, &source.body, &defaults)?;
    if changes.is_empty() {
        return Ok(deployment(shown.version, false, changes));
    }
    if dry_run {
        return Ok(deployment(shown.newest.saturating_add(1), false, changes));
    }
    match client.functions().update_telling(name, &patch, Some(&shown.etag), hears).await {
        Ok(changed) => Ok(deployment(changed.version, false, changes)),
        Err(error) => Err(in_between(error)),
    }
}

fn in_between(error: ClientError) -> CliError {
    let changed = error.known() == Some(ErrorCode::FunctionChanged);
    let error = CliError::from(error);
    if changed { error.help("somebody else changed it just now; deploy again to see the difference") } else { error }
}

impl Deployment {
    /// Whether there is a new version, or would be.
    pub(crate) const fn is_change(&self) -> bool {
        self.created || !self.changes.is_empty()
    }

    /// Whether the function is new.
    pub(crate) const fn is_first(&self) -> bool {
        self.created
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        let Self { name, version, .. } = self;
        let mut text = match (self.is_change(), self.created, self.dry_run) {
            (false, ..) => format!("{name}: nothing changed; version {version} is live\n"),
            (true, false, false) => format!("{name}: version {version} is live\n"),
            (true, true, false) => format!("{name}: made; version {version} is live\n"),
            (true, false, true) => format!("{name}: version {version} would be live\n"),
            (true, true, true) => format!("{name}: would be made\n"),
        };
        text.extend(self.changes.iter().map(Change::describe));
        text
    }

    /// As one JSON object.
    pub(crate) fn json(&self) -> Result<String, CliError> {
        json_line(&json!({
            "name": self.name,
            "version": self.version,
            "created": self.created,
            "changed": self.is_change(),
            "dry_run": self.dry_run,
            "changes": self.changes,
        }))
    }
}
