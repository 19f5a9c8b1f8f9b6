#include "runtime/memory_use.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#if defined(__APPLE__)
#include <mach/mach.h>
#endif

namespace assay {

uint64_t physical_memory_bytes() noexcept {
  const long n_pages = ::sysconf(_SC_PHYS_PAGES), page_bytes = ::sysconf(_SC_PAGESIZE);
  return n_pages > 0 && page_bytes > 0 ? uint64_t(n_pages) * uint64_t(page_bytes) : 0;
}

uint64_t resident_bytes() noexcept {
#if defined(__APPLE__)
  mach_task_basic_info info{};
  mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
  const auto target = reinterpret_cast<task_info_t>(&info);
  return task_info(mach_task_self(), MACH_TASK_BASIC_INFO, target, &count) == KERN_SUCCESS
             ? info.resident_size
             : 0;
#else
  std::FILE* file = std::fopen("/proc/self/statm", "r");  // pages: virtual, resident, ...
  if (!file) return 0;
  unsigned long long n_virtual = 0, n_resident = 0;
  const int n_read = std::fscanf(file, "%llu %llu", &n_virtual, &n_resident);
  std::fclose(file);
  return n_read == 2 ? uint64_t(n_resident) * uint64_t(::sysconf(_SC_PAGESIZE)) : 0;
#endif
}

uint64_t peak_resident_bytes() noexcept {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#if defined(__APPLE__)
  return uint64_t(usage.ru_maxrss);
#else
  return uint64_t(usage.ru_maxrss) * 1024;
#endif
}

}  // namespace assay
