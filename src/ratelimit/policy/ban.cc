// How long a policy bans, as configured.

#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"

namespace {

constexpr const char* kPhrase =
    "must be up to 8 times such as \"10m,1h,1d\", of 1s to 366d, each longer "
    "than the one before";
static_assert(RL_MAX_BANS == 8, "as it says");

// The part up to the next comma; *text is what follows.
rl_str_t take_part(rl_str_t* text) {
  rl_str_t part = {0, text->data};
  while (part.len < text->len && text->data[part.len] != ',') {
    part.len++;
  }
  const size_t taken = part.len < text->len ? part.len + 1 : part.len;
  text->data += taken;
  text->len -= taken;
  return part;
}

}  // namespace

const char* rl_parse_bans(rl_str_t text, rl_ban_t* out) noexcept {
  rl_ban_t ban = *out;
  ban.n = 0;
  if (text.len == 0 || text.data[text.len - 1] == ',') return kPhrase;
  while (text.len != 0) {
    rl_quota_t time{};
    if (ban.n == RL_MAX_BANS ||
        rl_parse_window(take_part(&text), 0, &time) != nullptr ||
        time.window_ms < 1000 ||
        (ban.n != 0 && time.window_ms <= ban.durations_ms[ban.n - 1])) {
      return kPhrase;
    }
    ban.durations_ms[ban.n++] = time.window_ms;
  }
  *out = ban;
  return nullptr;
}
