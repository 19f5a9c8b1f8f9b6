# Flags of the instruction sets: each file of kernels/ is compiled for its own.
# With sanitizers the vector sets are checked for addresses only, which keeps their compilation to a minute; what else could be wrong in the
# kernels is the same code in generic.cpp.
set(vector_flags "-O3;-fno-exceptions")
if(ASSAY_SANITIZE)
  set(vector_flags "-O1;-fno-exceptions;-fno-sanitize=undefined")
endif()
set_source_files_properties(${dir}/kernels/generic.cpp PROPERTIES COMPILE_OPTIONS "-O2;-fno-exceptions")
set_source_files_properties(${dir}/kernels/avx2.cpp PROPERTIES COMPILE_OPTIONS "${vector_flags};-mavx2;-mfma;-mf16c")
set(avx512_flags "${vector_flags};-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512vnni;-mfma;-mf16c;-mprefer-vector-width=512")
set_source_files_properties(${dir}/kernels/avx512.cpp PROPERTIES COMPILE_OPTIONS "${avx512_flags}")
set_source_files_properties(${dir}/kernels/avx512vbmi.cpp PROPERTIES COMPILE_OPTIONS "${avx512_flags};-mavx512vbmi")
set_source_files_properties(${dir}/kernels/avx512bf16.cpp PROPERTIES COMPILE_OPTIONS "${avx512_flags};-mavx512bf16")
