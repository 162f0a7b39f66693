// A zone whose size changes while processes decide: no decision twice, no
// count lost.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "crash_util.h"
#include "move_view.h"
#include "ratelimit/table/lock.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {
namespace {

TEST(Move, TheOldMemoryDecidesUntilItBegins) {
  const Arena arena = memories(kSmall, kMiB);
  View view(arena);
  const Policy policy(view.zone(), "p", 10, 60000);
  fill(&view, policy, 100);
  EXPECT_EQ(0, view.move(100));
  EXPECT_FALSE(view.is_new());
  EXPECT_EQ(100u, view.stats().active);
  EXPECT_EQ(930u, view.stats().capacity);
  view.begin();
  EXPECT_EQ(9u, view.remaining(policy.item("0")));
  EXPECT_TRUE(view.is_new());
}

TEST(Move, IntoALargerZoneLosesNothing) {
  const Arena arena = memories(kSmall, kMiB);
  View view(arena);
  const Policy policy(view.zone(), "p", 10, 60000);
  fill(&view, policy, 500);
  view.begin(2000);
  int turns = 1;
  while (view.move(7, 2000) == 1) {
    ++turns;
  }
  EXPECT_EQ(5, turns) << "31 sets, 7 at a time";
  EXPECT_FALSE(is_moving(view.zone()));
  EXPECT_EQ(500u, view.stats(2000).active);
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(static_cast<uint32_t>(9 - i % 9),
              view.remaining(policy.item(std::to_string(i)), 2000));
  }
}

TEST(Move, LeavesTheIdleBehind) {
  const Arena arena = memories(kSmall, kMiB);
  View view(arena);
  const Policy policy(view.zone(), "p", 10, 60000);
  fill(&view, policy, 500);
  view.begin(61000);
  EXPECT_EQ(0, view.move(UINT32_MAX, 61000));
  EXPECT_EQ(0u, view.stats(61000).entries);
}

TEST(Move, IntoASmallerZoneKeepsTheLargestDebts) {
  const Arena arena = memories(kMiB, kSmall);
  View view(arena);
  const Policy policy(view.zone(), "p", 10, 60000);
  fill(&view, policy, 9 * 400);  // four times as many as there is room for
  view.begin(2000);
  EXPECT_EQ(0, view.move(UINT32_MAX, 2000));
  const rl_zone_stats_t after = view.stats(2000);
  EXPECT_LT(after.capacity * 97 / 100, after.active);
  EXPECT_LE(9 * 400 - after.capacity, after.evicted_active);
  // By units used, 1 to 9, how many of 400 keys each are still there.
  int kept[10] = {};
  for (int i = 0; i < 9 * 400; ++i) {
    const uint32_t left = view.remaining(policy.item(std::to_string(i)), 2000);
    kept[10 - left] += left < 10;
  }
  EXPECT_LE(390, kept[9]);
  EXPECT_LE(370, kept[8]);
  EXPECT_GE(10, kept[1] + kept[2] + kept[3] + kept[4] + kept[5] + kept[6]);
}

TEST(Move, BeginsOnceAndOnlyIntoTheMemoryThatIsClaimed) {
  const Arena arena(std::vector<size_t>{kSmall, kMiB, 2 * kMiB});
  View one(arena, 0, 1);
  EXPECT_EQ(RL_ERROR, one.begin_as_told());
  EXPECT_EQ(RL_OK, one.claim());
  View other(arena, 0, 2);
  EXPECT_EQ(RL_OK, other.claim());
  EXPECT_EQ(RL_ERROR, one.begin_as_told());
  EXPECT_EQ(RL_OK, other.begin_as_told());
  EXPECT_EQ(RL_ERROR, other.begin_as_told());
  EXPECT_EQ(RL_ERROR, one.claim());
}

TEST(Move, TakesTheOverridesAlong) {
  const Arena arena = memories(kSmall, kMiB);
  View view(arena);
  View other(arena);
  View third(arena);
  const rl_time_t now = at(1000);
  rl_override_t override = {
      RL_OVERRIDE_ZONE, 0, RL_OVERRIDE_SCALE, 50000, 0, {}};
  ASSERT_EQ(RL_OK,
            rl_override_set(view.process(), view.zone(), &override, &now));
  view.begin();
  // One that has not gone on yet sets and sees those of the new memory.
  override.id = 77;
  ASSERT_EQ(RL_OK,
            rl_override_set(other.process(), other.zone(), &override, &now));
  EXPECT_TRUE(other.is_new());
  EXPECT_EQ(0, view.move(UINT32_MAX));
  rl_override_t overrides[RL_MAX_OVERRIDES];
  EXPECT_EQ(2u, rl_overrides(view.zone(), &now, overrides));
  EXPECT_EQ(2u, rl_overrides(third.zone(), &now, overrides));
  EXPECT_FALSE(third.is_new());
  EXPECT_EQ(RL_OK, rl_override_clear(third.process(), third.zone(), 77));
  EXPECT_EQ(1u, rl_overrides(view.zone(), &now, overrides));
}

TEST(Move, InspectAndResetFindWhatIsStillInTheOldMemory) {
  const Arena arena = memories(kSmall, kMiB);
  View view(arena);
  View other(arena);
  const Policy policy(view.zone(), "p", 10, 60000);
  fill(&view, policy, 2);
  const rl_item_t item = policy.item("1");
  view.begin();
  const rl_time_t now = at(1000);
  rl_bucket_t bucket;
  EXPECT_EQ(1, rl_inspect(view.process(), view.zone(), item.bucket.lo, &now,
                          &bucket));
  EXPECT_TRUE(view.is_new());
  EXPECT_EQ(1, rl_reset(other.process(), other.zone(), item.bucket.lo, &now));
  EXPECT_TRUE(other.is_new());
  EXPECT_EQ(10u, view.remaining(item));
  EXPECT_EQ(9u, view.remaining(policy.item("0")));
}

// Which keys are banned, although some buckets move while the walk goes by.
TEST(Move, AWalkThroughBansMeetsAllOfThem) {
  const Arena arena = memories(kSmall, kMiB);
  View view(arena);
  View other(arena);
  Policy policy(view.zone(), "p", 1, kHour);
  const rl_ban_t ban = {{kHour}, 1, 1, 0};
  policy.get()->ban = &ban;
  const rl_time_t now = at(1000);
  for (int i = 0; i < 300; ++i) {
    rl_item_t item = policy.item(std::to_string(i));
    rl_decide_bans(view.process(), &item, 1, &now);
    rl_decide_bans(view.process(), &item, 1, &now);
    ASSERT_EQ(RL_BAN_BEGINS, item.banned);
  }
  const auto walk = [&](View* walker, const std::function<void(int)>& move) {
    std::set<uint64_t> found;
    rl_bans_walk_t at_set = {};
    rl_banned_key_t keys[RL_MAX_BANNED_OF_SET];
    size_t n = 0;
    for (int i = 0; rl_next_banned(walker->process(), walker->zone(), &at_set,
                                   &now, keys, &n) == 1;
         ++i) {
      for (size_t k = 0; k < n; ++k)
        found.insert(keys[k].key_id);
      move(i);
    }
    return found.size();
  };
  EXPECT_EQ(300u, walk(&view, [&](int i) {
              if (i == 5) other.begin();
              if (i > 7 && i % 3 == 0) other.move(1);
            }));
  EXPECT_EQ(300u, walk(&view, [&](int i) {
              while (i == 2 && other.move(100) == 1) {
              }
            }));
  EXPECT_FALSE(is_moving(view.zone()));
  EXPECT_EQ(300u, walk(&other, [](int) {}));
}

// The set of a process that is stopped stays; the others are not kept waiting
// for it at every turn.
TEST(Move, GoesAroundAStoppedProcess) {
  const Arena arena = memories(kSmall, kMiB);
  View view(arena);
  View stopped(arena);
  const Policy policy(view.zone(), "p", 10, 60000);
  fill(&view, policy, 9);
  Set* set = set_at(view.zone(), 5);
  Locks locks(stopped.process());
  ASSERT_TRUE(locks.take(set));
  view.begin();
  timespec before;
  timespec after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  EXPECT_EQ(RL_ERROR, view.move(UINT32_MAX));
  clock_gettime(CLOCK_MONOTONIC, &after);
  EXPECT_GT(20000000, (after.tv_sec - before.tv_sec) * 1000000000 +
                          after.tv_nsec - before.tv_nsec);
  EXPECT_FALSE(has_moved(*set));
  locks.release_all();
  EXPECT_EQ(0, view.move(UINT32_MAX));
  EXPECT_EQ(9u, view.stats().active);
}

// Bucket sets as the process sees them at first.
Set* primary_of(const rl_zone_t& zone, const rl_item_t& item) {
  return set_at(&zone, primary_index(item.bucket.lo, zone.sets));
}

Set* secondary_of(const rl_zone_t& zone, const rl_item_t& item) {
  return set_at(&zone, secondary_index(item.bucket.lo, zone.sets));
}

// A set that was given up half-way, and a bucket that was cleared meanwhile by
// one that had not gone on: what was written first is not what it is.
TEST(Move, WhatBecameIdleAfterHalfAMoveStaysSo) {
  const Arena arena = memories(5 * 2048, 65 * 2048);
  View view(arena);
  rl_zone_t old = *arena.zone(0);
  rl_zone_t* olds[] = {&old};
  rl_process_t late = {};
  ASSERT_EQ(RL_OK, rl_process_join(&late, arena.process_table(), olds, 1));
  const Policy policy(view.zone(), "p", 10, kHour);
  const rl_time_t now = at(1000);
  // In the set that moves first of its two.
  rl_item_t first;
  for (int i = 0;; ++i) {
    first = policy.item("first" + std::to_string(i), 9);
    if (primary_of(old, first) < secondary_of(old, first)) break;
  }
  view.decide(first);
  // Behind it in its set, in other sets of the new memory.
  rl_item_t second;
  const auto is_apart = [&](Set* set) {
    return set != primary_of(*view.next(), first) &&
           set != secondary_of(*view.next(), first);
  };
  for (int i = 0;; ++i) {
    second = policy.item(std::to_string(i));
    if (primary_of(old, second) == primary_of(old, first) &&
        is_apart(primary_of(*view.next(), second)) &&
        is_apart(secondary_of(*view.next(), second))) {
      break;
    }
  }
  view.decide(second);
  Locks locks(&late);
  ASSERT_TRUE(locks.take(primary_of(*view.next(), second)));
  view.begin();
  EXPECT_EQ(RL_ERROR, view.move(UINT32_MAX));
  EXPECT_EQ(1, rl_reset(&late, &old, first.bucket.lo, &now));
  locks.release_all();
  EXPECT_EQ(0, view.move(UINT32_MAX));
  first.cost_units = 1;
  EXPECT_EQ(10u, view.remaining(first));
  EXPECT_EQ(9u, view.remaining(second));
  rl_process_leave(&late);
}

// Two zones, of which one keeps the decision waiting when the other begins.
TEST(Move, OneZoneMayBeginWhileAnotherKeepsADecisionWaiting) {
  const Arena arena(std::vector<size_t>{kSmall, kMiB, kSmall, kMiB});
  // Locks are taken by their addresses: x's before the one that is waited for.
  const size_t first =
      set_at(arena.zone(0), 0) < set_at(arena.zone(2), 0) ? 0 : 2;
  View x(arena, first, first + 1);
  View y(arena, 2 - first, 3 - first);
  View stopped(arena, 2 - first, 3 - first);
  ASSERT_EQ(RL_OK, x.claim());
  rl_zone_t* zones[] = {x.zone(), y.zone()};
  rl_process_t both = {};
  ASSERT_EQ(RL_OK, rl_process_join(&both, arena.process_table(), zones, 2));
  const Policy one(x.zone(), "one", 10, kHour);
  const Policy two(y.zone(), "two", 10, kHour);
  const Policy three(x.zone(), "three", 10, kHour);
  ASSERT_EQ(RL_ADMITTED, x.decide(one.item("k", 9)));
  rl_item_t items[] = {one.item("k", 5), two.item("k"), three.item("k")};
  const rl_time_t now = at(1000);
  Locks locks(stopped.process());
  ASSERT_TRUE(locks.take(primary_of(*y.zone(), items[1])));
  std::atomic<int> verdict{-1};
  std::thread decides([&] { verdict = rl_decide(&both, items, 3, &now); });
  const Set* set = primary_of(*x.zone(), items[0]);
  while (set->lock.load() != both.owner && verdict == -1) {
    std::this_thread::yield();
  }
  View begins(arena, first, first + 1);
  ASSERT_EQ(RL_OK, begins.begin_as_told());
  locks.release_all();
  decides.join();
  EXPECT_EQ(RL_REFUSED, verdict);
  EXPECT_EQ(1u, begins.remaining(one.item("k")));
  rl_process_leave(&both);
}

}  // namespace
}  // namespace ratelimit
