// The codes of everything that the compiler can say about definitions. A code never changes its meaning and is never used
// again for another; docs/diagnostics.md is made from this table, and a test holds it, the page and the examples in
// tests/golden/ together.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hcrc::compiler {

enum class Severity : std::uint8_t { error, warning };

enum class Code : std::uint8_t {
  // Files.
  syntax_error,
  too_deep,
  bad_utf8,
  file_too_big,
  not_a_file,
  bad_file_name,
  defined_twice,
  no_service,
  too_many_services,
  too_large,
  // Keys and their values.
  unknown_key,
  unknown_table,
  wrong_type,
  missing_unit,
  bad_quantity,
  out_of_range,
  unknown_choice,
  duplicate,
  empty_value,
  unusable_text,
  bad_variable,
  bad_address,
  bad_signal,
  unknown_capability,
  bad_variable_name,
  bad_umask,
  bad_instance_name,
  // One service.
  missing_command,
  missing_contents,
  key_of_another_type,
  two_ready_checks,
  two_health_checks,
  contradictory_exit_code,
  max_delay_below_delay,
  exhausted_under_unlimited,
  contradictory_limit,
  contradictory_condition,
  // What connects services.
  unknown_service,
  depends_on_itself,
  cycle,
  bad_log_target,
  several_producers,
  no_such_instances,
  ready_descriptor_taken,
  // Warnings.
  stray_file,
  stop_too_long,
  no_path,
  secret_in_definition,
  no_effect,
  overrides_nothing,
  shared_lock,
  shell_variable,
  unused_bundle,
  unreachable_order,
  essential_never_ends,
};

struct CodeRow {
  Code code;
  std::string_view id;           // "E001"
  std::string_view title;        // one line
  std::string_view explanation;  // paragraphs of Markdown
};

// All of them, in the order of the enumeration and of their ids.
std::span<const CodeRow> diagnostic_codes();
const CodeRow& row(Code code);
Severity severity(Code code);
std::optional<Code> find_code(std::string_view id);

// What --explain prints.
std::string explain(Code code);
// docs/diagnostics.md.
std::string diagnostics_page();

}  // namespace hcrc::compiler
