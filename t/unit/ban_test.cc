// Bans, against a log of when a key was refused.

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "bytes_reader.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/table/lock.h"
#include "ratelimit/table/zone.h"

namespace {

constexpr uint64_t kMinute = 60000;
constexpr unsigned char kBoot[16] = {7};
constexpr unsigned char kOtherBoot[16] = {8};

class Ban : public testing::Test {
 protected:
  Ban() {
    policy_.get()->ban = &ban_;
    other_.get()->ban = nullptr;
  }

  rl_item_t ask(const std::string& key = "k", uint32_t cost = 1) {
    rl_item_t item = policy_.item(key, cost);
    const rl_time_t now = at(now_ms_);
    EXPECT_NE(RL_TIMEOUT, rl_decide_bans(&process_, &item, 1, &now));
    return item;
  }

  // Spends the quota and is refused, `times` in all; the last answer.
  rl_item_t refuse(uint32_t times) {
    rl_item_t item = {};
    for (uint32_t i = 0; i < times;) {
      item = ask();
      i += item.admitted ? 0 : 1;
    }
    return item;
  }

  rl_item_t look(const std::string& key = "k") {
    rl_item_t item = policy_.item(key);
    const rl_time_t now = at(now_ms_);
    rl_look(&process_, &item, 1, &now);
    rl_look_bans(&process_, &item, &now);
    return item;
  }

  uint64_t banned_until(Policy& policy, uint64_t key_id) {
    const rl_time_t now = at(now_ms_);
    uint64_t until_ms = 1;
    const int banned =
        rl_banned_until(&process_, policy.get(), key_id, &now, &until_ms);
    EXPECT_EQ(until_ms != 0 ? 1 : 0, banned);
    return until_ms;
  }

  // All that a walk tells, by policy and key.
  std::map<std::pair<uint64_t, uint64_t>, rl_banned_key_t> walk() {
    std::map<std::pair<uint64_t, uint64_t>, rl_banned_key_t> found;
    const rl_time_t now = at(now_ms_);
    rl_bans_walk_t walk = {};
    rl_banned_key_t keys[RL_MAX_BANNED_OF_SET];
    size_t n = 0;
    while (rl_next_banned(&process_, arena_.zone(), &walk, &now, keys, &n) ==
           1) {
      for (size_t i = 0; i < n; ++i) {
        found[{keys[i].policy_id, keys[i].key_id}] = keys[i];
      }
    }
    return found;
  }

  uint64_t entries() {
    rl_zone_stats_t stats;
    const rl_time_t now = at(now_ms_);
    rl_zone_stats(arena_.zone(), 1, &now, &stats);
    return stats.entries;
  }

  uint64_t now_ms_ = 1000000;
  rl_ban_t ban_ = {{10 * kMinute, 60 * kMinute, 1440 * kMinute}, 3, 3, 0};
  Arena arena_{256 * 1024};
  rl_process_t process_ = arena_.join();
  Policy policy_{arena_.zone(), "p", 2, kMinute, RL_SLIDING};
  Policy other_{arena_.zone(), "q", 5, kMinute, RL_SLIDING};
};

TEST_F(Ban, BeginsWithSoManyRefusals) {
  EXPECT_TRUE(ask().admitted);
  EXPECT_TRUE(ask().admitted);
  EXPECT_EQ(1u, entries());  // nothing of bans for who is not refused
  for (int i = 0; i < 2; ++i) {
    const rl_item_t item = ask();
    EXPECT_FALSE(item.admitted);
    EXPECT_EQ(0, item.banned);
    EXPECT_LE(item.retry_after_ms, kMinute + kMinute / 16 + 1);
  }
  const rl_item_t third = ask();
  EXPECT_EQ(RL_BAN_BEGINS, third.banned);
  EXPECT_EQ(10 * kMinute, third.retry_after_ms);
  EXPECT_EQ(10 * kMinute, third.reset_ms);
  EXPECT_EQ(0u, third.remaining_units);
  EXPECT_TRUE(ask("another").admitted);

  now_ms_ += 5 * kMinute;  // all units are back
  const rl_item_t during = ask();
  EXPECT_FALSE(during.admitted);
  EXPECT_EQ(RL_BANNED, during.banned);
  EXPECT_EQ(5 * kMinute, during.retry_after_ms);
  EXPECT_EQ(2u, during.limit_units);
  EXPECT_TRUE(ask("k", 0).admitted);  // only looks
  now_ms_ += 5 * kMinute - 1;
  EXPECT_FALSE(ask().admitted);
  EXPECT_EQ(1u, ask().retry_after_ms);
  now_ms_ += 1;
  EXPECT_TRUE(ask().admitted);
}

TEST_F(Ban, RefusalsThatAreFarApartBeginNone) {
  for (int i = 0; i < 20; ++i) {
    ask();
    ask();
    EXPECT_EQ(0, ask().banned);
    EXPECT_EQ(0, ask().banned);
    now_ms_ += kMinute + kMinute / 8;
  }
}

TEST_F(Ban, NextTimesLastLonger) {
  const uint64_t lasts[] = {10, 60, 1440, 1440};
  for (const uint64_t minutes : lasts) {
    const rl_item_t item = refuse(3);
    EXPECT_EQ(minutes * kMinute, item.retry_after_ms);
    now_ms_ += minutes * kMinute + 20 * kMinute;
  }
  // Forgotten a longest ban after the last one's end.
  now_ms_ += 1440 * kMinute;
  EXPECT_EQ(10 * kMinute, refuse(3).retry_after_ms);
}

TEST_F(Ban, RestartsWhereThatIsAsked) {
  refuse(3);
  now_ms_ += kMinute;
  EXPECT_EQ(9 * kMinute, ask().retry_after_ms);
  ban_.restarts = 1;
  EXPECT_EQ(10 * kMinute, ask().retry_after_ms);
  now_ms_ += 9 * kMinute;
  EXPECT_EQ(kMinute, look().retry_after_ms);  // a look does not
  EXPECT_EQ(10 * kMinute, ask().retry_after_ms);
}

TEST_F(Ban, IsLifted) {
  const rl_item_t item = refuse(3);
  const rl_time_t now = at(now_ms_);
  EXPECT_EQ(RL_BANNED, look().banned);
  EXPECT_EQ(now_ms_ + 10 * kMinute, banned_until(policy_, item.bucket.lo));
  EXPECT_EQ(0u, banned_until(other_, item.bucket.lo));
  EXPECT_EQ(1, rl_lift_ban(&process_, policy_.get(), item.bucket.lo, &now));
  EXPECT_EQ(0u, banned_until(policy_, item.bucket.lo));
  now_ms_ += 2 * kMinute;
  EXPECT_EQ(0, look().banned);
  EXPECT_TRUE(ask().admitted);
  EXPECT_EQ(10 * kMinute, refuse(3).retry_after_ms);  // a first time again
  EXPECT_EQ(0, rl_lift_ban(&process_, policy_.get(),
                           policy_.item("nobody").bucket.lo, &now));
}

// Each with whose it is, since when, until when and the how manieth.
TEST_F(Ban, AreFoundByAWalk) {
  EXPECT_TRUE(walk().empty());
  const Policy third(arena_.zone(), "r", 1, kMinute, RL_GCRA);
  const_cast<Policy&>(third).get()->ban = &ban_;
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> until_ms;
  for (int i = 0; i < 400; ++i) {
    now_ms_ += 100;
    const Policy& policy = i % 3 == 0 ? third : policy_;
    rl_item_t item = policy.item(std::to_string(i));
    const rl_time_t now = at(now_ms_);
    while (item.banned == 0) {
      rl_decide_bans(&process_, &item, 1, &now);
      if (i % 5 == 0 && !item.admitted) break;  // only counted
    }
    if (item.banned == 0) continue;
    until_ms[{item.policy->secret.lo, item.bucket.lo}] =
        now_ms_ + 10 * kMinute;
  }
  const auto found = walk();
  EXPECT_EQ(320u, found.size());
  ASSERT_EQ(until_ms.size(), found.size());
  for (const auto& [name, key] : found) {
    EXPECT_EQ(until_ms.at(name), key.until_ms);
    EXPECT_EQ(key.until_ms - 10 * kMinute, key.since_ms);
    EXPECT_EQ(0u, key.level);
  }

  // So many of each policy does a scan count.
  const uint64_t ids[] = {policy_.item("").policy->secret.lo,
                          third.item("").policy->secret.lo};
  rl_banned_t banned[] = {{std::min(ids[0], ids[1]), 0, 0},
                          {std::max(ids[0], ids[1]), 0, 0}};
  rl_zone_stats_t stats = {};
  rl_time_t now = at(now_ms_);
  rl_zone_scan(arena_.zone(), 0, UINT32_MAX, &now, &stats, banned, 2);
  EXPECT_EQ(213u, rl_find_banned(banned, 2, ids[0])->keys);
  EXPECT_EQ(107u, rl_find_banned(banned, 2, ids[1])->keys);
  EXPECT_EQ(nullptr, rl_find_banned(banned, 2, ids[0] + 1));
  rl_banned_t last = {ids[1], now_ms_, 0};  // it was reset, but for one key
  rl_zone_scan(arena_.zone(), 0, UINT32_MAX, &now, &stats, &last, 1);
  EXPECT_EQ(1u, last.keys);
  EXPECT_EQ(nullptr, rl_find_banned(nullptr, 0, ids[0]));

  now_ms_ += 10 * kMinute - 100;  // the last one's is not over
  EXPECT_EQ(1u, walk().size());
  now_ms_ += 100;
  EXPECT_TRUE(walk().empty());
}

TEST_F(Ban, AWalkTellsTheLevel) {
  for (uint32_t level = 0; level < 3; ++level) {
    const rl_item_t item = refuse(3);
    const auto found = walk();
    ASSERT_EQ(1u, found.size());
    EXPECT_EQ(level, found.begin()->second.level);
    EXPECT_EQ(now_ms_, found.begin()->second.since_ms);
    now_ms_ += item.retry_after_ms + 2 * kMinute;
  }
}

// A stopped process: the walk fails, and goes on with that set.
TEST_F(Ban, AWalkWaitsForNoStoppedProcess) {
  const rl_item_t item = refuse(3);
  const rl_zone_t* zone = arena_.zone();
  const uint64_t key = walk().begin()->second.key_id;
  EXPECT_EQ(item.bucket.lo, key);
  std::vector<ratelimit::Set*> locked;
  const rl_process_t stopped = arena_.join();
  for (uint32_t i = 0; i < zone->sets; ++i) {
    ratelimit::Set* set = ratelimit::set_at(zone, i);
    if (ratelimit::try_lock(&stopped, set)) locked.push_back(set);
  }
  const rl_time_t now = at(now_ms_);
  rl_bans_walk_t walk = {};
  rl_banned_key_t keys[RL_MAX_BANNED_OF_SET];
  size_t n = 0;
  int rc = 1;
  while (rc == 1) {
    rc = rl_next_banned(&process_, zone, &walk, &now, keys, &n);
  }
  EXPECT_EQ(RL_ERROR, rc);
  for (ratelimit::Set* set : locked)
    ratelimit::unlock(set);
  ASSERT_EQ(1, rl_next_banned(&process_, zone, &walk, &now, keys, &n));
  ASSERT_EQ(1u, n);
  EXPECT_EQ(key, keys[0].key_id);
}

TEST_F(Ban, ChargesNobody) {
  refuse(3);
  now_ms_ += 2 * kMinute;
  rl_item_t items[] = {other_.item("k"), policy_.item("k")};
  const rl_time_t now = at(now_ms_);
  EXPECT_EQ(RL_REFUSED, rl_decide_bans(&process_, items, 2, &now));
  EXPECT_TRUE(items[0].admitted);
  EXPECT_FALSE(items[0].charged);
  EXPECT_EQ(5u, items[0].remaining_units);
  EXPECT_EQ(RL_BANNED, items[1].banned);
  // In dry run it refuses nothing, and is charged nothing.
  rl_item_t dry[] = {other_.item("k"), policy_.item("k")};
  dry[1].dry_run = 1;
  EXPECT_EQ(RL_ADMITTED, rl_decide_bans(&process_, dry, 2, &now));
  EXPECT_TRUE(dry[0].charged);
  EXPECT_EQ(4u, dry[0].remaining_units);
  EXPECT_FALSE(dry[1].admitted);
  EXPECT_FALSE(dry[1].charged);
}

// What another policy refuses is none of this one's.
TEST_F(Ban, OthersRefusalsDoNotCount) {
  const Policy none(arena_.zone(), "none", 0, kMinute, RL_SLIDING);
  for (int i = 0; i < 10; ++i) {
    rl_item_t items[] = {none.item("k"), policy_.item("k")};
    const rl_time_t now = at(now_ms_);
    EXPECT_EQ(RL_REFUSED, rl_decide_bans(&process_, items, 2, &now));
    EXPECT_EQ(0, items[1].banned);
  }
  EXPECT_TRUE(ask().admitted);
}

TEST_F(Ban, AgreesWithALogOfRefusals) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 20; ++round) {
    ban_.after = static_cast<uint32_t>(1 + random() % 10);
    const std::string key = std::to_string(round);
    std::deque<uint64_t> log;
    uint64_t until_ms = 0;
    uint64_t forget_ms = 0;
    uint32_t level = 0;
    uint64_t bans = 0;
    for (uint64_t i = 0; i < times(5000); ++i) {
      now_ms_ +=
          random() % 8 == 0 ? random() % (2 * kMinute) : random() % 2000;
      if (random() % 200 == 0) now_ms_ += random() % (3000 * kMinute);
      const rl_item_t item = ask(key);
      if (until_ms > now_ms_) {
        ASSERT_EQ(RL_BANNED, item.banned);
        ASSERT_EQ(until_ms - now_ms_, item.retry_after_ms);
        continue;
      }
      ASSERT_NE(RL_BANNED, item.banned);
      if (item.admitted) continue;
      log.push_back(now_ms_);
      // Never later than so many in a window, nor sooner than in a 16th more.
      const auto within = [&](uint64_t ms) {
        return std::count_if(log.begin(), log.end(),
                             [&](uint64_t t) { return t + ms >= now_ms_; });
      };
      if (within(kMinute) >= ban_.after) {
        ASSERT_EQ(RL_BAN_BEGINS, item.banned);
      } else if (within(kMinute + kMinute / 16 + 1) < ban_.after) {
        ASSERT_EQ(0, item.banned);
      }
      if (item.banned == 0) continue;
      level = now_ms_ < forget_ms ? std::min(level + 1, 2u) : 0;
      until_ms = now_ms_ + ban_.durations_ms[level];
      forget_ms = until_ms + ban_.durations_ms[2];
      ASSERT_EQ(until_ms - now_ms_, item.retry_after_ms);
      log.clear();
      ++bans;
    }
    EXPECT_LT(5u, bans);
  }
}

// Whoever is banned stays so while a flood of keys goes by.
TEST_F(Ban, AFloodDoesNotLiftIt) {
  refuse(3);
  for (int i = 0; i < 20000; ++i) {
    ask("flood" + std::to_string(i));
  }
  EXPECT_EQ(RL_BANNED, ask().banned);
}

TEST_F(Ban, OutlivesARestart) {
  refuse(3);
  rl_time_t now = at(now_ms_);
  std::vector<unsigned char> file(RL_STATE_HEADER_LEN);
  rl_state_header(arena_.zone(), kBoot, &now, file.data());
  std::vector<unsigned char> block(RL_STATE_BLOCK_LEN);
  uint64_t buckets = 0;
  for (uint32_t s = 0; s < arena_.zone()->sets; s += RL_STATE_SETS) {
    const size_t len =
        rl_state_sets(&process_, arena_.zone(), s, RL_STATE_SETS, &now,
                      block.data(), &buckets);
    file.insert(file.end(), block.data(), block.data() + len);
  }
  file.resize(file.size() + RL_STATE_END_LEN);
  rl_state_end(arena_.zone(), buckets,
               file.data() + file.size() - RL_STATE_END_LEN);
  for (const unsigned char* boot : {kBoot, kOtherBoot}) {
    Arena next(256 * 1024);
    rl_process_t process = next.join();
    Policy policy(next.zone(), "p", 2, kMinute, RL_SLIDING);
    policy.get()->ban = &ban_;
    Bytes bytes = {file.data(), file.size()};
    rl_time_t later = now;
    later.wall_ms += 2 * kMinute;
    later.mono_ms = boot == kBoot ? now.mono_ms + 2 * kMinute : 5000;
    uint64_t loaded = 0;
    ASSERT_EQ(nullptr, rl_state_load(next.zone(), read_bytes, &bytes, boot,
                                     &later, &loaded));
    rl_item_t item = policy.item("k");
    rl_decide_bans(&process, &item, 1, &later);
    EXPECT_EQ(RL_BANNED, item.banned);
    EXPECT_EQ(8 * kMinute, item.retry_after_ms);

    rl_bans_walk_t walk = {};
    rl_banned_key_t keys[RL_MAX_BANNED_OF_SET];
    size_t n = 0;
    while (n == 0) {
      ASSERT_EQ(
          1, rl_next_banned(&process, next.zone(), &walk, &later, keys, &n));
    }
    EXPECT_EQ(policy.get()->secret.lo, keys[0].policy_id);
    // Of times before the boot the clock knows none.
    EXPECT_EQ(boot == kBoot ? now.mono_ms : 0u, keys[0].since_ms);
    EXPECT_EQ(later.mono_ms + 8 * kMinute, keys[0].until_ms);
  }
}

TEST(Bans, AsWritten) {
  rl_ban_t ban = {};
  ban.after = 4;
  EXPECT_EQ(nullptr, rl_parse_bans(str("10m"), &ban));
  EXPECT_EQ(1u, ban.n);
  EXPECT_EQ(10 * kMinute, ban.durations_ms[0]);
  EXPECT_EQ(nullptr, rl_parse_bans(str("10m,1h,1d"), &ban));
  EXPECT_EQ(3u, ban.n);
  EXPECT_EQ(1440 * kMinute, ban.durations_ms[2]);
  EXPECT_EQ(4u, ban.after);
  for (const char* bad :
       {"", ",", "10m,", ",10m", "10m,,1h", "1h,10m", "1h,1h", "999ms", "10",
        "1M", "x", "1s,2s,3s,4s,5s,6s,7s,8s,9s", "367d"}) {
    EXPECT_NE(nullptr, rl_parse_bans(str(bad), &ban)) << bad;
    EXPECT_EQ(3u, ban.n);
  }
}

}  // namespace
