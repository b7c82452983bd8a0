//! From a body to an execution: what the request asks for, completed by the configuration.

use super::functions::call_of;
use super::refusal::unknown;
use crate::ApiError;
use crate::budget::Lease;
use crate::state::{Defaults, State};
use crate::stream::refusal_of;
use bytes::Bytes;
use faas_api_model::ExecuteBody;
use faas_executor_api::FileIn;
use faas_orchestrator::{
    ExecutionRequest, OnDisconnect, Respond, Stdin, Submission, Submitted, Wait, Watch, Watched, Work,
};
use faas_store_api::Idempotency;
use faas_types::{ErrorCode, ExecutionId, ExecutionRecord, OutputLimits, Resources, TenantId};

/// An execution somebody waits for, about to be submitted.
pub(crate) struct Order {
    pub(crate) tenant: TenantId,
    pub(crate) request: ExecutionRequest,
    pub(crate) stdin: Stdin,
    pub(crate) on_disconnect: OnDisconnect,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) respond: Respond,
    /// What keeps the memory of the body paid for until it is handed over.
    pub(crate) paid: Option<Lease>,
}

impl Order {
    /// What a body asks for.
    pub(crate) async fn new(
        state: &State,
        tenant: TenantId,
        mut body: ExecuteBody,
        idempotency: Option<Idempotency>,
        paid: Option<Lease>,
    ) -> Result<Self, ApiError> {
        let on_disconnect = match body.on_disconnect {
            Some(faas_api_model::OnDisconnect::Cancel) => OnDisconnect::Cancel,
            Some(faas_api_model::OnDisconnect::Detach) => OnDisconnect::Detach,
            // Whoever gives a key means to come back for the end.
            None if idempotency.is_some() => OnDisconnect::Detach,
            None => OnDisconnect::Cancel,
        };
        let (request, stdin) = match body.function.take() {
            Some(which) => {
                let version = state.orchestrator.functions().resolve(tenant, &which).await;
                let version = version.map_err(|error| ApiError::from(error).in_body().field("function"))?;
                call_of(&version, body)?
            }
            None => {
                check_executor(state, body.executor.as_deref())?;
                let stdin = body.stdin.take().map_or(Stdin::Closed, |bytes| Stdin::Bytes(Bytes::from(bytes)));
                (request(&state.defaults, body)?, stdin)
            }
        };
        Ok(Self { tenant, request, stdin, on_disconnect, idempotency, respond: Respond::Record, paid })
    }

    /// Hands it over.
    pub(crate) async fn submit(self, state: &State, wait: Wait) -> Result<Submitted, ApiError> {
        let Self { tenant, request, stdin, on_disconnect, idempotency, respond, paid } = self;
        let submission = Submission { tenant, request, wait, stdin, idempotency, on_disconnect, respond };
        let submitted = state.orchestrator.submit(submission).await;
        drop(paid);
        Ok(submitted?)
    }
}

/// Submits an execution and gives what it says: its own watch, or that of the one that was submitted
/// with the same key before.
pub(super) async fn watched(state: &State, order: Order) -> Result<(ExecutionId, Watch), ApiError> {
    let tenant = order.tenant;
    let id = match order.submit(state, Wait::Attached).await? {
        Submitted::Attached(attached) => return Ok((attached.id, attached.watch)),
        Submitted::Queued(record) => record.id,
        Submitted::Repeat(id) => id,
    };
    let watch = state.orchestrator.watch(tenant, id, 1).await?.ok_or_else(|| unknown(id))?;
    Ok((id, watch))
}

/// Submits an execution and waits for its end. Dropping this future cancels it, unless its order says
/// that it is to go on.
pub(crate) async fn submit_attached(state: &State, order: Order) -> Result<ExecutionRecord, ApiError> {
    let (_, mut watch) = watched(state, order).await?;
    let record = match watch.next().await {
        Some(Watched::Complete { record, .. }) => {
            if let Some(refusal) = refusal_of(&record, watch.not_started().as_deref()) {
                return Err(refusal);
            }
            *record
        }
        Some(Watched::Started { .. } | Watched::Output { .. }) | None => watch.complete().await,
    };
    if record.status.is_terminal() {
        return Ok(record);
    }
    Err(ApiError::new(ErrorCode::Stopping, format!("the server is stopping; {} goes on when it is back", record.id)))
}

/// `auto`, which a seed calls `platform`, or the name of the one that is there.
pub(super) fn check_executor(state: &State, asked: Option<&str>) -> Result<(), ApiError> {
    let here = state.orchestrator.capabilities().kind.as_str();
    match asked {
        None | Some("auto" | "platform") => Ok(()),
        Some(name) if name == here => Ok(()),
        Some(name) => {
            let shown: String = name.chars().take(64).collect();
            let detail = format!("executor {shown:?} is not available here; accepted: auto, {here}");
            Err(ApiError::new(ErrorCode::FieldUnsupported, detail).field("executor"))
        }
    }
}

fn request(defaults: &Defaults, body: ExecuteBody) -> Result<ExecutionRequest, ApiError> {
    let work = match (body.code, body.command) {
        (Some(code), _) => {
            let language = body.language.unwrap_or(defaults.language);
            Work::Script {
                code: Bytes::from(code),
                name: body.name.unwrap_or_else(|| language.main_file().to_owned()),
                language,
                contract: body.contract.unwrap_or(language.execution_contract()),
            }
        }
        (None, Some(argv)) => Work::Command { argv },
        (None, None) => return Err(ApiError::new(ErrorCode::InvalidField, "nothing to run is given").field("code")),
    };
    let mut request = ExecutionRequest::new(work);
    let timeout = defaults.timeout_of(request.contract());
    request.args = body.args;
    request.env = body.env;
    request.files = body
        .files
        .into_iter()
        .map(|file| FileIn { path: file.path, content: Bytes::from(file.content), executable: file.executable })
        .collect();
    request.input = body.input;
    let memory = body.memory.unwrap_or(defaults.resources.memory);
    request.resources = Resources {
        cpu: body.cpu.unwrap_or(defaults.resources.cpu),
        memory,
        disk: body.disk.unwrap_or_else(|| defaults.resources.disk.min(Resources::default_disk_for(memory))),
        pids: body.pids.unwrap_or(defaults.resources.pids),
    };
    request.isolation = body.isolation.unwrap_or(defaults.isolation);
    request.timeout = body.timeout.unwrap_or(timeout);
    request.output = OutputLimits {
        bytes: body.output_limit.unwrap_or(defaults.output.bytes),
        on_limit: body.on_output_limit.unwrap_or(defaults.output.on_limit),
    };
    request.mode = body.mode.unwrap_or_default();
    request.labels = body.labels;
    Ok(request)
}
