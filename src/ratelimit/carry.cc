// Carrying buckets over into a zone of another size: see ratelimit.h.

#include "carry.h"

#include "lock.h"
#include "zone.h"

namespace ratelimit {

void copy_set(const rl_process_t* process, Set* set, SetCopy* copy) {
  Locks locks(process);
  // An owner that lives and does not move, a stopped process, will hardly have
  // stopped in the midst of writing: its set is copied as it stands.
  locks.take(set);
  copy->occupied = set->occupied;
  std::memcpy(copy->tags, set->tags, sizeof(copy->tags));
  std::memcpy(static_cast<void*>(copy->buckets), set->buckets,
              sizeof(copy->buckets));
  locks.release_all();
}

namespace {

// Whether the bucket has a better right to its place than the one that is
// there: for smaller zones, the order in which eviction would let them go.
bool outweighs(const Bucket& bucket, const Place& place, uint64_t now_ms) {
  if (!place.evicts_live) {
    return true;
  }
  const uint32_t share = debt_share(bucket, now_ms);
  return share != place.debt_share ? share > place.debt_share
                                   : idle_at_ms(bucket) > place.idle_at_ms;
}

}  // namespace

uint64_t insert(const rl_zone_t* zone, const Bucket& bucket, uint8_t tag,
                uint64_t now_ms) {
  Set* first = set_at(zone, primary_index(bucket.key, zone->sets));
  Set* second = set_at(zone, secondary_index(bucket.key, zone->sets));
  const Place place = choose_place(first, 0, second, 0, now_ms);
  count_eviction(zone, place);
  if (outweighs(bucket, place, now_ms)) {
    store(place.set, place.index, tag, bucket);
  }
  return place.evicts_live ? 0 : 1;
}

}  // namespace ratelimit

uint64_t rl_zone_carry(rl_process_t* process, const rl_zone_t* to,
                       const rl_zone_t* from, const rl_time_t* now) noexcept {
  ratelimit::ZoneHeader* header = ratelimit::header_of(to);
  const ratelimit::ZoneHeader* old = ratelimit::header_of(from);
  header->seed[0] = old->seed[0];
  header->seed[1] = old->seed[1];
  rl_lever_t levers[RL_MAX_LEVERS];
  const size_t nlevers = rl_levers(from, now, levers);
  for (size_t i = 0; i < nlevers; ++i) {
    rl_lever_set(to, &levers[i], now);
  }
  uint64_t carried = 0;
  for (uint32_t s = 0; s < from->sets; ++s) {
    ratelimit::SetCopy copy;
    ratelimit::copy_set(process, ratelimit::set_at(from, s), &copy);
    for (uint32_t i = 0; i < ratelimit::kBucketsPerSet; ++i) {
      if (copy.is_live(i, now->mono_ms)) {
        carried += ratelimit::insert(to, copy.buckets[i], copy.tags[i],
                                     now->mono_ms);
      }
    }
  }
  return carried;
}
