# Everything a clone needs lands in target/, .deps/ and .natter/ of this folder.
# Flags for the command: make run ARGS='--port 3001'

SHELL := /bin/bash
.DEFAULT_GOAL := help
# A build that is made once gains nothing from what makes the next one quick, and its disk holds it twice.
ifdef CI
export CARGO_INCREMENTAL := 0
endif
.NOTPARALLEL:
.PHONY: help run build dist test contract-test test-fast test-alerts test-upgrade test-hostile test-clocks k8s-test check gate lint fuzz model faults bench bench-quick check-fetch clean deps test-deps gate-tools cargo packages web

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: deps build ## builds and starts `natter dev` with demo users; ARGS are passed on
	@exec target/release/natter dev --demo $(ARGS)

build: cargo packages web ## the program for this machine, quick to build, with the web client if npm is there: target/release/natter
	@cargo build --release --locked -p natter

dist: cargo packages web ## the program to ship, slow to build: target/dist/natter; beside it its symbols, what it is made of, and SHA256SUMS
	@cargo build --profile dist --locked -p natter
	@scripts/split-symbols target/dist/natter
	@scripts/fetch-tools cargo-cyclonedx
	@scripts/bill-of-materials target/dist
	@cd target/dist && sha256sum natter natter*.debug natter*.cdx.json >SHA256SUMS

test: gate test-deps ## what takes seconds to check, then every test, then independent clients, schemathesis and a browser against the real program
	@scripts/bill-of-materials target/bill
	@scripts/check-asyncapi
	@scripts/check-alerts
	@scripts/check-chart
	@scripts/build-web --needed
	@cargo test --workspace --all-features --quiet --locked
	@scripts/external-client target/debug/natter
	@scripts/quick-starts target/debug/natter
	@scripts/check-image target/debug/natter
	@scripts/test-client target/debug/natter
	@scripts/contract-test target/debug/natter
	@scripts/test-web target/debug/natter

contract-test: deps ## the program against its OpenAPI document: some thousand requests made by schemathesis
	@cargo build --quiet --locked -p natter
	@scripts/contract-test target/debug/natter --examples 60 --at-least 5000 $(ARGS)

# Everything that needs neither Redis, Cassandra and Kafka nor several processes.
test-fast: gate deps ## unit tests, SQLite, and one nats-server: minutes less than `make test`
	@suites=$$(scripts/fast-tests) && cargo test --workspace --all-features --quiet --locked --lib --bins \
		$$suites -- --skip scylla::

# Rules of the chart, of which a minute is two seconds.
test-alerts: test-deps ## a deployment in which one thing after another breaks, and the alerts of a real Prometheus
	@FAULTS=all cargo test -p natter --all-features --quiet --locked --test alerts -- --nocapture

# The program of scripts/previous is built once, which takes minutes; both are debug builds.
test-upgrade: test-deps ## the program of the last release and this one together, on SQLite and CQL: processes replaced one by one under load
	@previous=$$(scripts/build-previous) && NATTER_PREVIOUS=$$previous \
		cargo test -p natter --all-features --quiet --locked --test upgrade -- --test-threads=1 --nocapture

# Of a program that is not optimized, beside all other tests, the waits say little: `make test` has a wider bound.
test-hostile: dist test-deps ## what another user waits while one account does all that it may: below 100 ms with the optimized program
	@NATTER_OPTIMIZED=$(CURDIR)/target/dist/natter cargo test -p natter --all-features --quiet --locked --test hostile \
		one_hostile_account -- --nocapture

# Every process's clock is wrong: one edge and one worker are as many seconds ahead as the others are behind.
test-clocks: test-deps ## what a deployment does, with clocks that are five minutes wrong
	@CLOCKS_APART=300 cargo test -p natter --all-features --quiet --locked --test cluster --test whole

# A control plane is built the first time: a quarter of an hour on two cores.
k8s-test: ## the Helm chart on a real API server: installed, upgraded, rolled back and removed by Helm 3 and 4
	@scripts/fetch-cluster
	@scripts/k8s-test

check: gate lint test ## the whole gate before a change lands: the checks of `make test`, lints, then every test

gate: gate-tools ## what takes seconds: format, lengths, import circles, links in documents, unused dependencies, licenses and sources of dependencies
	@cargo fmt --all -- --check
	@scripts/check-lengths
	@scripts/check-docs
	@scripts/check-circles
	@.deps/bin/cargo-shear --locked
	@.deps/bin/cargo-deny --log-level error --locked check licenses bans sources

lint: cargo packages ## clippy, warnings are errors
	@cargo clippy --workspace --all-targets --all-features --quiet --locked -- -D warnings

# Each target runs in a thread of its own for so many seconds, from its corpus in fuzz/corpus.
FUZZ_SECONDS ?= 120

fuzz: cargo packages ## every fuzz target for FUZZ_SECONDS (120): an input that fails is made small and kept in fuzz/corpus
	@FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --workspace --quiet --locked --test fuzz
	@FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test -p natter-edge --all-features --quiet --locked --lib fuzz::

# Own messages of the client, messages of others there and elsewhere, faults.
MODEL ?= 1,1,1,3 1,1,0,4 2,1,0,2 1,2,0,2

model: cargo packages ## every state of larger models of the delivery than `make test` checks; some minutes, 1 GB of memory
	@for bounds in $(MODEL); do MODEL_BOUNDS=$$bounds cargo test -p natter-model --quiet --locked --test delivery nothing || exit 1; done

faults: test-deps ## deployments under load in which things break, judged by the oracle: docs/guarantees.md; SCENARIOS=NAMES for these alone
	@cargo build --release --quiet --locked -p natter -p natter-faults
	@scripts/guarantees $(SCENARIOS)

bench: deps ## Natter and its peers, about 25 minutes; SEED_NODE=DIR adds the seed node, ARGS go to natter-bench
	@scripts/fetch-peers
	@cargo build --profile dist --quiet --locked -p natter -p natter-bench
	@scripts/bench full $(ARGS)

bench-quick: deps ## two minutes: fails when a ratio is worse than bench/gate.json by more than the noise
	@scripts/fetch-peers
	@cargo build --profile dist --quiet --locked -p natter -p natter-bench
	@scripts/bench quick $(ARGS)

check-fetch: cargo ## proves that targets fetch what they need: a clean copy, a PATH without extras; some minutes
	@scripts/check-fetch

clean: ## removes what was built and fetched; keeps .natter (your messages)
	@rm -rf target .deps

deps: cargo packages
	@scripts/fetch-nats-server

test-deps: deps
	@scripts/fetch-tools cargo-cyclonedx
	@scripts/fetch-redis
	@scripts/fetch-prometheus
	@scripts/fetch-alertmanager
	@scripts/fetch-systemd
	@scripts/fetch-cassandra
	@scripts/fetch-kafka
	@scripts/fetch-openbao
	@scripts/fetch-mail-server
	@scripts/fetch-faketime
	@scripts/fetch-chromium
	@scripts/fetch-npm scripts/asyncapi scripts/oidc-provider examples/typescript
	@scripts/fetch-go
	@scripts/fetch-kubernetes

gate-tools: cargo
	@scripts/fetch-tools cargo-deny cargo-shear

cargo:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs, then run this again" >&2; exit 1; }

packages:
	@scripts/fetch-build-packages

web:
	@scripts/build-web
