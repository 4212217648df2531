#!/usr/bin/env bash
# Installs the agents that npm and PyPI carry into target/agents (about 1.5 GB) and runs each under `headroom wrap`, against a scripted
# provider: no key, no network but the registries. Not part of dev/test, for its size.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$PWD/target/agents
mkdir -p "$folder"
npm install --prefix "$folder" --no-audit --no-fund --silent \
    @anthropic-ai/claude-code @openai/codex @google/gemini-cli @qwen-code/qwen-code opencode-ai
[ -x "$folder/venv/bin/aider" ] || { python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" install --quiet aider-chat; }
[ -x target/release/headroom ] || cargo build --release --locked --bin headroom
export PATH="$folder/node_modules/.bin:$folder/venv/bin:$PATH" HEADROOM=${HEADROOM:-target/release/headroom}
npm ls --prefix "$folder" --depth 0 | tail -n +2
"$folder/venv/bin/aider" --version
exec python3 tests/agents/test_agents.py -v
