#include "ratelimit/shared/lease.h"

#include <algorithm>

#include "ratelimit/algorithm/calendar.h"
#include "ratelimit/shared/sizing.h"

namespace ratelimit {

namespace {

// A refusal is believed for no longer, since units may come back earlier than
// was told: a quota is raised, a key reset.
constexpr uint64_t kMaxRefusalUs = 5000000;

uint64_t less_drift(uint64_t span) {
  return span - span / 1024 - 1;
}

void advance_own(OwnUses* own, uint64_t slot) {
  if (slot >= own->slot + kWireSlots) {
    std::fill(own->units, own->units + kWireSlots, 0);
  } else {
    for (uint64_t i = own->slot + 1; i <= slot; ++i) {
      own->units[i % kWireSlots] = 0;
    }
  }
  if (slot > own->slot) own->slot = slot;
}

void note_use(rl_lease_t* lease, uint64_t units, uint64_t now_us) {
  OwnUses* own = &lease->own;
  if (now_us >= own->end_us) {
    const uint64_t slot = now_us / slot_us(*lease);
    advance_own(own, slot);
    own->end_us = (slot + 1) * slot_us(*lease);
  }
  own->units[own->slot % kWireSlots] += units;
}

// What the clock shows at the latest: a clock that drifts away by 1/1024 may
// be as much further ahead.
uint64_t latest_ms(int64_t ahead_ms, uint64_t at_us, uint64_t now_us) {
  return static_cast<uint64_t>(
             static_cast<int64_t>(now_us / 1000) + ahead_ms +
             static_cast<int64_t>((now_us - at_us) / 1024000)) +
         1;
}

void learn(uint64_t clock_ms, uint64_t sent_us, rl_clock_t* clock) {
  const int64_t ahead_ms =
      static_cast<int64_t>(clock_ms) - static_cast<int64_t>(sent_us / 1000);
  const int64_t drift_ms =
      sent_us > clock->at_us
          ? static_cast<int64_t>((sent_us - clock->at_us) / 1024000)
          : 0;
  if (clock->at_us == 0 || ahead_ms < clock->ahead_ms + drift_ms) {
    clock->ahead_ms = ahead_ms;
    clock->at_us = sent_us;
  }
}

// A row that Redis has dropped, since it was idle for so long, begins anew.
void begin_row(rl_lease_t* lease, uint64_t row) {
  lease->row = row;
  lease->number = 0;
  lease->used_units = lease->sent_used = lease->told_used = 0;
  lease->left_units = 0;
  lease->window_end_ms = 0;
  lease->back_units = 0;
  lease->is_first = true;
  lease->tells = false;
  lease->told_sent_us = 0;
}

void set_calendar(const rl_lease_t& lease, uint64_t wall_ms,
                  WireRequest* out) {
  const auto at = [&lease](int64_t ms) {
    return calendar_window(ms < 0 ? 0 : static_cast<uint64_t>(ms),
                           lease.window_ms, lease.window_months, lease.tz_ms);
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

void set_telling(rl_lease_t* lease, uint64_t now_us, WireRequest* out) {
  out->flags |= kTellsAll;
  lease->back_units = 0;  // which it does not tell
  // Redis has forgotten until when it was to hold what is kept.
  if (out->keep_units > 0) {
    const uint64_t rest_ms = (lease->left_until_us - now_us) / 1000 + 1;
    out->longest_ms =
        std::max(out->longest_ms, static_cast<uint32_t>(rest_ms));
  }
  if (lease->algorithm == RL_GCRA) {
    const uint64_t gone_us = less_drift(now_us - lease->told_sent_us + 1);
    const double gone_ms = static_cast<double>(gone_us) / 1000;
    const auto debt_ms = static_cast<double>(lease->left_ms);
    out->debt_ms = debt_ms > gone_ms ? debt_ms - gone_ms : 0;
    out->used_since = lease->used_units - lease->told_used;
    return;
  }
  // Two slots younger than they are by this clock: where a slot begins, and
  // drift, make them at most so much younger.
  const uint64_t slot = now_us / slot_us(*lease);
  advance_own(&lease->own, slot);
  for (uint32_t back = 0; back < kWireSlots && back <= slot; ++back) {
    out->used_by_age[back < 2 ? 0 : back - 2] +=
        lease->own.units[(slot - back) % kWireSlots];
  }
}

bool is_over(const rl_lease_t& lease, const rl_lease_send_t& send) {
  const uint64_t idle_ms = lease.window_ms + 2 * longest_ms(lease, send);
  return lease.told_sent_us != 0 &&
         send.now_us - lease.told_sent_us > idle_ms * 1000;
}

uint64_t ttl_of(const rl_lease_t& lease, uint64_t life_ms) {
  uint64_t keep_ms = lease.window_ms + lease.window_ms / 16;
  if (lease.algorithm == RL_GCRA && lease.quota_units > 0) {
    keep_ms = std::max(keep_ms, fill_ms(lease, lease.capacity_units));
  }
  return keep_ms + 2 * life_ms + 1000;
}

void set_clock(rl_lease_t* lease, const rl_clock_t& clock, uint64_t now_us,
               WireRequest* out) {
  if (clock.at_us == 0) return;
  if (clock.set_us != 0 && lease->told_sent_us != 0 &&
      lease->told_us < clock.set_us && clock.old_at_us != 0) {
    out->flags |= kOldClock;
    out->latest_ms = latest_ms(clock.old_ahead_ms, clock.old_at_us, now_us);
    return;
  }
  out->latest_ms = latest_ms(clock.ahead_ms, clock.at_us, now_us);
}

// What is taken back.  How late the request comes is bounded only where the
// server's clock is known; what may have left by then is not taken back.
void set_back(rl_lease_t* lease, const rl_lease_send_t& send,
              WireRequest* out) {
  const uint64_t units = lease->back_units;
  lease->back_units = 0;
  if (units == 0 || out->latest_ms == 0 || (out->flags & kOldClock) != 0) {
    return;
  }
  const uint64_t age_us = send.now_us - lease->back_since_us;
  const uint64_t age_ms =
      (age_us + age_us / 1024 + send.rtt_us) / 1000 + 2 + send.slack_ms;
  if (age_ms >= lease->window_ms && !has_window(*lease)) return;
  out->flags |= kTakesBack;
  out->back_units = units;
  out->back_age_ms = age_ms;
}

void take_window(rl_lease_t* lease, uint64_t window_end_ms, uint64_t now_us) {
  if (window_end_ms == lease->window_end_ms) return;
  lease->window_end_ms = window_end_ms;
  lease->since_us = now_us;
  lease->back_units = 0;
  lease->left_units = 0;
  lease->used_units = lease->sent_used = 0;
}

void take_units(rl_lease_t* lease, const WireReply& reply, uint64_t now_us) {
  const uint64_t kept = in_hand(*lease, now_us);
  const uint64_t end_us =
      lease->sent_us + less_drift(uint64_t{reply.lease_ms} * 1000 + 1);
  lease->left_units = kept;
  if (now_us >= end_us) return;
  lease->left_units = kept + reply.granted_units;
  lease->left_until_us =
      kept > 0 ? std::max(end_us, lease->left_until_us) : end_us;
}

void take_refusal(rl_lease_t* lease, const WireReply& reply) {
  if (reply.granted_units >= lease->sent_need) return;
  // Where nothing that is charged would come back in time, what others hold
  // will be charged at its end.
  if (reply.wait_ms == 0) {
    lease->wait_ms = reply.other_end_ms + lease->window_ms;
  }
  uint64_t until_us = std::min(lease->wait_ms * 1000, kMaxRefusalUs);
  // What others hold may come back before they use it.
  if (reply.held_units > 0) {
    until_us = std::min(until_us, uint64_t{reply.lease_ms} * 250);
  }
  lease->refused_until_us = lease->sent_us + until_us;
  lease->refused_units = lease->sent_need;
  lease->refused_limit = limit_of(*lease);
}

}  // namespace

}  // namespace ratelimit

using ratelimit::WireReply;
using ratelimit::WireRequest;

rl_verdict_e rl_lease_ask(const rl_lease_t* lease, const rl_waiter_t* waiter,
                          uint64_t units, uint64_t asked_us,
                          uint64_t now_us) noexcept {
  if (units == 0) {
    return lease->told_us != 0 && lease->told_us >= asked_us ? RL_ADMITTED
                                                             : RL_PENDING;
  }
  uint64_t before = 0;
  if (waiter == nullptr || waiter->lease != lease) {
    before = lease->waits_units;
  } else {
    for (const rl_waiter_t* w = lease->first; w != waiter; w = w->next) {
      before += w->units;
    }
  }
  if (before + units <= ratelimit::in_hand(*lease, now_us)) return RL_ADMITTED;
  return units >= lease->refused_units && now_us < lease->refused_until_us &&
                 ratelimit::limit_of(*lease) <= lease->refused_limit
             ? RL_REFUSED
             : RL_PENDING;
}

void rl_lease_use(rl_lease_t* lease, uint64_t units,
                  uint64_t now_us) noexcept {
  if (units == 0) return;
  const uint64_t in_hand = ratelimit::in_hand(*lease, now_us);
  if (units > in_hand) {
    lease->owes = true;
    lease->free_units -= static_cast<int64_t>(units - in_hand);
  }
  lease->left_units = units < in_hand ? in_hand - units : 0;
  lease->used_units += units;
  lease->borrowing.recent_units += units;
  lease->last_use_us = now_us;
  if (lease->algorithm == RL_SLIDING) {
    ratelimit::note_use(lease, units, now_us);
  }
}

int rl_lease_is_due(const rl_lease_t* lease, uint64_t now_us) noexcept {
  if (lease->is_sent) return 0;
  if (lease->tells || lease->ends || lease->lookers > 0 || lease->owes ||
      lease->back_units > 0) {
    return 1;
  }
  // Units that nobody waits for are renewed or go back, also those whose end
  // has come: Redis has charged them.
  if (lease->first == nullptr) return ratelimit::is_renewed(*lease, now_us);
  return lease->waits_units > ratelimit::in_hand(*lease, now_us);
}

int rl_lease_is_sent(const rl_lease_t* lease) noexcept {
  return lease->is_sent;
}

void rl_lease_tell(rl_lease_t* lease) noexcept {
  if (lease->told_sent_us != 0) lease->tells = true;
}

int rl_lease_tells(const rl_lease_t* lease) noexcept {
  return lease->tells;
}

size_t rl_lease_send(rl_lease_t* lease, const rl_clock_t* clock,
                     const rl_lease_send_t* send, unsigned char* buf,
                     uint64_t* ttl_ms) noexcept {
  if (ratelimit::is_over(*lease, *send)) {
    // Ids count from a random one; this one is beyond those of all leases.
    ratelimit::begin_row(lease, lease->row + (uint64_t{1} << 40));
  }
  if (lease->sent_us == 0) lease->since_us = send->now_us;
  WireRequest request = {};
  ratelimit::size_request(lease, *send, &request);
  request.row = lease->row;
  request.number = ++lease->number;
  request.algorithm = static_cast<uint8_t>(lease->algorithm);
  request.window_ms = lease->window_ms;
  request.quota_units = lease->quota_units;
  request.capacity_units = lease->capacity_units;
  request.used_units = lease->used_units;
  request.age_ms =
      lease->last_use_us == 0
          ? 0
          : ratelimit::less_drift(send->now_us - lease->last_use_us + 1) /
                1000;
  request.flags = lease->is_first ? ratelimit::kFirstRequest : 0;
  if (lease->ends) request.flags |= ratelimit::kLastRequest;
  request.slack_ms = send->slack_ms;
  request.window_end_ms = lease->window_end_ms;
  ratelimit::set_clock(lease, *clock, send->now_us, &request);
  if (lease->algorithm == RL_CALENDAR) {
    const uint64_t wall_ms =
        clock->at_us == 0 ? send->wall_ms
                          : ratelimit::latest_ms(clock->ahead_ms, clock->at_us,
                                                 send->now_us);
    ratelimit::set_calendar(*lease, wall_ms, &request);
  }
  if (lease->tells) {
    ratelimit::set_telling(lease, send->now_us, &request);
  } else {
    ratelimit::set_back(lease, *send, &request);
  }
  lease->owes = false;
  lease->sent_us = send->now_us;
  lease->sent_used = lease->used_units;
  lease->sent_need = request.need_units;
  lease->is_sent = true;
  *ttl_ms = ratelimit::ttl_of(*lease, ratelimit::longest_ms(*lease, *send));
  return ratelimit::write_request(request, buf);
}

void rl_lease_lost(rl_lease_t* lease) noexcept {
  lease->is_sent = false;
}

int rl_lease_end(rl_lease_t* lease, uint64_t now_us) noexcept {
  lease->is_sent = false;
  lease->ends = lease->told_sent_us != 0 &&
                now_us - lease->told_sent_us < lease->window_ms * 1000;
  return lease->ends;
}

rl_lease_reply_e rl_lease_reply(rl_lease_t* lease, rl_clock_t* clock,
                                const unsigned char* bytes, uint64_t now_us,
                                uint64_t* generation) noexcept {
  WireReply reply;
  ratelimit::read_reply(bytes, &reply);
  lease->is_sent = false;
  *generation = reply.generation;
  if (reply.status == ratelimit::kLate) {
    if (clock->at_us == 0 ||
        reply.clock_ms <=
            ratelimit::latest_ms(clock->ahead_ms, clock->at_us, now_us)) {
      return RL_LEASE_AGAIN;
    }
    clock->old_ahead_ms = clock->ahead_ms;
    clock->old_at_us = clock->at_us;
    clock->set_us = now_us;
    clock->at_us = 0;
    ratelimit::learn(reply.clock_ms, lease->sent_us, clock);
    return RL_LEASE_CLOCK_SET;
  }
  ratelimit::learn(reply.clock_ms, lease->sent_us, clock);
  if (reply.status == ratelimit::kTellAll) {
    lease->tells = true;
    lease->is_first = false;
    return RL_LEASE_AGAIN;
  }
  if (reply.status < 0) return RL_LEASE_AGAIN;
  const bool young = reply.status == ratelimit::kYoung;
  if (young && lease->is_first) {
    // No row was made of it.
    lease->wait_ms = reply.wait_ms;
    return RL_LEASE_YOUNG;
  }
  lease->is_first = false;
  lease->tells = false;
  if (ratelimit::has_window(*lease)) {
    ratelimit::take_window(lease, reply.window_end_ms, now_us);
  }
  ratelimit::take_units(lease, reply, now_us);
  lease->told_used = lease->sent_used;
  lease->told_sent_us = lease->sent_us;
  lease->told_us = now_us;
  lease->free_units = reply.free_units;
  lease->granted_units = reply.granted_units;
  lease->others_units = reply.held_units;
  lease->left_ms = reply.left_ms;
  lease->wait_ms = reply.wait_ms;
  if (young) return RL_LEASE_YOUNG;
  ratelimit::take_refusal(lease, reply);
  ratelimit::size_reply(lease, now_us);
  ratelimit::watch_end(lease, now_us);
  return RL_LEASE_TOLD;
}
