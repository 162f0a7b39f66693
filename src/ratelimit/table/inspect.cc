// Looking at a zone from outside of any request: counting its buckets, finding
// one by its key id, clearing one: see ratelimit.h.

#include "ratelimit/algorithm/ban.h"
#include "ratelimit/table/lock.h"
#include "ratelimit/table/process_table.h"
#include "ratelimit/table/resize.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

namespace {

// A statistic, read without the set's lock: a bucket that is being written may
// be counted wrongly, which a reader of counters cannot tell from a scan a
// microsecond later.  Taking 32,000 locks for it would hold requests up.
__attribute__((no_sanitize("thread"))) void count_buckets(
    const Set& set, uint64_t now_ms, rl_zone_stats_t* out, rl_banned_t* banned,
    size_t n) {
  for (uint32_t i = 0; i < kBucketsPerSet && set.occupied >> i & 1; ++i) {
    Bucket copy = set.buckets[i];
    ++out->entries;
    if (idle_at_ms(copy) > now_ms) {
      ++out->active;
    }
    if (copy.algorithm == RL_BAN && ban_left_ms(copy, now_ms) != 0) {
      rl_banned_t* of = rl_find_banned(banned, n, copy.ban.policy_id);
      if (of != nullptr && copy.stamp >= of->reset_at_ms) ++of->keys;
    }
  }
}

// As count_buckets(), of those that may be the policy's: which are, their
// names do not tell.
__attribute__((no_sanitize("thread"))) void find_last_idle(
    const Set& set, const rl_policy_t& policy, uint64_t* until_ms) {
  for (uint32_t i = 0; i < kBucketsPerSet && set.occupied >> i & 1; ++i) {
    Bucket copy = set.buckets[i];
    if (copy.algorithm == policy.algorithm ||
        (copy.algorithm == RL_BAN && policy.ban != nullptr)) {
      const uint64_t idle_ms = idle_at_ms(copy);
      if (idle_ms > *until_ms) *until_ms = idle_ms;
    }
  }
}

// A bucket under its set's lock.
struct Found {
  Set* set;
  uint32_t index;
};

// By the key alone: its tag is not known.
bool find_in(Set* set, uint64_t key, Found* found) {
  for (uint32_t i = 0; i < kBucketsPerSet && set->occupied >> i & 1; ++i) {
    if (set->buckets[i].key == key) {
      *found = {set, i};
      return true;
    }
  }
  return false;
}

// RL_ERROR: a lock's living owner did not move, and nothing is held.
int take_bucket(const rl_zone_t* zone, uint64_t key, uint64_t now_ms,
                Locks* locks, Found* found) {
  do {
    go_on(locks->process());
    if (!bring_over(locks->process(), zone, key, now_ms)) {
      return RL_ERROR;
    }
    Set* primary = set_at(zone, primary_index(key, zone->sets));
    Set* secondary = set_at(zone, secondary_index(key, zone->sets));
    if (locks->take(primary < secondary ? primary : secondary) &&
        locks->take(primary < secondary ? secondary : primary)) {
      return find_in(primary, key, found) || find_in(secondary, key, found);
    }
    locks->release_all();
  } while (has_moved_on(zone));
  return RL_ERROR;
}

void describe(const Bucket& bucket, uint8_t tag, uint64_t now_ms,
              rl_bucket_t* out) {
  *out = {};
  out->bucket = {bucket.key, tag};
  out->algorithm = static_cast<rl_algorithm_e>(bucket.algorithm);
  out->quota.units = decode_limit(bucket.limit_code);
  out->quota.window_ms = out->algorithm == RL_CONCURRENT
                             ? uint64_t{RL_PLACE_MS}
                             : bucket.window_ms();
  out->capacity_units = out->quota.units;
  out->exact = out->quota.units < kExactLimits;
  if (out->algorithm == RL_GCRA) {
    out->quota.units = bucket.gcra.units;
  } else if (out->algorithm == RL_CALENDAR) {
    out->quota.window_months = bucket.window.months;
  }
  if (bucket.algorithm == RL_BAN) out->banned_until_ms = bucket.ban.until_ms;
  out->active = idle_at_ms(bucket) > now_ms;
  out->charged_ms = bucket.stamp;
}

// As the bucket is, without a unit in use.
void clear(const Bucket& bucket, const rl_time_t& now, Bucket* image) {
  rl_bucket_t stored;
  describe(bucket, 0, now.mono_ms, &stored);
  const int32_t tz_ms =
      stored.algorithm == RL_CALENDAR ? bucket.window.tz_ms : 0;
  const Shape shape = {stored.algorithm,       stored.quota.units,
                       stored.capacity_units,  stored.quota.window_months,
                       stored.quota.window_ms, tz_ms};
  image->key = bucket.key;
  open(image, shape, now);
}

}  // namespace

}  // namespace ratelimit

uint32_t rl_zone_scan(const rl_zone_t* zone, uint32_t first, uint32_t sets,
                      const rl_time_t* now, rl_zone_stats_t* out,
                      rl_banned_t* banned, size_t n) noexcept {
  uint32_t i = ratelimit::next_used(zone, first);
  for (; i < zone->sets && sets > 0; --sets) {
    ratelimit::count_buckets(*ratelimit::set_at(zone, i), now->mono_ms, out,
                             banned, n);
    i = ratelimit::next_used(zone, i + 1);
  }
  return i < zone->sets ? i : 0;
}

uint32_t rl_scan_policy(const rl_policy_t* policy, uint32_t first,
                        uint32_t sets, uint64_t* until_ms) noexcept {
  const rl_zone_t* zone = policy->zone;
  if (ratelimit::is_moving(zone)) {
    *until_ms = UINT64_MAX;
    return 0;
  }
  uint32_t i = ratelimit::next_used(zone, first);
  for (; i < zone->sets && sets > 0; --sets) {
    ratelimit::find_last_idle(*ratelimit::set_at(zone, i), *policy, until_ms);
    i = ratelimit::next_used(zone, i + 1);
  }
  return i < zone->sets ? i : 0;
}

int rl_inspect(rl_process_t* process, const rl_zone_t* zone, uint64_t key_id,
               const rl_time_t* now, rl_bucket_t* out) noexcept {
  ratelimit::Locks locks(process);
  ratelimit::Found found;
  const int result =
      ratelimit::take_bucket(zone, key_id, now->mono_ms, &locks, &found);
  if (result == 1) {
    ratelimit::describe(found.set->buckets[found.index],
                        found.set->tags[found.index], now->mono_ms, out);
  }
  locks.release_all();
  return result;
}

int rl_reset(rl_process_t* process, const rl_zone_t* zone, uint64_t key_id,
             const rl_time_t* now) noexcept {
  ratelimit::Locks locks(process);
  ratelimit::Found found;
  const int result =
      ratelimit::take_bucket(zone, key_id, now->mono_ms, &locks, &found);
  if (result == 1) {
    // By way of the redo log, as everything that must not be half written.
    ratelimit::RedoLog* redo_log = ratelimit::redo_log_of(process);
    ratelimit::clear(found.set->buckets[found.index], *now,
                     &redo_log->images[0]);
    redo_log->targets[0] = ratelimit::target_of(
        zone, &found.set->buckets[found.index], found.set->tags[found.index]);
    ratelimit::Slot* slot = ratelimit::slot_of(process);
    ratelimit::begin_commit(slot, 1);
    ratelimit::write(redo_log->images[0], redo_log->targets[0], found.set,
                     &found.set->buckets[found.index]);
    ratelimit::end_commit(slot);
  }
  locks.release_all();
  return result;
}
