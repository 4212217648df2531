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
    #[cfg(feature = "otlp")]
    {
        config.export = export(crate::env::variable);
    }
    Ok(config)
}

/// Where spans and metrics are to go, by the standard variables of OpenTelemetry. Nowhere without an address.
#[cfg(feature = "otlp")]
fn export(variable: impl Fn(&str) -> Option<String>) -> headroom_proxy::Export {
    let signal = |name: &str, path: &str| {
        let wanted = variable(&format!("OTEL_{name}_EXPORTER")).is_none_or(|exporter| exporter == "otlp");
        let own = || variable(&format!("OTEL_EXPORTER_OTLP_{name}_ENDPOINT"));
        let shared = || Some(format!("{}/v1/{path}", variable("OTEL_EXPORTER_OTLP_ENDPOINT")?.trim_end_matches('/')));
        let protocol = variable(&format!("OTEL_EXPORTER_OTLP_{name}_PROTOCOL"))
            .or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"))
            .unwrap_or_else(|| "http/protobuf".to_owned());
        let address = own().or_else(shared).filter(|_| wanted)?;
        if protocol != "http/protobuf" {
            out::say(&format!("headroom: no {path} are exported: only http/protobuf is spoken, not {protocol}"));
            return None;
        }
        Some(address)
    };
    if variable("OTEL_SDK_DISABLED").is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")) {
        return headroom_proxy::Export::default();
    }
    headroom_proxy::Export { traces: signal("TRACES", "traces"), metrics: signal("METRICS", "metrics") }
}

#[cfg(all(test, feature = "otlp"))]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], traces: Option<&str>, metrics: Option<&str>) {
        let known =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let expected =
            headroom_proxy::Export { traces: traces.map(str::to_owned), metrics: metrics.map(str::to_owned) };
        assert_eq!(export(known), expected, "{variables:?}");
    }

    /// T102
    #[test]
    fn nothing_is_exported_unless_a_standard_variable_says_where_to() {
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let (traces, metrics) = ("http://collector:4318/v1/traces", "http://collector:4318/v1/metrics");
        check(&[], None, None);
        check(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_TRACES_EXPORTER", "otlp")], None, None);
        check(&[all], Some(traces), Some(metrics));
        check(&[all, ("OTEL_SDK_DISABLED", "true")], None, None);
        check(&[all, ("OTEL_METRICS_EXPORTER", "none")], Some(traces), None);
        check(&[all, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], None, None);
        check(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a/b")], Some("http://a/b"), None);
    }
}
