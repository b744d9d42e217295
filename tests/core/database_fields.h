// Every field of every record of a database, with its place: what a test changes one by one.
#pragma once

#include <cstddef>
#include <vector>

#include "core/database.h"

namespace hcrc {

// One number in a record, or one byte of its padding.
struct RecordField {
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

// Each field once, in order, without a gap: a member that is forgotten here is found by the test that asks for that.
std::vector<RecordField> header_fields();
std::vector<RecordField> record_fields(format::Table table);

}  // namespace hcrc
