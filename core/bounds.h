// Every bound of hcrc in one place. What is not bounded here is bounded by something that is.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hcrc::bounds {

// The language and the database (contract, section 4).
inline constexpr std::size_t name_bytes = 63;               // a service's name
inline constexpr std::size_t source_file_bytes = 1u << 20;  // one .toml file
inline constexpr std::size_t services = 65'536;
inline constexpr std::size_t database_bytes = 64u << 20;
inline constexpr std::size_t stdin_bytes = 64u << 10;  // [stdin] text or file
inline constexpr std::int64_t duration_ms =
    315'360'000'000;  // ten years: sums of a few hundred still fit 64 bits of nanoseconds
inline constexpr std::uint32_t attempts = 1'000'000;
inline constexpr std::int64_t pids_max = 4'194'304;             // the most that pid_max may be (proc_sys_kernel(5))
inline constexpr std::uint64_t cpu_quota_us_min = 1'000;        // what the kernel takes for cpu.max
inline constexpr std::uint64_t cpu_quota_us_max = 100'000'000;  // a thousand processors
inline constexpr std::uint64_t cpu_period_us_min = 1'000;
inline constexpr std::uint64_t cpu_period_us_max = 1'000'000;
inline constexpr std::uint32_t factor_milli_min = 1'000;
inline constexpr std::uint32_t factor_milli_max = 100'000;

// The runtime.
inline constexpr std::size_t report_text_bytes = 160;   // a name or reason that travels with an event
inline constexpr std::size_t story_line_bytes = 1'024;  // one line of the runtime's own
inline constexpr std::size_t status_text_bytes = 128;   // sd_notify STATUS=
inline constexpr std::size_t control_clients = 32;
inline constexpr std::size_t control_waiting = 24;               // of the clients, those whose request may wait
inline constexpr std::size_t control_line_bytes = 16u << 10;     // one request
inline constexpr std::size_t control_answer_bytes = 32u << 10;   // of an answer, not yet taken by the client
inline constexpr std::size_t control_description_bytes = 1'024;  // of a description in a status
inline constexpr std::size_t control_result_text_bytes = 512;
inline constexpr std::size_t lock_holder_bytes = 160;
inline constexpr std::size_t orphans_told = 32;       // by a status
inline constexpr std::size_t orphan_name_bytes = 64;  // a kernel's worker may have that many, others 15

}  // namespace hcrc::bounds
