// Overrides that an operator sets at run time.

#include <gtest/gtest.h>

#include <cstring>

#include "arena.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/table/zone.h"

namespace {

constexpr uint64_t kPolicyId = 0x1111111111111111u;
constexpr uint64_t kKeyId = 0x2222222222222222u;
constexpr uint32_t kHalf = 50000;  // thousandths of a percent

class Override : public ::testing::Test {
 protected:
  Override() : memory_(64 * 1024), policy_{} {
    const unsigned char seed[16] = {1};
    EXPECT_EQ(RL_OK,
              rl_zone_create(&zone_, memory_.get(), memory_.size(), 0, seed));
    policy_.zone = &zone_;
    policy_.secret.lo = kPolicyId;
  }

  int set(uint64_t id, rl_override_kind_e kind, uint64_t value,
          uint64_t until_ms = 0) {
    const rl_override_t override = {id, until_ms, kind, value, 0, {}};
    return rl_override_set(nullptr, &zone_, &override, &now_);
  }

  // The quota of 600 units under the overrides, for a key; -1: unlimited.
  int64_t quota(uint64_t key_id = kKeyId) {
    rl_quota_t quota{};
    quota.units = 600;
    const rl_hash_t bucket = {key_id, 0};
    rl_override_apply(&policy_, &bucket, &now_, &quota);
    return quota.unlimited ? -1 : static_cast<int64_t>(quota.units);
  }

  SharedMemory memory_;
  rl_zone_t zone_;
  rl_policy_t policy_;
  rl_time_t now_ = {1000, 0};
};

TEST_F(Override, NoneLeavesTheQuota) {
  EXPECT_EQ(600, quota());
  rl_override_t out[RL_MAX_OVERRIDES];
  EXPECT_EQ(0u, rl_overrides(&zone_, &now_, out));
  EXPECT_EQ(RL_ERROR, rl_override_clear(nullptr, &zone_, kPolicyId));
}

TEST_F(Override, ScalesOfZonePolicyAndKeyMultiply) {
  EXPECT_EQ(RL_OK, set(RL_OVERRIDE_ZONE, RL_OVERRIDE_SCALE, kHalf));
  EXPECT_EQ(300, quota());
  EXPECT_EQ(RL_OK, set(kPolicyId, RL_OVERRIDE_SCALE, kHalf));
  EXPECT_EQ(150, quota());
  EXPECT_EQ(RL_OK, set(kKeyId, RL_OVERRIDE_SCALE, kHalf));
  EXPECT_EQ(75, quota());
  EXPECT_EQ(150, quota(kKeyId + 1)) << "another key";
}

TEST_F(Override, UnitsOfAKeyAreFinal) {
  set(RL_OVERRIDE_ZONE, RL_OVERRIDE_SCALE, kHalf);
  set(kKeyId, RL_OVERRIDE_UNITS, 7);
  set(kPolicyId, RL_OVERRIDE_UNLIMITED, 0);
  EXPECT_EQ(7, quota());
  EXPECT_EQ(-1, quota(kKeyId + 1));
}

TEST_F(Override, UnitsOfAPolicyAreScaled) {
  set(kPolicyId, RL_OVERRIDE_UNITS, 100);
  set(RL_OVERRIDE_ZONE, RL_OVERRIDE_SCALE, kHalf);
  EXPECT_EQ(50, quota());
}

TEST_F(Override, SuspendsAKey) {
  set(kKeyId, RL_OVERRIDE_UNITS, 0);
  EXPECT_EQ(0, quota());
  EXPECT_EQ(600, quota(kKeyId + 1));
}

TEST_F(Override, SaysWhoseItIs) {
  rl_override_t override = {kKeyId, 0, RL_OVERRIDE_UNITS, 5, 0x3333, {}};
  const char name[] = "a_policy_whose_name_is_32_bytes_";
  static_assert(sizeof(name) - 1 == sizeof(override.policy), "the longest");
  std::memcpy(override.policy, name, sizeof(override.policy));
  EXPECT_EQ(RL_OK, rl_override_set(nullptr, &zone_, &override, &now_));
  rl_override_t out[RL_MAX_OVERRIDES];
  ASSERT_EQ(1u, rl_overrides(&zone_, &now_, out));
  EXPECT_EQ(0x3333u, out[0].key_id);
  EXPECT_EQ(0, std::memcmp(name, out[0].policy, sizeof(out[0].policy)));
  EXPECT_EQ(5, quota());
}

TEST_F(Override, TellsWhetherItDecides) {
  rl_quota_t quota{};
  const rl_hash_t bucket = {kKeyId, 0};
  const auto decides = [&] {
    return rl_override_apply(&policy_, &bucket, &now_, &quota);
  };
  EXPECT_EQ(0, decides());
  set(RL_OVERRIDE_ZONE, RL_OVERRIDE_SCALE, kHalf);
  EXPECT_EQ(0, decides()) << "of units that it does not know";
  set(kPolicyId, RL_OVERRIDE_UNITS, 0);
  EXPECT_EQ(1, decides());
  set(kKeyId, RL_OVERRIDE_UNLIMITED, 0);
  EXPECT_EQ(1, decides());
  EXPECT_EQ(1, quota.unlimited);
}

TEST_F(Override, EndsAtItsTime) {
  set(kKeyId, RL_OVERRIDE_UNLIMITED, 0, 2000);
  EXPECT_EQ(-1, quota());
  now_.mono_ms = 1999;
  EXPECT_EQ(-1, quota());
  now_.mono_ms = 2000;
  EXPECT_EQ(600, quota());
}

TEST_F(Override, IsReplacedAndCleared) {
  set(kPolicyId, RL_OVERRIDE_UNITS, 5);
  set(kPolicyId, RL_OVERRIDE_UNITS, 6);
  EXPECT_EQ(6, quota());
  rl_override_t out[RL_MAX_OVERRIDES];
  ASSERT_EQ(1u, rl_overrides(&zone_, &now_, out));
  EXPECT_EQ(kPolicyId, out[0].id);
  EXPECT_EQ(RL_OK, rl_override_clear(nullptr, &zone_, kPolicyId));
  EXPECT_EQ(600, quota());
}

TEST_F(Override, RoomIsBoundedAndComesBack) {
  for (uint64_t i = 0; i < RL_MAX_OVERRIDES; ++i) {
    ASSERT_EQ(RL_OK, set(100 + i, RL_OVERRIDE_UNITS, 1, i == 3 ? 5000 : 0));
  }
  EXPECT_EQ(RL_ERROR, set(kKeyId, RL_OVERRIDE_UNITS, 1));
  now_.mono_ms = 5000;
  EXPECT_EQ(RL_OK, set(kKeyId, RL_OVERRIDE_UNITS, 1)) << "one was over";
  EXPECT_EQ(RL_OK, rl_override_clear(nullptr, &zone_, 100));
  EXPECT_EQ(RL_OK, set(kKeyId + 1, RL_OVERRIDE_UNITS, 1)) << "one was cleared";
}

// What was set once must not be asked for at every request for ever.
TEST_F(Override, CostsNothingOnceItIsOver) {
  const auto costs = [&] { return ratelimit::may_have_overrides(&zone_); };
  EXPECT_FALSE(costs());
  set(kPolicyId, RL_OVERRIDE_UNITS, 5, 2000);
  set(kKeyId, RL_OVERRIDE_UNITS, 6, 3000);
  now_.mono_ms = 2500;
  EXPECT_EQ(6, quota());
  EXPECT_EQ(600, quota(kKeyId + 1));
  EXPECT_TRUE(costs());
  now_.mono_ms = 3000;
  EXPECT_EQ(600, quota(kKeyId + 1)) << "whoever asks notices";
  EXPECT_FALSE(costs());
  set(kKeyId, RL_OVERRIDE_UNITS, 7);
  set(kKeyId + 1, RL_OVERRIDE_UNITS, 8);
  EXPECT_EQ(7, quota());
  EXPECT_EQ(RL_OK, rl_override_clear(nullptr, &zone_, kKeyId));
  EXPECT_EQ(8, quota(kKeyId + 1));
  EXPECT_TRUE(costs());
  EXPECT_EQ(RL_OK, rl_override_clear(nullptr, &zone_, kKeyId + 1));
  EXPECT_FALSE(costs());
  set(kKeyId, RL_OVERRIDE_UNITS, 9);
  EXPECT_EQ(9, quota());
}

// A check is named, and its quota is that of its policy under the overrides.
TEST(CheckName, IsTheBucketAndTheQuotaInForce) {
  Arena arena(64 * 1024);
  Policy p(arena.zone(), "p", 10, 60000);
  Policy q(arena.zone(), "q", 20, 60000);
  const rl_time_t now = at(1000);
  rl_hash_prefix_t prefix;
  rl_hash_prefix(arena.zone(), str(""), &prefix);
  const std::string key = "key";
  const rl_part_t part = {&prefix, str(key)};
  rl_item_t items[] = {p.item(""), q.item("")};
  const auto name = [&] {
    return rl_check_name(&items[0], &part, nullptr, &now) +
           2 * rl_check_name(&items[1], nullptr, &items[0], &now);
  };
  ASSERT_EQ(3, name());
  EXPECT_EQ(p.item(key).bucket.lo, items[0].bucket.lo);
  EXPECT_EQ(p.item(key).bucket.hi, items[0].bucket.hi);
  EXPECT_EQ(q.item(key).bucket.lo, items[1].bucket.lo);
  EXPECT_EQ(q.item(key).bucket.hi, items[1].bucket.hi);
  ASSERT_EQ(1, rl_check_name(&items[1], nullptr, &items[1], &now));
  EXPECT_EQ(q.item(key).bucket.lo, items[1].bucket.lo);

  const auto set = [&](uint64_t id, rl_override_kind_e kind, uint64_t value) {
    const rl_override_t override = {id, 0, kind, value, 0, {}};
    ASSERT_EQ(RL_OK, rl_override_set(nullptr, arena.zone(), &override, &now));
  };
  set(items[0].bucket.lo, RL_OVERRIDE_UNITS, 3);
  set(q.get()->secret.lo, RL_OVERRIDE_UNLIMITED, 0);
  ASSERT_EQ(1, name());
  EXPECT_EQ(3u, items[0].quota.units);
  EXPECT_EQ(3u, items[0].capacity_units);

  // A capacity that the policy says stays, but where nothing is allowed.
  p.get()->capacity_units = 7;
  ASSERT_EQ(1, name());
  EXPECT_EQ(7u, items[0].capacity_units);
  set(items[0].bucket.lo, RL_OVERRIDE_UNITS, 0);
  ASSERT_EQ(1, name());
  EXPECT_EQ(0u, items[0].capacity_units);
}

}  // namespace
