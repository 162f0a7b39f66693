// Resets of keys that machines share: see abi/shared_override.h.
//
// Redis empties the bucket and leaves the rows.  A machine that has used units
// of which Redis knows nothing yet would have them charged afterwards: it
// forgets them, if all of them were used before the reset; else they count. So
// what is admitted from then on is the quota at most, as everywhere.

#include <algorithm>

#include "ratelimit/base/bytes.h"
#include "ratelimit/shared/lease.h"

namespace ratelimit {

namespace {

// Another id than that of an override of the key.
constexpr uint64_t kResetDomain = 0x7265736574206b65u;

unsigned char* bytes_of(rl_override_t* reset) {
  return reinterpret_cast<unsigned char*>(reset->policy);
}

const unsigned char* bytes_of(const rl_override_t* reset) {
  return reinterpret_cast<const unsigned char*>(reset->policy);
}

// When Redis showed at_ms it was not earlier by this machine's clock.
uint64_t local_us(uint64_t at_ms, uint64_t server_ms, uint64_t asked_us) {
  const uint64_t gone_ms = server_ms > at_ms ? server_ms - at_ms : 0;
  const uint64_t gone_us = gone_ms * 1000 + gone_ms + 1000;
  return asked_us > gone_us ? asked_us - gone_us : 0;
}

// Of uses that a lost Redis would be told, those before that time: all of
// them, or the slots that were over by then.
void forget_own(Row* row, uint64_t at_us) {
  const bool all = row->last_use_us < at_us;
  const uint64_t newest = row->own.slot;
  for (uint64_t back = 0; back < kWireSlots && back <= newest; ++back) {
    const uint64_t slot = newest - back;
    if (all || slot < at_us / slot_us(*row)) {
      row->own.units[slot % kWireSlots] = 0;
    }
  }
}

void reset(Row* row, uint64_t at_us, uint64_t now_us) {
  if (row->last_use_us < at_us) {
    row->used_units = row->sent_used;
    row->owed_units = std::min(row->owed_units, row->sent_owed);
  }
  forget_own(row, at_us);
  if (row->told_sent_us < at_us) row->left_ms = 0;  // of the debt
  row->since_us = now_us;
  row->back_units = 0;
  row->refused_until_us = 0;
}

}  // namespace

}  // namespace ratelimit

void rl_shared_reset(const rl_item_t* item, uint64_t at_ms,
                     rl_override_t* out) noexcept {
  const rl_hash_t name = ratelimit::name_of(*item);
  *out = {};
  out->id = item->bucket.lo ^ ratelimit::kResetDomain;
  out->kind = RL_OVERRIDE_KEY_RESET;
  out->key_id = rl_key_id(item->policy, item->bucket.lo);
  unsigned char* bytes = ratelimit::bytes_of(out);
  ratelimit::store_le64(name.lo, bytes);
  ratelimit::store_le64(name.hi, bytes + 8);
  ratelimit::store_le64(at_ms, bytes + 16);
}

uint64_t rl_shared_reset_bucket(const rl_override_t* reset) noexcept {
  return reset->id ^ ratelimit::kResetDomain;
}

int rl_leases_reset(rl_leases_t* leases, const rl_override_t* reset,
                    uint64_t server_ms, uint64_t asked_us,
                    uint64_t now_us) noexcept {
  const unsigned char* bytes = ratelimit::bytes_of(reset);
  const rl_hash_t name = {ratelimit::load_le64(bytes),
                          ratelimit::load_le64(bytes + 8)};
  ratelimit::Entry entry(leases->process, leases->rows, name);
  if (!entry.locked()) return RL_TIMEOUT;
  ratelimit::Row* row = entry.write();
  if (row == nullptr) return RL_OK;
  const uint64_t at_us = ratelimit::local_us(ratelimit::load_le64(bytes + 16),
                                             server_ms, asked_us);
  ratelimit::reset(row, at_us, row->see(now_us));
  return RL_OK;
}

int rl_leases_bucket(const rl_leases_t* leases, rl_item_t* item) noexcept {
  item->bucket.hi = 0;
  const rl_hash_t name = ratelimit::name_of(*item);
  const ratelimit::RowSet* set = ratelimit::row_set_of(leases->rows, name);
  // As a row is looked for, of which only half the name is known.
  const ratelimit::Entry entry(leases->process, leases->rows, name);
  if (!entry.locked()) return 0;
  for (uint32_t i = 0; i < ratelimit::kRowsPerSet; ++i) {
    if (set->tags[i] == ratelimit::row_tag(name)) {
      item->bucket.hi = set->rows[i].name.hi ^ name.hi;
      return 1;
    }
  }
  return 0;
}
