#include "base/byte_reader.h"

namespace assay {

void ByteReader::expect(uint64_t n_records, uint64_t record_bytes, std::string_view item) const {
  if (n_records > left() / record_bytes)
    throw Truncated(place(item), std::to_string(n_records) + " entries of at least " +
                                     std::to_string(record_bytes) + " bytes each do not fit in the " +
                                     std::to_string(left()) + " bytes left");
}

void ByteReader::refuse(uint64_t n_bytes, std::string_view item) const {
  throw Truncated(place(item), "needs " + std::to_string(n_bytes) + " bytes, the file has " +
                                   std::to_string(left()) + " left");
}

}  // namespace assay
