# Chores for people; `just` lists them. CI runs `dev/test`.

_default:
    @just --list

# Build and run the proxy
proxy *ARGS:
    dev/proxy {{ARGS}}

# Everything that must hold
test:
    dev/test

# Rewrite the expected sections of the golden cases
bless:
    HEADROOM_BLESS=1 cargo test -p headroom-compress --test cases

# What each kind of text saves and keeps (see `cargo xtask scoreboard`); SCORE flags such as --kind log --losses
scoreboard *FLAGS:
    cargo run --release --package xtask -- corpus
    cargo run --release --package xtask -- scoreboard {{FLAGS}}

# Recorded sessions through the running proxy, with gates
sessions:
    cargo build --release --locked --bin headroom
    bench/sessions

# Latency and throughput of the proxy beside direct and nginx
bench-proxy:
    cargo build --release --locked --bin headroom
    python3 bench/proxy.py

# Licences and advisories of dependencies (needs cargo-deny)
deny:
    cargo deny check
