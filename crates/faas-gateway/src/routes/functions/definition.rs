//! Between the body of a function and what the orchestrator keeps of it.

use super::source;
use crate::ApiError;
use crate::routes::submission::check_executor;
use crate::state::State;
use bytes::Bytes;
use faas_api_model::{ExecuteBody, FileBody, FunctionBody, RouteAuth, ScalingBody};
use faas_executor_api::FileIn;
use faas_orchestrator::{Access, CallInput, ExecutionRequest, FunctionSpec, HttpCall, Stdin, Version};
use faas_types::{ByteSize, Contract, ErrorCode, Mode, OutputLimits, Resources, Scaling, TenantId};

/// What a body and the source that was uploaded with it ask for, completed by the configuration.
pub(super) async fn spec(
    state: &State,
    tenant: TenantId,
    mut body: FunctionBody,
    uploaded: Option<Vec<FileIn>>,
) -> Result<FunctionSpec, ApiError> {
    check_executor(state, body.executor.as_deref())?;
    check_routes(state, &body.routes)?;
    let defaults = &state.defaults;
    let runtime = body.runtime.take().unwrap_or_else(|| defaults.language.into());
    let language = runtime.language;
    let contract = body.contract.unwrap_or_else(|| language.function_contract());
    let memory = body.memory.unwrap_or(defaults.resources.memory);
    let scaling = Scaling::default();
    let source::Source { main, files } = source::find(state, tenant, language, &mut body, uploaded).await?;
    Ok(FunctionSpec {
        contract,
        handler: body.handler.unwrap_or_else(|| FunctionSpec::ENTRY.to_owned()),
        main,
        files,
        env: body.env,
        resources: Resources {
            cpu: body.cpu.unwrap_or(defaults.resources.cpu),
            memory,
            disk: body.disk.unwrap_or_else(|| defaults.resources.disk.min(Resources::default_disk_for(memory))),
            pids: body.pids.unwrap_or(defaults.resources.pids),
        },
        isolation: body.isolation.unwrap_or(defaults.isolation),
        timeout: body.timeout.unwrap_or_else(|| defaults.timeout_of(contract)),
        output: OutputLimits {
            bytes: body.output_limit.unwrap_or(defaults.output.bytes),
            on_limit: body.on_output_limit.unwrap_or(defaults.output.on_limit),
        },
        mode: body.mode.unwrap_or(Mode::Cached),
        dependencies: body.dependencies,
        allow_build: body.allow_build.unwrap_or_default(),
        packages: None,
        scaling: Scaling {
            min: body.scaling.min.unwrap_or(scaling.min),
            max: body.scaling.max.unwrap_or(scaling.max),
            concurrency: body.scaling.concurrency.unwrap_or(scaling.concurrency),
            idle_ttl: body.scaling.idle_ttl,
        },
        routes: body.routes,
        access: match body.auth {
            Some(RouteAuth::Public) => Access::Public,
            Some(RouteAuth::Key) | None => Access::Key,
        },
        runtime,
    })
}

/// What a route must not take: a request of the system's is answered by the system, whoever says otherwise.
fn check_routes(state: &State, routes: &[String]) -> Result<(), ApiError> {
    for text in routes {
        // What is no route is refused with everything else that is wrong with the function.
        let Ok(route) = text.parse() else { continue };
        if let Some(system) = state.reserved.shadowing(&route) {
            let detail =
                format!("the route {route} matches requests that belong to {system} of the system; take another path");
            return Err(ApiError::new(ErrorCode::RouteTaken, detail).field("routes"));
        }
    }
    Ok(())
}

/// What is shown of a version; what is shown and sent back means the same.
pub(super) fn body(spec: &FunctionSpec, with_source: bool) -> FunctionBody {
    let mut body = FunctionBody {
        runtime: Some(spec.runtime.clone()),
        handler: Some(spec.handler.clone()),
        contract: Some(spec.contract),
        isolation: Some(spec.isolation),
        mode: Some(spec.mode),
        cpu: Some(spec.resources.cpu),
        memory: Some(spec.resources.memory),
        disk: Some(spec.resources.disk),
        pids: Some(spec.resources.pids),
        timeout: Some(spec.timeout),
        env: spec.env.clone(),
        output_limit: Some(ByteSize::from_bytes(spec.output.bytes.as_bytes())),
        on_output_limit: Some(spec.output.on_limit),
        scaling: scaling(spec.scaling),
        dependencies: spec.dependencies.clone(),
        allow_build: spec.allow_build.then_some(true),
        routes: spec.routes.clone(),
        auth: Some(match spec.access {
            Access::Key => RouteAuth::Key,
            Access::Public => RouteAuth::Public,
        }),
        ..FunctionBody::default()
    };
    if !with_source {
        return body;
    }
    match &*spec.files {
        [file] if is_plain(spec, file) => body.code = str::from_utf8(&file.content).ok().map(str::to_owned),
        files => {
            body.files = files.iter().map(file_out).collect();
            body.main = Some(spec.main.clone());
        }
    }
    body
}

/// Whether a file is what `code` alone means.
fn is_plain(spec: &FunctionSpec, file: &FileIn) -> bool {
    file.path == spec.runtime.language.main_file() && !file.executable && str::from_utf8(&file.content).is_ok()
}

fn file_out(file: &FileIn) -> FileBody {
    FileBody { path: file.path.clone(), content: file.content.to_vec(), executable: file.executable }
}

fn scaling(scaling: Scaling) -> ScalingBody {
    ScalingBody {
        min: Some(scaling.min),
        max: Some(scaling.max),
        concurrency: Some(scaling.concurrency),
        idle_ttl: scaling.idle_ttl,
    }
}

/// The execution that a call of a version with this body is, and its standard input.
pub(in crate::routes) fn call_of(version: &Version, body: ExecuteBody) -> Result<(ExecutionRequest, Stdin), ApiError> {
    let ExecuteBody { input, stdin, labels, .. } = body;
    let stdin = stdin.map(Bytes::from);
    let answers = version.spec.contract.answers();
    let given = match (input, stdin) {
        (Some(_), Some(_)) if answers => {
            let detail = "input is given too; accepted: one of them, which is the body of the request";
            return Err(ApiError::new(ErrorCode::InvalidField, detail).field("stdin"));
        }
        (None, Some(body)) if answers => (CallInput { http: Some(carrying(body)), ..CallInput::default() }, None),
        // A command finds its input where it would find that of a pipe.
        (Some(input), None) if version.spec.contract == Contract::Command => {
            (CallInput::default(), Some(Bytes::from(input.to_string())))
        }
        (input, stdin) => (CallInput { input, ..CallInput::default() }, stdin),
    };
    let (input, stdin) = given;
    Ok((version.request(CallInput { labels, ..input }), stdin.map_or(Stdin::Closed, Stdin::Bytes)))
}

/// A request that carries bytes of which nothing is known.
fn carrying(body: Bytes) -> HttpCall {
    HttpCall {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: vec![("content-type".to_owned(), Bytes::from_static(b"application/octet-stream"))],
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::body;
    use faas_executor_api::FileIn;
    use faas_orchestrator::FunctionSpec;
    use faas_types::Language;

    #[test]
    fn one_plain_file_is_shown_as_code_and_everything_else_as_files() {
        let mut spec = FunctionSpec::new(Language::Python, "x = 1\n");
        assert_eq!(body(&spec, true).code.as_deref(), Some("x = 1\n"));
        assert_eq!(body(&spec, false).code, None);
        spec.files.push(FileIn { path: "b".to_owned(), content: "y".into(), executable: false });
        assert_eq!((body(&spec, true).code, body(&spec, true).files.len()), (None, 2));
        spec.files.truncate(1);
        spec.files[0].executable = true;
        assert_eq!(body(&spec, true).main.as_deref(), Some("main.py"));
    }
}
