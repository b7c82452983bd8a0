//! Functions that exist for the time of a run.

use crate::console;
use crate::diagnostic::CliError;
use faas_client::Client;
use faas_client::model::FunctionBody;
use faas_types::ExecutionId;

/// Deploys a function under a name that nobody has, does the work, and removes it, however the work ended.
pub(super) async fn with_function<T>(
    client: &Client,
    body: FunctionBody,
    work: impl AsyncFnOnce(&str) -> Result<T, CliError>,
) -> Result<T, CliError> {
    with_functions(client, vec![body], async |names| work(names.first().map_or("", String::as_str)).await).await
}

/// The same with several, in this order.
pub(super) async fn with_functions<T>(
    client: &Client,
    bodies: Vec<FunctionBody>,
    work: impl AsyncFnOnce(&[String]) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let mut names = Vec::with_capacity(bodies.len());
    let ended = match deploy(client, bodies, &mut names).await {
        Ok(()) => work(&names).await,
        Err(error) => Err(error),
    };
    for name in &names {
        if let Err(error) = client.functions().delete(name, None).await {
            console::complain("warning", None, &format!("the function {name} could not be removed: {error}"));
            console::note("help", &format!("faas functions rm {name}"));
        }
    }
    ended
}

async fn deploy(client: &Client, bodies: Vec<FunctionBody>, names: &mut Vec<String>) -> Result<(), CliError> {
    for body in bodies {
        let name = format!("bench-{}", unique());
        let named = name.parse().map_err(|_| CliError::invalid(format!("{name} cannot be the name of a function")))?;
        client.functions().create(&FunctionBody { name: Some(named), ..body }).await?;
        names.push(name);
    }
    Ok(())
}

/// Ids are unique wherever they are made.
fn unique() -> String {
    ExecutionId::generate().to_string().chars().filter(char::is_ascii_alphanumeric).collect()
}
