# How `sam build` makes the one artefact that every function of template.yaml runs. Each function asks for it under its own
# target; the second and later ones find cargo's work done and only copy it.
#
#   RIPCORD_PROFILE   cargo profile: `release` (default) is what is shipped, `quick` is for rehearsals and tests
#   RIPCORD_BUILDER   `cargo` builds with the machine's own toolchain, `cargo-lambda` cross-compiles with zig; by default
#                     cargo on Linux for its own architecture, and cargo-lambda for everything else
#   ARCHITECTURE      `arm64` (default) or `x86_64`; `sam build` sets it from the template's parameter
#   ARTIFACTS_DIR     where the artefact goes; `sam build` sets it

SHELL := /bin/sh

RIPCORD_PROFILE ?= release
ARCHITECTURE ?= arm64
ARTIFACTS_DIR ?= target/artefact/$(ARCHITECTURE)
CARGO_TARGET_DIR ?= target

# provided.al2023 has glibc 2.34.
GLIBC_MINOR_MAX := 34

HOST := $(shell uname -s)-$(patsubst aarch64,arm64,$(shell uname -m))
RIPCORD_BUILDER ?= $(if $(filter Linux-$(ARCHITECTURE),$(HOST)),cargo,cargo-lambda)

# Cargo keeps the dev profile in a folder of another name.
PROFILE_DIR := $(patsubst dev,debug,$(RIPCORD_PROFILE))

ifeq ($(RIPCORD_BUILDER),cargo)
BINARY := $(CARGO_TARGET_DIR)/$(PROFILE_DIR)/bootstrap
BUILD := cargo build --locked --profile $(RIPCORD_PROFILE) --package bootstrap --bin bootstrap
else ifeq ($(RIPCORD_BUILDER),cargo-lambda)
# A folder per architecture and profile, because cargo-lambda would otherwise put all under one name. Its own optimizations
# are off, because the profile is what is measured and shipped.
LAMBDA_DIR := $(CARGO_TARGET_DIR)/lambda/$(ARCHITECTURE)-$(RIPCORD_PROFILE)
BINARY := $(LAMBDA_DIR)/bootstrap/bootstrap
BUILD := cargo lambda build --locked --profile $(RIPCORD_PROFILE) $(if $(filter arm64,$(ARCHITECTURE)),--arm64,--x86-64) \
	--disable-optimizations --package bootstrap --bin bootstrap --lambda-dir $(LAMBDA_DIR)
else
$(error RIPCORD_BUILDER is `$(RIPCORD_BUILDER)`, but it must be `cargo` or `cargo-lambda`)
endif

ifeq ($(filter $(ARCHITECTURE),arm64 x86_64),)
$(error ARCHITECTURE is `$(ARCHITECTURE)`, but it must be `arm64` or `x86_64`)
endif

.PHONY: artefact

build-%: artefact ;

# A binary that needs a newer glibc than Lambda has would deploy and then fail at its first signal, so it stops here. The
# versions that it needs stand in it as plain text, which spares the machine a need for binutils.
artefact:
	@command -v $(RIPCORD_BUILDER) >/dev/null || { \
		echo "failed to find $(RIPCORD_BUILDER), which builds for $(ARCHITECTURE) on $(HOST): install it and try again" >&2; exit 1; }
	$(BUILD)
	@glibc_minor=$$(LC_ALL=C grep -a -o 'GLIBC_2\.[0-9]*' $(BINARY) | sed 's/GLIBC_2\.//' | sort -n | tail -n 1); \
	if [ "$${glibc_minor:-0}" -gt $(GLIBC_MINOR_MAX) ]; then \
		echo "the artefact needs glibc 2.$$glibc_minor, but provided.al2023 has 2.$(GLIBC_MINOR_MAX): install cargo-lambda" \
			"and set RIPCORD_BUILDER=cargo-lambda" >&2; \
		exit 1; \
	fi
	@mkdir -p $(ARTIFACTS_DIR)
	@cp $(BINARY) $(ARTIFACTS_DIR)/bootstrap
