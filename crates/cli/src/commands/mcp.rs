//! `headroom mcp`

use std::ffi::OsString;

use headroom::{Engine, Kinds};
use headroom_mcp::{Server, serve_http, serve_stdio};
use headroom_store::Scope;

use crate::args::McpArgs;
use crate::error::CliError;
use crate::out;

pub(crate) fn run(args: McpArgs, engine: Engine, scope: Scope, kinds: Kinds) -> Result<(), CliError> {
    let directories = match args.root {
        given if given.is_empty() => {
            vec![std::env::current_dir().map_err(CliError::while_doing("cannot find the working directory"))?]
        }
        given => given,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::while_doing("cannot start worker threads"))?;
    let served = runtime.block_on(async {
        let home = crate::env::home();
        let server = move || {
            let server = Server::new(engine.clone(), scope.clone(), directories.clone());
            server.at_home(home.clone()).with_kinds(kinds.clone())
        };
        let failed = |error: &dyn std::error::Error| CliError::Failed(error.to_string());
        match args.http {
            None => serve_stdio(server()).await.map_err(|error| failed(&error)),
            Some(listen) => {
                let (addr, serving) = serve_http(listen, server).await.map_err(|error| failed(&error))?;
                out::say(&format!("headroom: MCP at http://{addr}/mcp"));
                tokio::select! {
                    () = serving => Ok(()),
                    _ = tokio::signal::ctrl_c() => Ok(()),
                }
            }
        }
    });
    // A read of stdin that is under way cannot be called back, and must not keep the process.
    runtime.shutdown_background();
    served
}

/// Runs another server with its results shortened; ends as it does.
pub(crate) fn wrap(command: &[OsString], engine: Engine, scope: Scope, kinds: Kinds) -> Result<(), CliError> {
    let status =
        headroom_mcp::wrap(command, engine, scope, kinds).map_err(|error| CliError::Failed(error.to_string()))?;
    match out::exit_code(status) {
        0 => Ok(()),
        code => Err(CliError::Command(code)),
    }
}
