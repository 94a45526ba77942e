# pandora-gate: one Makefile. `make help` lists the targets.
#
# Layout rule: lib/* are static libraries, dependencies point one way
# (base <- keyring <- audit <- enrol, spool); each program links lib/ and itself.

CXX      ?= g++
# Lines for a backtrace; the whole of -g is half as much time again, and what a package wants comes from its own rules.
CXXFLAGS ?= -O2 -g1
LDFLAGS  ?=
# Link the C++ runtime and the login path's libraries statically: shared libraries are most of the start cost.
STATIC   ?= 1
SAN      ?= 0
# Warnings are errors in `check`; a packager with another compiler may say WERROR=0.
WERROR   ?= 0

PREFIX     ?= /usr
SBINDIR    ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
MULTIARCH  := $(shell $(CXX) -print-multiarch 2>/dev/null)
PAMDIR     ?= $(if $(MULTIARCH),/lib/$(MULTIARCH)/security,/lib64/security)
SYSCONFDIR ?= /etc
STATEDIR   ?= /var/lib/pandora-gate

BUILD    ?= build
ifeq ($(SAN),1)
O        := $(BUILD)/san
else
O        := $(BUILD)
endif

VERSION  := $(shell sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md 2>/dev/null | head -1)

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wcast-qual \
        -Wformat=2 -Wundef -Wnon-virtual-dtor -Woverloaded-virtual -Wduplicated-cond -Wlogical-op \
        -Wuseless-cast -Wmissing-declarations
ifeq ($(WERROR),1)
WARN += -Werror
endif
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIC -fvisibility=hidden -fno-gnu-unique
LDHARDEN := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--as-needed -Wl,--gc-sections
ifeq ($(SAN),1)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# GCC's manual, -fsanitize: this one has false positives then (12: std::optional of anything with a string).
WARN += -Wno-maybe-uninitialized
else
SANFLAGS :=
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
DEFS := -DGATE_VERSION='"$(VERSION)"' -DGATE_LIBEXECDIR='"$(LIBEXECDIR)/pandora-gate"' \
        -DGATE_SYSCONFDIR='"$(SYSCONFDIR)/pandora-gate"' -DGATE_STATEDIR='"$(STATEDIR)"' \
        -DOPENSSL_API_COMPAT=0x10100000L -D_GNU_SOURCE
ALLCXX = $(CXX) -std=c++2b -I. $(DEFS) $(WARN) $(HARDEN) -ffunction-sections -fdata-sections $(CPPFLAGS) $(CXXFLAGS) $(SANFLAGS)
ALLLD  = $(CXX) $(CXXFLAGS) $(SANFLAGS) $(LDHARDEN) $(LDFLAGS)

# --- libraries the login path stands on: static where that is asked for and possible -----------------
ifeq ($(STATIC)$(SAN),10)
RUNTIME := -static-libstdc++ -static-libgcc
L_XXHASH := -l:libxxhash.a
L_CAP    := -l:libcap.a
L_SECCOMP := -l:libseccomp.a
L_CRYPTO := -l:libcrypto.a
L_EXPAT  := -l:libexpat.a
else
RUNTIME  :=
L_XXHASH := -lxxhash
L_CAP    := -lcap
L_SECCOMP := -lseccomp
L_CRYPTO := -lcrypto
L_EXPAT  := -lexpat
endif

# V=1 shows the commands.
ifeq ($(V),1)
Q :=
else
Q := @
endif
say = @printf '  %-5s %s\n' $(1) $(2)

# --- sources -----------------------------------------------------------------------------------------
LIBS := base keyring audit enrol spool sandbox
lib_src  = $(wildcard lib/$(1)/*.cpp)
objs     = $(patsubst %.cpp,$(O)/obj/%.o,$(1))
archives = $(patsubst %,$(O)/lib%.a,$(1))

AUTHKEYS_SRC := $(wildcard authkeys_cmd/*.cpp)
DROP_SRC     := $(wildcard forcecmd/*.cpp forcecmd/*/*.cpp forcecmd/*/*/*.cpp)
CTL_SRC      := $(wildcard gatectl/*.cpp gatectl/*/*.cpp)
SWEEP_SRC    := $(wildcard ftpsweep/*.cpp)
PAM_SRC      := $(wildcard pam_pandora/*.cpp)
UNIT_SRC     := $(wildcard tests/unit/test_*.cpp)
PAMTEST_SRC  := $(wildcard tests/pam/test_*.cpp)
PEER_SRC     := $(wildcard tests/bench/peers/*.c)
BENCH_SRC    := $(wildcard tests/bench/*.cpp)
HARNESS_SRC  := $(wildcard tests/harness/*.cpp)

PROGRAMS := $(O)/authkeys $(O)/drop $(O)/sweep $(O)/pandora-gate $(O)/pam_pandora.so
UNIT_BIN := $(patsubst tests/unit/%.cpp,$(O)/tests/unit/%,$(UNIT_SRC))
PAM_BIN  := $(patsubst tests/pam/%.cpp,$(O)/tests/pam/%,$(PAMTEST_SRC))
PEER_BIN := $(patsubst tests/bench/peers/%.c,$(O)/tests/bench/%,$(PEER_SRC)) \
            $(patsubst tests/bench/%.cpp,$(O)/tests/bench/%,$(BENCH_SRC))
HARNESS_BIN := $(patsubst tests/harness/%.cpp,$(O)/tests/harness/%,$(HARNESS_SRC)) \
               $(patsubst tests/harness/preload/%.cpp,$(O)/tests/harness/%.so,$(wildcard tests/harness/preload/*.cpp))

.PHONY: all check check-programs e2e bench fuzz fuzz-programs deb install clean help hostile harness format format-check mutants
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) ## build every program

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

$(O)/obj/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(ALLCXX) -MMD -MP -c -o $@ $<

# What is tested is built as it is shipped; the tests themselves need not be fast.
$(O)/obj/tests/unit/%.o $(O)/obj/tests/pam/%.o: override CXXFLAGS += -O1

ifeq ($(SAN),1)
# SOCI does not export the type information that this check wants.
$(O)/obj/gatectl/store/%.o: SANFLAGS += -fno-sanitize=vptr
# toml++ 3.3 takes U+00A1 for something that cannot come; what follows is no more than "not a blank".
$(O)/obj/gatectl/publish/config.o: SANFLAGS += -fno-sanitize=unreachable
endif

define lib_rule
$(O)/lib$(1).a: $(call objs,$(call lib_src,$(1)))
	@rm -f $$@
	$(Q)$(AR) rcsD $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call lib_rule,$(l))))

$(O)/authkeys: $(call objs,$(AUTHKEYS_SRC)) $(call archives,audit keyring base)
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -pie $(RUNTIME) -o $@ $^ $(L_XXHASH)

$(O)/drop: $(call objs,$(DROP_SRC)) $(call archives,enrol spool audit keyring sandbox base)
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -pie $(RUNTIME) -o $@ $^ $(L_XXHASH) $(L_CAP) $(L_SECCOMP) $(L_CRYPTO) $(L_EXPAT)

$(O)/sweep: $(call objs,$(SWEEP_SRC)) $(call archives,spool audit keyring sandbox base)
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -pie $(RUNTIME) -o $@ $^ $(L_XXHASH) $(L_CAP) $(L_SECCOMP) $(L_CRYPTO) $(L_EXPAT)

$(O)/pandora-gate: $(call objs,$(CTL_SRC)) $(call archives,enrol spool audit keyring base)
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -pie -o $@ $^ -lsoci_sqlite3 -lsoci_core -lsqlite3 -lfmt -larchive -lssl -lcrypto -lpam $(L_XXHASH) -lexpat

$(O)/pam_pandora.so: $(call objs,$(PAM_SRC)) $(call archives,enrol audit keyring base) pam_pandora/exports.map
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -shared $(RUNTIME) -Wl,--exclude-libs,ALL -Wl,--version-script=pam_pandora/exports.map \
	    -Wl,-z,defs -o $@ $(filter %.o %.a,$^) $(L_XXHASH) -lpam -lcrypto

# For tests of the sandbox only: drop as it would be had somebody taken over one of its processes (tests/hostile),
# with the sandbox, and, as the control, without. The same objects, but for those that are told what to try.
HOSTILE_TOLD := $(call objs,forcecmd/front/front.cpp forcecmd/publisher/publisher.cpp forcecmd/enrol/session.cpp)
HOSTILE_OBJS := $(filter-out $(HOSTILE_TOLD),$(call objs,$(DROP_SRC))) \
                $(patsubst $(O)/obj/%,$(O)/obj/hostile/%,$(HOSTILE_TOLD)) \
                $(call objs,$(wildcard tests/hostile/*.cpp))
$(O)/obj/hostile/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	$(call say,CXX,"$< (hostile)")
	$(Q)$(ALLCXX) -DGATE_HOSTILE -include tests/hostile/hostile.h -MMD -MP -c -o $@ $<
$(O)/hostile/drop: $(HOSTILE_OBJS)
$(O)/hostile/drop-open: $(filter-out $(O)/obj/forcecmd/confine.o,$(HOSTILE_OBJS)) $(O)/obj/tests/hostile/open/confine.o
$(O)/hostile/drop $(O)/hostile/drop-open: $(call archives,enrol spool audit keyring sandbox base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -pie $(RUNTIME) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(L_XXHASH) $(L_CAP) $(L_SECCOMP) $(L_CRYPTO) $(L_EXPAT)
$(O)/hostile/old_kernel: $(O)/obj/tests/hostile/programs/old_kernel.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -o $@ $^ -lseccomp
hostile: $(addprefix $(O)/hostile/,drop drop-open old_kernel) ## drop as if somebody had taken it over, for tests

# --- tests -------------------------------------------------------------------------------------------
# A unit test may use any library and, by name, objects of a program that hold no main().
TEST_OBJS := $(call objs,$(filter-out %/main.cpp,$(AUTHKEYS_SRC) $(DROP_SRC) $(SWEEP_SRC) $(PAM_SRC)))
$(O)/libundertest.a: $(TEST_OBJS)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^
$(O)/libctl.a: $(call objs,$(filter-out %/main.cpp,$(CTL_SRC)))
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^
$(O)/tests/unit/%: $(O)/obj/tests/unit/%.o $(O)/libundertest.a $(O)/libctl.a $(call archives,enrol spool audit keyring sandbox base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -o $@ $^ -lcmocka -lxxhash -lcap -lseccomp -lpam -lsoci_sqlite3 -lsoci_core -lsqlite3 -lfmt -larchive -lssl -lcrypto -lpam -lexpat
$(O)/tests/pam/%: $(O)/obj/tests/pam/%.o $(O)/pam_pandora.so $(call archives,enrol audit keyring base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -rdynamic -o $@ $(filter %.o %.a,$^) -lcmocka -lpamtest -lpam -lxxhash -lcrypto -ldl
$(O)/tests/bench/%: tests/bench/peers/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -o $@ $< $(PEER_LIBS)
$(O)/tests/bench/sqlite_line: PEER_LIBS := -lsqlite3
$(O)/tests/bench/%: $(O)/obj/tests/bench/%.o $(call archives,keyring base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -o $@ $^ $(L_XXHASH) $(BENCH_LIBS)
# As sshd has them: dynamic.
$(O)/tests/bench/pam_loop: BENCH_LIBS := -lpam -lcrypto

$(O)/tests/harness/%: $(O)/obj/tests/harness/%.o $(call archives,keyring base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(ALLLD) -o $@ $^ $(L_XXHASH) $(HARNESS_LIBS)
$(O)/tests/harness/pam_verdicts: HARNESS_LIBS := -lpam
# For LD_PRELOAD: no sanitizer, which would want to be first, and no C++ runtime.
$(O)/tests/harness/%.so: tests/harness/preload/%.cpp Makefile
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CXX) -std=c++2b -I. $(DEFS) $(filter-out -Wmissing-declarations,$(WARN)) -fPIC -fvisibility=hidden -fno-exceptions -fno-rtti \
	    -fno-threadsafe-statics $(CXXFLAGS) -shared $(RUNTIME) -Wl,-z,defs,-z,now -o $@ $<
harness: $(HARNESS_BIN) ## programs that the end-to-end tests use

check-programs: all hostile harness $(UNIT_BIN) $(PAM_BIN) $(PEER_BIN) ## build the programs and every test binary

check: ## unit and PAM tests (no root needed), warnings are errors
	$(MAKE) WERROR=1 check-programs
	/usr/bin/python3 tests/run.py --build $(O) --only unit --only pam

e2e: check-programs ## tests against the real sshd in a disposable copy of the machine (root)
	/usr/bin/python3 tests/run.py --build $(O) --only e2e --only untouched

bench: check-programs ## compare with peers; ONLY=area
	/usr/bin/python3 tests/bench/bench.py --build $(O) $(if $(ONLY),--only $(ONLY))

mutants: ## apply each deliberate bug of tests/mutants to a copy, and prove that its test fails (root; ONLY=name)
	/usr/bin/python3 tests/mutants/run.py --build $(BUILD) $(if $(ONLY),--only $(ONLY))

# libFuzzer, under AddressSanitizer and UBSan, in a copy of the machine that has clang-19 (tests/fuzz/run.sh).
fuzz: ## each fuzz target for T seconds (root; ONLY=target, KEEP=1 adds to the corpora)
	BUILD=$(BUILD) tests/fuzz/run.sh $(or $(T),60) $(ONLY)

# Inside that copy, or wherever FUZZCXX is at hand.
F        := $(BUILD)/fuzz
FUZZCXX  ?= clang++-19
FUZZFLAGS = -std=c++2b -I. $(DEFS) -Wall -Wextra -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
            -fno-sanitize-recover=all
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.cpp)
FUZZ_BIN := $(patsubst tests/fuzz/fuzz_%.cpp,$(F)/bin/%,$(FUZZ_SRC))
# What takes bytes from strangers or from a damaged file, and what that stands on.
FUZZED   := $(foreach l,base keyring audit enrol spool,$(call lib_src,$(l))) forcecmd/user_auth.cpp \
            $(wildcard forcecmd/front/scp/*.cpp forcecmd/front/sftp/*.cpp forcecmd/front/enrol/*.cpp) \
            $(patsubst %,gatectl/%.cpp,problem publish/config publish/settings publish/units) \
            $(patsubst %,gatectl/%.cpp,crypto $(addprefix keys/,csv foreign_format key_line network numbers public_key when wire))
fuzz-programs: $(FUZZ_BIN)
$(F)/obj/%.o: %.cpp
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)
	$(Q)$(FUZZCXX) $(FUZZFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
# toml++ 3.3 takes U+00A1 for something that cannot come; what follows is no more than "not a blank".
$(F)/obj/gatectl/publish/config.o: FUZZFLAGS += -fno-sanitize=unreachable
$(F)/libfuzzed.a: $(patsubst %.cpp,$(F)/obj/%.o,$(FUZZED))
	@rm -f $@
	$(Q)$(AR) qcsD $@ $^
$(F)/bin/%: $(F)/obj/tests/fuzz/fuzz_%.o $(F)/libfuzzed.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(FUZZCXX) $(FUZZFLAGS) -fsanitize=fuzzer -o $@ $^ -lxxhash -lfmt -lcrypto -lexpat
-include $(shell find $(F)/obj -name '*.d' 2>/dev/null)

deb: ## Debian packages, into $(BUILD)/deb
	sh debian/build-deb.sh $(BUILD)/deb

format: ## rewrite the sources in the house's format
	clang-format -i $$(git ls-files '*.cpp' '*.h')

format-check: ## fail if a source is not in the house's format
	clang-format --dry-run -Werror $$(git ls-files '*.cpp' '*.h')

install: all ## DESTDIR, PREFIX, LIBEXECDIR, PAMDIR, SYSCONFDIR
	install -d $(DESTDIR)$(LIBEXECDIR)/pandora-gate $(DESTDIR)$(SBINDIR) $(DESTDIR)$(PAMDIR)
	install -d $(DESTDIR)$(SYSCONFDIR)/pandora-gate $(DESTDIR)$(STATEDIR)/home $(DESTDIR)$(DATADIR)/pandora-gate
	install -m 0755 $(O)/authkeys $(O)/drop $(O)/sweep $(DESTDIR)$(LIBEXECDIR)/pandora-gate/
	install -m 0755 $(O)/pandora-gate $(DESTDIR)$(SBINDIR)/
	install -m 0644 $(O)/pam_pandora.so $(DESTDIR)$(PAMDIR)/
	test -e $(DESTDIR)$(SYSCONFDIR)/pandora-gate/gate.toml || \
	    install -m 0644 conf/gate.toml $(DESTDIR)$(SYSCONFDIR)/pandora-gate/gate.toml
	cd conf && find . -type f -exec install -D -m 0644 '{}' '$(DESTDIR)$(DATADIR)/pandora-gate/{}' \;
	install -m 0755 conf/agent/pandora-gate-enrol $(DESTDIR)$(DATADIR)/pandora-gate/agent/
	install -D -m 0644 conf/sysusers.d/pandora-gate.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/pandora-gate.conf
	install -D -m 0644 conf/tmpfiles.d/pandora-gate.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/pandora-gate.conf
	for m in doc/man/*.[1-8]; do \
	    install -D -m 0644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done

clean: ## remove the build directory
	rm -rf $(BUILD)

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
