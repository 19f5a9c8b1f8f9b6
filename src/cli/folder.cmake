# Parsing a command line wants no speed, and CLI11, all headers, takes most of the compiler's time: read once, optimized less.
target_compile_options(assay_cli PRIVATE -O1)
target_precompile_headers(assay_cli PRIVATE ${dir}/command.h)
