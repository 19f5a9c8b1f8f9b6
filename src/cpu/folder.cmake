# Flags of the instruction sets: each file of kernels/ is compiled for its own, and is empty on other processors.
# With sanitizers the vector sets are checked for addresses only, which keeps their compilation to a minute; what else could be wrong in the
# kernels is the same code in generic.cpp.
set(vector_flags "-O3;-fno-exceptions")
set(generic_flags "-O2;-fno-exceptions")
if(ASSAY_SANITIZE)
  set(vector_flags "-O1;-fno-exceptions;-fno-sanitize=undefined")
  if(ASSAY_SANITIZE MATCHES address AND CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    list(APPEND vector_flags -mllvm -asan-instrumentation-with-call-threshold=0)  # checks as calls: a third of the time to compile
  endif()
endif()
if(ASSAY_FUZZ)
  list(APPEND vector_flags -fno-sanitize=fuzzer-no-link)  # no fuzzer reaches them
  list(APPEND generic_flags -fno-sanitize=fuzzer-no-link)
endif()
set_source_files_properties(${dir}/kernels/generic.cpp PROPERTIES COMPILE_OPTIONS "${generic_flags}")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set_source_files_properties(${dir}/kernels/avx2.cpp PROPERTIES COMPILE_OPTIONS "${vector_flags};-mavx2;-mfma;-mf16c")
  set(avx512_flags "${vector_flags};-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512vnni;-mfma;-mf16c;-mprefer-vector-width=512")
  set_source_files_properties(${dir}/kernels/avx512.cpp PROPERTIES COMPILE_OPTIONS "${avx512_flags}")
  set_source_files_properties(${dir}/kernels/avx512vbmi.cpp PROPERTIES COMPILE_OPTIONS "${avx512_flags};-mavx512vbmi")
  set_source_files_properties(${dir}/kernels/avx512bf16.cpp PROPERTIES COMPILE_OPTIONS "${avx512_flags};-mavx512bf16")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set_source_files_properties(${dir}/kernels/neon.cpp PROPERTIES COMPILE_OPTIONS "${vector_flags};-march=armv8.2-a+dotprod")
endif()
