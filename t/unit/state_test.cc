// State files: what outlives a restart, and what a damaged one does.

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "arena.h"
#include "bytes_reader.h"
#include "ratelimit/ratelimit.h"

namespace {

constexpr size_t kZoneSize = 256 * 1024;
constexpr unsigned char kBoot[16] = {7};
constexpr unsigned char kOtherBoot[16] = {8};
constexpr unsigned char kSeed[16] = {1, 2, 3};

// A zone with a process table and a process that has joined.
struct World {
  explicit World(const unsigned char* seed = kSeed)
      : process_table(rl_process_table_size()), memory(kZoneSize) {
    rl_process_table_create(process_table.get());
    EXPECT_EQ(RL_OK,
              rl_zone_create(&zone, memory.get(), memory.size(), 0, seed));
    zones[0] = &zone;
    EXPECT_EQ(RL_OK, rl_process_join(&process, process_table.get(), zones, 1));
  }
  ~World() { rl_process_leave(&process); }

  rl_item_t item(rl_algorithm_e algorithm, const std::string& key,
                 uint64_t units, uint64_t window_ms) {
    const std::string name = "p";
    policy[algorithm] = {};
    policy[algorithm].name = str(name);
    policy[algorithm].zone = &zone;
    policy[algorithm].algorithm = algorithm;
    rl_policy_secret(&zone, str(name), algorithm, str("$k"),
                     &policy[algorithm].secret);
    rl_item_t item{};
    item.policy = &policy[algorithm];
    const rl_str_t part = str(key);
    rl_key_hash(&zone, &part, 1, &item.bucket);
    item.bucket.lo ^= policy[algorithm].secret.lo;
    item.bucket.hi ^= policy[algorithm].secret.hi;
    item.quota.units = units;
    item.quota.window_ms = window_ms;
    item.capacity_units = units;
    item.cost_units = 1;
    return item;
  }

  bool admit(rl_item_t item, rl_time_t now) {
    return rl_decide(&process, &item, 1, &now) == RL_ADMITTED;
  }
  uint64_t remaining(rl_item_t item, rl_time_t now) {
    rl_look(&process, &item, 1, &now);
    return item.remaining_units;
  }

  std::vector<unsigned char> save(rl_time_t now) {
    std::vector<unsigned char> file(RL_STATE_HEADER_LEN);
    rl_state_header(&zone, kBoot, &now, file.data());
    std::vector<unsigned char> block(RL_STATE_BLOCK_LEN);
    uint64_t buckets = 0;
    for (uint32_t s = 0; s < zone.sets; s += RL_STATE_SETS) {
      const size_t len = rl_state_sets(&process, &zone, s, RL_STATE_SETS, &now,
                                       block.data(), &buckets);
      file.insert(file.end(), block.data(), block.data() + len);
    }
    file.resize(file.size() + RL_STATE_END_LEN);
    rl_state_end(&zone, buckets, file.data() + file.size() - RL_STATE_END_LEN);
    return file;
  }

  const char* load(const std::vector<unsigned char>& file, rl_time_t now,
                   const unsigned char* boot = kBoot) {
    Bytes bytes = {file.data(), file.size()};
    return rl_state_load(&zone, read_bytes, &bytes, boot, &now, &loaded);
  }

  SharedMemory process_table;
  SharedMemory memory;
  rl_zone_t zone{};
  rl_zone_t* zones[1];
  rl_process_t process{};
  rl_policy_t policy[4];
  uint64_t loaded = 0;
};

constexpr rl_algorithm_e kAll[] = {RL_SLIDING, RL_FIXED, RL_CALENDAR, RL_GCRA};
constexpr uint64_t kHour = 3600 * 1000;
constexpr uint64_t kBase = uint64_t{500} * 86400 * 1000;  // mono at the save
constexpr uint64_t kWall = 1800000000000u;

TEST(State, CountsOutliveARestart) {
  for (const rl_algorithm_e algorithm : kAll) {
    World before;
    const rl_time_t then = {kBase, kWall};
    rl_item_t item = before.item(algorithm, "client", 10, kHour);
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(before.admit(item, then));
    }
    ASSERT_FALSE(before.admit(item, then));
    const unsigned char seed[16] = {9};
    World after(seed);
    const rl_time_t now = {kBase + 5000, kWall + 5000};
    ASSERT_EQ(nullptr, after.load(before.save(then), now));
    EXPECT_EQ(1u, after.loaded);
    EXPECT_EQ(
        0u, after.remaining(after.item(algorithm, "client", 10, kHour), now));
    EXPECT_EQ(10u,
              after.remaining(after.item(algorithm, "other", 10, kHour), now));
  }
}

TEST(State, CountsOfLargeQuotasOutliveARestartToTheUnit) {
  for (const rl_algorithm_e algorithm : kAll) {
    for (const uint64_t new_base : {kBase + 5000, kBase - 400 * kHour}) {
      World before;
      const rl_time_t then = {kBase, kWall};
      rl_item_t item = before.item(algorithm, "client", RL_MAX_UNITS, kHour);
      for (const uint64_t cost : {uint64_t{7}, RL_MAX_UNITS / 2}) {
        item.cost_units = cost;
        ASSERT_TRUE(before.admit(item, then));
      }
      const uint64_t left = before.remaining(item, then);
      ASSERT_EQ(RL_MAX_UNITS - RL_MAX_UNITS / 2 - 7, left);
      World after;
      const rl_time_t now = {new_base, kWall};
      const unsigned char boot[16] = {3};
      ASSERT_EQ(nullptr, after.load(before.save(then), now, boot));
      EXPECT_EQ(1u, after.loaded);
      EXPECT_EQ(left, after.remaining(
                          after.item(algorithm, "client", RL_MAX_UNITS, kHour),
                          now));
    }
  }
}

// The monotonic clock began anew: what counts is the time gone by on the wall.
TEST(State, AnotherBootMovesTheTimes) {
  for (const rl_algorithm_e algorithm : kAll) {
    for (const uint64_t new_base : {kBase - 400 * kHour, kBase + kHour}) {
      World before;
      const rl_time_t then = {kBase, kWall};
      rl_item_t item = before.item(algorithm, "client", 2, kHour);
      before.admit(item, then);
      before.admit(item, then);
      const std::vector<unsigned char> file = before.save(then);
      const uint64_t gone = kHour / 2;
      World after;
      rl_time_t now = {new_base, kWall + gone};
      ASSERT_EQ(nullptr, after.load(file, now, kOtherBoot));
      item = after.item(algorithm, "client", 2, kHour);
      const uint32_t half = algorithm == RL_GCRA ? 1 : 0;
      EXPECT_EQ(half, after.remaining(item, now)) << algorithm;
      // A window later, and what ticks are rounded by, everything is back.
      const uint64_t slack = kHour / 128;
      now = {new_base + kHour - gone + slack, kWall + kHour + slack};
      EXPECT_EQ(2u, after.remaining(item, now)) << algorithm;
      // But not before; kWall lies on the hour.
      now = {new_base + kHour - gone - 1000, kWall + kHour - 1000};
      EXPECT_GT(2u, after.remaining(item, now)) << algorithm;
    }
  }
}

TEST(State, AWallClockSetBackCountsAsNoTime) {
  World before;
  const rl_time_t then = {kBase, kWall};
  before.admit(before.item(RL_FIXED, "client", 1, kHour), then);
  World after;
  const rl_time_t now = {1000 * kHour, kWall - 24 * kHour};
  ASSERT_EQ(nullptr, after.load(before.save(then), now, kOtherBoot));
  rl_item_t item = after.item(RL_FIXED, "client", 1, kHour);
  EXPECT_EQ(0u, after.remaining(item, now));
  EXPECT_EQ(1u, after.remaining(item, {1001 * kHour, kWall - 23 * kHour}));
}

TEST(State, WhatIsIdleIsLeftBehind) {
  World before;
  const rl_time_t then = {kBase, kWall};
  before.admit(before.item(RL_FIXED, "client", 1, 1000), then);
  const std::vector<unsigned char> file = before.save(then);
  World after;
  ASSERT_EQ(nullptr, after.load(file, {kBase + 2000, kWall + 2000}));
  EXPECT_EQ(0u, after.loaded);
  EXPECT_EQ(size_t{RL_STATE_HEADER_LEN + RL_STATE_END_LEN},
            before.save({kBase + 2000, kWall + 2000}).size());
}

TEST(State, OverridesOutliveARestart) {
  World before;
  const rl_time_t then = {kBase, kWall};
  const rl_override_t overrides[] = {
      {RL_OVERRIDE_ZONE, 0, RL_OVERRIDE_SCALE, 50000, 0, {}},
      {77, kBase + kHour, RL_OVERRIDE_UNITS, 3, 66, "p"},
      {78, kBase + 1000, RL_OVERRIDE_UNITS, 4, 67, "p"},
  };
  for (const rl_override_t& override : overrides) {
    rl_override_set(nullptr, &before.zone, &override, &then);
  }
  World after;
  const rl_time_t now = {100 * kHour, kWall + 60000};
  ASSERT_EQ(nullptr, after.load(before.save(then), now, kOtherBoot));
  rl_override_t out[RL_MAX_OVERRIDES];
  ASSERT_EQ(2u, rl_overrides(&after.zone, &now, out));
  EXPECT_EQ(0u, out[0].until_ms);
  EXPECT_EQ(77u, out[1].id);
  EXPECT_EQ(66u, out[1].key_id);
  EXPECT_STREQ("p", out[1].policy);
  EXPECT_EQ(100 * kHour + kHour - 60000, out[1].until_ms);
}

TEST(State, ResetsOutliveARestart) {
  World before;
  rl_time_t then = {kBase, kWall};
  const rl_item_t item = before.item(RL_SLIDING, "client", 1, kHour);
  before.admit(item, then);
  then.mono_ms += 1000;
  ASSERT_EQ(RL_OK, rl_policy_reset(nullptr, item.policy, &then));
  World after;
  const rl_time_t now = {100 * kHour, kWall + 60000};
  ASSERT_EQ(nullptr, after.load(before.save(then), now, kOtherBoot));
  const rl_item_t same = after.item(RL_SLIDING, "client", 1, kHour);
  EXPECT_EQ(100 * kHour - 60000 + 1, rl_policy_reset_at(same.policy, &now));
}

// Every byte and every length matters, and none of them is read beyond.
TEST(State, ADamagedFileIsKnownAsSuch) {
  World before;
  const rl_time_t then = {kBase, kWall};
  for (int i = 0; i < 40; ++i) {
    before.admit(before.item(kAll[i % 4], std::to_string(i), 5, kHour), then);
  }
  const std::vector<unsigned char> file = before.save(then);
  World whole;
  ASSERT_EQ(nullptr, whole.load(file, then));
  EXPECT_EQ(40u, whole.loaded);
  std::vector<unsigned char> last = file;
  last.back() ^= 1;
  World half;
  EXPECT_STREQ("is damaged", half.load(last, then));
  EXPECT_EQ(0u, half.loaded);
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::vector<unsigned char> bad = file;
    bad[random() % bad.size()] ^=
        static_cast<unsigned char>(1 + random() % 255);
    World after;
    EXPECT_NE(nullptr, after.load(bad, then));
  }
  for (size_t len = 0; len < file.size(); len += 1 + len / 64) {
    World after;
    EXPECT_NE(nullptr, after.load({file.begin(),
                                   file.begin() + static_cast<ptrdiff_t>(len)},
                                  then));
  }
  std::vector<unsigned char> longer = file;
  longer.push_back(0);
  World after;
  EXPECT_STREQ("is damaged", after.load(longer, then));
}

TEST(State, PartsOfTwoFilesMakeNone) {
  World before;
  const rl_time_t then = {kBase, kWall};
  for (int i = 0; i < 600; ++i) {
    before.admit(before.item(RL_FIXED, std::to_string(i), 5, kHour), then);
  }
  std::vector<unsigned char> file = before.save(then);
  // The first block twice.
  uint32_t n;
  std::memcpy(&n, file.data() + RL_STATE_HEADER_LEN + 4, sizeof(n));
  const size_t len = 32 + n * 72;
  const std::vector<unsigned char> block(
      file.begin() + RL_STATE_HEADER_LEN,
      file.begin() + static_cast<ptrdiff_t>(RL_STATE_HEADER_LEN + len));
  file.insert(file.begin() + RL_STATE_HEADER_LEN, block.begin(), block.end());
  World after;
  EXPECT_STREQ("is damaged", after.load(file, then));
}

// Whoever comes, the interval goes on, and one of several is told to write.
TEST(State, TheLastCopyIsKnownToTheZone) {
  World world;
  rl_time_t now = {kBase, kWall};
  EXPECT_EQ(0u, rl_state_due(&world.zone, &now));
  EXPECT_EQ(5000u, rl_state_due(&world.zone, &now));
  now.mono_ms += 1999;
  rl_zone_t other;
  ASSERT_EQ(RL_OK, rl_zone_attach(&other, world.memory.get(), kZoneSize));
  EXPECT_EQ(3001u, rl_state_due(&other, &now));
  // Another process's clock may be a little behind.
  now.mono_ms = kBase - 10;
  EXPECT_EQ(5010u, rl_state_due(&other, &now));
  now.mono_ms = kBase + 5000;
  EXPECT_EQ(0u, rl_state_due(&other, &now));
  EXPECT_EQ(5000u, rl_state_due(&world.zone, &now));

  EXPECT_EQ(0u, rl_state_last(&world.zone));
  rl_state_written(&world.zone, 77, kBase, &now);
  EXPECT_EQ(77u, rl_state_last(&other));
}

// What takes long is done less often, also by workers who come later.
TEST(State, ALongCopyIsGoodForLonger) {
  World world;
  rl_time_t now = {kBase, kWall};
  EXPECT_EQ(5000u, rl_state_interval_ms(&world.zone));
  EXPECT_EQ(0u, rl_state_due(&world.zone, &now));
  now.mono_ms = kBase + 250;
  rl_state_written(&world.zone, 1, kBase, &now);
  EXPECT_EQ(5000u, rl_state_interval_ms(&world.zone));
  now.mono_ms = kBase + 8000;
  rl_state_written(&world.zone, 1, kBase, &now);

  rl_zone_t other;
  ASSERT_EQ(RL_OK, rl_zone_attach(&other, world.memory.get(), kZoneSize));
  EXPECT_EQ(160000u, rl_state_interval_ms(&other));
  EXPECT_EQ(152000u, rl_state_due(&other, &now));
  now.mono_ms = kBase + 160000;
  EXPECT_EQ(0u, rl_state_due(&other, &now));

  // A day, and one that ended before it began.
  now.mono_ms = kBase + kHour * 24;
  rl_state_written(&world.zone, 1, kBase, &now);
  EXPECT_EQ(20u * 0xffffff, rl_state_interval_ms(&world.zone));
  EXPECT_EQ(kHour * 24, rl_state_age_ms(&world.zone, &now));
  rl_state_written(&world.zone, 1, now.mono_ms + 1, &now);
  EXPECT_EQ(5000u, rl_state_interval_ms(&world.zone));
}

TEST(State, TheAgeIsThatOfWhatTheFileHolds) {
  World world;
  rl_time_t now = {kBase, kWall};
  EXPECT_EQ(UINT64_MAX, rl_state_age_ms(&world.zone, &now));
  EXPECT_EQ(0u, rl_state_due(&world.zone, &now));
  EXPECT_EQ(UINT64_MAX, rl_state_age_ms(&world.zone, &now));
  now.mono_ms = kBase + 300;
  rl_state_written(&world.zone, 77, kBase, &now);
  EXPECT_EQ(300u, rl_state_age_ms(&world.zone, &now));
  // One that is being written, or that fails, makes nothing younger.
  now.mono_ms = kBase + 6000;
  EXPECT_EQ(0u, rl_state_due(&world.zone, &now));
  EXPECT_EQ(6000u, rl_state_age_ms(&world.zone, &now));
  // Another process's clock may be a little behind.
  now.mono_ms = kBase - 10;
  EXPECT_EQ(0u, rl_state_age_ms(&world.zone, &now));
}

}  // namespace
