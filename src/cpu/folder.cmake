# Flags of the instruction sets: each file of kernels/ is compiled for its own.
set_source_files_properties(${dir}/kernels/generic.cpp PROPERTIES COMPILE_OPTIONS "-O2;-fno-exceptions")
set_source_files_properties(${dir}/kernels/avx2.cpp PROPERTIES COMPILE_OPTIONS "-O3;-fno-exceptions;-mavx2;-mfma;-mf16c")
set_source_files_properties(${dir}/kernels/avx512.cpp PROPERTIES COMPILE_OPTIONS
  "-O3;-fno-exceptions;-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512vnni;-mfma;-mf16c;-mprefer-vector-width=512")
