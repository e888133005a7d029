# smegmesh: one Makefile, no recursion into folders.  `make help` lists the goals.
#
# A folder in LIBS is a static library.  Its DEPS line is what it may import, and
# three gates hold it to that: tests/lint/imports.sh (includes), the link list of
# every unit test (its folder and exactly its DEPS), tests/lint/pure.sh (symbols).
# Files are found by wildcard, so nobody edits this file to add one; to add a
# folder, add it to LIBS or PROGS with a DEPS and a SYS line.

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
SBINDIR    ?= $(PREFIX)/sbin
MANDIR     ?= $(PREFIX)/share/man
UNITDIR    ?= $(PREFIX)/lib/systemd/system
PKG_CONFIG ?= pkg-config
PROTOC_C   ?= protoc-c
CFLAGS     ?= -O2 -g

# Objects of variants never mix: each has a folder of its own.
BUILD      ?= build
VARIANT    ?= release
B          := $(BUILD)/$(VARIANT)

JOBS         ?= $(shell nproc)
FUZZ_SECONDS ?= 60

# --- the tree -------------------------------------------------------------

LIBS  := base crdt api/model api smegd/core smegd/wire smegd/net smegd/kern smegd/store
PROGS := smegd smegctl
# Pure folders read no clock, entropy, file or environment and own no mutable global.
PURE  := base crdt api/model smegd/core smegd/wire

# What a folder may import, in the order in which the linker wants it.
DEPS.base        :=
DEPS.crdt        := base
DEPS.api/model   := base
DEPS.api         := api/model base
DEPS.smegd/core  := crdt base
DEPS.smegd/wire  := smegd/core crdt base
DEPS.smegd/net   := smegd/wire smegd/core crdt base
DEPS.smegd/kern  := smegd/core crdt base
DEPS.smegd/store := smegd/core crdt base
DEPS.smegd       := smegd/net smegd/kern smegd/store smegd/wire smegd/core crdt api api/model base
DEPS.smegctl     := api api/model base
DEPS.tests/unit  := base
DEPS.tests/sim   := smegd/wire smegd/core crdt base
DEPS.tests/sim/scenarios := tests/sim $(DEPS.tests/sim)
DEPS.tests/sim/rows      := tests/sim $(DEPS.tests/sim)
DEPS.examples    := api api/model base
DEPS.every       := smegd smegctl $(DEPS.smegd)
DEPS.tests/fuzz  := $(DEPS.every)
DEPS.tests/bench := $(DEPS.every)
DEPS.tests/tools := $(DEPS.every)
# Single headers beyond DEPS.
HDRS.tests/sim   := smegd/kern/kern.h

# System libraries that a folder uses itself, by pkg-config name or as -lNAME.
SYS.base        := libsodium
SYS.crdt        := libsodium
SYS.api/model   := libprotobuf-c
SYS.api         := -lnng
SYS.smegd/core  := libsodium
SYS.smegd/wire  := libprotobuf-c libsodium
SYS.smegd/net   := -lnng
SYS.smegd/kern  := libmnl
SYS.smegd/store := sqlite3
SYS.smegd       := libuv yaml-0.1 libsodium -lnng
SYS.smegctl     := jansson libsodium

# Protobuf: FOLDER's archive contains what is generated from these.
GEN.api/model  := api/control
GEN.smegd/wire := api/sync

# Folders whose unit tests run under the thread sanitizer as well.
TSAN := smegd/net api

# The program made of a folder, where the names differ (NAME.api/gateway := smegapi).
name = $(or $(NAME.$(1)),$(1))
# Programs that belong to sbin.
SBIN := smegd

# --- flags: ours are appended, so a packager's survive ---------------------

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wold-style-definition -Wvla -Wformat=2 \
        -Wimplicit-fallthrough -Wundef -Wwrite-strings -Wcast-align
# clang's -Wconversion would refuse assert(!"reason").
WARN += -Wno-string-conversion
ifeq ($(WERROR),1)
WARN += -Werror
endif

SAN.release :=
SAN.asan    := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN.tsan    := -fsanitize=thread -fno-omit-frame-pointer
SAN.fuzz    := $(SAN.asan) -fsanitize=fuzzer-no-link
SAN.cov     := --coverage -O0
ifeq ($(origin SAN.$(VARIANT)),undefined)
$(error VARIANT=$(VARIANT): must be release, asan, tsan, fuzz or cov)
endif
SAN := $(SAN.$(VARIANT))

# Asserts stay on in every build: never -DNDEBUG.
OURS    := -std=gnu11 -D_GNU_SOURCE -I. -isystem $(B)/gen -fno-common \
           -fstack-protector-strong $(SAN)
compile  = $(CC) $(CPPFLAGS) $(CFLAGS) $(OURS) -MMD -MP
link     = $(CC) $(CFLAGS) $(SAN) $(LDFLAGS)

# pkg-config runs in recipes, not when this file is read: `make check` may have to
# install it first.
closure   = $(foreach d,$(1),$(SYS.$(d)) $(foreach e,$(DEPS.$(d)),$(SYS.$(e))))
pc        = $(if $(2),$$($(PKG_CONFIG) $(1) $(2)))
syscflags = $(call pc,--cflags,$(filter-out -l%,$(sort $(call closure,$(1)))))
syslibs   = -Wl,--as-needed $(call pc,--libs,$(filter-out -l%,$(sort $(call closure,$(1))))) \
            $(filter -l%,$(sort $(call closure,$(1)))) $(LDLIBS)

ifneq ($(V),1)
Q := @
# In `make check` only tests have lines.
say = @$(if $(RESULTS),:,printf '  %-7s %s\n') '$(1)' '$(2)'
endif

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
FORCE:

# --- compile ----------------------------------------------------------------

gens = $(foreach g,$(GEN.$(1)),$(if $(wildcard $(g).proto),$(B)/gen/$(g).pb-c))
objs = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c))
arch = $(B)/lib$(subst /,-,$(1)).a
archs = $(foreach l,$(1),$(call arch,$(l)))
# A program's folder is a library too, but for main.o: its unit tests link it.
libobjs = $(filter-out $(B)/$(1)/main.o,$(call objs,$(1))) $(addsuffix .o,$(call gens,$(1)))

# $(call stamp,FILE,VARIABLE): FILE holds the variable's value and is touched only
# when that changed; what depends on FILE is then made again.
define stamp
ifneq ($$(strip $$(file <$(1))),$$(strip $$($(2))))
$(1): FORCE
endif
$(1):
	@$$(shell mkdir -p $$(@D))$$(file >$$@,$$(strip $$($(2)))):
endef

FLAGS = $(CC) $(CPPFLAGS) $(CFLAGS) $(OURS) $(WARN) $(LDFLAGS) $(LDLIBS)
$(eval $(call stamp,$(B)/flags,FLAGS))

$(B)/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(compile) $(WARN) $(call syscflags,$(patsubst %/,%,$(dir $<))) -c -o $@ $<

# Generated code is compiled as it comes, and its headers count as the system's.
$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h &: %.proto
	$(call say,PROTO,$<)
	@mkdir -p $(B)/gen
	$(Q)$(PROTOC_C) -I. --c_out=$(B)/gen $<
$(B)/gen/%.pb-c.o: $(B)/gen/%.pb-c.c $(B)/flags
	$(call say,CC,$<)
	$(Q)$(compile) -w -c -o $@ $<

$(B)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

# The list makes an archive again when a file has gone.
define library
LIST.$(1) := $(call libobjs,$(1))
$(call stamp,$(call arch,$(1)).list,LIST.$(1))
$(call arch,$(1)): $(call libobjs,$(1)) $(call arch,$(1)).list
endef
$(foreach l,$(LIBS) $(PROGS),$(eval $(call library,$(l))))

# Only where generated headers may be included must they exist before the rest.
GENDIRS := $(foreach l,$(LIBS),$(if $(GEN.$(l)),$(l) tests/unit/$(l)))
GENHDRS := $(foreach l,$(LIBS),$(addsuffix .h,$(call gens,$(l))))
$(foreach d,$(GENDIRS),$(call objs,$(d))) $(GENHDRS:.h=.o): | $(GENHDRS)

# --- link -------------------------------------------------------------------

BIN :=
define program
ifneq ($(wildcard $(1)/main.c),)
BIN += $(B)/bin/$(call name,$(1))
$(B)/bin/$(call name,$(1)): $(B)/$(1)/main.o $(call archs,$(1) $(DEPS.$(1)))
$(B)/bin/$(call name,$(1)): FOLDER := $(1)
endif
endef
$(foreach p,$(PROGS),$(eval $(call program,$(p))))

# All of tests/sim is one program; elsewhere every file is a program.  It puts itself between the
# archives, which are the daemon's, and libsodium: see tests/sim/crypto.h.
SIM := $(if $(wildcard tests/sim/*.c),$(B)/bin/smegsim)
SIM_WRAP := sign_detached sign_verify_detached sign_ed25519_pk_to_curve25519 \
            sign_ed25519_sk_to_curve25519 scalarmult_curve25519 scalarmult_curve25519_base \
            aead_chacha20poly1305_ietf_encrypt aead_chacha20poly1305_ietf_decrypt \
            generichash_blake2b_init generichash_blake2b_update generichash_blake2b_final
$(B)/bin/smegsim: $(foreach d,tests/sim tests/sim/scenarios tests/sim/rows,$(call objs,$(d))) \
  $(call archs,$(DEPS.tests/sim))
$(B)/bin/smegsim: FOLDER := tests/sim
$(B)/bin/smegsim: private LDFLAGS += $(SIM_WRAP:%=-Wl,--wrap=crypto_%) -Wl,--wrap=noise_split

# Where the issue and people look for it, whatever the variant.
$(BUILD)/smegsim: $(B)/bin/smegsim
	@ln -sfn $(VARIANT)/bin/smegsim $@

# $(call singles,FOLDER,OUTPUT,VARIABLE)
define singles
$(3) := $(patsubst $(1)/%.c,$(B)/$(2)/%,$(wildcard $(1)/*.c))
$$($(3)): FOLDER := $(1)
$$($(3)): $(B)/$(2)/%: $(B)/$(1)/%.o $(call archs,$(DEPS.$(1)))
endef
$(eval $(call singles,tests/bench,bench,BENCH))
$(eval $(call singles,tests/tools,tools,TOOLS))
$(eval $(call singles,examples,examples,EXAMPLES))
$(eval $(call singles,tests/fuzz,fuzz,FUZZERS))

$(BIN) $(SIM) $(BENCH) $(TOOLS) $(EXAMPLES):
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) -o $@ $(filter %.o %.a,$^) $(call syslibs,$(FOLDER))
$(FUZZERS):
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) -fsanitize=fuzzer -o $@ $(filter %.o %.a,$^) $(call syslibs,$(FOLDER))

# tests/unit/FOLDER/test_*.c links FOLDER and exactly its DEPS, no more; other files
# beside it are helpers that each of the folder's tests links.
define unit
UNIT.$(1) := $(patsubst %.o,%,$(filter $(B)/tests/unit/$(1)/test_%,$(call objs,tests/unit/$(1))))
$$(UNIT.$(1)): FOLDER := $(1)
$$(UNIT.$(1)): %: %.o $(filter-out $(B)/tests/unit/$(1)/test_%,$(call objs,tests/unit/$(1))) \
  $(call archs,$(1) $(DEPS.$(1)))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(link) -o $$@ $$(filter %.o %.a,$$^) $$(call syslibs,$(1)) $$(call pc,--libs,cmocka)
endef
$(foreach l,$(LIBS) $(PROGS),$(eval $(call unit,$(l))))

# --- goals ------------------------------------------------------------------

# DIR narrows the unit tests to some folders: make unit DIR=crdt
DIR  ?= $(LIBS) $(PROGS)
UNIT := $(foreach d,$(DIR),$(UNIT.$(d)))
# ONLY narrows a suite of scripts: make netns ONLY=%/join.sh
ONLY ?= %
suite = $(filter $(ONLY),$(filter-out $(1)/lib%.sh,$(wildcard $(1)/*.sh)))

# Tests find what was built through these.
export SMEG_BIN   := $(abspath $(B))/bin
export SMEG_TOOLS := $(abspath $(B))/tools
export SMEG_FUZZ  := $(abspath $(B))/fuzz

# A request that no memory could satisfy is answered NULL there too, as the tests expect.
export ASAN_OPTIONS  ?= allocator_may_return_null=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= print_stacktrace=1

# In `make check` all goals add to one RESULTS file and its closing line is the last.
RUN = $(Q)tests/run $(if $(RESULTS),-r $(RESULTS) -l $(B)/logs)
# $(call scripts,FOLDER,SECONDS,JOBS)
scripts = $(RUN) -t $(2) -j $(3) $(foreach s,$(call suite,$(1)),$(1):$(s:tests/%.sh=%)=$(s))
submake = +$(Q)$(MAKE) --no-print-directory

all: $(BIN) $(BUILD)/smegsim  ## the programs
# What a variant is for.
EVERY.release := $(BIN) $(SIM) $(BENCH) $(TOOLS) $(EXAMPLES) $(call archs,$(LIBS) $(PROGS)) \
                 $(foreach l,$(LIBS) $(PROGS),$(UNIT.$(l)))
EVERY.asan    := $(foreach l,$(LIBS) $(PROGS),$(UNIT.$(l)))
EVERY.tsan    := $(foreach l,$(TSAN),$(UNIT.$(l)))
EVERY.fuzz    := $(FUZZERS)
everything: $(EVERY.$(VARIANT))

unit: $(UNIT)              ## unit tests; DIR=crdt for one folder's
	$(RUN) -t 300 -j $(JOBS) $(foreach u,$(UNIT),unit:$(VARIANT:release=unit)/$(u:$(B)/tests/unit/%=%)=$(u))

golden: $(BIN) $(TOOLS)    ## output compared byte by byte; UPDATE=1 rewrites what is expected
	$(call scripts,tests/golden,120,$(JOBS))

sim: $(SIM) $(B)/bench/histories  ## short runs of the simulator
	$(call scripts,tests/sim,600,$(JOBS))

netns: $(BIN) $(TOOLS) $(EXAMPLES)  ## real daemons in network namespaces (root)
	$(call scripts,tests/netns,300,2)

kernel: $(BIN) $(TOOLS)    ## inside a throw-away kernel under QEMU (root)
	$(RUN) -t 1800 'many:kernel=tests/kernel/run.sh "$(subst %,*,$(notdir $(ONLY:.sh=)))"'

sanitize:                  ## unit tests under asan and ubsan, those with threads under tsan
	$(submake) VARIANT=asan unit
	$(submake) VARIANT=tsan unit DIR='$(TSAN)'

fuzz:                      ## fuzz every parser for FUZZ_SECONDS each
	$(submake) VARIANT=fuzz CC=clang fuzz-run
# The corpus is copied, so that the fuzzer's finds stay out of the tree.
fuzz-run: $(FUZZERS)
	$(Q)for f in $(FUZZERS:$(B)/fuzz/fuzz_%=%); do \
	  mkdir -p $(B)/corpus/$$f $(B)/finds; \
	  [ ! -d tests/fuzz/corpus/$$f ] || cp -R tests/fuzz/corpus/$$f/. $(B)/corpus/$$f/; done
	$(RUN) -t $$(( $(FUZZ_SECONDS) + 120 )) -j $(JOBS) $(foreach f,$(FUZZERS:$(B)/fuzz/fuzz_%=%),\
	  'fuzz:fuzz/$(f)=$(B)/fuzz/fuzz_$(f) -max_total_time=$(FUZZ_SECONDS) -timeout=20 \
	  -rss_limit_mb=2048 -artifact_prefix=$(B)/finds/$(f)- $(B)/corpus/$(f)')

pure-archives: $(call archs,$(PURE))
lint: pure-archives        ## arrows, purity, house numbers, format, and lint's own test
	$(RUN) -t 600 -j $(JOBS) $(foreach l,imports tidy format dead selftest runner,lint:lint/$(l)=tests/lint/$(l).sh) \
	  'lint:lint/pure=tests/lint/pure.sh $(B)'

# What tests/lint reads, so that the tables above are the only ones.
lint-table:
	@:$(foreach d,$(patsubst DEPS.%,%,$(filter DEPS.%,$(.VARIABLES))),$(info deps $(d) $(DEPS.$(d))))
	@:$(foreach d,$(patsubst HDRS.%,%,$(filter HDRS.%,$(.VARIABLES))),$(info hdrs $(d) $(HDRS.$(d))))
	@:$(info pure $(PURE))$(info libs $(LIBS))$(info protos $(foreach d,$(LIBS),$(GEN.$(d):=.proto)))

# ONLY=%/idle.sh runs that script alone; see tests/bench/run for narrowing the rows.
bench: $(BENCH) $(BIN) $(TOOLS) $(SIM)  ## the figures we publish, beside their targets
	$(Q)$(if $(filter-out %,$(ONLY)),set -e; for b in $(filter $(ONLY),$(BENCH) $(wildcard tests/bench/*.sh)); do \
	  echo "# $${b##*/}"; $$b; done,BENCH_OUT=$(BUILD)/bench tests/bench/run bench)
soak: $(BENCH) $(BIN) $(TOOLS) $(SIM)   ## the hours-long ones, into the same file
	$(Q)BENCH_OUT=$(BUILD)/bench tests/bench/run soak

coverage:                  ## lines that the unit tests reach, by file
	$(submake) VARIANT=cov unit || :
	$(submake) VARIANT=cov coverage-run
coverage-run:
	$(Q)find $(B) -name '*.gcda' -not -path '*/tests/*' -not -path '*/gen/*' | sort | \
	  xargs gcov -n 2>/dev/null | awk -F"'" '/^File/ { f = $$2 } \
	  /^Lines/ && f && f !~ /^\/usr|^tests|pb-c/ { sub(/.*:/, ""); printf "%-32s %s\n", f, $$0; f = "" }' | sort -u

# Everything, on a machine that may lack the packages: these are installed first, and
# only the make after that looks for them.  gcc and clang have folders of their own, so
# that -Werror and the developer's build do not undo each other.
GCC   = BUILD=$(BUILD)/gcc CC=gcc
CLANG = BUILD=$(BUILD)/clang CC=clang
check: export RESULTS := $(abspath $(BUILD))/results
check:                     ## all tests, with two compilers, as CI runs them
	$(Q)tests/deps test
	$(Q)mkdir -p $(BUILD) && : >$(RESULTS)
	+$(Q)t() { $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j $(JOBS)) \
	  WERROR=1 FUZZ_SECONDS=$(FUZZ_SECONDS) "$$@" || \
	  { echo "FAIL make $$*"; echo "0 1 0 $$1" >>$(RESULTS); }; }; \
	t build $(GCC); t build $(CLANG); t unit $(GCC); t lint $(GCC); \
	t golden $(GCC); t sim $(GCC); t build $(GCC) VARIANT=asan; t build $(GCC) VARIANT=tsan; \
	t sanitize $(GCC); t build $(CLANG) VARIANT=fuzz; t fuzz $(CLANG); \
	t netns $(GCC); t kernel $(GCC)
	$(Q)tests/run -c $(RESULTS)
check: FUZZ_SECONDS := 3
build:
	+$(RUN) -t 1800 'build:build/$(CC)-$(VARIANT)=$(MAKE) --no-print-directory -k everything'

# A test of tests/netns like the others, shown as it runs.
demo:                      ## build, then watch three nodes form a mesh (root)
	$(Q)tests/deps run
	$(submake) all $(TOOLS)
	$(Q)tests/netns/demo.sh

format:                    ## clang-format every C file in git
	clang-format -i $$(tests/lint/files.sh '*.[ch]')

SERVICES := $(wildcard smegd/*.service)
MAN      := $(wildcard docs/*.[1-8])
SCD      := $(if $(shell command -v scdoc),$(wildcard docs/*.[1-8].scd))
MAN.scd  := $(patsubst docs/%.scd,$(B)/man/%,$(SCD))
$(MAN.scd): $(B)/man/%: docs/%.scd
	@mkdir -p $(@D)
	$(Q)scdoc <$< >$@
sbin = $(if $(filter $(SBIN),$(notdir $(1))),$(SBINDIR),$(BINDIR))

install: all $(MAN.scd)    ## programs, unit and manuals below DESTDIR and PREFIX
	$(Q)set -e; $(foreach p,$(BIN),\
	  install -D -m 0755 $(p) $(DESTDIR)$(call sbin,$(p))/$(notdir $(p)); )
	$(Q)set -e; $(foreach s,$(SERVICES),install -d $(DESTDIR)$(UNITDIR); \
	  sed $(foreach p,$(BIN),-e '/^Exec/s|/[^ ]*/$(notdir $(p))\>|$(call sbin,$(p))/$(notdir $(p))|g') \
	  $(s) >$(DESTDIR)$(UNITDIR)/$(notdir $(s)); chmod 0644 $(DESTDIR)$(UNITDIR)/$(notdir $(s)); )
	$(Q)set -e; $(foreach m,$(MAN) $(MAN.scd),install -D -m 0644 $(m) \
	  $(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)); )

clean:                     ## remove everything that was built
	rm -rf $(BUILD)

help:                      ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1	/p' Makefile | expand -t 12
	@echo 'VARIANT=release|asan|tsan|fuzz|cov  BUILD=DIR  JOBS=N  WERROR=1  V=1  DESTDIR=  PREFIX='

.PHONY: all everything unit golden sim netns kernel sanitize fuzz fuzz-run lint lint-table pure-archives bench soak \
	coverage coverage-run check build demo format install clean help FORCE

-include $(shell find $(B) -name '*.d' 2>/dev/null)
