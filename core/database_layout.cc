// The places of all members, as docs/database.md tells them. Whoever moves a member is stopped here: a file that was written
// with the old places needs another format version, and the document has to follow.
#include <cstddef>
#include <type_traits>

#include "core/database.h"

namespace hcrc::format {

namespace {

// No byte of a record is padding that the compiler has put in: every byte is told in the document and checked by the reader.
template <typename... Record>
constexpr bool without_gaps = (std::has_unique_object_representations_v<Record> && ...);

static_assert(without_gaps<Range, StringRef, TableEntry, Header, PieceRecord, TemplateRecord, EnvironmentRecord,
                           ConditionRecord, LimitRecord, EdgeRecord, ServiceRecord>);

static_assert(sizeof(Range) == 8);
static_assert(offsetof(Range, first) == 0);
static_assert(offsetof(Range, count) == 4);

static_assert(sizeof(StringRef) == 8);
static_assert(offsetof(StringRef, offset) == 0);
static_assert(offsetof(StringRef, length) == 4);

static_assert(sizeof(TableEntry) == 16);
static_assert(offsetof(TableEntry, offset) == 0);
static_assert(offsetof(TableEntry, count) == 8);
static_assert(offsetof(TableEntry, record_bytes) == 12);

static_assert(sizeof(Header) == 232);
static_assert(offsetof(Header, magic) == 0);
static_assert(offsetof(Header, version) == 8);
static_assert(offsetof(Header, header_bytes) == 12);
static_assert(offsetof(Header, file_bytes) == 16);
static_assert(offsetof(Header, checksum) == 24);
static_assert(offsetof(Header, build_id) == 32);
static_assert(offsetof(Header, table) == 40);
static_assert(offsetof(Header, stop_deadline_ms) == 200);
static_assert(offsetof(Header, history) == 208);
static_assert(offsetof(Header, socket_group) == 216);
static_assert(offsetof(Header, history_set) == 224);
static_assert(offsetof(Header, socket_group_set) == 225);
static_assert(offsetof(Header, padding) == 226);

static_assert(sizeof(PieceRecord) == 20);
static_assert(offsetof(PieceRecord, kind) == 0);
static_assert(offsetof(PieceRecord, text) == 4);
static_assert(offsetof(PieceRecord, fallback) == 12);

static_assert(sizeof(TemplateRecord) == 8);
static_assert(offsetof(TemplateRecord, pieces) == 0);

static_assert(sizeof(EnvironmentRecord) == 16);
static_assert(offsetof(EnvironmentRecord, name) == 0);
static_assert(offsetof(EnvironmentRecord, value) == 8);

static_assert(sizeof(ConditionRecord) == 20);
static_assert(offsetof(ConditionRecord, kind) == 0);
static_assert(offsetof(ConditionRecord, name) == 4);
static_assert(offsetof(ConditionRecord, value) == 12);

static_assert(sizeof(LimitRecord) == 24);
static_assert(offsetof(LimitRecord, kind) == 0);
static_assert(offsetof(LimitRecord, soft) == 8);
static_assert(offsetof(LimitRecord, hard) == 16);

static_assert(sizeof(EdgeRecord) == 8);
static_assert(offsetof(EdgeRecord, service) == 0);
static_assert(offsetof(EdgeRecord, kinds) == 4);

static_assert(sizeof(ServiceRecord) == 448);
static_assert(offsetof(ServiceRecord, name) == 0);
static_assert(offsetof(ServiceRecord, description) == 8);
static_assert(offsetof(ServiceRecord, instance) == 16);
static_assert(offsetof(ServiceRecord, command) == 24);
static_assert(offsetof(ServiceRecord, contents) == 32);
static_assert(offsetof(ServiceRecord, edges) == 40);
static_assert(offsetof(ServiceRecord, dependents) == 48);
static_assert(offsetof(ServiceRecord, environment) == 56);
static_assert(offsetof(ServiceRecord, environment_files) == 64);
static_assert(offsetof(ServiceRecord, conditions) == 72);
static_assert(offsetof(ServiceRecord, limits) == 80);
static_assert(offsetof(ServiceRecord, groups) == 88);
static_assert(offsetof(ServiceRecord, ready_command) == 96);
static_assert(offsetof(ServiceRecord, health_command) == 104);
static_assert(offsetof(ServiceRecord, stop_command) == 112);
static_assert(offsetof(ServiceRecord, cleanup) == 120);
static_assert(offsetof(ServiceRecord, lock) == 128);
static_assert(offsetof(ServiceRecord, user) == 132);
static_assert(offsetof(ServiceRecord, group) == 136);
static_assert(offsetof(ServiceRecord, directory) == 140);
static_assert(offsetof(ServiceRecord, stdin_file) == 144);
static_assert(offsetof(ServiceRecord, ready_address) == 148);
static_assert(offsetof(ServiceRecord, health_address) == 152);
static_assert(offsetof(ServiceRecord, level) == 156);
static_assert(offsetof(ServiceRecord, stdin_text) == 160);
static_assert(offsetof(ServiceRecord, timeout_ms) == 168);
static_assert(offsetof(ServiceRecord, ready_interval_ms) == 176);
static_assert(offsetof(ServiceRecord, ready_timeout_ms) == 184);
static_assert(offsetof(ServiceRecord, health_interval_ms) == 192);
static_assert(offsetof(ServiceRecord, health_timeout_ms) == 200);
static_assert(offsetof(ServiceRecord, watchdog_ms) == 208);
static_assert(offsetof(ServiceRecord, restart_delay_ms) == 216);
static_assert(offsetof(ServiceRecord, restart_max_delay_ms) == 224);
static_assert(offsetof(ServiceRecord, restart_reset_after_ms) == 232);
static_assert(offsetof(ServiceRecord, restart_hold_ms) == 240);
static_assert(offsetof(ServiceRecord, stop_timeout_ms) == 248);
static_assert(offsetof(ServiceRecord, schedule_every_ms) == 256);
static_assert(offsetof(ServiceRecord, schedule_jitter_ms) == 264);
static_assert(offsetof(ServiceRecord, capabilities) == 272);
static_assert(offsetof(ServiceRecord, memory_max) == 280);
static_assert(offsetof(ServiceRecord, cpu_max_quota_us) == 288);
static_assert(offsetof(ServiceRecord, cpu_max_period_us) == 296);
static_assert(offsetof(ServiceRecord, pids_max) == 304);
static_assert(offsetof(ServiceRecord, success_codes) == 312);
static_assert(offsetof(ServiceRecord, permanent_codes) == 344);
static_assert(offsetof(ServiceRecord, restart_attempts) == 376);
static_assert(offsetof(ServiceRecord, restart_factor_milli) == 380);
static_assert(offsetof(ServiceRecord, restart_jitter_milli) == 384);
static_assert(offsetof(ServiceRecord, health_failures) == 388);
static_assert(offsetof(ServiceRecord, ready_fd) == 392);
static_assert(offsetof(ServiceRecord, oom_score_adj) == 396);
static_assert(offsetof(ServiceRecord, nice) == 400);
static_assert(offsetof(ServiceRecord, umask) == 404);
static_assert(offsetof(ServiceRecord, type) == 408);
static_assert(offsetof(ServiceRecord, ready_kind) == 409);
static_assert(offsetof(ServiceRecord, health_kind) == 410);
static_assert(offsetof(ServiceRecord, restart_policy) == 411);
static_assert(offsetof(ServiceRecord, exhausted) == 412);
static_assert(offsetof(ServiceRecord, stop_signal) == 413);
static_assert(offsetof(ServiceRecord, autostart) == 414);
static_assert(offsetof(ServiceRecord, essential) == 415);
static_assert(offsetof(ServiceRecord, stop_timeout_written) == 416);
static_assert(offsetof(ServiceRecord, environment_clear) == 417);
static_assert(offsetof(ServiceRecord, no_new_privileges) == 418);
static_assert(offsetof(ServiceRecord, at_start) == 419);
static_assert(offsetof(ServiceRecord, resources_required) == 420);
static_assert(offsetof(ServiceRecord, groups_set) == 421);
static_assert(offsetof(ServiceRecord, stdin_text_set) == 422);
static_assert(offsetof(ServiceRecord, nice_set) == 423);
static_assert(offsetof(ServiceRecord, oom_score_adj_set) == 424);
static_assert(offsetof(ServiceRecord, capabilities_set) == 425);
static_assert(offsetof(ServiceRecord, padding) == 426);
static_assert(offsetof(ServiceRecord, hash_runs) == 432);
static_assert(offsetof(ServiceRecord, hash_looked_after) == 440);

}  // namespace

}  // namespace hcrc::format
