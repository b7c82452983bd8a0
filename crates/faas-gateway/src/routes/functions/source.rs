//! Where the source of a function comes from: its body, an archive beside that, or a module on this host.
//!
//! Invariant: whatever it came from, a version has its files and never reads them again.

use crate::state::State;
use crate::{ApiError, ModuleSource};
use bytes::Bytes;
use faas_api_model::{FileBody, FunctionBody};
use faas_executor_api::FileIn;
use faas_types::{ErrorCode, Language, TenantId};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// The source of a function.
pub(super) struct Source {
    /// The path of the file that is run.
    pub(super) main: String,
    pub(super) files: Vec<FileIn>,
}

/// Takes the source out of a body, or uses what was uploaded with it.
pub(super) async fn find(
    state: &State,
    tenant: TenantId,
    language: Language,
    body: &mut FunctionBody,
    uploaded: Option<Vec<FileIn>>,
) -> Result<Source, ApiError> {
    let usual = || language.main_file().to_owned();
    let (code, files, module) = (body.code.take(), std::mem::take(&mut body.files), body.module.take());
    let main = body.main.take();
    if let Some(uploaded) = uploaded {
        let given = [("code", code.is_some()), ("files", !files.is_empty()), ("module", module.is_some())];
        if let Some((given, _)) = given.iter().find(|(_, given)| *given) {
            let detail = format!("{given} is given too; accepted: one of code, files, module, and a form's source");
            return Err(ApiError::new(ErrorCode::InvalidField, detail).field("source"));
        }
        return Ok(Source { main: main.unwrap_or_else(usual), files: uploaded });
    }
    match (code, module) {
        (Some(code), _) => {
            let main = main.unwrap_or_else(usual);
            let file = FileIn { path: main.clone(), content: Bytes::from(code), executable: false };
            Ok(Source { main, files: vec![file] })
        }
        (None, Some(module)) => {
            let read = read_module(state, tenant, language, module).await?;
            Ok(Source { main: main.unwrap_or(read.main), files: read.files })
        }
        (None, None) if files.is_empty() => {
            let detail =
                "the function has no source; accepted: code, files, module, or an archive as the source of a form";
            Err(ApiError::new(ErrorCode::InvalidField, detail).field("code"))
        }
        (None, None) => {
            Ok(Source { main: main.unwrap_or_else(usual), files: files.into_iter().map(file_in).collect() })
        }
    }
}

fn file_in(file: FileBody) -> FileIn {
    FileIn { path: file.path, content: Bytes::from(file.content), executable: file.executable }
}

async fn read_module(
    state: &State,
    tenant: TenantId,
    language: Language,
    module: String,
) -> Result<ModuleSource, ApiError> {
    let unsupported = |detail: &str| Err(ApiError::new(ErrorCode::FieldUnsupported, detail).field("module"));
    // Whoever may deploy sees the source of what they deployed, and these files are the operator's.
    if tenant != TenantId::LOCAL {
        return unsupported("module is for the tenant local, whose host this is; send code, files or an archive");
    }
    let Some(modules) = state.modules.as_ref() else {
        return unsupported(
            "module is not supported here: the server has no function roots; send code, files or an archive",
        );
    };
    let modules = Arc::clone(modules);
    // A request of a few bytes makes much to hold: only so many at once, and then a change's own bound holds.
    let _turn = state.module_reads.acquire().await;
    let read = spawn_blocking(move || modules.read(&module, language)).await;
    read.unwrap_or_else(|_| {
        Err(ApiError::new(ErrorCode::Internal, "the server failed to read the module; its log has more"))
    })
}
