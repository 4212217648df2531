//! `headroom proxy`

use std::path::Path;

use headroom::Engine;
use headroom_proxy::{Config, Token, Upstreams, serve};
use headroom_store::Store;

use crate::args::ProxyArgs;
use crate::error::CliError;
use crate::settings::Settings;
use crate::{out, share};

pub(crate) fn run(settings: &Settings, args: &ProxyArgs) -> Result<(), CliError> {
    if args.detach {
        return share::detach().map_err(CliError::while_doing("cannot start the proxy"));
    }
    // A store that cannot be opened costs the savings, not the service: requests pass as they come, and /readyz says why.
    let store = crate::open(settings).unwrap_or_else(|error| {
        out::say(&format!(
            "headroom: {error}\nheadroom: requests are passed through unchanged until the store can be opened again"
        ));
        Store::unavailable(&error)
    });
    let config = config(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::while_doing("cannot start worker threads"))?;
    runtime.block_on(async {
        let running = serve(config, Engine::new(store)).await.map_err(|error| CliError::Failed(error.to_string()))?;
        let addr = running.addr();
        out::say(&format!(
            "headroom: listening on http://{addr} (policy {})\n\
             headroom: ANTHROPIC_BASE_URL=http://{addr}  OPENAI_BASE_URL=http://{addr}/v1  \
             GOOGLE_GEMINI_BASE_URL=http://{addr}",
            settings.policy.mode
        ));
        let Some(folder) = args.while_leased.as_deref() else {
            running.until_signal().await;
            return Ok(());
        };
        share::announce(folder, addr).map_err(CliError::while_doing("cannot say where the proxy listens"))?;
        tokio::select! {
            () = unwanted(folder) => running.shutdown().await,
            _ = tokio::signal::ctrl_c() => running.shutdown().await,
        }
        Ok(())
    })
}

/// Returns when nobody wants a leased proxy any more.
async fn unwanted(folder: &Path) {
    while !share::may_stop(folder) {
        tokio::time::sleep(share::LEASE_CHECK).await;
    }
}

/// The proxy's configuration out of the user's settings.
fn config(settings: &Settings) -> Result<Config, CliError> {
    let mut config = Config::local(settings.policy.clone());
    config.listen = settings.listen.ok_or_else(|| CliError::Usage("listen is not an address".to_owned()))?;
    config.upstreams = Upstreams {
        anthropic: settings.anthropic_upstream.clone(),
        openai: settings.openai_upstream.clone(),
        gemini: settings.gemini_upstream.clone(),
    };
    config.prices = crate::commands::stats::prices(settings)?;
    config.identity = share::fingerprint(settings);
    config.scope = settings.scope();
    config.allowed_hosts = settings.allowed_hosts.clone();
    config.home = crate::env::home();
    config.token = settings.token.clone().map(Token::new);
    config.grants = settings.grants;
    Ok(config)
}
