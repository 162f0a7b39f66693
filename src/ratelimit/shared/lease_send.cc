// What a lease says to Redis of its row.

#include "ratelimit/shared/lease.h"

#include <algorithm>

#include "ratelimit/algorithm/calendar.h"
#include "ratelimit/shared/sizing.h"

namespace ratelimit {

namespace {

// A row that Redis has dropped, since it was idle for so long, begins anew.
void begin_row(RowTable* rows, Row* row, uint64_t now_us) {
  row->id = rows->next_id.fetch_add(1);
  row->number = 0;
  row->sent_used = row->told_used = 0;
  row->used_units = row->owed_units = carried_units(*row, now_us);
  row->left_units = 0;
  row->window_end_ms = 0;
  row->back_units = 0;
  row->is_first = true;
  row->tells = false;
  row->told_sent_us = 0;
}

void set_calendar(const Row& row, uint64_t wall_ms, WireRequest* out) {
  const auto at = [&row](int64_t ms) {
    return calendar_window(ms < 0 ? 0 : static_cast<uint64_t>(ms),
                           row.terms.window_ms, row.terms.window_months,
                           row.terms.tz_ms);
  };
  Span window = at(static_cast<int64_t>(wall_ms));
  const auto now_ms = static_cast<int64_t>(wall_ms);
  // Redis's clock decides, which may stand on either side of this window.
  if (now_ms - window.begin_ms < window.end_ms - now_ms) {
    const Span before = at(window.begin_ms - 1);
    if (before.end_ms == window.begin_ms) window = before;
  }
  const auto positive = [](int64_t ms) {
    return ms < 0 ? 0 : static_cast<uint64_t>(ms);
  };
  out->begin_ms = positive(window.begin_ms);
  out->end_ms = positive(window.end_ms);
  out->next_end_ms = positive(at(window.end_ms).end_ms);
}

void set_telling(Row* row, uint64_t now_us, WireRequest* out) {
  out->flags |= kTellsAll;
  row->back_units = 0;  // which it does not tell
  // Redis has forgotten until when it was to hold what is kept.
  if (out->keep_units > 0) {
    const uint64_t rest_ms = (row->left_until_us - now_us) / 1000 + 1;
    out->longest_ms =
        std::max(out->longest_ms, static_cast<uint32_t>(rest_ms));
  }
  if (row->terms.algorithm == RL_GCRA) {
    const uint64_t gone_us = less_drift(now_us - row->told_sent_us + 1);
    const double gone_ms = static_cast<double>(gone_us) / 1000;
    const auto debt_ms = static_cast<double>(row->left_ms);
    out->debt_ms = debt_ms > gone_ms ? debt_ms - gone_ms : 0;
    out->used_since = row->used_units - row->told_used;
    return;
  }
  // Two slots younger than they are by this clock: where a slot begins, and
  // drift, make them at most so much younger.
  const uint64_t slot = now_us / slot_us(*row);
  advance(&row->own, slot);
  for (uint32_t back = 0; back < kWireSlots && back <= slot; ++back) {
    out->used_by_age[back < 2 ? 0 : back - 2] +=
        row->own.units[(slot - back) % kWireSlots];
  }
}

// A Redis that has lost it is told of it for as long as it counts.
bool is_over(const RowTable* rows, const Row& row,
             const rl_lease_send_t& send) {
  const uint64_t idle_ms = row.terms.window_ms + 2 * longest_ms(row, send);
  return row.told_sent_us != 0 &&
         send.now_us - row.told_sent_us > idle_ms * 1000 &&
         (!has_to_tell(rows, row) || is_past(row, send.now_us));
}

uint64_t ttl_of(const Row& row, uint64_t life_ms) {
  return remembered_ms(row) + 2 * life_ms + 1000;
}

void set_clock(Row* row, const rl_clock_t& clock, uint64_t now_us,
               WireRequest* out) {
  if (clock.at_us == 0) return;
  if (clock.set_us != 0 && row->told_sent_us != 0 &&
      row->told_us < clock.set_us && clock.old_at_us != 0) {
    out->flags |= kOldClock;
    out->latest_ms = latest_ms(clock.old_ahead_ms, clock.old_at_us, now_us);
    return;
  }
  out->latest_ms = latest_ms(clock.ahead_ms, clock.at_us, now_us);
}

// What is taken back.  How late the request comes is bounded only where the
// server's clock is known; what may have left by then is not taken back.
void set_back(Row* row, const rl_lease_send_t& send, WireRequest* out) {
  const uint64_t units = row->back_units;
  row->back_units = 0;
  if (units == 0 || out->latest_ms == 0 || (out->flags & kOldClock) != 0) {
    return;
  }
  const uint64_t age_us = send.now_us - row->back_since_us;
  const uint64_t age_ms =
      (age_us + age_us / 1024 + send.rtt_us) / 1000 + 2 + send.slack_ms;
  if (age_ms >= row->terms.window_ms && !has_window(*row)) return;
  out->flags |= kTakesBack;
  out->back_units = units;
  out->back_age_ms = age_ms;
}

void set_request(rl_lease_t* lease, Row* row, const rl_clock_t& clock,
                 const rl_lease_send_t& send, WireRequest* out) {
  size_request(lease, row, send, out);
  out->row = row->id;
  out->number = ++row->number;
  out->algorithm = static_cast<uint8_t>(row->terms.algorithm);
  out->window_ms = row->terms.window_ms;
  out->quota_units = row->terms.quota_units;
  out->capacity_units = row->terms.capacity_units;
  out->used_units = row->used_units;
  out->age_ms = row->last_use_us == 0
                    ? 0
                    : less_drift(send.now_us - row->last_use_us + 1) / 1000;
  out->flags = row->is_first ? kFirstRequest : 0;
  if (lease->ends) out->flags |= kLastRequest;
  out->slack_ms = send.slack_ms;
  out->window_end_ms = row->window_end_ms;
  out->reset = row->terms.reset;
  set_clock(row, clock, send.now_us, out);
  if (row->terms.algorithm == RL_CALENDAR) {
    const uint64_t wall_ms =
        clock.at_us == 0 ? send.wall_ms
                         : latest_ms(clock.ahead_ms, clock.at_us, send.now_us);
    set_calendar(*row, wall_ms, out);
  }
  if (has_to_tell(lease->owner->rows, *row)) {
    set_telling(row, send.now_us, out);
  } else {
    set_back(row, send, out);
  }
}

// The request is the row's last, until there is a reply.
void note_sent(rl_lease_t* lease, Row* row, const WireRequest& request,
               uint64_t now_us) {
  row->owes = false;
  row->sent_us = now_us;
  row->sent_used = row->used_units;
  row->sent_owed = row->owed_units;
  row->sent_need = request.need_units;
  row->sent_epoch = epoch_of(lease->owner->rows, row->name);
  row->is_sent = true;
  row->owner = lease->owner->process->owner;
  lease->number = row->number;
  lease->sent_us = now_us;
}

}  // namespace

}  // namespace ratelimit

size_t rl_lease_send(rl_lease_t* lease, const rl_clock_t* clock,
                     const rl_lease_send_t* send, unsigned char* buf,
                     uint64_t* ttl_ms) noexcept {
  if (lease->number != 0) return 0;
  ratelimit::Entry entry = ratelimit::enter(*lease);
  if (!entry.locked() ||
      (entry.row() != nullptr &&
       ratelimit::is_under_way(*lease->owner, *entry.row(), send->now_us))) {
    return 0;
  }
  ratelimit::Row* row =
      entry.make(lease->terms, lease->owner->borrow, send->now_us);
  if (row == nullptr) return 0;
  rl_lease_send_t at = *send;
  at.now_us = row->see(send->now_us);
  if (ratelimit::is_over(lease->owner->rows, *row, at)) {
    ratelimit::begin_row(lease->owner->rows, row, at.now_us);
  }
  if (row->sent_us == 0) row->since_us = at.now_us;
  ratelimit::note_waiting(lease, row, at.now_us);
  ratelimit::WireRequest request = {};
  ratelimit::set_request(lease, row, *clock, at, &request);
  ratelimit::note_sent(lease, row, request, at.now_us);
  *ttl_ms = ratelimit::ttl_of(*row, ratelimit::longest_ms(*row, at));
  // Who comes now begins anew.
  if (lease->ends) entry.forget();
  return ratelimit::write_request(request, buf);
}
