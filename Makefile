# agent: one Makefile, no recursion, no configure. `make help` lists the targets.
#
#   make                 build/release/agent
#   make VARIANT=debug   build/debug/agent, what the unit tests link
#   make asan            build/asan: AddressSanitizer and UBSan
# V=1 shows the commands; WERROR= (empty) leaves warnings warnings, for packagers with other compilers.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
MAKEFLAGS   += --no-builtin-rules

VERSION  := 0.1.0
VARIANT  ?= release
WERROR   ?= 1
B        := build/$(VARIANT)
O        := $(B)/obj
PREFIX   ?= /usr/local
DESTDIR  ?=
CC       := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
AR       := ar
Q        := $(if $(V),,@)
PKGS     := jansson libsodium libpcre2-8
VENV     := build/venv
PYTHON   := $(VENV)/bin/python

# ---- flags ---------------------------------------------------------------------------------
# Each flag is probed once: what the compiler does not know is left out (build/probed-<cc>.mk).
WANTED_WARNINGS := -Wall -Wextra -Wpedantic -Wformat=2 -Wformat-signedness -Wconversion \
    -Wsign-conversion -Wshadow -Wvla -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
    -Wpointer-arith -Wcast-qual -Wcast-align -Wwrite-strings -Wnull-dereference -Wdouble-promotion \
    -Wswitch-enum -Wimplicit-fallthrough=5 -Wduplicated-cond -Wduplicated-branches -Wlogical-op \
    -Walloca -Wdate-time
WANTED_HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
    -ftrivial-auto-var-init=zero -fno-delete-null-pointer-checks -fno-strict-overflow \
    -fno-strict-aliasing -fPIE
WANTED_LINKING := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,ibt -Wl,-z,shstk \
    -Wl,--as-needed -Wl,-O1 -Wl,--hash-style=gnu
PROBED := build/probed-$(notdir $(CC)).mk

$(PROBED): Makefile
	@mkdir -p $(@D)
	@known() { for flag in "$$@"; do printf 'int main(void){return 0;}' | \
	    $(CC) -Werror "$$flag" -x c - -o /dev/null 2>/dev/null && printf ' %s' "$$flag"; done; true; }; \
	{ printf 'WARNINGS :=%s\n' "$$(known $(WANTED_WARNINGS))"; \
	  printf 'HARDENING :=%s\n' "$$(known $(WANTED_HARDENING))"; \
	  printf 'LINK_HARDENING :=%s\n' "$$(known $(WANTED_LINKING))"; } >$@
# Before `make deps` there may be no compiler to ask.
ifneq ($(shell command -v $(CC)),)
-include $(PROBED)
endif

# Ubuntu's gcc fortifies by itself, which renames read() and hides calls from --wrap and the sanitizers.
UNFORTIFIED  := -U_FORTIFY_SOURCE
MODE_release := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
MODE_debug   := -Og $(UNFORTIFIED)
# Two hundred programs: -O1 and -g take half as much time again to build, and find no more.
MODE_asan    := -Og $(UNFORTIFIED) -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined \
    -DREPORT_AT_EXIT
MODE_cover   := -O0 --coverage -DREPORT_AT_EXIT
# clang (make fuzz)
MODE_fuzz    := -O1 $(UNFORTIFIED) -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link \
    -fno-sanitize-recover=undefined
MODE         := $(MODE_$(VARIANT))
$(if $(MODE),,$(error VARIANT is release, debug, asan, cover or fuzz, not '$(VARIANT)'))

CPPFLAGS := -D_GNU_SOURCE -I. -DAGENT_VERSION='"$(VERSION)"'
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) libcurl libpq 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CFLAGS   ?= $(if $(filter asan,$(VARIANT)),-g1,-g)
ALL_CFLAGS = -std=c17 $(CPPFLAGS) $(PKG_CFLAGS) $(WARNINGS) $(if $(WERROR),-Werror) $(HARDENING) \
    $(MODE) -ffile-prefix-map=$(CURDIR)=. $(CFLAGS)
ALL_LDFLAGS = $(LINK_HARDENING) $(filter -fsanitize=% --coverage,$(MODE)) $(LDFLAGS)

# ---- the house: one library a folder, a folder links only what lies below it ------------------
FOLDERS  := base vault envcontract migrations bootstrap rotate agent
BELOW_base        :=
BELOW_vault       := base
BELOW_envcontract := base
BELOW_migrations  := base
BELOW_bootstrap   := migrations base
BELOW_rotate      := bootstrap migrations vault base
BELOW_agent       := rotate bootstrap migrations envcontract vault base

sources   = $(sort $(wildcard $(1)/*.c))
objects   = $(patsubst %.c,$(O)/%.o,$(filter-out agent/main.c,$(call sources,$(1))))
archive   = $(B)/lib$(1).a
archives  = $(foreach f,$(1),$(call archive,$(f)))

all: $(B)/agent ## build build/release/agent (VARIANT=debug|asan|cover for another)

$(B)/agent: $(O)/agent/main.o $(call archives,agent $(BELOW_agent))
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

define archive_rule
$(B)/lib$(1).a: $(call objects,$(1))
	@rm -f $$@
	$(Q)$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive_rule,$(f))))

# Flags that differ from those of the last build make every object anew.
$(shell mkdir -p $(O))
FLAGS := $(CC) $(ALL_CFLAGS)
$(shell printf '%s' '$(subst ','\'',$(FLAGS))' | cmp -s - $(O)/flags || printf '%s' '$(subst ','\'',$(FLAGS))' >$(O)/flags)

$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The parser of SQL has its version in its soname, another in each distribution: the one that is built against
# is the first to be opened.
PG_QUERY := $(shell readelf -d "$$($(CC) -print-file-name=libpg_query.so 2>/dev/null)" 2>/dev/null | \
    sed -n 's/.*(SONAME).*\[libpg_query\.so\.\([0-9.]*\)\].*/\1/p')
$(O)/migrations/sql.o $(O)/tests/unit/migrations_sql.o: CPPFLAGS += $(if $(PG_QUERY),-DPG_QUERY_VERSION='"$(PG_QUERY)"')

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# ---- what is installed ----------------------------------------------------------------------
deps: ## install what the build and the demo need (Debian and Ubuntu packages, a Python environment)
	@tests/lib/deps.sh

# ---- tests ------------------------------------------------------------------------------------
# A unit test tests/unit/<folder>_<file>.c links the library of its folder and of those below it,
# nothing else: the linker is the second witness of the include lint.
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*.c))
folder_of   = $(firstword $(subst _, ,$(notdir $(1))))


# What a test brings beside tests/lib/unit.c: EXTRA_<test> := names of tests/lib/*.c
EXTRA_bootstrap_apply  := pg site
EXTRA_bootstrap_confirm := pg site
EXTRA_bootstrap_create := pg site
EXTRA_bootstrap_starved := pg site
EXTRA_bootstrap_pooler := pg site
EXTRA_bootstrap_turns  := pg site proxy
EXTRA_bootstrap_catalog := pg
EXTRA_bootstrap_catalog_memory := pg
EXTRA_bootstrap_diff   := pg
EXTRA_bootstrap_diff_memory := pg
EXTRA_bootstrap_db     := pg pg_script
EXTRA_bootstrap_db_connect := pg pg_script
EXTRA_bootstrap_db_hostile := pg pg_script
EXTRA_bootstrap_db_password := pg
EXTRA_bootstrap_memory := pg
EXTRA_bootstrap_planted := pg
EXTRA_bootstrap_scratch := pg
EXTRA_bootstrap_state  := pg
EXTRA_bootstrap_verify := pg pg_script
EXTRA_rotate_pg_login := pg
EXTRA_rotate_pg_memory := pg
EXTRA_rotate_pg_two_login := pg
EXTRA_vault_live       := bao pg
EXTRA_vault_ask        := script_server
EXTRA_vault_engine     := bao pg script_server
EXTRA_vault_metadata   := script_server
EXTRA_vault_write      := bao
EXTRA_vault_wire       := script_server
EXTRA_vault_refusals   := script_server
EXTRA_vault_nodes      := script_server
EXTRA_vault_renew      := script_server
EXTRA_vault_memory     := script_server
unit_parts = $(O)/tests/unit/$(1).o $(O)/tests/lib/unit.o $(patsubst %,$(O)/tests/lib/%.o,$(EXTRA_$(1))) \
    $(call archives,$(call folder_of,$(1)) $(BELOW_$(call folder_of,$(1))))

define unit_rule
$(B)/unit/$(1): $(call unit_parts,$(1))
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	$(Q)$(CC) $$(ALL_LDFLAGS) -o $$@ $(call unit_parts,$(1)) $$(PKG_LIBS) -lcmocka
endef
$(foreach t,$(notdir $(UNIT_TESTS)),$(eval $(call unit_rule,$(t))))

unit-tests: $(UNIT_TESTS)

# A fuzz target tests/fuzz/<folder>_<what>.c: with replay.c it is a program that runs its corpus, with
# libFuzzer (make fuzz) one that looks for more.
FUZZ_TARGETS := $(filter-out replay,$(basename $(notdir $(wildcard tests/fuzz/*.c))))
FUZZ_REPLAYS := $(patsubst %,$(B)/fuzz/%,$(FUZZ_TARGETS))
fuzz_parts    = $(O)/tests/fuzz/$(1).o $(call archives,$(call folder_of,$(1)) $(BELOW_$(call folder_of,$(1))))

define fuzz_rule
$(B)/fuzz/$(1): $(O)/tests/fuzz/replay.o $(call fuzz_parts,$(1))
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	$(Q)$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(PKG_LIBS)
$(B)/fuzzer/$(1): $(call fuzz_parts,$(1))
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	$(Q)$(CC) $$(ALL_LDFLAGS) -fsanitize=fuzzer -o $$@ $$^ $$(PKG_LIBS)
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_rule,$(t))))

fuzz-replays: $(FUZZ_REPLAYS)
fuzzers: $(patsubst %,$(B)/fuzzer/%,$(FUZZ_TARGETS))

# Faults for the whole binary, preloaded into it by the tests: tests/fault/<name>.c, each by itself.
FAULTS := $(patsubst tests/fault/%.c,$(B)/fault/%.so,$(wildcard tests/fault/*.c))

$(B)/fault/%.so: tests/fault/%.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE $(WARNINGS) $(if $(WERROR),-Werror) -O2 $(UNFORTIFIED) -g -fPIC -shared -o $@ $<

faults: $(FAULTS) $(B)/crash/killat

# What kills a command at a system call: tests/crash/killat.c.
$(B)/crash/%: tests/crash/%.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE $(WARNINGS) $(if $(WERROR),-Werror) -O2 $(UNFORTIFIED) -g -o $@ $<

# All cores, unless the caller has said how many.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

test: ## install what is missing, build, run everything
	@tests/lib/deps.sh test
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=debug $$($(PYTHON) tests/run.py --binaries debug)
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=asan build/asan/agent unit-tests fuzz-replays
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=release build/release/agent faults
	@$(PYTHON) tests/run.py

demo: deps ## the main job on a real OpenBao, PostgreSQL and Alembic project
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=release build/release/agent
	@$(PYTHON) examples/demo.py --agent build/release/agent

bench: ## timings as ratios; writes docs/BENCH.md
	@tests/lib/deps.sh bench
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=release build/release/agent
	@$(PYTHON) tests/bench/run.py

crash: ## kill -9 at every system call of bootstrap and of each rotation, a cut at every message (long)
	@tests/lib/deps.sh test
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=asan build/asan/agent
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=release build/release/agent faults
	@AGENT_LONG=1 $(PYTHON) tests/run.py integration/test_crash integration/test_rotate_crash integration/test_rotate_cut

live: ## examples/entrypoint in real containers (podman) and under a booted systemd (systemd-nspawn); wants root
	@tests/lib/deps.sh test live
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=release build/release/agent
	@$(PYTHON) tests/run.py --live

FUZZ_SECONDS ?= 20
fuzz: ## each fuzz target for FUZZ_SECONDS (20) with clang's libFuzzer
	@tests/lib/deps.sh fuzz
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=fuzz CC=clang WERROR= fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh $(FUZZ_TARGETS)

asan: ## build with AddressSanitizer and UBSan
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=asan build/asan/agent unit-tests

valgrind: ## the unit tests under valgrind
	@tests/lib/deps.sh valgrind
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=debug unit-tests
	@tests/lib/valgrind.sh

coverage: ## run the tests with coverage; report in build/cover/report
	@tests/lib/deps.sh test
	@tests/lib/coverage.sh

lint: ## includes, layering, secret_reveal, format, shell; warnings as errors
	@tests/lib/deps.sh lint
	@tests/lib/lint.sh
	@$(MAKE) $(JOBS) --no-print-directory VARIANT=release build/release/agent

tidy: ## clang-tidy, cppcheck and gcc -fanalyzer
	@tests/lib/deps.sh lint
	@tests/lib/tidy.sh

fmt: ## format the C sources
	clang-format -i $$(git ls-files '*.c' '*.h')

install: all ## into DESTDIR and PREFIX (/usr/local)
	install -D -m 0755 $(B)/agent $(DESTDIR)$(PREFIX)/bin/agent
	for page in docs/man/*.1 docs/man/*.5; do [ -e "$$page" ] || continue; \
	    install -D -m 0644 "$$page" "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}"; done

uninstall: ## take out again what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/agent
	for page in docs/man/*.1 docs/man/*.5; do rm -f "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}"; done

# The tree as it was committed, so that a version is the same bytes wherever it is packed.
dist: ## dist/agent-VERSION.tar.gz, from what is committed
	@mkdir -p dist
	$(Q)git archive --format=tar --prefix=agent-$(VERSION)/ HEAD | gzip -n -9 >dist/agent-$(VERSION).tar.gz
	@echo "dist/agent-$(VERSION).tar.gz"

# What is linked is asked of dpkg-shlibdeps; what is opened on demand is seen by us alone.
OPENED     := libcurl.so.4 libpq.so.5 libpg_query.so
DEB_ARCH   = $(shell dpkg --print-architecture)
DEB_FOLDER := build/deb
deb: ## dist/agent_VERSION_ARCH.deb, a package for the Debian or Ubuntu at hand
	@rm -rf $(DEB_FOLDER) && mkdir -p $(DEB_FOLDER)/debian dist
	@$(MAKE) --no-print-directory VARIANT=release PREFIX=/usr DESTDIR=$(DEB_FOLDER)/root install
	@strip --strip-unneeded $(DEB_FOLDER)/root/usr/bin/agent
	@gzip -n -9 $(DEB_FOLDER)/root/usr/share/man/man*/*
	@install -D -m 0644 LICENSE $(DEB_FOLDER)/root/usr/share/doc/agent/copyright
	@install -D -m 0644 CHANGELOG.md $(DEB_FOLDER)/root/usr/share/doc/agent/changelog
	@gzip -n -9 $(DEB_FOLDER)/root/usr/share/doc/agent/changelog
	@printf 'Source: agent\n\nPackage: agent\nArchitecture: any\n' >$(DEB_FOLDER)/debian/control
	@mkdir -p $(DEB_FOLDER)/root/DEBIAN
	@linked=$$(cd $(DEB_FOLDER) && dpkg-shlibdeps -O root/usr/bin/agent | sed -n 's/^shlibs:Depends=//p'); \
	opened=$$(for name in $(OPENED); do \
	    dpkg-query -S "$$(readlink -f /usr/lib/*/"$$name" | head -1)" | cut -d: -f1; done | sort -u | paste -sd, | sed 's/,/, /g'); \
	printf '%s\n' 'Package: agent' 'Version: $(VERSION)' 'Architecture: $(DEB_ARCH)' \
	    'Maintainer: the agent developers <agent@localhost>' 'Section: admin' 'Priority: optional' \
	    "Depends: $$linked" \
	    "Recommends: $$opened, ca-certificates" \
	    "Installed-Size: $$(du -sk $(DEB_FOLDER)/root | cut -f1)" \
	    'Description: secrets, environment, database and start of an application' \
	    ' agent stands between the start of a container and the application in it: it' \
	    ' fetches credentials from Vault, checks the environment against a contract,' \
	    ' makes and stamps a fresh PostgreSQL database in one transaction, and starts' \
	    ' the application.' >$(DEB_FOLDER)/root/DEBIAN/control
	$(Q)dpkg-deb --root-owner-group --build $(DEB_FOLDER)/root dist/agent_$(VERSION)_$(DEB_ARCH).deb >/dev/null
	@echo "dist/agent_$(VERSION)_$(DEB_ARCH).deb"

# For images that have no glibc, or none of the libraries: copy the folder to BUNDLE_PREFIX in any of them.
BUNDLE_PREFIX  ?= /opt/agent
BUNDLE_LOADER   = $(notdir $(shell readelf -l /bin/sh | sed -n 's/.*interpreter: \(.*\)\].*/\1/p'))
BUNDLE_ARCHIVE  = dist/agent-$(VERSION)-bundle-$(shell uname -m).tar.gz
bundle: all ## agent, the libraries that it opens and their loader in one folder, for any image
	@$(CC) $(ALL_LDFLAGS) -Wl,--dynamic-linker=$(BUNDLE_PREFIX)/lib/$(BUNDLE_LOADER) -Wl,--disable-new-dtags \
	    -Wl,-rpath,$(BUNDLE_PREFIX)/lib -s -o $(B)/agent-bundled $(O)/agent/main.o $(call archives,agent $(BELOW_agent)) $(PKG_LIBS)
	@tests/lib/bundle.sh $(B)/agent-bundled $(BUNDLE_PREFIX) $(OPENED) build/bundle $(BUNDLE_ARCHIVE)

clean: ## remove what was built (not the Python environment)
	rm -rf build/release build/debug build/asan build/cover build/fuzz build/deb build/bundle build/clusters

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

.PHONY: all deps unit-tests fuzz-replays fuzzers faults fuzz crash live test demo bench asan valgrind coverage lint tidy fmt install uninstall dist deb bundle clean help
