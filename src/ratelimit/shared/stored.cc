// What Redis has of a bucket, for who only looks: the bytes that rows.lua
// writes.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ratelimit/base/bytes.h"
#include "ratelimit/shared/wire.h"

namespace ratelimit {

namespace {

// kind, last, used, held, next, wants, active, reset and closed; then a
// window's end or how long the debt lasted then.
constexpr size_t kHeadLen = 38;
constexpr size_t kResetAt = 32;
constexpr size_t kWindowHeadLen = 44;
constexpr size_t kDebtHeadLen = 46;

constexpr size_t kRowLen = 36;
constexpr size_t kRowHeld = 19;
constexpr size_t kRowEnd = 26;
constexpr size_t kRowCharged = 35;

struct Stored {
  unsigned width;  // of a sliding bucket's counts
  uint64_t last_ms;
  uint64_t used_units;
  const unsigned char* head;
  const unsigned char* rows;
  const unsigned char* end;
};

bool read_stored(rl_algorithm_e algorithm, const unsigned char* value,
                 size_t len, Stored* out) {
  if (len < kHeadLen || value[0] / 16 != algorithm) return false;
  out->width = value[0] % 16;
  if (out->width != 2 && out->width != 4 && out->width != kUnitsLen) {
    return false;
  }
  size_t head = kWindowHeadLen;
  if (algorithm == RL_SLIDING) head = kHeadLen + kWireSlots * out->width;
  if (algorithm == RL_GCRA) head = kDebtHeadLen;
  if (len < head || (len - head) % kRowLen != 0) return false;
  out->last_ms = load_few(value + 1, 6);
  out->used_units = load_few(value + 7, kUnitsLen);
  out->head = value;
  out->rows = value + head;
  out->end = value + len;
  return true;
}

// Slots are sixteenths of the window, numbered since 1970.
uint64_t slot_of(uint64_t ms, const rl_item_t& item) {
  return 16 * ms / item.quota.window_ms;
}

uint64_t sliding_units(const Stored& stored, const rl_item_t& item,
                       uint64_t now_ms) {
  const uint64_t newest = slot_of(stored.last_ms, item);
  const uint64_t now = slot_of(now_ms, item);
  uint64_t units = 0;
  for (uint64_t back = 0; back < kWireSlots && back <= newest; ++back) {
    const uint64_t slot = newest - back;
    if (slot + kWireSlots <= now) break;
    units +=
        load_few(stored.head + kHeadLen + slot % kWireSlots * stored.width,
                 stored.width);
  }
  return units;
}

uint64_t debt_units(const Stored& stored, const rl_item_t& item,
                    uint64_t now_ms) {
  double lasted_ms;
  const uint64_t bits = load_le64(stored.head + kHeadLen);
  std::memcpy(&lasted_ms, &bits, sizeof(lasted_ms));
  const double debt_ms =
      lasted_ms - static_cast<double>(now_ms - stored.last_ms);
  if (!(debt_ms > 0)) return 0;
  const double units =
      std::ceil(debt_ms * static_cast<double>(item.quota.units) /
                static_cast<double>(item.quota.window_ms));
  return static_cast<uint64_t>(
      std::min(units, static_cast<double>(item.capacity_units)));
}

}  // namespace

}  // namespace ratelimit

int rl_shared_bucket(const rl_item_t* item, const unsigned char* value,
                     size_t len, uint64_t now_ms,
                     rl_shared_bucket_t* out) noexcept {
  const rl_algorithm_e algorithm = item->policy->algorithm;
  ratelimit::Stored stored;
  if (item->quota.window_ms == 0 ||
      !ratelimit::read_stored(algorithm, value, len, &stored)) {
    return RL_ERROR;
  }
  *out = {};
  // Which begins anew with the next request.
  if (item->reset > ratelimit::load_few(value + ratelimit::kResetAt, 6) / 2 &&
      now_ms < item->reset) {
    return RL_OK;
  }
  now_ms = std::max(now_ms, stored.last_ms);
  const bool has_window = algorithm == RL_FIXED || algorithm == RL_CALENDAR;
  const bool over =
      has_window &&
      ratelimit::load_few(value + ratelimit::kHeadLen, 6) <= now_ms;
  if (algorithm == RL_SLIDING) {
    out->used_units = ratelimit::sliding_units(stored, *item, now_ms);
  } else if (algorithm == RL_GCRA) {
    out->used_units = ratelimit::debt_units(stored, *item, now_ms);
  } else if (!over) {
    out->used_units = stored.used_units;
  }
  for (const auto* row = stored.rows; row < stored.end;
       row += ratelimit::kRowLen) {
    const uint64_t held =
        ratelimit::load_few(row + ratelimit::kRowHeld, ratelimit::kUnitsLen);
    const uint64_t end_ms = ratelimit::load_few(row + ratelimit::kRowEnd, 6);
    out->rows++;
    // What a lease that is over held is among the used units, once anybody has
    // asked since.
    if (over || row[ratelimit::kRowCharged] != 0) continue;
    if (end_ms > now_ms) {
      out->held_units += held;
    } else if (has_window || end_ms + item->quota.window_ms > now_ms) {
      out->used_units += held;
    }
  }
  return RL_OK;
}
