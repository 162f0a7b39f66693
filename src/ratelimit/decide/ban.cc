// Decisions of policies that ban: see ratelimit.h.
//
// A ban stands in a bucket of its own, whose name follows from that of the
// policy's.  It is asked before the decision and told of refusals after it,
// each under its own lock: a request that is decided while another one's
// refusal begins a ban comes before it or after it.

#include "ratelimit/algorithm/ban.h"
#include "ratelimit/decide/ban_name.h"
#include "ratelimit/decide/locate.h"
#include "ratelimit/statistics/counters.h"

namespace ratelimit {

namespace {

bool can_be_banned(const rl_item_t& item) {
  return item.policy->ban != nullptr && item.cost_units != 0;
}

void tell_banned(uint64_t left_ms, int banned, rl_item_t* item) {
  item->banned = banned;
  item->admitted = 0;
  item->charged = 0;
  item->charge_id = 0;
  item->limit_units = item->capacity_units;
  item->remaining_units = 0;
  item->next_ms = left_ms;
  item->retry_after_ms = left_ms;
  item->reset_ms = left_ms;
}

void write(rl_process_t* process, const rl_item_t& ban, BucketRef* ref,
           uint64_t now_ms) {
  if (!ref->exists()) place_new(&ban, ref, 1, 0, now_ms);
  redo_log_of(process)->targets[0] = target_of(ban, *ref);
  commit(process, ref, 1);
}

uint64_t seconds_of_end(const Bucket& bucket) {
  return bucket.ban.until_ms / 1000;
}

// False: a lock's living owner did not move.
bool ask_ban(rl_process_t* process, rl_item_t* item, const rl_time_t& now,
             bool restarts) {
  const rl_item_t ban = ban_of(*item);
  BucketRef ref;
  item->banned = 0;
  if (!lock_buckets(process, &ban, 1, now.mono_ms, &ref)) return false;
  uint64_t left_ms = ref.exists() ? ban_left_ms(*ref.bucket, now.mono_ms) : 0;
  int banned = RL_BANNED;
  if (left_ms != 0 && restarts && item->policy->ban->restarts) {
    Bucket* image = &redo_log_of(process)->images[0];
    copy(*ref.bucket, image);
    ban_restart(image, *item->policy->ban, now.mono_ms);
    left_ms = ban_left_ms(*image, now.mono_ms);
    if (seconds_of_end(*image) != seconds_of_end(*ref.bucket)) {
      banned = RL_BAN_RESTARTS;
    }
    write(process, ban, &ref, now.mono_ms);
  }
  release_all(process, &ref, 1);
  if (left_ms != 0) tell_banned(left_ms, banned, item);
  return true;
}

// Counts a refusal of the policy's own, or begins a ban, unless there is one.
// Where the lock is not to be had, or the zone has no room, one is not
// counted: the request is refused all the same.
void note_refusal_of(rl_process_t* process, rl_item_t* item,
                     const rl_time_t& now, bool enough) {
  const rl_item_t ban = ban_of(*item);
  BucketRef ref;
  if (!lock_buckets(process, &ban, 1, now.mono_ms, &ref)) return;
  const uint64_t window_ms = item->quota.window_ms;
  Bucket* image = &redo_log_of(process)->images[0];
  if (ref.exists()) {
    copy(*ref.bucket, image);
  } else {
    ban_open(image, ban.bucket.lo, window_ms);
  }
  // Another process may have begun one since this one asked.
  uint64_t left_ms = ban_left_ms(*image, now.mono_ms);
  bool begins = false;
  if (left_ms == 0) {
    begins = enough ||
             ban_note_refusal(image, *item->policy, window_ms, now.mono_ms);
    if (enough) ban_begin(image, *item->policy, now.mono_ms);
    left_ms = ban_left_ms(*image, now.mono_ms);
    write(process, ban, &ref, now.mono_ms);
  }
  release_all(process, &ref, 1);
  if (left_ms != 0) {
    tell_banned(left_ms, begins ? RL_BAN_BEGINS : RL_BANNED, item);
  }
  if (begins) count_ban(*item);
}

struct Banned {
  bool any;
  bool enforced;  // one that is not in dry run
};

bool ask_bans(rl_process_t* process, rl_item_t* items, size_t n,
              const rl_time_t& now, Banned* banned) {
  *banned = {false, false};
  for (size_t i = 0; i < n; ++i) {
    if (!can_be_banned(items[i])) continue;
    if (!ask_ban(process, &items[i], now, true)) return false;
    banned->any = banned->any || items[i].banned;
    banned->enforced =
        banned->enforced || (items[i].banned && !items[i].dry_run);
  }
  return true;
}

bool is_banned(const rl_item_t& item) {
  return can_be_banned(item) && item.banned;
}

// An item whose bucket is not to be had, of a request that is refused anyway.
void tell_unknown(rl_item_t* item) {
  item->admitted = 1;
  item->charged = 0;
  item->charge_id = 0;
  item->limit_units = item->capacity_units;
  item->remaining_units = 0;
  item->reset_ms = 0;
  item->retry_after_ms = 0;
  item->next_ms = 0;
}

// Looks at the items that are neither banned nor to be charged.  False: a
// lock's living owner did not move, which says nothing against a refusal.
bool look_at_others(rl_process_t* process, rl_item_t* items, size_t n,
                    const rl_time_t& now, bool enforced) {
  for (size_t i = 0; i < n; ++i) {
    if (is_banned(items[i]) || (!enforced && !items[i].dry_run)) continue;
    if (rl_look(process, &items[i], 1, &now) != RL_TIMEOUT) continue;
    if (!enforced) return false;
    tell_unknown(&items[i]);
  }
  return true;
}

// Asks the items that are not banned: charges those that are enforced, if
// nobody refuses, and last; those in dry run would not be charged.
rl_verdict_e decide_rest(rl_process_t* process, rl_item_t* items, size_t n,
                         const rl_time_t& now, bool enforced) {
  if (!look_at_others(process, items, n, now, enforced)) return RL_TIMEOUT;
  rl_item_t rest[RL_MAX_ITEMS];
  size_t of[RL_MAX_ITEMS];
  size_t charged = 0;
  for (size_t i = 0; !enforced && i < n; ++i) {
    if (is_banned(items[i]) || items[i].dry_run) continue;
    rest[charged] = items[i];
    of[charged++] = i;
  }
  rl_verdict_e verdict = enforced ? RL_REFUSED : RL_ADMITTED;
  if (charged != 0) verdict = rl_decide(process, rest, charged, &now);
  if (verdict == RL_TIMEOUT) return RL_TIMEOUT;
  for (size_t i = 0; i < charged; ++i) {
    items[of[i]] = rest[i];
  }
  for (size_t i = 0; i < n; ++i) {
    if (is_banned(items[i]) || enforced || items[i].dry_run) {
      count_decision(process, &items[i], 1, verdict, now.mono_ms);
    }
  }
  return verdict;
}

}  // namespace

}  // namespace ratelimit

rl_verdict_e rl_ask_bans(rl_process_t* process, rl_item_t* items, size_t n,
                         const rl_time_t* now) noexcept {
  ratelimit::Banned banned;
  if (process->process_table == nullptr ||
      !ratelimit::ask_bans(process, items, n, *now, &banned)) {
    return RL_TIMEOUT;
  }
  return banned.any ? RL_REFUSED : RL_ADMITTED;
}

void rl_note_refusals(rl_process_t* process, rl_item_t* items, size_t n,
                      const rl_time_t* now) noexcept {
  for (size_t i = 0; i < n; ++i) {
    if (ratelimit::can_be_banned(items[i]) && !items[i].banned &&
        !items[i].admitted) {
      ratelimit::note_refusal_of(process, &items[i], *now, false);
    }
  }
}

void rl_begin_ban(rl_process_t* process, rl_item_t* item,
                  const rl_time_t* now) noexcept {
  item->banned = 0;
  if (process->process_table == nullptr) return;
  ratelimit::note_refusal_of(process, item, *now, true);
}

rl_verdict_e rl_decide_bans(rl_process_t* process, rl_item_t* items, size_t n,
                            const rl_time_t* now) noexcept {
  ratelimit::Banned banned;
  if (process->process_table == nullptr || n == 0 || n > RL_MAX_ITEMS ||
      !ratelimit::ask_bans(process, items, n, *now, &banned)) {
    return RL_TIMEOUT;
  }
  const rl_verdict_e verdict =
      banned.any
          ? ratelimit::decide_rest(process, items, n, *now, banned.enforced)
          : rl_decide(process, items, n, now);
  if (verdict != RL_TIMEOUT) rl_note_refusals(process, items, n, now);
  return verdict;
}

rl_verdict_e rl_look_bans(rl_process_t* process, rl_item_t* item,
                          const rl_time_t* now) noexcept {
  if (process->process_table == nullptr) return RL_TIMEOUT;
  if (!ratelimit::can_be_banned(*item)) return RL_ADMITTED;
  if (!ratelimit::ask_ban(process, item, *now, false)) return RL_TIMEOUT;
  return item->banned ? RL_REFUSED : RL_ADMITTED;
}

int rl_banned_until(rl_process_t* process, const rl_policy_t* policy,
                    uint64_t key_id, const rl_time_t* now,
                    uint64_t* until_ms) noexcept {
  *until_ms = 0;
  if (policy->ban == nullptr) return 0;
  rl_bucket_t ban;
  const int found =
      rl_inspect(process, policy->zone, key_id ^ ratelimit::kBanLo, now, &ban);
  if (found != 1) return found;
  if (ban.banned_until_ms <= now->mono_ms ||
      ban.charged_ms < rl_policy_reset_at(policy, now)) {
    return 0;
  }
  *until_ms = ban.banned_until_ms;
  return 1;
}

int rl_lift_ban(rl_process_t* process, const rl_policy_t* policy,
                uint64_t key_id, const rl_time_t* now) noexcept {
  return policy->ban == nullptr ? 0
                                : rl_reset(process, policy->zone,
                                           key_id ^ ratelimit::kBanLo, now);
}
