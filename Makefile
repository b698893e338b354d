# The few commands that people type; the work is done by CMake (CMakeLists.txt) and scripts/.
BUILD ?= build
JOBS ?= $(shell nproc)
IMAGES ?=
DEMO ?=
CLINIC ?=
PORT ?=
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: all install uninstall run images test quick bench fuzz lint format packages packages-test packages-dev clean

all: packages
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@ninja -C $(BUILD) -j $(JOBS) $$([ -t 1 ] || echo --quiet) rehascope # on a terminal: how far it is

# Program, models, guidelines, man page, guides and systemd service into PREFIX, below DESTDIR. After `make`.
install uninstall:
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" scripts/install.sh $(BUILD) $@

# The clinic in a browser, http://127.0.0.1:8080. DEMO=1: with generated patients; CLINIC=folder of the records; PORT=N.
run: all
	@DEMO="$(DEMO)" CLINIC="$(CLINIC)" PORT="$(PORT)" scripts/run.sh $(BUILD)/rehascope

# Images on the command line: IMAGES="a.dcm folder/", else sample radiographs, else generated phantoms.
images: all
	@scripts/images.sh $(BUILD)/rehascope $(IMAGES)

# Everything: installs what is missing, Release and sanitized builds, all tests.
test: packages-test
	@scripts/test.sh

# The unit tests of an existing Release build only.
quick: packages-test
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null && ninja -C $(BUILD) -j $(JOBS) && ctest --test-dir $(BUILD) --output-on-failure -E e2e

bench: all packages-test
	@scripts/bench.sh $(BUILD)

# libFuzzer on every parser of foreign bytes; SECONDS_EACH=N (default 60).
fuzz: packages-dev
	@scripts/fuzz.sh

lint: packages-dev
	@scripts/lint.sh

format: packages-dev
	@clang-format -i $$(git ls-files 'src/*.c' 'src/*.h' 'src/*.cc' 'tests/*.c' 'tests/*.h' 'bench/*.c' 'fuzz/*.c')

packages:
	@scripts/install-packages.sh

packages-test:
	@scripts/install-packages.sh scripts/packages.txt scripts/packages-test.txt

packages-dev:
	@scripts/install-packages.sh scripts/packages.txt scripts/packages-test.txt scripts/packages-dev.txt

clean:
	@rm -rf $(BUILD) build-san build-fuzz out
