#include "ratelimit/shared/sizing.h"

#include <algorithm>
#include <cmath>

namespace ratelimit {

namespace {

constexpr uint64_t kMaxLeaseMs = 15000;
constexpr uint64_t kMaxWant = 0xffffff;

// Uses in a lease's life: from so many on it borrows, and below it stops.
constexpr double kEnterUnits = 4;
constexpr double kLeaveUnits = 2;

// Units used for a request, on average: below it does not pay, for a while.
constexpr float kStartYield = 3;
constexpr float kMinYield = 1.5F;
constexpr float kYieldWeight = 0.1F;
constexpr uint64_t kPauseLives = 8;

// A lease that ends with so many unused, of a scarce quota, goes back.
constexpr uint32_t kGivenBackUnits = 3;

// From so many on a grant is worth a renewal before all of it is used.
constexpr uint32_t kRenewedUnits = 4;

uint64_t shortest_ms(const rl_lease_send_t& send) {
  return send.rtt_us / 250 + 20;
}

// Units that those who wait lack, by the first of them who lacks any, and in
// all.
void count_waits(const rl_lease_s& lease, uint64_t keep, WireRequest* out) {
  uint64_t sum = 0;
  for (const rl_waiter_t* w = lease.first; w != nullptr; w = w->next) {
    sum += w->units;
    if (sum > keep) {
      out->need_units = sum - keep;
      break;
    }
  }
  const uint64_t waits =
      lease.waits_units > keep ? lease.waits_units - keep : 0;
  out->waits_units = std::min<uint64_t>(waits, RL_MAX_UNITS);
}

// Whether it borrows, by what was used since the last request.
void decide_borrowing(Row* row, uint64_t waits_units, uint64_t life_ms,
                      uint64_t now_us) {
  Borrowing* b = &row->borrowing;
  const double elapsed_ms =
      std::max(1.0, static_cast<double>(now_us - row->sent_us) / 1000);
  const auto units = static_cast<double>(b->recent_units + waits_units);
  const double weight =
      std::min(1.0, elapsed_ms / static_cast<double>(life_ms) + 0.3);
  b->rate_per_ms = static_cast<float>(b->rate_per_ms * (1 - weight) +
                                      units / elapsed_ms * weight);
  const double expected = b->rate_per_ms * static_cast<double>(life_ms);
  if (now_us < b->not_before_us) {
    b->active = false;
  } else if (expected >= kEnterUnits) {
    if (!b->active) b->yield_units = kStartYield;
    b->active = true;
  } else if (expected < kLeaveUnits) {
    b->active = false;
  }
  if (!b->active) return;
  b->yield_units +=
      kYieldWeight * (static_cast<float>(b->recent_units) - b->yield_units);
  if (b->yield_units < kMinYield) {
    b->active = false;
    b->not_before_us = now_us + kPauseLives * life_ms * 1000;
  }
}

bool ends_soon(const Row& row, uint64_t now_us) {
  const uint64_t check_us = row.borrowing.check_us;
  return check_us != 0 && now_us >= check_us && in_hand(row, now_us) > 0;
}

uint64_t expected_units(const Row& row, uint64_t life_ms) {
  const double units =
      std::ceil(static_cast<double>(row.borrowing.rate_per_ms) *
                static_cast<double>(life_ms));
  return units < static_cast<double>(kMaxWant) ? static_cast<uint64_t>(units)
                                               : kMaxWant;
}

// What those who wait lack, here and in other processes.
void set_waits(rl_lease_s* lease, Row* row, WireRequest* out) {
  const uint64_t more =
      row->more_units - std::min(row->more_units, lease->more_units);
  if (lease->first != nullptr) count_waits(*lease, out->keep_units, out);
  out->waits_units = std::min<uint64_t>(out->waits_units + more, RL_MAX_UNITS);
  row->more_units = 0;
  row->reserved_units = more;
  lease->more_units = 0;
}

uint64_t kept_units(const Row& row, bool waited_for, bool ends,
                    bool given_back, uint64_t expected, uint64_t now_us) {
  if (!waited_for && (!row.borrowing.active || given_back)) return 0;
  const uint64_t units = in_hand(row, now_us);
  return ends ? std::min(units, expected) : units;
}

}  // namespace

bool is_in_use(const Row& row) {
  return static_cast<double>(row.borrowing.recent_units) >= kLeaveUnits;
}

uint64_t longest_ms(const Row& row, const rl_lease_send_t& send) {
  return std::min(std::max(row.terms.window_ms / 16, shortest_ms(send)),
                  kMaxLeaseMs);
}

void size_request(rl_lease_s* lease, Row* row, const rl_lease_send_t& send,
                  WireRequest* out) {
  Borrowing* b = &row->borrowing;
  const uint64_t life_ms = longest_ms(*row, send);
  const bool waited_for = !lease->ends && is_waited_for(*row, send.now_us);
  const bool ends = ends_soon(*row, send.now_us) && !waited_for;
  const bool given_back = ends && !is_in_use(*row);
  const uint64_t recent = b->recent_units;
  if (b->allowed && !send.exiting && !lease->ends) {
    decide_borrowing(row, lease->waits_units, life_ms, send.now_us);
  } else {
    b->active = false;
  }
  const uint64_t expected = expected_units(*row, life_ms);
  const uint64_t keep =
      kept_units(*row, waited_for, ends, given_back, expected, send.now_us);
  out->keep_units = keep;
  if (!lease->ends && !send.closed) set_waits(lease, row, out);
  uint64_t want = 0;
  if (b->active && !given_back && !send.closed) {
    // Not at once as much as it may use: twice what it had or used.
    const uint64_t most =
        2 * std::max<uint64_t>(
                {row->granted_units, recent + lease->waits_units, 1});
    want = std::min<uint64_t>(expected, most);
    want = want > keep ? want - keep : 0;
  }
  out->want_units = static_cast<uint32_t>(std::min<uint64_t>(
      std::max<uint64_t>(want, out->waits_units), kMaxWant));
  out->longest_ms = b->active ? static_cast<uint32_t>(life_ms) : send.life_ms;
  out->shortest_ms = static_cast<uint16_t>(
      std::min<uint64_t>({out->longest_ms, shortest_ms(send), UINT16_MAX}));
  row->left_units = keep;
  b->recent_units = 0;
  b->low_units = 0;
  b->check_us = 0;
  b->margin_us = 3 * send.rtt_us;
}

void size_reply(Row* row, uint64_t now_us) {
  Borrowing* b = &row->borrowing;
  if (!b->active || in_hand(*row, now_us) == 0) return;
  if (row->left_until_us > now_us + b->margin_us) {
    // As early as the wheel is.
    b->check_us = (row->left_until_us - b->margin_us) >>
                  kWheelTickShift << kWheelTickShift;
  }
  if (row->granted_units >= kRenewedUnits) {
    const double used = std::ceil(static_cast<double>(b->rate_per_ms) *
                                  static_cast<double>(b->margin_us) / 1000);
    const uint64_t half = row->granted_units / 2;
    b->low_units = used < static_cast<double>(half)
                       ? std::max<uint64_t>(1, static_cast<uint64_t>(used))
                       : half;
  }
}

bool is_renewed(const Row& row, uint64_t now_us) {
  const Borrowing& b = row.borrowing;
  if (!b.active) return row.left_units > 0;
  if (row.left_units <= b.low_units && b.low_units > 0) {
    return now_us >= row.refused_until_us;
  }
  if (!ends_soon(row, now_us)) return false;
  return is_in_use(row) ||
         (row.left_units >= kGivenBackUnits &&
          row.free_units < static_cast<int64_t>(limit_of(row) / 2));
}

}  // namespace ratelimit
