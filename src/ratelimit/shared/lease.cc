#include "ratelimit/shared/lease.h"

#include <algorithm>

#include "ratelimit/shared/sizing.h"
#include "ratelimit/table/process_table.h"

namespace ratelimit {

namespace {

// A refusal is believed for no longer, since units may come back earlier than
// was told: a quota is raised, a key reset.
constexpr uint64_t kMaxRefusalUs = 5000000;

// The process of a request that is older than this may have been killed.
constexpr uint64_t kSuspectUs = 20000;

// For so long who waits in other processes has what came for them.
constexpr uint64_t kReservedUs = 2000;

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

// What was owed in a window that is over, or before one was opened, is owed in
// the next.
void take_window(Row* row, uint64_t window_end_ms, uint64_t now_us) {
  if (window_end_ms == row->window_end_ms) return;
  row->window_end_ms = window_end_ms;
  row->since_us = now_us;
  row->back_units = 0;
  row->left_units = 0;
  row->sent_used = 0;
  row->used_units = row->owed_units = carried_units(*row, now_us);
  row->owes = row->owed_units > 0 && window_end_ms != 0;
}

void take_units(Row* row, const WireReply& reply, uint64_t now_us) {
  const uint64_t kept = in_hand(*row, now_us);
  const uint64_t end_us =
      row->sent_us + less_drift(uint64_t{reply.lease_ms} * 1000 + 1);
  row->left_units = kept;
  if (now_us >= end_us) return;
  row->left_units = kept + reply.granted_units;
  row->left_until_us =
      kept > 0 ? std::max(end_us, row->left_until_us) : end_us;
}

void take_refusal(Row* row, const WireReply& reply) {
  if (reply.granted_units >= row->sent_need) return;
  // Where nothing that is charged would come back in time, what others hold
  // will be charged at its end.
  if (reply.wait_ms == 0) {
    row->wait_ms = reply.other_end_ms + row->terms.window_ms;
  }
  uint64_t until_us = std::min(row->wait_ms * 1000, kMaxRefusalUs);
  // What others hold may come back before they use it.
  if (reply.held_units > 0) {
    until_us = std::min(until_us, uint64_t{reply.lease_ms} * 250);
  }
  row->refused_until_us = row->sent_us + until_us;
  row->refused_units = row->sent_need;
  row->refused_limit = limit_of(*row);
}

// Of what is in hand, what is for those who wait in other processes.
uint64_t reserved_for_others(const rl_lease_t& lease, const Row& row,
                             uint64_t now_us) {
  return lease.more_units == 0 && now_us < row.told_us + kReservedUs
             ? row.reserved_units
             : 0;
}

bool is_own_request(const rl_lease_t& lease, const Row& row) {
  return row.is_sent && row.owner == lease.owner->process->owner &&
         row.number == lease.number;
}

void take_reply(const rl_lease_t& lease, Row* row, const WireReply& reply,
                uint64_t now_us) {
  row->is_first = false;
  row->tells = false;
  row->epoch = row->sent_epoch;
  if (!has_window(*row) || (reply.window_end_ms == row->window_end_ms &&
                            reply.window_end_ms != 0)) {
    row->owed_units -= row->sent_owed;
  }
  row->sent_owed = 0;
  if (has_window(*row)) take_window(row, reply.window_end_ms, now_us);
  take_units(row, reply, now_us);
  row->told_used = row->sent_used;
  row->told_sent_us = row->sent_us;
  row->told_us = now_us;
  row->free_units = reply.free_units;
  row->granted_units = reply.granted_units;
  row->left_ms = reply.left_ms;
  row->wait_ms = reply.wait_ms;
  if (!others_wait(lease, *row, now_us)) row->reserved_units = 0;
}

rl_lease_reply_e take_late(const rl_lease_t& lease, const WireReply& reply,
                           uint64_t now_us, rl_clock_t* clock) {
  if (clock->at_us == 0 ||
      reply.clock_ms <= latest_ms(clock->ahead_ms, clock->at_us, now_us)) {
    return RL_LEASE_AGAIN;
  }
  clock->old_ahead_ms = clock->ahead_ms;
  clock->old_at_us = clock->at_us;
  clock->set_us = now_us;
  clock->at_us = 0;
  learn(reply.clock_ms, lease.sent_us, clock);
  return RL_LEASE_CLOCK_SET;
}

}  // namespace

rl_verdict_e ask(const rl_lease_t& lease, const Row* row,
                 const rl_waiter_t* waiter, uint64_t units, uint64_t asked_us,
                 uint64_t now_us) {
  if (row == nullptr) return RL_PENDING;
  if (units == 0) {
    return row->told_us != 0 && row->told_us >= asked_us ? RL_ADMITTED
                                                         : RL_PENDING;
  }
  uint64_t before = reserved_for_others(lease, *row, now_us);
  if (waiter == nullptr || waiter->lease != &lease) {
    before += lease.waits_units;
  } else {
    for (const rl_waiter_t* w = lease.first; w != waiter; w = w->next) {
      before += w->units;
    }
  }
  if (before + units <= in_hand(*row, now_us)) return RL_ADMITTED;
  return units >= row->refused_units && now_us < row->refused_until_us &&
                 limit_of(*row) <= row->refused_limit
             ? RL_REFUSED
             : RL_PENDING;
}

bool is_under_way(const rl_leases_s& leases, const Row& row, uint64_t now_us) {
  if (!row.is_sent) return false;
  // Of this process, which knows of none: it was given up.
  if (row.owner == leases.process->owner) return false;
  const uint64_t age_us = now_us > row.sent_us ? now_us - row.sent_us : 0;
  if (age_us < kSuspectUs) return true;
  return age_us < leases.timeout_us &&
         !is_dead(process_table_of(leases.process), row.owner, false);
}

// Counted anew where nobody has said so for long, and where a process has
// come or gone: one that was killed would be counted for as long as others
// wait.  Who lives says so again when it looks the next time.
void note_waiting(rl_lease_t* lease, Row* row, uint64_t now_us) {
  if (lease->first == nullptr) return;
  const uint32_t changes = changes_of(lease->owner->process);
  if (now_us >= row->waits_until_us || changes != row->changes) {
    row->waiting = 0;
    row->counting++;
    row->changes = changes;
  }
  if (!is_counted(*lease, *row)) row->waiting++;
  lease->counting = row->counting;
  row->waits_until_us = now_us + lease->owner->timeout_us;
}

}  // namespace ratelimit

using ratelimit::Entry;
using ratelimit::Row;
using ratelimit::WireReply;

rl_verdict_e rl_lease_take(rl_lease_t* lease, const rl_waiter_t* waiter,
                           rl_item_t* item, uint64_t asked_us,
                           uint64_t now_us) noexcept {
  lease->terms.reset = std::max(lease->terms.reset, item->reset);
  Entry entry = ratelimit::enter(*lease);
  entry.forget_older(lease->terms.reset);
  Row* row = entry.write();
  if (row == nullptr) {
    return entry.locked() ? RL_PENDING : RL_TIMEOUT;
  }
  const uint64_t at_us = row->see(now_us);
  ratelimit::take_quota(*item, row);
  const rl_verdict_e verdict =
      ratelimit::ask(*lease, row, waiter, item->cost_units, asked_us, at_us);
  if (verdict == RL_ADMITTED && item->cost_units > 0) {
    ratelimit::charge(row, at_us, item);
    row->reserved_units -= std::min(row->reserved_units, item->cost_units);
  }
  return verdict;
}

rl_due_e rl_lease_is_due(const rl_lease_t* lease, uint64_t now_us) noexcept {
  if (lease->number != 0) return RL_NOT_DUE;
  const Entry entry = ratelimit::enter(*lease);
  const Row* row = entry.row();
  if (row == nullptr) {
    return lease->first != nullptr && !lease->ends ? RL_DUE : RL_NOT_DUE;
  }
  const bool waits = lease->lookers > 0 ||
                     lease->waits_units > ratelimit::in_hand(*row, now_us);
  if (ratelimit::is_under_way(*lease->owner, *row, now_us)) {
    if (waits) return RL_DUE_LATER;
    return lease->first != nullptr ? RL_DUE_NOTHING : RL_NOT_DUE;
  }
  return waits || lease->ends || row->owes || row->back_units > 0 ||
                 ratelimit::has_to_tell(lease->owner->rows, *row) ||
                 (lease->first == nullptr &&
                  !ratelimit::others_wait(*lease, *row, now_us) &&
                  ratelimit::is_renewed(*row, now_us))
             ? RL_DUE
             : (lease->first != nullptr ? RL_DUE_NOTHING : RL_NOT_DUE);
}

void rl_lease_lost(rl_lease_t* lease) noexcept {
  if (lease->number == 0) return;
  Entry entry = ratelimit::enter(*lease);
  Row* row = entry.write();
  if (row != nullptr && ratelimit::is_own_request(*lease, *row)) {
    row->is_sent = false;
  }
  lease->number = 0;
}

int rl_lease_hand_over(rl_lease_t* lease, uint64_t now_us) noexcept {
  rl_lease_lost(lease);
  if (!lease->link.is_in) return 0;
  Entry entry = ratelimit::enter(*lease);
  Row* row = entry.write();
  if (row == nullptr || ratelimit::in_hand(*row, now_us) == 0 ||
      ratelimit::is_under_way(*lease->owner, *row, now_us) ||
      ratelimit::is_waited_for(*row, now_us)) {
    return 0;
  }
  // Its end was watched here: who uses it next watches it from then on.
  row->borrowing.low_units = row->left_units;
  return !ratelimit::is_in_use(*row);
}

int rl_lease_end(rl_lease_t* lease, uint64_t now_us) noexcept {
  Entry entry = ratelimit::enter(*lease);
  Row* row = entry.write();
  lease->number = 0;
  if (row == nullptr) return 0;
  row->is_sent = false;
  lease->ends =
      row->told_sent_us != 0 &&
      row->see(now_us) - row->told_sent_us < row->terms.window_ms * 1000;
  return lease->ends;
}

rl_lease_reply_e rl_lease_reply(rl_lease_t* lease, rl_clock_t* clock,
                                const unsigned char* bytes, uint64_t now_us,
                                uint64_t* generation) noexcept {
  WireReply reply;
  ratelimit::read_reply(bytes, &reply);
  *generation = reply.generation;
  Entry entry = ratelimit::enter(*lease);
  Row* row = entry.write();
  const bool own = row != nullptr && ratelimit::is_own_request(*lease, *row);
  lease->number = 0;
  lease->wakes = false;
  if (own) {
    now_us = row->see(now_us);
    row->is_sent = false;
    lease->wakes = ratelimit::others_wait(*lease, *row, now_us);
  }
  if (reply.status == ratelimit::kLate) {
    return ratelimit::take_late(*lease, reply, now_us, clock);
  }
  ratelimit::learn(reply.clock_ms, lease->sent_us, clock);
  // Nobody believes the reply to a request that was given up.
  if (!own) return RL_LEASE_AGAIN;
  if (reply.status == ratelimit::kTellAll) {
    row->tells = true;
    row->is_first = false;
    return RL_LEASE_AGAIN;
  }
  if (reply.status == ratelimit::kBeforeReset) {
    // wait_ms says which; what is in hand is of before, too.
    entry.forget();
    lease->terms.reset = std::max(lease->terms.reset, reply.wait_ms);
    return lease->first != nullptr ? RL_LEASE_AGAIN : RL_LEASE_TOLD;
  }
  if (reply.status < 0) return RL_LEASE_AGAIN;
  const bool young = reply.status == ratelimit::kYoung;
  if (young && row->is_first) {
    // No row was made of it.
    row->wait_ms = reply.wait_ms;
    return RL_LEASE_YOUNG;
  }
  ratelimit::take_reply(*lease, row, reply, now_us);
  if (young) return RL_LEASE_YOUNG;
  ratelimit::take_refusal(row, reply);
  ratelimit::size_reply(row, now_us);
  ratelimit::watch_end(lease, row->borrowing.check_us, now_us);
  return RL_LEASE_TOLD;
}

int rl_lease_wakes(const rl_lease_t* lease) noexcept {
  return lease->wakes;
}
