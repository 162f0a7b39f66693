// Bans that machines share, on two machines whose clocks differ.

#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/ratelimit.h"

namespace {

constexpr uint64_t kMinute = 60000;
constexpr uint64_t kDay = 1795000000000;  // ms since 1970

struct Machine {
  explicit Machine(uint64_t now_ms) : now_ms(now_ms) {
    policy.get()->ban = &ban;
  }

  rl_item_t ask(const std::string& key = "k") {
    rl_item_t item = policy.item(key);
    const rl_time_t now = at(now_ms);
    EXPECT_NE(RL_TIMEOUT, rl_decide_bans(&process, &item, 1, &now));
    return item;
  }

  // Spends the quota and is refused so many times.
  rl_item_t refuse(int n) {
    rl_item_t item = {};
    while (n > 0) {
      item = ask();
      n -= item.admitted ? 0 : 1;
    }
    return item;
  }

  int of(rl_shared_ban_t* out) {
    const rl_time_t now = at(now_ms);
    return rl_ban_of(&process, policy.get(), policy.item("k").bucket, &now,
                     out);
  }

  int take(const rl_shared_ban_t& shared) {
    const rl_time_t now = at(now_ms);
    return rl_take_ban(&process, policy.get(), &shared, &now);
  }

  rl_shared_ban_t made(uint64_t since_ms, uint64_t until_ms,
                       uint32_t level = 0) {
    return {
        policy.item("k").bucket,
        policy.get()->secret.lo,
        since_ms,
        until_ms,
        until_ms == 0 ? since_ms + 1440 * kMinute : until_ms + 1440 * kMinute,
        level};
  }

  uint64_t entries() {
    rl_zone_stats_t stats;
    const rl_time_t now = at(now_ms);
    rl_zone_stats(arena.zone(), 1, &now, &stats);
    return stats.entries;
  }

  uint64_t now_ms;
  rl_ban_t ban = {{10 * kMinute, 60 * kMinute, 1440 * kMinute}, 3, 3, 0};
  Arena arena{256 * 1024};
  rl_process_t process = arena.join();
  Policy policy{arena.zone(), "p", 2, kMinute, RL_SLIDING};
};

// As bans.lua packs numbers.
std::string packed(uint64_t value, size_t bytes) {
  std::string out;
  for (; bytes > 0; --bytes, value >>= 8) {
    out += static_cast<char>(value & 0xff);
  }
  return out;
}

// What Redis has of a ban that was told as its clock showed server_ms.
std::string record(const rl_shared_ban_t& ban, uint64_t server_ms,
                   uint64_t now_ms) {
  unsigned char who[RL_SHARED_BAN_WHO_LEN];
  rl_shared_ban_who(ban.bucket, ban.policy_id, who);
  return std::string(reinterpret_cast<char*>(who), sizeof(who)) +
         packed(server_ms - (now_ms - ban.since_ms), 6) +
         packed(ban.until_ms == 0 ? 0 : server_ms + (ban.until_ms - now_ms),
                6) +
         packed(server_ms + (ban.forget_ms - now_ms), 6) +
         packed(ban.level, 1);
}

rl_shared_ban_t read(const std::string& record, uint64_t server_ms,
                     uint64_t now_ms, int begins = 0) {
  const std::string reply =
      packed(static_cast<uint64_t>(begins), 1) + packed(server_ms, 6) + record;
  const rl_time_t now = at(now_ms);
  rl_shared_ban_t ban;
  int told = 7;
  EXPECT_EQ(RL_OK, rl_shared_ban_reply(str(reply).data, reply.size(), &now,
                                       &told, &ban));
  EXPECT_EQ(begins, told);
  return ban;
}

TEST(SharedBan, HoldsOnAnotherMachineByItsOwnClock) {
  Machine one(5000000);
  Machine two(777);
  one.refuse(3);
  rl_shared_ban_t told;
  ASSERT_EQ(1, one.of(&told));
  one.now_ms += 1000;
  const std::string stored = record(told, kDay, one.now_ms);
  two.now_ms += 200;
  const rl_shared_ban_t found = read(stored, kDay + 200, two.now_ms);
  EXPECT_EQ(told.bucket.lo, found.bucket.lo);
  EXPECT_EQ(told.bucket.hi, found.bucket.hi);
  EXPECT_EQ(0u, found.since_ms);  // before that machine began
  EXPECT_EQ(1, two.take(found));
  const rl_item_t item = two.ask();
  EXPECT_EQ(RL_BANNED, item.banned);
  EXPECT_EQ(10 * kMinute - 1200, item.retry_after_ms);
  EXPECT_EQ(10 * kMinute - 1200, item.reset_ms);
  EXPECT_TRUE(two.ask("another").admitted);
  EXPECT_EQ(0, two.take(found));  // it is known
}

TEST(SharedBan, NextOneIsLongerWhereverItBegins) {
  Machine machines[] = {Machine(1000000), Machine(1000000)};
  const uint64_t minutes[] = {10, 60, 1440, 1440};
  for (size_t i = 0; i < 4; ++i) {
    Machine* one = &machines[i % 2];
    Machine* two = &machines[1 - i % 2];
    EXPECT_EQ(minutes[i] * kMinute, one->refuse(3).retry_after_ms);
    rl_shared_ban_t told;
    ASSERT_EQ(1, one->of(&told));
    EXPECT_EQ(1, two->take(told));
    one->now_ms += minutes[i] * kMinute + kMinute;
    two->now_ms = one->now_ms;
    EXPECT_EQ(0, one->of(&told));
  }
}

TEST(SharedBan, OfTwoTheLongerOneCounts) {
  Machine machine(1000000);
  const uint64_t now_ms = machine.now_ms;
  EXPECT_EQ(1, machine.take(machine.made(now_ms, now_ms + 10 * kMinute)));
  EXPECT_EQ(0, machine.take(machine.made(now_ms + 9, now_ms + 5 * kMinute)));
  // What was on its way is no later end, or it would creep.
  EXPECT_EQ(0,
            machine.take(machine.made(now_ms, now_ms + 10 * kMinute + 400)));
  EXPECT_EQ(1, machine.take(machine.made(now_ms, now_ms + 60 * kMinute, 1)));
  EXPECT_EQ(60 * kMinute, machine.ask().retry_after_ms);
  machine.now_ms += 60 * kMinute;
  EXPECT_EQ(1440 * kMinute, machine.refuse(3).retry_after_ms);
}

TEST(SharedBan, OneThatIsOverAndForgottenMakesNoBucket) {
  Machine machine(1000 * kMinute);
  rl_shared_ban_t ban = machine.made(kMinute, 11 * kMinute);
  ban.forget_ms = machine.now_ms;
  EXPECT_EQ(0, machine.take(ban));
  EXPECT_EQ(0, machine.take(machine.made(machine.now_ms, 0)));
  EXPECT_EQ(0u, machine.entries());
  // But one that is remembered makes the next one longer.
  ban.forget_ms = machine.now_ms + 5;
  EXPECT_EQ(1, machine.take(ban));
  EXPECT_TRUE(machine.ask().admitted);
  EXPECT_EQ(60 * kMinute, machine.refuse(3).retry_after_ms);
}

TEST(SharedBan, LiftedAsIfThereHadBeenNone) {
  Machine machine(1000000);
  machine.refuse(3);
  const rl_shared_ban_t lift = machine.made(machine.now_ms + 1, 0);
  machine.now_ms += 100;
  EXPECT_EQ(1, machine.take(lift));
  rl_shared_ban_t ban;
  EXPECT_EQ(0, machine.of(&ban));
  machine.now_ms += 2 * kMinute;
  EXPECT_EQ(10 * kMinute, machine.refuse(3).retry_after_ms);
  EXPECT_EQ(0, machine.take(lift));  // not of what began later
  EXPECT_EQ(RL_BANNED, machine.ask().banned);
}

TEST(SharedBan, ResetOfThePolicyIsHeeded) {
  Machine machine(1000000);
  const rl_shared_ban_t before =
      machine.made(machine.now_ms, machine.now_ms + 60 * kMinute, 1);
  EXPECT_EQ(1, machine.take(before));
  machine.now_ms += 10;
  const rl_time_t now = at(machine.now_ms);
  ASSERT_EQ(RL_OK,
            rl_policy_reset(&machine.process, machine.policy.get(), &now));
  machine.now_ms += 10;
  rl_shared_ban_t ban;
  EXPECT_EQ(0, machine.of(&ban));
  EXPECT_EQ(0, machine.take(before));
  // A shorter one that began later is not held back by what is void.
  EXPECT_EQ(1, machine.take(machine.made(machine.now_ms,
                                         machine.now_ms + 10 * kMinute)));
  EXPECT_EQ(1, machine.of(&ban));
}

TEST(SharedBan, BeginsOnceByWhatAllHaveRefused) {
  Machine machine(1000000);
  rl_item_t item = machine.refuse(1);
  const rl_time_t now = at(machine.now_ms);
  rl_begin_ban(&machine.process, &item, &now);
  EXPECT_EQ(RL_BAN_BEGINS, item.banned);
  EXPECT_EQ(10 * kMinute, item.retry_after_ms);
  rl_begin_ban(&machine.process, &item, &now);
  EXPECT_EQ(RL_BANNED, item.banned);
  machine.now_ms += 10 * kMinute;
  EXPECT_TRUE(machine.ask().admitted);
}

TEST(SharedBan, PartsDoWhatTheWholeDoes) {
  Machine whole(1000000);
  Machine parts(1000000);
  for (int i = 0; i < 40; ++i) {
    const rl_item_t expected = whole.ask();
    rl_item_t item = parts.policy.item("k");
    const rl_time_t now = at(parts.now_ms);
    rl_verdict_e verdict = rl_ask_bans(&parts.process, &item, 1, &now);
    if (verdict == RL_ADMITTED) {
      verdict = rl_decide(&parts.process, &item, 1, &now);
      rl_note_refusals(&parts.process, &item, 1, &now);
    }
    EXPECT_EQ(expected.admitted, item.admitted) << i;
    EXPECT_EQ(expected.banned, item.banned) << i;
    EXPECT_EQ(expected.retry_after_ms, item.retry_after_ms) << i;
    whole.now_ms += 5000 + 90000 * (i % 5 == 0);
    parts.now_ms = whole.now_ms;
  }
}

TEST(SharedBan, RestartIsToldOnceASecond) {
  Machine machine(1000000);
  machine.ban.restarts = 1;
  machine.refuse(3);
  int told = 0;
  for (int i = 0; i < 100; ++i) {
    machine.now_ms += 70;
    const int banned = machine.ask().banned;
    EXPECT_TRUE(banned == RL_BANNED || banned == RL_BAN_RESTARTS);
    told += banned == RL_BAN_RESTARTS;
  }
  EXPECT_EQ(7, told);
  machine.ban.restarts = 0;
  machine.now_ms += 5000;
  EXPECT_EQ(RL_BANNED, machine.ask().banned);
}

TEST(SharedBan, AWalkFindsEnoughToTell) {
  Machine one(1000000);
  Machine two(1000000);
  one.refuse(3);
  rl_bans_walk_t walk = {};
  rl_banned_key_t keys[RL_MAX_BANNED_OF_SET];
  size_t n = 0;
  const rl_time_t now = at(one.now_ms);
  while (n == 0) {
    ASSERT_EQ(1, rl_next_banned(&one.process, one.arena.zone(), &walk, &now,
                                keys, &n));
  }
  rl_shared_ban_t ban;
  ASSERT_EQ(1, rl_ban_of(&one.process, one.policy.get(),
                         {keys[0].key_id, keys[0].tag}, &now, &ban));
  EXPECT_EQ(keys[0].until_ms, ban.until_ms);
  EXPECT_EQ(keys[0].forget_ms, ban.forget_ms);
  EXPECT_EQ(1, two.take(ban));
  EXPECT_EQ(RL_BANNED, two.ask().banned);
}

TEST(SharedBan, NamesInRedis) {
  unsigned char name[RL_SHARED_BAN_KEY_LEN];
  rl_shared_ban_key(0x0123456789abcdef, name);
  EXPECT_EQ("{00}ban:0123456789abcdef",
            std::string(reinterpret_cast<char*>(name), sizeof(name)));
  const std::string feed = RL_SHARED_FEED_KEY;
  EXPECT_EQ(rl_hash_slot(str(feed)), rl_hash_slot({sizeof(name), name}));
}

TEST(SharedBan, FeedIsReadAsItIsWritten) {
  Machine machine(1000000);
  const rl_shared_ban_t ban =
      machine.made(machine.now_ms - 7, machine.now_ms + 60 * kMinute, 1);
  const rl_time_t now = at(machine.now_ms);
  std::string reply = packed(kDay, 6) + "an epoch" + packed(123456789012, 7);
  rl_shared_feed_t feed;
  ASSERT_EQ(RL_OK,
            rl_shared_feed_reply(str(reply).data, reply.size(), &now, &feed));
  EXPECT_EQ(0u, feed.n);
  EXPECT_EQ(0, std::memcmp(&feed.epoch, "an epoch", 8));
  EXPECT_EQ(123456789012u, feed.version);

  const std::string one = record(ban, kDay, machine.now_ms);
  std::string nonsense = one;
  nonsense[one.size() - 1] = 8;  // such a level there is not
  std::string later = record(ban, kDay + 9000, machine.now_ms);
  later.replace(30, 6, packed(kDay + 400 * 1440 * kMinute, 6));
  for (const std::string& each : {one, nonsense, later, one}) {
    reply += each;
  }
  ASSERT_EQ(RL_OK,
            rl_shared_feed_reply(str(reply).data, reply.size(), &now, &feed));
  ASSERT_EQ(4u, feed.n);
  for (const size_t i : {0u, 3u}) {
    EXPECT_EQ(ban.policy_id, feed.bans[i].policy_id);
    EXPECT_EQ(ban.since_ms, feed.bans[i].since_ms);
    EXPECT_EQ(ban.until_ms, feed.bans[i].until_ms);
    EXPECT_EQ(ban.forget_ms, feed.bans[i].forget_ms);
    EXPECT_EQ(1u, feed.bans[i].level);
  }
  EXPECT_EQ(0u, feed.bans[1].policy_id);
  EXPECT_EQ(0u, feed.bans[2].policy_id);

  for (size_t len = 0; len < reply.size(); ++len) {
    const bool whole = len >= 21 && (len - 21) % one.size() == 0;
    EXPECT_EQ(whole ? RL_OK : RL_ERROR,
              rl_shared_feed_reply(str(reply).data, len, &now, &feed));
    int begins;
    rl_shared_ban_t none;
    EXPECT_EQ(len == 7 || len == 7 + one.size() ? RL_OK : RL_ERROR,
              rl_shared_ban_reply(str(reply).data, len, &now, &begins, &none));
  }
  while (reply.size() < 21 + (RL_SHARED_FEED_MAX + 1) * one.size()) {
    reply += one;
  }
  EXPECT_EQ(RL_ERROR,
            rl_shared_feed_reply(str(reply).data, reply.size(), &now, &feed));
}

TEST(SharedBan, AReplyMayKnowNothing) {
  EXPECT_EQ(0u, read("", kDay, 1000, 1).policy_id);
}

}  // namespace
