// Live buckets as they leave a zone's memory and enter another: see
// transfer.h.

#include "ratelimit/table/transfer.h"

#include "ratelimit/table/lock.h"
#include "ratelimit/table/zone.h"

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
  if (!place.evicts_active) {
    return true;
  }
  const uint32_t share = debt_share(bucket, now_ms);
  return share != place.debt_share ? share > place.debt_share
                                   : idle_at_ms(bucket) > place.idle_at_ms;
}

}  // namespace

bool place_carried(const rl_zone_t* zone, Set* first, Set* second,
                   const Bucket& bucket, uint64_t now_ms, Place* place) {
  *place = choose_place(first, 0, second, 0, now_ms);
  note_place(zone, *place);
  return outweighs(bucket, *place, now_ms);
}

uint64_t insert(const rl_zone_t* zone, const Bucket& bucket, uint8_t tag,
                uint64_t now_ms) {
  Set* first = set_at(zone, primary_index(bucket.key, zone->sets));
  Set* second = set_at(zone, secondary_index(bucket.key, zone->sets));
  Place place;
  if (place_carried(zone, first, second, bucket, now_ms, &place)) {
    store(place.set, place.index, tag, bucket);
  }
  return place.evicts_active ? 0 : 1;
}

}  // namespace ratelimit
