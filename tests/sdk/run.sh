#!/bin/sh
# Runs the official Python SDKs against `headroom proxy` and a scripted provider.
#
#     cargo build --release -p headroom-cli && tests/sdk/run.sh [unittest arguments]
#
# HEADROOM_BIN names another binary. The SDKs go into target/sdk-venv; nothing but python3 need be installed.
set -eu
cd "$(dirname "$0")/../.."
venv=${CARGO_TARGET_DIR:-target}/sdk-venv
stamp=$venv/requirements.installed
if ! cmp -s tests/sdk/requirements.txt "$stamp"; then
    rm -rf "$venv"
    # Debian ships venv without ensurepip until python3-venv is there.
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        if [ "$(id -u)" -ne 0 ]; then
            echo "tests/sdk: python3 has no venv; install python3-venv" >&2
            exit 2
        fi
        apt-get update -q >&2 && apt-get install -y -q python3-venv >&2
    fi
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r tests/sdk/requirements.txt
    cp tests/sdk/requirements.txt "$stamp"
fi
# No proxy of this machine may stand between the three, and no key or address of its user may leak in.
for name in http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY; do unset "$name"; done
exec "$venv/bin/python" -m unittest discover -s tests/sdk "$@"
