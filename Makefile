# The two commands to know: `make demo` and `make test`. `make help` lists the rest.
# Needed beforehand: Go, Node, make and git. Everything else is installed by `make setup`, which both call.

GO      ?= go
TOOL     = $(GO) tool -modfile=tools/go.mod
LAMBDAS  = dist/lambda
ZIPS     = $(foreach f,pipeline-job invalidator,$(foreach a,arm64 x86_64,$(LAMBDAS)/$(f)_$(a).zip))
SOURCES := $(wildcard $(shell git ls-files -co --exclude-standard '*.go' go.mod go.sum)) # without what was deleted and not committed yet

.PHONY: help demo test soak bench fuzz check unit infra lambdas dist templates diagrams setup fmt clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: bin/unstale lambdas ## Take a React release from a git push to a viewer, on this machine
	bin/unstale rehearse --site examples/spa

test: setup check lambdas unit infra ## Run every test

check: ## Formatting, vet and static analysis
	@test -z "$$($(TOOL) gofumpt -l $$(git ls-files -co --exclude-standard '*.go'))" || { \
		echo 'not formatted; run make fmt:'; $(TOOL) gofumpt -l $$(git ls-files -co --exclude-standard '*.go'); exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...

# Those that take longest; go test starts packages in the order in which they are named, and each once.
LONG = ./test ./test/docs ./test/deploy ./test/matrix ./test/ablation ./test/mistakes ./docs ./test/oracle ./test/dist

# Three packages at a time, for many wait: for the AWS CLI, a browser, npm. What vet says, check says.
unit: lambdas
	sh test/inmemory.sh $(GO) test -vet=off -p 3 -timeout 10m $(LONG) ./...

infra: ## Test the CDK constructs, and that templates/ is what they synthesise
	cd infra && $(GO) vet ./... && $(GO) test -timeout 10m ./...

bench: bin/unstale lambdas ## Measure beside what people use today; BENCH=-strict fails when a target is missed
	$(GO) run ./bench $(BENCH)

SOAK ?= 2m

soak: lambdas ## Random faults, kills and delays on random releases for SOAK, then random sites; SEED=n draws the same again
	@set -e; for dir in matrix oracle; do \
		$(GO) test -c -o bin/soak ./test/$$dir; \
		(cd test/$$dir && ../../bin/soak -test.run '^TestSoak$$' -test.timeout 0 -soak $(SOAK) $(if $(SEED),-seed $(SEED))); \
	done

FUZZTIME ?= 10s

fuzz: ## Run every fuzz target, one after the other, for FUZZTIME each; make test runs their seeds
	@set -e; for dir in $$($(GO) list -f '{{.Dir}}' ./...); do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go 2>/dev/null | cut -c6-); do \
			echo "$${dir#$(CURDIR)/} $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$dir; \
		done; \
	done

templates: ## Synthesise templates/ anew
	cd infra && $(GO) run ./cmd/synth

diagrams: ## Draw docs/routes/*.svg anew
	$(GO) run ./docs/routes/draw docs/routes

lambdas: $(ZIPS) ## Build both Lambda functions for both architectures

$(ZIPS) &: $(SOURCES)
	cd tools && $(GO) run ./lambdazip -C .. -o $(LAMBDAS) ./cmd/pipeline-job ./cmd/invalidator

PLATFORMS ?=

dist: lambdas ## Pack a release archive for this machine; PLATFORMS=all, or such as "linux/arm64 darwin/arm64", for others
	cd tools && $(GO) run ./dist -C .. -o dist -lambdas $(LAMBDAS) $(PLATFORMS)

bin/unstale: $(SOURCES)
	$(GO) build -o $@ ./cmd/unstale

setup: ## Install what the tests need besides Go, Node, make and git
	@sh test/setup.sh

fmt: ## Format all Go code
	$(TOOL) gofumpt -w $$(git ls-files -co --exclude-standard '*.go')

clean: ## Remove what was built
	rm -rf bin dist
