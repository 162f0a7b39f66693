// The bucket table: finding, placing, evicting, and what a flood can do.

#include "ratelimit/table/table.h"

#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {
namespace {

constexpr size_t kMiB = 1 << 20;
// What nginx keeps of a zone for itself.
constexpr size_t kNginxHeader = 256;

constexpr size_t kOneSet = sizeof(ZoneHeader) + sizeof(Set) + sizeof(uint64_t);

rl_verdict_e decide(rl_process_t* process, rl_item_t item, uint64_t now_ms) {
  const rl_time_t now = at(now_ms);
  return rl_decide(process, &item, 1, &now);
}

uint32_t remaining(rl_process_t* process, rl_item_t item, uint64_t now_ms) {
  const rl_time_t now = at(now_ms);
  EXPECT_NE(RL_TIMEOUT, rl_look(process, &item, 1, &now));
  return item.remaining_units;
}

rl_zone_stats_t stats(const rl_zone_t* zone, uint64_t now_ms = 0) {
  rl_zone_stats_t out;
  const rl_time_t now = at(now_ms);
  rl_zone_stats(zone, 1, &now, &out);
  return out;
}

TEST(Tags, AreMatchedAlikeByBothWays) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200000; ++round) {
    uint8_t tags[32];
    for (uint8_t& tag : tags) {
      // Neighbours in value and borrows between bytes are the hard cases.
      const uint8_t values[] = {
          0, 1, 0x7f, 0x80, 0x81, 0xff, static_cast<uint8_t>(random())};
      tag = values[random() % 7];
    }
    const uint8_t wanted = tags[random() % 32];
    uint32_t expected = 0;
    for (int i = 0; i < 32; ++i) {
      expected |= static_cast<uint32_t>(tags[i] == wanted) << i;
    }
    ASSERT_EQ(expected, match_tags_portable(tags, wanted));
    ASSERT_EQ(expected, match_tags(tags, wanted));
  }
}

TEST(Zone, HoldsAsManyKeysAsPromised) {
  Arena mib(kMiB - kNginxHeader);
  EXPECT_LE(15800u, stats(mib.zone()).capacity);
  Arena least(64 * 1024 - kNginxHeader);
  EXPECT_EQ(930u, stats(least.zone()).capacity);
}

TEST(Zone, AttachesOnlyToWhatItWasCreatedAs) {
  Arena arena(64 * 1024);
  void* memory = arena.zone()->memory;
  rl_zone_t other = {};
  ASSERT_EQ(RL_OK, rl_zone_attach(&other, memory, 64 * 1024));
  EXPECT_EQ(arena.zone()->id, other.id);
  EXPECT_EQ(arena.zone()->sets, other.sets);
  EXPECT_EQ(RL_ERROR, rl_zone_attach(&other, memory, 64 * 1024 - 64));
  ++static_cast<ZoneHeader*>(memory)->version;
  EXPECT_EQ(RL_ERROR, rl_zone_attach(&other, memory, 64 * 1024));
  std::memset(memory, 0xff, 4096);
  EXPECT_EQ(RL_ERROR, rl_zone_attach(&other, memory, 64 * 1024));
}

TEST(Zone, IsCreatedOverAnythingButNeedsRoomForOneSet) {
  SharedMemory memory(8192);
  std::memset(memory.get(), 0xff, memory.size());
  const std::string seed = Arena::seed();
  rl_zone_t zone;
  EXPECT_EQ(RL_ERROR, rl_zone_create(&zone, memory.get(), kOneSet - 1, 0,
                                     str(seed).data));
  EXPECT_EQ(RL_ERROR, rl_zone_create(&zone, memory.as<char>() + 8, 8000, 0,
                                     str(seed).data));
  ASSERT_EQ(RL_OK, rl_zone_create(&zone, memory.get(), kOneSet, kOneSet,
                                  str(seed).data));
  EXPECT_EQ(31u, stats(&zone).capacity);
  EXPECT_EQ(0u, stats(&zone).entries);
  EXPECT_EQ(0u, stats(&zone).evicted_active);
}

// Of memory that nobody has touched yet.
size_t resident_pages(const SharedMemory& memory) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((memory.size() + page - 1) / page);
  EXPECT_EQ(0, mincore(memory.get(), memory.size(), pages.data()));
  return static_cast<size_t>(
      std::count_if(pages.begin(), pages.end(),
                    [](unsigned char is_there) { return is_there & 1; }));
}

TEST(Zone, TakesNoMoreMemoryThanItsKeysNeed) {
  SharedMemory memory(64 * kMiB);
  const std::string seed = Arena::seed();
  rl_zone_t zone;
  ASSERT_EQ(RL_OK, rl_zone_create(&zone, memory.get(), memory.size(), 0,
                                  str(seed).data));
  EXPECT_LE(resident_pages(memory), 2u);

  SharedMemory process_table(rl_process_table_size());
  rl_process_table_create(process_table.get());
  rl_zone_t* zones[] = {&zone};
  rl_process_t process{};
  ASSERT_EQ(RL_OK, rl_process_join(&process, process_table.get(), zones, 1));
  const Policy policy(&zone, "p", 10, 60000);
  std::mt19937_64 random(5);
  for (uint32_t i = 0; i < 100; ++i) {
    decide(&process, policy.item_of({random(), random()}), 1000);
  }
  const size_t used = resident_pages(memory);
  EXPECT_LE(used, 104u);

  const rl_time_t now = at(1000);
  rl_zone_stats_t counted;
  rl_zone_stats(&zone, 1, &now, &counted);
  EXPECT_EQ(100u, counted.active);
  uint64_t copied = 0;
  std::vector<unsigned char> block(RL_STATE_BLOCK_LEN);
  for (uint32_t set = rl_zone_next_used(&zone, 0); set < zone.sets;
       set = rl_zone_next_used(&zone, set + 1)) {
    rl_state_sets(&process, &zone, set, 1, &now, block.data(), &copied);
  }
  EXPECT_EQ(100u, copied);
  EXPECT_LE(resident_pages(memory), 2 * used);
  rl_process_leave(&process);
}

TEST(Zone, WhatWasUsedBeforeIsEmptyInANewZone) {
  SharedMemory memory(kMiB);
  const std::string seed = Arena::seed();
  for (const size_t used_len : {size_t{0}, size_t{3000}, size_t{70000},
                                memory.size() - 3, memory.size()}) {
    std::memset(memory.get(), 0, memory.size());
    std::memset(memory.get(), 0xff, used_len);
    rl_zone_t zone;
    ASSERT_EQ(RL_OK, rl_zone_create(&zone, memory.get(), memory.size(),
                                    used_len, str(seed).data));
    EXPECT_EQ(zone.sets, rl_zone_next_used(&zone, 0)) << used_len;
    for (uint32_t i = 0; i < zone.sets; ++i) {
      ASSERT_EQ(0u, set_at(&zone, i)->occupied) << used_len;
      ASSERT_EQ(0u, set_at(&zone, i)->lock.load()) << used_len;
    }
  }
}

TEST(Table, KeepsALookupToOneSetUntilItIsCrowded) {
  Arena arena(kMiB);
  rl_process_t process = arena.join();
  const Policy policy(arena.zone(), "p", 10, 60000);
  std::mt19937_64 random(2);
  // Half full: every key in its primary set, or else that one is crowded.
  const auto keys = static_cast<uint32_t>(stats(arena.zone()).capacity / 2);
  for (uint32_t i = 0; i < keys; ++i) {
    decide(&process, policy.item_of({random(), random()}), 1000);
  }
  uint32_t secondary = 0;
  for (uint32_t s = 0; s < arena.zone()->sets; ++s) {
    const Set& set = *set_at(arena.zone(), s);
    EXPECT_EQ(0u, set.occupied & (set.occupied + 1)) << "not a prefix";
    for (uint32_t i = 0; i < 31 && set.occupied >> i & 1; ++i) {
      const uint32_t home =
          primary_index(set.buckets[i].key, arena.zone()->sets);
      if (home != s) {
        ++secondary;
        EXPECT_TRUE(is_crowded(*set_at(arena.zone(), home)));
        EXPECT_EQ(s, secondary_index(set.buckets[i].key, arena.zone()->sets));
      }
    }
  }
  EXPECT_GT(keys / 100, secondary);
  EXPECT_EQ(keys, stats(arena.zone(), 1000).entries);
  EXPECT_EQ(keys, stats(arena.zone(), 1000).active);
}

TEST(Table, LosesFewLiveKeysWhenNearlyFull) {
  Arena arena(8 * kMiB);
  rl_process_t process = arena.join();
  const Policy policy(arena.zone(), "p", 10, 60000);
  std::mt19937_64 random(3);
  const uint64_t capacity = stats(arena.zone()).capacity;
  for (uint64_t i = 0; i < capacity * 95 / 100; ++i) {
    decide(&process, policy.item_of({random(), random()}), 1000);
  }
  const rl_zone_stats_t full = stats(arena.zone(), 1000);
  const double lost = static_cast<double>(full.evicted_active) * 100 /
                      (static_cast<double>(capacity) * 0.95);
  std::printf("95 %% full: %.2f %% of active keys lost\n", lost);
  RecordProperty("lost_permille", static_cast<int>(lost * 10));
  EXPECT_GT(0.5, lost);
  EXPECT_EQ(capacity * 95 / 100, full.entries + full.evicted_active);
}

TEST(Table, EvictsTheIdleFirst) {
  Arena arena(64 * 1024);
  rl_process_t process = arena.join();
  const Policy policy(arena.zone(), "p", 10, 60000);
  std::mt19937_64 random(4);
  std::vector<rl_hash_t> old;
  for (int i = 0; i < 5000; ++i) {
    decide(&process, policy.item_of({random(), random()}), 1000);
  }
  const rl_zone_stats_t before = stats(arena.zone(), 1000);
  EXPECT_EQ(before.capacity, before.active);
  // A minute later these are idle, and go before any that came since; 300, so
  // that no two sets hold these only.
  for (int i = 0; i < 300; ++i) {
    old.push_back({random(), random()});
    ASSERT_EQ(RL_ADMITTED,
              decide(&process, policy.item_of(old.back()), 62000));
  }
  const rl_zone_stats_t after = stats(arena.zone(), 62000);
  EXPECT_EQ(before.evicted_active, after.evicted_active);
  EXPECT_EQ(300u, after.evicted_idle);
  for (const rl_hash_t& key : old) {
    EXPECT_EQ(9u, remaining(&process, policy.item_of(key), 62000));
  }
}

// limit_req forgets a refused client after 20,000 requests of others.
TEST(Table, AFloodDisplacesItsOwnKind) {
  Arena arena(kMiB - kNginxHeader);
  rl_process_t process = arena.join();
  const Policy policy(arena.zone(), "p", 100, 3600 * 1000);
  const Policy one(arena.zone(), "one", 1, 3600 * 1000);
  std::mt19937_64 random(5);
  // Those who are being refused, those who use part of their quota, and those
  // who have used all of a quota of one.
  const uint64_t start = 1000;
  for (int i = 0; i < 100; ++i) {
    const std::string n = std::to_string(i);
    ASSERT_EQ(RL_ADMITTED,
              decide(&process, policy.item("victim" + n, 100), start));
    ASSERT_EQ(RL_REFUSED, decide(&process, policy.item("victim" + n), start));
    ASSERT_EQ(RL_ADMITTED,
              decide(&process, policy.item("light" + n, 5), start));
    ASSERT_EQ(RL_ADMITTED, decide(&process, one.item("once" + n), start));
    ASSERT_EQ(RL_REFUSED, decide(&process, one.item("once" + n), start));
  }
  for (int i = 0; i < 1000000; ++i) {
    const uint64_t now = start + static_cast<uint64_t>(i) / 100;
    ASSERT_EQ(RL_ADMITTED,
              decide(&process, policy.item_of({random(), random()}), now));
  }
  const uint64_t end = start + 10000;
  for (int i = 0; i < 100; ++i) {
    const std::string n = std::to_string(i);
    EXPECT_EQ(RL_REFUSED, decide(&process, policy.item("victim" + n), end));
    EXPECT_EQ(RL_REFUSED, decide(&process, one.item("once" + n), end));
    EXPECT_EQ(95u, remaining(&process, policy.item("light" + n), end));
  }
  EXPECT_LT(900000u, stats(arena.zone(), end).evicted_active);
}

// Else a flood would have whoever came last forgotten before the next request.
TEST(Table, OldKeysOfAFloodGoBeforeNewOnes) {
  Arena arena(kMiB - kNginxHeader);
  rl_process_t process = arena.join();
  const Policy policy(arena.zone(), "p", 10, 3600 * 1000);
  std::mt19937_64 random(6);
  const auto flood = [&](uint64_t n, uint64_t from_ms) {
    for (uint64_t i = 0; i < n; ++i) {
      decide(&process, policy.item_of({random(), random()}), from_ms + i);
    }
  };
  const uint64_t capacity = stats(arena.zone(), 1000).capacity;
  flood(2 * capacity, 1000);
  const uint64_t then = 1000 + 2 * capacity;
  for (int i = 0; i < 100; ++i) {
    decide(&process, policy.item("key" + std::to_string(i)), then);
  }
  flood(capacity / 4, then);
  int kept = 0;
  for (int i = 0; i < 100; ++i) {
    const rl_item_t item = policy.item("key" + std::to_string(i));
    kept += remaining(&process, item, then + capacity / 4) == 9;
  }
  EXPECT_LE(95, kept);
}

// A scan notes which buckets may go next; one of these may be in use by then.
TEST(Table, WhatWasNotedAsIdleAndIsUsedAgainStays) {
  const Shape shape = {RL_SLIDING, 10, 10, 0, 60000, 0};
  Set set{};
  for (uint32_t i = 0; i < kBucketsPerSet; ++i) {
    set.buckets[i].key = i;
    open(&set.buckets[i], shape, at(1000));
    charge(&set.buckets[i], shape, 1, at(1000));
    mark(&set, i, 1);
  }
  const uint64_t now = 100000;
  ASSERT_EQ(0u, choose_place(&set, 0, &set, 0, now).index);
  charge(&set.buckets[1], shape, 1, at(now));
  const Place place = choose_place(&set, 0, &set, 0, now);
  EXPECT_EQ(2u, place.index);
  EXPECT_FALSE(place.evicts_active);
}

// Keys that stay for their debt are often the oldest of a set by far.
TEST(Table, NotesTheOlderHalfOfThoseWithoutDebt) {
  const Shape shape = {RL_SLIDING, 10, 10, 0, 60000, 0};
  Set set{};
  for (uint32_t i = 0; i < kBucketsPerSet; ++i) {
    const rl_time_t when = at(i < 10 ? 1000 : 40000 + 10 * i);
    set.buckets[i].key = i;
    open(&set.buckets[i], shape, when);
    charge(&set.buckets[i], shape, i < 10 ? 5 : 1, when);
    set.buckets[i].limit_code = encode_limit(10) & 0x7fff;
    mark(&set, i, 1);
  }
  EXPECT_EQ(10u, choose_place(&set, 0, &set, 0, 50000).index);
  uint32_t noted = 0;
  for (uint32_t i = 11; i <= 20; ++i) {
    noted |= 1u << i;
  }
  EXPECT_EQ(noted, set.hint);
}

TEST(Table, WarnsOfEvictionsOnceAMinute) {
  Arena arena(64 * 1024);
  rl_process_t process = arena.join();
  const Policy policy(arena.zone(), "p", 100, 3600 * 1000);
  std::mt19937_64 random(6);
  const auto flood = [&] {
    for (int i = 0; i < 2000; ++i) {
      decide(&process, policy.item_of({random(), random()}), 1000);
    }
  };
  const auto warning = [&](uint64_t now_ms) {
    const rl_time_t now = at(now_ms);
    uint64_t evicted = 0;
    return rl_zone_full_warning(arena.zone(), &now, &evicted) ? evicted : 0;
  };
  EXPECT_EQ(0u, warning(1000));
  flood();
  const uint64_t first = warning(1000);
  EXPECT_EQ(first, stats(arena.zone()).evicted_active);
  EXPECT_LT(1000u, first);
  EXPECT_EQ(0u, warning(62000)) << "nothing evicted since";
  flood();
  EXPECT_EQ(0u, warning(60999));
  EXPECT_EQ(0u, warning(500)) << "a clock that is behind";
  EXPECT_EQ(2000u, warning(61000));
}

}  // namespace
}  // namespace ratelimit
