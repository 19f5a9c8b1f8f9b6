# The front door. `make demo` and `make test` do everything on a fresh Debian 12 machine.
BUILD ?= build
CMAKE_FLAGS ?=

.PHONY: demo test build tidy packages clean
demo: build
	$(BUILD)/assay run models/tales-6m-f16.gguf "Once upon a time" -n 200 --seed 7 --stats

test: build
	scripts/test.sh $(BUILD)

build: packages $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja: | packages
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS)

packages:
	@scripts/install-packages.sh

# clang-tidy over everything; slower than the tests.
tidy: build
	run-clang-tidy -quiet -p $(BUILD) '/(src|tests)/.*\.cpp$$'

clean:
	rm -rf $(BUILD) build-fuzz build-tsan
