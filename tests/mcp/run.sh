#!/usr/bin/env bash
# Calls every tool of `headroom mcp` with the official Python and TypeScript clients, over stdio and streamable HTTP, and reads its stdout strictly.
#
#     cargo build --release -p headroom-cli && tests/mcp/run.sh
#
# HEADROOM_BIN names another binary. The clients go into target/mcp-venv and target/mcp-project.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export HEADROOM_BIN=${HEADROOM_BIN:-$target/release/headroom}

venv=$target/mcp-venv
if ! cmp -s tests/mcp/requirements.txt "$venv/requirements.installed"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r tests/mcp/requirements.txt
    cp tests/mcp/requirements.txt "$venv/requirements.installed"
fi
project=$target/mcp-project
if ! cmp -s tests/mcp/package.json "$project/installed.json"; then
    rm -rf "$project"
    mkdir -p "$project"
    cp tests/mcp/package.json "$project/package.json"
    (cd "$project" && npm install --silent --no-audit --no-fund --no-update-notifier)
    cp tests/mcp/package.json "$project/installed.json"
fi

# No proxy of this machine may stand between client and server, and nothing of its user may leak in.
for name in http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY; do unset "$name"; done
for name in $(compgen -v HEADROOM_); do [ "$name" = HEADROOM_BIN ] || unset "$name"; done
"$venv/bin/python" -m unittest discover -s tests/mcp "$@"
cp tests/mcp/*.test.mjs "$project"
cd "$project"
node --test ./*.test.mjs >report.txt || { cat report.txt; exit 1; }
grep -E '^# (tests|pass|fail)' report.txt || tail -n 8 report.txt
