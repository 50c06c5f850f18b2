# Everything a clone needs lands in target/, .deps/ and .natter/ of this folder.
# Flags for the command: make run ARGS='--port 3001'

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build test check bench bench-quick clean deps test-deps cargo packages

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: deps build ## builds and starts `natter dev` with demo users; ARGS are passed on
	@exec target/release/natter dev --demo $(ARGS)

build: cargo packages ## the release binary: target/release/natter
	@cargo build --release --locked -p natter

test: test-deps ## every test: the workspace's, then an independent client against the real program
	@cargo test --workspace --all-features --quiet --locked
	@cargo build --quiet --locked -p natter
	@scripts/external-client target/debug/natter

check: test-deps ## format, lints, file lengths, then every test
	@cargo fmt --all -- --check
	@scripts/check-lengths
	@cargo clippy --workspace --all-targets --all-features --quiet --locked -- -D warnings
	@$(MAKE) --no-print-directory test

bench: deps build ## Natter and its peers, about 25 minutes; SEED_NODE=DIR adds the seed node, ARGS go to natter-bench
	@scripts/fetch-peers
	@cargo build --release --quiet --locked -p natter-bench
	@scripts/bench full $(ARGS)

bench-quick: deps build ## two minutes: fails when a ratio is worse than bench/gate.json by more than the noise
	@cargo build --release --quiet --locked -p natter-bench
	@scripts/bench quick $(ARGS)

clean: ## removes what was built and fetched; keeps .natter (your messages)
	@rm -rf target .deps

deps: cargo packages
	@scripts/fetch-nats-server

test-deps: deps
	@scripts/fetch-redis
	@scripts/fetch-cassandra
	@scripts/fetch-kafka

cargo:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs, then run this again" >&2; exit 1; }

packages:
	@scripts/fetch-build-packages
