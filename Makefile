# The few commands that people type; the work is done by CMake (CMakeLists.txt) and scripts/.
BUILD ?= build
JOBS ?= $(shell nproc)
IMAGES ?=

.PHONY: all run test quick bench fuzz lint format packages clean

all: packages
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@ninja -C $(BUILD) -j $(JOBS) --quiet rehascope

# The main job on images: IMAGES="a.dcm folder/", else sample radiographs, else generated phantoms.
run: all
	@scripts/run.sh $(BUILD)/rehascope $(IMAGES)

# Everything: installs what is missing, Release and sanitized builds, all tests.
test: packages
	@scripts/test.sh

# The unit tests of an existing Release build only.
quick:
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null && ninja -C $(BUILD) -j $(JOBS) && ctest --test-dir $(BUILD) --output-on-failure -E e2e

bench: all
	@scripts/bench.sh $(BUILD)

# libFuzzer on every parser of foreign bytes; SECONDS each (default 60).
fuzz:
	@scripts/install-packages.sh scripts/packages-dev.txt
	@scripts/fuzz.sh

lint:
	@scripts/install-packages.sh scripts/packages-dev.txt
	@scripts/lint.sh

format:
	@clang-format -i $$(git ls-files 'src/*.c' 'src/*.h' 'src/*.cc' 'tests/*.c' 'tests/*.h' 'bench/*.c' 'fuzz/*.c')

packages:
	@scripts/install-packages.sh

clean:
	@rm -rf $(BUILD) build-san build-fuzz out
