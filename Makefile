# Jobwright. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Where `install` puts Go.
GO_HOME := $(HOME)/.cache/jobwright/go
export PATH := $(HOME)/.cargo/bin:$(GO_HOME)/bin:$(PATH):/usr/local/go/bin:/usr/sbin:/sbin
BIN := $(or $(CARGO_TARGET_DIR),target)/debug
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release
LOCAL := $(BIN)/jobwright-cluster
TESTS := cargo test --package jobwright-tests
# The local cluster that `cluster`, `cluster-down` and `shell` mean.
CLUSTER ?= local
INSIDE = $(if $(KUBECONFIG),,$(LOCAL) exec --name $(CLUSTER) --)
# For `test-apiserver` and `bench`: `open` or `stock` limits of the Job controller.
LIMITS ?= open
# Whether `install` looks for what a local cluster needs: not where `demo` gets one.
NODE := yes
demo: NODE := $(if $(KUBECONFIG),,yes)

# What `install` looks for, and the Debian package that brings it.
NEEDS_BUILD := cc:gcc /usr/include/stdio.h:libc6-dev curl:curl
NEEDS_NODE := busybox:busybox-static containerd:containerd runc:runc nft:nftables ip:iproute2 \
  nsenter:util-linux /usr/lib/cni/bridge:containernetworking-plugins
# As tests/cluster/controlplane/go.mod asks for, and what is fetched where it is missing.
GO_MIN := 1.26
GO := 1.26.0

# The suites of `make test`, each with its share of minutes, from nothing on two cores; 35 in all.
# Of the 13 of the build, 6 are Kubernetes' own.
SUITES := cluster-build:11 lint:3 test-unit:2 test-decide:8 test-sim:4 test-apiserver:4 test-e2e:3

##@ To begin with

.PHONY: help
help: ## List the targets.
	@sed -n -e 's/^##@ /\n/p' -e 's/^\([a-z0-9-]*\):.*## /  \1\t/p' Makefile | expand -t 18

.PHONY: demo
demo: install $(if $(KUBECONFIG),build,cluster-build) ## Count words by a Workflow, on $KUBECONFIG or a cluster of its own.
ifeq ($(KUBECONFIG),)
	@echo "Bringing up a Kubernetes on this machine (about 10 seconds)"
	@$(LOCAL) run --name demo --shape node -- $(BIN)/jobwright-demo --image registry.local/busybox:1 $(DEMO) || [ $$? = 130 ]
else
	@$(BIN)/jobwright-demo $(DEMO) || [ $$? = 130 ]
endif

.PHONY: test
test: install ## Run every suite, and tell the time of each.
	@table=; failed=0; \
	for suite in $(SUITES); do \
	  name=$${suite%:*}; begun=$$SECONDS; result=passed; \
	  printf '\n=== %s\n' $$name; \
	  $(MAKE) --no-print-directory $$name || { result=FAILED; failed=1; }; \
	  took=$$((SECONDS - begun)); \
	  table+=$$(printf '%-16s %-6s %3dm%02ds of %2dm' $$name $$result $$((took / 60)) $$((took % 60)) $${suite#*:})$$'\n'; \
	  [ $$result = passed ] || [ $$name != cluster-build ] || break; \
	done; \
	printf '\n%s%-16s %-6s %3dm%02ds\n' "$$table" all "" $$((SECONDS / 60)) $$((SECONDS % 60)); \
	exit $$failed

##@ A local Kubernetes

.PHONY: cluster
cluster: install cluster-build ## Bring a cluster up, and tell how to reach it. CLUSTER=name for a second one.
	@$(LOCAL) up --shape node --name $(CLUSTER)

.PHONY: cluster-down
cluster-down: ## End it.
	@$(LOCAL) down --name $(CLUSTER)

.PHONY: shell
shell: ## A shell inside it, with kubectl.
	@$(LOCAL) exec --name $(CLUSTER) -- bash

.PHONY: operator
operator: build ## The operator in the foreground, on $KUBECONFIG or else inside it; installs the kinds.
	@$(INSIDE) kubectl apply --server-side -f crds
	@$(INSIDE) $(BIN)/jobwright-operator --config config/environments/dev.yaml

.PHONY: cluster-build
cluster-build: build ## Build the Kubernetes programs and base images, once.
	@$(LOCAL) build

##@ One suite

.PHONY: lint
lint: ## Format, clippy, and the rules of the house (tidy).
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(TESTS) --test tidy

.PHONY: test-unit
test-unit: ## Tests beside the code.
	cargo test --workspace --lib --bins

.PHONY: test-decide
test-decide: ## The engine against a plain reference interpreter, on random graphs.
	$(TESTS) --test decide

.PHONY: test-sim
test-sim: ## The operator over a model of the API server, with faults at every write.
	$(TESTS) --test sim

.PHONY: test-apiserver
# What loads the machine comes after what counts requests.
test-apiserver: cluster-build ## On a real API server and Job controller, with a fake kubelet.
	cargo build --package jobwright-operator
	$(TESTS) --test apiserver --no-run
	$(LOCAL) run --shape api --controller-limits $(LIMITS) -- sh -c '\
	  $(TESTS) --offline --test apiserver -- --test-threads 12 --skip conformance --skip large && \
	  $(TESTS) --offline --test apiserver -- --test-threads 12 conformance large && $(BIN)/jobwright-audit'

# A cluster of somebody else only if it is named on the command line: these tests kill and delete.
.PHONY: test-e2e
test-e2e: cluster-build ## On a real node, as a user would. `make test-e2e KUBECONFIG=file` for another cluster.
	$(TESTS) --test e2e --no-run
ifeq ($(origin KUBECONFIG),command line)
	KUBECONFIG=$(KUBECONFIG) $(TESTS) --test e2e
else
	$(LOCAL) run --shape node -- sh -c '\
	  $(TESTS) --offline --test e2e -- --test-threads 6 --skip conformance && \
	  $(TESTS) --offline --test e2e -- conformance && $(BIN)/jobwright-audit'
endif

.PHONY: bench
bench: cluster-build ## Chains and crowds against a bare client. LIMITS=stock for the stock Job controller, NODE=1 for containers.
	cargo build --release --package jobwright-operator --package jobwright-tests --bin jobwright-operator --bin jobwright-bench
	$(LOCAL) run --shape $(if $(NODE),node,api) --controller-limits $(LIMITS) -- $(RELEASE)/jobwright-bench $(if $(NODE),--node) --limits $(LIMITS)

.PHONY: soak
soak: ## Ten times the random graphs and faults of `make test`; half an hour for the first, ten minutes for the second.
	JOBWRIGHT_GRAPHS=1000000 $(TESTS) --test decide
	JOBWRIGHT_SIMS=20000 $(TESTS) --test sim

.PHONY: planted
planted: ## Plant each bug of tests/planted in a copy; the tests have to find it. BUG=part of a name for some.
	cargo run --package jobwright-tests --bin jobwright-planted -- $(BUG)

##@ Parts

.PHONY: build
build: ## Build the operator, the demo and the launcher of the local cluster.
	@[ -e $(BIN)/jobwright-demo ] || echo "Building Jobwright (from nothing about 5 minutes on two cores)"
	@cargo build --package jobwright-cluster --package jobwright-operator --package jobwright-tests --bins

.PHONY: crds
crds: ## Generate crds/ from the types.
	UPDATE_CRDS=1 $(TESTS) --test tidy crds

.PHONY: install
install: ## Install what is missing: Debian packages, Rust, Go.
	@missing=; \
	for need in $(NEEDS_BUILD) $(if $(NODE),$(NEEDS_NODE)); do \
	  command -v $${need%:*} >/dev/null || [ -e $${need%:*} ] || missing+=" $${need#*:}"; \
	done; \
	if [ -n "$$missing" ]; then \
	  [ $$(id -u) = 0 ] || { echo "This needs root, once: apt-get install -y$$missing" >&2; exit 1; }; \
	  command -v apt-get >/dev/null || { echo "This machine has no apt-get; install:$$missing" >&2; exit 1; }; \
	  echo "Installing$$missing"; \
	  apt-get -qq update; \
	  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null; \
	fi; \
	if ! command -v cargo >/dev/null; then \
	  echo "Installing Rust"; \
	  curl --proto '=https' -fsSL https://sh.rustup.rs | sh -s -- -q -y --profile minimal -c clippy -c rustfmt; \
	fi; \
	go=$$(go env GOVERSION 2>/dev/null || echo go0); \
	if [ -n "$(NODE)" ] && [ "$$(printf '%s\n' go$(GO_MIN) $$go | sort -V | head -1)" != go$(GO_MIN) ]; then \
	  echo "Installing Go $(GO)"; \
	  rm -rf $(GO_HOME); mkdir -p $(GO_HOME); \
	  arch=$$(uname -m | sed -e s/x86_64/amd64/ -e s/aarch64/arm64/); \
	  curl --proto '=https' -fsSL https://go.dev/dl/go$(GO).linux-$$arch.tar.gz | tar -xz -C $(GO_HOME) --strip-components=1; \
	fi
