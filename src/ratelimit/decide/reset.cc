// Resetting a whole policy: see ratelimit.h.
//
// Which buckets are a policy's nobody can tell, as their names are hashes.  So
// none is looked for: whoever comes upon one that was last charged before the
// mark empties it first.  Nothing has to be done at once, all processes heed
// the same word of shared memory, and one that dies leaves nothing half done.

#include "ratelimit/algorithm/ban.h"
#include "ratelimit/decide/ban_name.h"
#include "ratelimit/decide/locate.h"

namespace ratelimit {

namespace {

// Its stamp is not before the mark, whatever this process's clock says.
void open_anew(const rl_item_t& item, const Shape& shape, uint64_t at_ms,
               const rl_time_t& now, Bucket* image) {
  if (shape.algorithm == RL_SLIDING || shape.algorithm == RL_GCRA) {
    rl_time_t since = now;
    if (since.mono_ms < at_ms) since.mono_ms = at_ms;
    open(image, shape, since);
  } else {
    open(image, shape, now);
    image->set_stamp(at_ms);
  }
  image->key = item.bucket.lo;
}

bool is_older(const BucketRef& ref, uint64_t at_ms) {
  return ref.is_stored() && ref.bucket->stamp < at_ms;
}

void empty(rl_process_t* process, const rl_item_t& item,
           const BucketRef& ref) {
  redo_log_of(process)->targets[0] = target_of(item, ref);
  commit(process, &ref, 1);
}

// Where the lock is not to be had the decision will not get it either.
void empty_older(rl_process_t* process, const rl_item_t& item, uint64_t at_ms,
                 const rl_time_t& now) {
  BucketRef ref;
  if (!lock_buckets(process, &item, 1, now.mono_ms, &ref)) return;
  if (is_older(ref, at_ms)) {
    const Shape shape = kept_shape(*ref.bucket, shape_of(process, item));
    open_anew(item, shape, at_ms, now, &redo_log_of(process)->images[0]);
    empty(process, item, ref);
  }
  release_all(process, &ref, 1);
}

void empty_older_ban(rl_process_t* process, const rl_item_t& item,
                     uint64_t at_ms, const rl_time_t& now) {
  const rl_item_t ban = ban_of(item);
  BucketRef ref;
  if (!lock_buckets(process, &ban, 1, now.mono_ms, &ref)) return;
  if (is_older(ref, at_ms)) {
    Bucket* image = &redo_log_of(process)->images[0];
    ban_open(image, ban.bucket.lo, item.quota.window_ms);
    image->set_stamp(at_ms);
    empty(process, ban, ref);
  }
  release_all(process, &ref, 1);
}

}  // namespace

}  // namespace ratelimit

void rl_empty_older(rl_process_t* process, const rl_item_t* item,
                    const rl_time_t* now) noexcept {
  const uint64_t at_ms = rl_policy_reset_at(item->policy, now);
  if (at_ms == 0 || process->process_table == nullptr) return;
  ratelimit::empty_older(process, *item, at_ms, *now);
  if (item->policy->ban != nullptr) {
    ratelimit::empty_older_ban(process, *item, at_ms, *now);
  }
}
