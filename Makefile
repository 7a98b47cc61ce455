# What a person or a machine runs. `make` alone lists it.
# One Cargo profile serves all: everything is --release, so RocksDB's C++ is compiled once.

comma := ,
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
# SOURCE_DATE_EPOCH is left alone: no time goes into the binary, and the C++ of RocksDB is compiled
# anew whenever the variable changes. The image fixes it.
# Where the binary is, for those who set CARGO_TARGET_DIR.
TARGET := $(or $(CARGO_TARGET_DIR),target)/release
export CAIRN := $(abspath $(TARGET)/cairn)
export LOADTEST := $(abspath $(TARGET)/loadtest)

# Tools at pinned versions, in a cache outside the clone (see .ci/tool).
export PATH := $(or $(CAIRN_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cairn)/tools/bin:$(PATH)
CARGO_FUZZ := 0.13.2
CARGO_DENY := 0.20.2

# Seconds that `make fuzz` spends on each target, and rounds of the crash test in `make nightly`.
FUZZ_SECONDS ?= 10
CRASH_ROUNDS ?= 500
# What `make load` does to a running server instead, and what `make run` passes on to the server.
LOAD ?=
SERVE ?=
# 1: `make instructions` writes the committed figures.
UPDATE ?=
# The embedded engine that `make run` and `make build` build: without rocksdb nothing takes long.
ENGINE ?=
export ENGINE
FEATURES := $(if $(ENGINE),--no-default-features --features $(ENGINE)$(comma)postgres$(comma)s3)

# Rounds of the most frequent fault in `make faults`.
FAULT_ROUNDS ?= 6

.DEFAULT_GOAL := help
.PHONY: help deps run build test faults reliability planted interop clients bench limit instructions load growth proto fmt lint deny fuzz nightly image

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## check what the build needs besides Rust; as root with apt, install what is missing
	@./.ci/deps

run: deps ## build (20 minutes the first time on 2 cores, 4 with ENGINE=fjall) and serve a log on 127.0.0.1:3000
	@$(CARGO) build --release --locked --package cairn --bin cairn $(FEATURES)
	@exec $(CAIRN) serve $(SERVE)

build: deps
	@$(CARGO) build --release --locked --workspace

test: deps ## all tests that need no other service
	$(CARGO) test --locked --manifest-path proto/generate/Cargo.toml
	$(CARGO) test --release --locked --workspace

faults: deps ## replicas, databases, wires, disks and clocks that fail, on a PostgreSQL of its own
	@./.ci/deps postgresql faketime
	CAIRN_TEST_POSTGRES=required $(CARGO) test --release --locked --workspace --lib -- postgres
	CAIRN_TEST_POSTGRES=required CAIRN_TEST_FAKETIME=required CAIRN_FAULT_ROUNDS=$(FAULT_ROUNDS) $(CARGO) test --release --locked --package cairn --test faults -- --nocapture --test-threads 1

reliability: deps ## many rounds of all faults; writes the table of docs/reliability.md
	@./.ci/deps postgresql faketime
	@./.ci/reliability

clients:
	@./tests/interop/install-clients.sh

interop: deps clients ## released clients, auditors and witnesses against a Cairn of its own
	@$(CARGO) build --release --locked --bin cairn
	@./tests/interop/run.sh

bench: deps ## criterion benches of each room
	$(CARGO) bench --locked --package cairn

limit: deps ## what this machine cannot do faster: signatures, hashes, syncs
	$(CARGO) bench --locked --package cairn --bench limit

instructions: ## instructions of each stage against the committed figures (UPDATE=1 writes them)
	@./.ci/deps valgrind
	$(CARGO) bench --locked --package cairn --bench instructions $(if $(UPDATE),-- --update)

load: deps ## one table of a fresh Cairn under load (PEER_V1=url PEER_V2=url beside it); LOAD='write http://…' loads a running server
	@./.ci/deps python3
	@$(CARGO) build --release --locked --package cairn --package loadtest --bin cairn --bin loadtest
	@$(if $(LOAD),$(LOADTEST) $(LOAD),LIMIT='$(CARGO) bench -q --locked --package cairn --bench limit -- --json' ./benches/load.py)

growth: deps ## a log that grows to 10 M leaves: figures and plots of docs/performance.md (needs gnuplot)
	@./.ci/deps gnuplot python3
	@$(CARGO) build --release --locked --package cairn --package loadtest --bin cairn --bin loadtest
	@./benches/growth/run.sh
	@gnuplot benches/growth/plot.gnuplot

proto: ## generate the Rust of the .proto files anew
	CAIRN_GENERATE=1 $(CARGO) test --locked --manifest-path proto/generate/Cargo.toml

fmt: ## format the code
	$(CARGO) fmt --all

lint: deps ## formatting and clippy, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	$(CARGO) fmt --manifest-path proto/generate/Cargo.toml --check
	$(CARGO) clippy --locked --manifest-path proto/generate/Cargo.toml --all-targets -- -D warnings

deny: ## licences, bans and sources of dependencies
	@./.ci/tool cargo-deny $(CARGO_DENY)
	$(CARGO) deny --locked check --hide-inclusion-graph licenses bans sources

fuzz: ## fuzz each target for FUZZ_SECONDS
	@./.ci/tool cargo-fuzz $(CARGO_FUZZ)
	@./.ci/fuzz $(FUZZ_SECONDS)

planted: deps ## plant the three worst bugs, one by one: the simulation has to find each
	@./.ci/planted

nightly: ## what takes long: many rounds of crashes and seeds, planted bugs, long fuzzing
	CAIRN_SIMULATION_SEEDS=10000 $(CARGO) test --release --locked --package cairn --test simulation -- seeds --nocapture
	$(MAKE) planted
	$(MAKE) faults FAULT_ROUNDS=30
	CAIRN_CRASH_ROUNDS=$(CRASH_ROUNDS) $(CARGO) test --release --locked --test crash -- --nocapture
	$(MAKE) fuzz FUZZ_SECONDS=60

image: ## build the container image
	docker build --tag cairn .
