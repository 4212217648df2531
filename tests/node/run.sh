#!/usr/bin/env bash
# Builds and packs the package, installs it into an empty project and into one with the official SDKs, and tests it in both.
#
#     tests/node/run.sh [arguments for node --test]
#
# HEADROOM_TARBALL names a package that is packed already.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
quiet=(--silent --no-audit --no-fund --no-update-notifier)

tarball=${HEADROOM_TARBALL:-}
if [ -z "$tarball" ]; then
    node crates/node/build.mjs
    mkdir -p "$target/npm"
    rm -f "$target"/npm/*.tgz
    (cd crates/node && npm pack --silent --pack-destination "$target/npm" >/dev/null)
    tarball=$(echo "$target"/npm/headroom-*.tgz)
fi

# No proxy of this machine may stand between the parties, and no key or address of its user may leak in.
for name in http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY; do [ -n "${KEEP_PROXY:-}" ] || unset "$name"; done
export HEADROOM_VECTORS=$root/tests/vectors/vectors.json HEADROOM_ROOT=$root

empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
(
    cd "$empty"
    npm init -y >/dev/null
    npm install "${quiet[@]}" --offline "$tarball"
    cp "$root/tests/node/package.test.mjs" .
    node --test package.test.mjs >report.txt || { cat report.txt; exit 1; }
)

project=$target/node-project
mkdir -p "$project"
if ! cmp -s tests/node/package.json "$project/installed.json"; then
    rm -rf "$project/node_modules" "$project/package-lock.json"
    cp tests/node/package.json "$project/package.json"
    (cd "$project" && npm install "${quiet[@]}")
    cp tests/node/package.json "$project/installed.json"
fi
rm -rf "$project/node_modules/headroom"
(cd "$project" && npm install "${quiet[@]}" --no-save --prefer-offline "$tarball")
rm -f "$project"/*.mjs "$project"/*.mts
cp tests/node/*.mjs tests/node/*.mts "$project"
cd "$project"
node_modules/.bin/tsc --noEmit --strict --skipLibCheck --target es2022 --module nodenext --types node types.test.mts
exec node --test "$@" ./*.test.mjs
