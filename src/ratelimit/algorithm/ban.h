// Bans: a bucket beside that of a policy and key, made at the key's first
// refusal and gone when nothing of it matters any more.  It counts refusals,
// knows until when the key is banned, and how often it was of late.
//
// A refusal counts for a window, and at most a 16th of it longer: in
// sub-windows as those of `sliding`.
//
// Its name follows from that of the policy's bucket, so that a key is found by
// it, and it says whose it is, so that a policy's bans are.

#ifndef RATELIMIT_ALGORITHM_BAN_H_
#define RATELIMIT_ALGORITHM_BAN_H_

#include "ratelimit/algorithm/bucket.h"

namespace ratelimit {

// A ban's name is the policy's, changed by these.
constexpr uint64_t kBanLo = 0x62616e2062616e21u;
constexpr uint64_t kBanHi = 0x2e;

void ban_open(Bucket* bucket, uint64_t key, uint64_t window_ms) noexcept;

// 0: the key is not banned.
uint64_t ban_left_ms(const Bucket& bucket, uint64_t now_ms) noexcept;

// Counts a refusal.  True: it begins a ban.
bool ban_note_refusal(Bucket* bucket, const rl_policy_t& policy,
                      uint64_t window_ms, uint64_t now_ms) noexcept;

// Begins a ban, the next longer one if the last was of late.
void ban_begin(Bucket* bucket, const rl_policy_t& policy,
               uint64_t now_ms) noexcept;

// As long as from its beginning.
void ban_restart(Bucket* bucket, const rl_ban_t& ban,
                 uint64_t now_ms) noexcept;

// As idle_at_ms(), debt_share() and rebase_clock().
uint64_t ban_idle_at_ms(const Bucket& bucket) noexcept;
uint32_t ban_debt_share(const Bucket& bucket, uint64_t now_ms) noexcept;
void ban_rebase_clock(Bucket* bucket, int64_t delta_ms) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_BAN_H_
