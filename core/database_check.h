// What has to be true of the records of a database before anybody works with them: all that the compiler guarantees.
//
// The check walks the records in the order in which they are written (core/database.h) with one cursor for each table. A
// range has to begin at its table's cursor, which then stands behind it; at the end every cursor stands at its table's end.
// That bounds every range, forbids overlaps, leaves no record unused, and makes the walk linear.
#pragma once

#include <optional>
#include <string>

#include "core/database.h"

namespace hcrc {

// Both want the header and the table entries to have been checked; the second also wants the first to have found nothing.
// What they find is the last part of a sentence, as "service web: it has an edge to itself".
[[nodiscard]] std::optional<std::string> problem_of_records(const Database& database);
[[nodiscard]] std::optional<std::string> problem_of_hashes(const Database& database);

}  // namespace hcrc
