// What Redis says of bans that machines share: see abi/shared_ban.h, and
// bans.lua for the bytes.

#include <algorithm>
#include <cstring>

#include "ratelimit/base/bytes.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

namespace {

constexpr size_t kRecordLen = RL_SHARED_BAN_WHO_LEN + 6 + 6 + 6 + 1;
constexpr size_t kReplyLen = 1 + 6;
constexpr size_t kFeedLen = 6 + 8 + 7;

// A ban's longest duration, and how long it may be remembered.
constexpr uint64_t kLongestMs = uint64_t{366} * 24 * 3600 * 1000;

// Redis's clock and this machine's, at about one time.
struct Clocks {
  uint64_t server_ms;
  uint64_t mono_ms;

  // Nothing was before this machine began.
  uint64_t local(uint64_t time_ms) const {
    if (time_ms >= server_ms) return mono_ms + (time_ms - server_ms);
    return mono_ms - std::min(mono_ms, server_ms - time_ms);
  }
};

bool is_ban(const rl_shared_ban_t& ban, uint64_t server_ms) {
  return ban.level < RL_MAX_BANS && ban.since_ms <= server_ms &&
         (ban.until_ms == 0 || ban.until_ms >= ban.since_ms) &&
         ban.until_ms <= server_ms + kLongestMs &&
         ban.forget_ms <= server_ms + 2 * kLongestMs;
}

void read_record(const unsigned char* bytes, const Clocks& clocks,
                 rl_shared_ban_t* out) {
  out->bucket = {load_le64(bytes), load_le64(bytes + 8)};
  out->policy_id = load_le64(bytes + 16);
  bytes += RL_SHARED_BAN_WHO_LEN;
  out->since_ms = std::min(load_few(bytes, 6), clocks.server_ms);
  out->until_ms = load_few(bytes + 6, 6);
  out->forget_ms = load_few(bytes + 12, 6);
  out->level = bytes[18];
  if (!is_ban(*out, clocks.server_ms)) {
    *out = {};
    return;
  }
  out->since_ms = clocks.local(out->since_ms);
  if (out->until_ms != 0) out->until_ms = clocks.local(out->until_ms);
  out->forget_ms = clocks.local(out->forget_ms);
}

}  // namespace

}  // namespace ratelimit

using ratelimit::load_few;
using ratelimit::load_le64;
using ratelimit::store_le64;

void rl_shared_ban_key(uint64_t key_id, unsigned char* buf) noexcept {
  constexpr char kStem[] = "{00}ban:";
  static_assert(sizeof(kStem) - 1 + 16 == RL_SHARED_BAN_KEY_LEN, "");
  std::memcpy(buf, kStem, sizeof(kStem) - 1);
  buf += sizeof(kStem) - 1;
  for (int shift = 60; shift >= 0; shift -= 4) {
    *buf++ =
        static_cast<unsigned char>("0123456789abcdef"[key_id >> shift & 15]);
  }
}

void rl_shared_ban_who(rl_hash_t bucket, uint64_t policy_id,
                       unsigned char* buf) noexcept {
  static_assert(RL_SHARED_BAN_WHO_LEN == 3 * 8, "what is written");
  store_le64(bucket.lo, buf);
  store_le64(bucket.hi, buf + 8);
  store_le64(policy_id, buf + 16);
}

int rl_shared_ban_reply(const unsigned char* bytes, size_t len,
                        const rl_time_t* now, int* begins,
                        rl_shared_ban_t* ban) noexcept {
  using ratelimit::kRecordLen;
  using ratelimit::kReplyLen;
  *begins = 0;
  *ban = {};
  if (len != kReplyLen && len != kReplyLen + kRecordLen) return RL_ERROR;
  *begins = bytes[0] == 1;
  if (len != kReplyLen) {
    const ratelimit::Clocks clocks = {load_few(bytes + 1, 6), now->mono_ms};
    ratelimit::read_record(bytes + kReplyLen, clocks, ban);
  }
  return RL_OK;
}

int rl_shared_feed_reply(const unsigned char* bytes, size_t len,
                         const rl_time_t* now,
                         rl_shared_feed_t* out) noexcept {
  using ratelimit::kFeedLen;
  using ratelimit::kRecordLen;
  if (len < kFeedLen || (len - kFeedLen) % kRecordLen != 0 ||
      (len - kFeedLen) / kRecordLen > RL_SHARED_FEED_MAX) {
    return RL_ERROR;
  }
  const ratelimit::Clocks clocks = {load_few(bytes, 6), now->mono_ms};
  std::memcpy(&out->epoch, bytes + 6, sizeof(out->epoch));
  out->version = load_few(bytes + 14, 7);
  out->n = 0;
  for (size_t at = kFeedLen; at < len; at += kRecordLen) {
    ratelimit::read_record(bytes + at, clocks, &out->bans[out->n++]);
  }
  return RL_OK;
}
