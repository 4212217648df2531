#!/usr/bin/env bash
# Builds the wheel, installs it into an environment that has nothing else, and into one with the official SDKs, and tests it in both.
#
#     cargo build --release -p headroom-cli && tests/python/run.sh [unittest arguments]
#
# HEADROOM_WHEEL names a wheel that is built already, HEADROOM_BIN another binary.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
# The environment of tests/sdk, with a little more.
tools=$target/sdk-venv
stamp=$tools/python-requirements.installed
wanted=$(cat tests/sdk/requirements.txt tests/python/requirements.txt)
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
    [ -d "$tools" ] || python3 -m venv "$tools"
    "$tools/bin/pip" install -q --disable-pip-version-check -r tests/python/requirements.txt
    printf '%s\n' "$wanted" >"$stamp"
fi

wheel=${HEADROOM_WHEEL:-}
if [ -z "$wheel" ]; then
    rm -rf "$target/wheels"
    "$tools/bin/maturin" build --release --locked --quiet --manifest-path crates/python/Cargo.toml --out "$target/wheels"
    wheel=$(echo "$target"/wheels/*.whl)
fi

# No proxy of this machine may stand between the parties, and no key or address of its user may leak in.
for name in http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY; do unset "$name"; done

# From here on nothing of the checkout may be imported in place of the wheel.
root=$PWD
clean=$(mktemp -d)
trap 'rm -rf "$clean"' EXIT
python3 -m venv "$clean/venv"
"$clean/venv/bin/pip" install -q --disable-pip-version-check --no-index "$wheel"
(cd "$clean" && PYTHONDONTWRITEBYTECODE=1 "$clean/venv/bin/python" "$root/tests/python/test_package.py")

"$tools/bin/pip" install -q --disable-pip-version-check --no-index --no-deps --force-reinstall "$wheel"
"$tools/bin/mypy" --strict --no-error-summary --cache-dir "$target/mypy" -p headroom
exec "$tools/bin/python" -m unittest discover -s tests/python "$@"
