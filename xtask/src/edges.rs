//! The dependency rule: doors, then engine, then pure work, then vocabulary; never back.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// For each crate of ours, which others it may use in shipped code. Tests may use more (`testkit`, `evals`).
const ALLOWED: &[(&str, &[&str])] = &[
    ("headroom-core", &[]),
    ("headroom-tokens", &["headroom-core"]),
    ("headroom-compress", &["headroom-core", "headroom-tokens"]),
    ("headroom-code", &["headroom-core"]),
    ("headroom-wire", &["headroom-core"]),
    ("headroom-store", &["headroom-core"]),
    (
        "headroom",
        &["headroom-core", "headroom-tokens", "headroom-compress", "headroom-code", "headroom-wire", "headroom-store"],
    ),
    ("headroom-evals", &["headroom", "headroom-core", "headroom-store", "headroom-tokens", "headroom-wire"]),
    ("headroom-proxy", &["headroom", "headroom-core", "headroom-store", "headroom-wire"]),
    ("headroom-mcp", &["headroom", "headroom-store"]),
    (
        "headroom-cli",
        &[
            "headroom",
            "headroom-core",
            "headroom-evals",
            "headroom-mcp",
            "headroom-proxy",
            "headroom-store",
            "headroom-tokens",
            "headroom-wire",
        ],
    ),
    ("headroom-embed", &["headroom", "headroom-core", "headroom-proxy", "headroom-store", "headroom-wire"]),
    ("headroom-python", &["headroom-embed"]),
    ("headroom-node", &["headroom-embed"]),
    ("headroom-testkit", &["headroom-core", "headroom-tokens"]),
    ("xtask", &["headroom-evals"]),
];

/// Crates that do no I/O, and what would let them.
const PURE: &[&str] = &["headroom-core", "headroom-tokens", "headroom-compress", "headroom-code", "headroom-wire"];
const IMPURE: &[&str] = &["tokio", "hyper", "axum", "reqwest", "rusqlite", "tracing-subscriber", "rand", "getrandom"];

pub(crate) fn run(_arguments: &[String]) -> Result<(), String> {
    let problems = problems(&metadata()?);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// The direct, shipped dependencies of each crate of the workspace.
fn metadata() -> Result<BTreeMap<String, Vec<String>>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--locked"];
    let output = Command::new(cargo).args(arguments).output().map_err(|error| format!("cargo metadata: {error}"))?;
    let parsed: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = parsed["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let shipped = |package: &Value| {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let shipped = dependencies.filter(|dependency| dependency["kind"].is_null());
        shipped.filter_map(|dependency| dependency["name"].as_str().map(str::to_owned)).collect()
    };
    Ok(packages.iter().filter_map(|package| Some((package["name"].as_str()?.to_owned(), shipped(package)))).collect())
}

fn problems(crates: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let ours = |name: &str| crates.contains_key(name);
    let mut problems = Vec::new();
    for (name, dependencies) in crates {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
            problems.push(format!("{name} is not in the table of xtask/src/edges.rs: say there what it may depend on"));
            continue;
        };
        for dependency in dependencies {
            if ours(dependency) && !allowed.contains(&dependency.as_str()) {
                problems.push(format!("{name} must not depend on {dependency}"));
            }
            if PURE.contains(&name.as_str()) && IMPURE.contains(&dependency.as_str()) {
                problems.push(format!("{name} is pure and must not depend on {dependency}"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_the_rule() {
        assert_eq!(problems(&metadata().unwrap()), Vec::<String>::new());
    }

    #[test]
    fn a_breach_is_named() {
        let crates = [
            ("headroom-core", vec!["headroom-store", "tokio"]),
            ("headroom-store", vec!["headroom-core"]),
            ("headroom-new", vec![]),
        ];
        let crates = crates.map(|(name, deps)| (name.to_owned(), deps.into_iter().map(str::to_owned).collect()));
        let found = problems(&crates.into_iter().collect());
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
