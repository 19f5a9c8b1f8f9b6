# The front door. `make demo` and `make test` do everything on a fresh Debian 12 machine.
BUILD ?= build
CMAKE_FLAGS ?=

.PHONY: demo test build tidy packages clean
# The embedded model tells a story; then it is quantized four times; the files are measured, and judged.
MODEL = models/tales-6m-f16
DEMO_TYPES = q8_0 q6_k q5_k_m q4_k_m
demo: build
	$(BUILD)/assay run $(MODEL).gguf "Once upon a time" -n 200 --seed 7 --stats
	@mkdir -p $(BUILD)/demo
	@for type in $(DEMO_TYPES); do $(BUILD)/assay quantize $(MODEL).gguf $(BUILD)/demo/tales-6m-$$type.gguf $$type >/dev/null || exit; done
	$(BUILD)/assay perplexity $(MODEL).gguf models/tales-sample.txt -c 256 --chunks 20 --compare $(DEMO_TYPES:%=$(BUILD)/demo/tales-6m-%.gguf) --plot $(BUILD)/demo/quality.html
	$(BUILD)/assay compare $(MODEL).gguf $(DEMO_TYPES:%=$(BUILD)/demo/tales-6m-%.gguf) --report $(BUILD)/demo/compare.html

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
	rm -rf $(BUILD) build-fuzz build-tsan build-aarch64
