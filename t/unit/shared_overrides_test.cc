// Overrides that machines share: two maps become one, whatever Redis loses.

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "arena.h"
#include "ratelimit/ratelimit.h"

namespace {

constexpr uint64_t kDay = 1795000000000;  // ms since 1970

rl_override_t units_of(uint64_t id, uint64_t units, uint64_t until_ms = 0) {
  return {id, until_ms, RL_OVERRIDE_UNITS, units, 0, {}};
}

rl_override_t cleared(uint64_t id) {
  return {id, 0, RL_OVERRIDE_CLEARED, 0, 0, {}};
}

// One Redis, and machines that do what the module does: read, merge, and write
// if nobody else has meanwhile.
class Machines {
 public:
  explicit Machines(size_t n) : known_(n) {}

  // What is there, or nothing.
  rl_shared_overrides_t stored() const {
    rl_shared_overrides_t out{};
    if (!bytes_.empty()) {
      EXPECT_EQ(RL_OK,
                rl_shared_overrides_read(
                    reinterpret_cast<const unsigned char*>(bytes_.data()),
                    bytes_.size(), &out));
    }
    return out;
  }

  // False: somebody else was first.
  bool store(uint64_t expected, const rl_shared_overrides_t& what) {
    if (stored().version != expected) return false;
    unsigned char buf[RL_SHARED_OVERRIDES_LEN];
    const size_t len = rl_shared_overrides_write(&what, buf);
    bytes_.assign(reinterpret_cast<const char*>(buf), len);
    return true;
  }

  uint64_t next(const rl_shared_overrides_t& after) {
    return rl_shared_overrides_next(&after, now_ms_, ++random_);
  }

  // What `machine` read before is merged, and what is more is written.
  void take(size_t machine, const rl_shared_overrides_t& read) {
    rl_shared_overrides_t* known = &known_[machine];
    if (rl_shared_overrides_merge(known, &read, now_ms_, known)) {
      rl_shared_overrides_t more = *known;
      more.version = next(more);
      if (store(read.version, more)) *known = more;
    }
  }

  void poll(size_t machine) { take(machine, stored()); }

  // Of an operator; false: there is no room.  What others write meanwhile
  // has it read again.
  bool set(size_t machine, const rl_override_t& override) {
    rl_shared_overrides_t merged;
    const rl_shared_overrides_t read = stored();
    rl_shared_overrides_merge(&known_[machine], &read, now_ms_, &merged);
    merged.version = next(merged);
    if (rl_shared_overrides_set(&merged, &override, merged.version, now_ms_) !=
        RL_OK) {
      return false;
    }
    EXPECT_TRUE(store(read.version, merged));
    known_[machine] = merged;
    return true;
  }

  // Writes in one millisecond have versions that are ahead of the clock: until
  // a Redis is back, it has caught up.
  void lose() {
    bytes_.clear();
    pass(100);
  }
  void pass(uint64_t ms) { now_ms_ += ms; }
  void set_back(uint64_t ms) { now_ms_ -= ms; }
  uint64_t now_ms() const { return now_ms_; }
  size_t size() const { return known_.size(); }
  rl_shared_overrides_t& known(size_t machine) { return known_[machine]; }

  // What a machine has in force: units by id.
  std::map<uint64_t, uint64_t> in_force(size_t machine) const {
    std::map<uint64_t, uint64_t> out;
    const rl_shared_overrides_t& known = known_[machine];
    for (uint32_t i = 0; i < known.n; ++i) {
      const rl_override_t& override = known.overrides[i].override;
      if (override.kind != RL_OVERRIDE_CLEARED &&
          (override.until_ms == 0 || override.until_ms > now_ms_)) {
        out[override.id] = override.value;
      }
    }
    return out;
  }

 private:
  std::string bytes_;
  std::vector<rl_shared_overrides_t> known_;
  uint64_t now_ms_ = kDay;
  uint16_t random_ = 0;
};

using Units = std::map<uint64_t, uint64_t>;

TEST(SharedOverrides, BytesAreReadAsTheyWereWritten) {
  rl_shared_overrides_t from{};
  from.version = 77;
  from.horizon = 5;
  rl_override_t override = units_of(9, RL_MAX_UNITS, kDay);
  override.key_id = 0xfedcba9876543210u;
  std::memset(override.policy, 'p', sizeof(override.policy));
  ASSERT_EQ(RL_OK, rl_shared_overrides_set(&from, &override, 70, kDay - 1));
  unsigned char buf[RL_SHARED_OVERRIDES_LEN];
  const size_t len = rl_shared_overrides_write(&from, buf);
  EXPECT_EQ(16u + RL_SHARED_OVERRIDE_LEN, len);
  rl_shared_overrides_t to{};
  ASSERT_EQ(RL_OK, rl_shared_overrides_read(buf, len, &to));
  EXPECT_EQ(77u, to.version);
  EXPECT_EQ(5u, to.horizon);
  ASSERT_EQ(1u, to.n);
  EXPECT_EQ(70u, to.overrides[0].version);
  EXPECT_EQ(RL_MAX_UNITS, to.overrides[0].override.value);
  EXPECT_EQ(RL_OVERRIDE_UNITS, to.overrides[0].override.kind);
  EXPECT_EQ(kDay, to.overrides[0].override.until_ms);
  EXPECT_EQ(override.key_id, to.overrides[0].override.key_id);
  EXPECT_EQ(0, std::memcmp(override.policy, to.overrides[0].override.policy,
                           sizeof(override.policy)));
}

TEST(SharedOverrides, NonsenseIsNotRead) {
  rl_shared_overrides_t from{};
  const rl_override_t override = units_of(9, 1);
  rl_shared_overrides_set(&from, &override, 70, kDay);
  unsigned char buf[RL_SHARED_OVERRIDES_LEN] = {};
  const size_t len = rl_shared_overrides_write(&from, buf);
  rl_shared_overrides_t to;
  EXPECT_EQ(RL_ERROR, rl_shared_overrides_read(buf, 15, &to));
  EXPECT_EQ(RL_ERROR, rl_shared_overrides_read(buf, len - 1, &to));
  EXPECT_EQ(RL_ERROR, rl_shared_overrides_read(buf, sizeof(buf) + 72, &to));
  buf[16 + 23] = 9;
  EXPECT_EQ(RL_ERROR, rl_shared_overrides_read(buf, len, &to)) << "a kind";
  buf[16 + 23] = RL_OVERRIDE_UNITS;
  std::memset(buf + 16 + 16, 0xff, 7);
  EXPECT_EQ(RL_ERROR, rl_shared_overrides_read(buf, len, &to)) << "units";
  std::memset(buf + 16 + 16, 0, 7);
  std::memset(buf + 16, 0, 8);
  EXPECT_EQ(RL_ERROR, rl_shared_overrides_read(buf, len, &to)) << "nobody";
  std::memcpy(buf + 16, "12345678", 8);
  EXPECT_EQ(RL_OK, rl_shared_overrides_read(buf, len, &to));
  std::memcpy(buf + len, buf + 16, RL_SHARED_OVERRIDE_LEN);
  EXPECT_EQ(RL_ERROR,
            rl_shared_overrides_read(buf, len + RL_SHARED_OVERRIDE_LEN, &to))
      << "twice";
}

TEST(SharedOverrides, NamesDependOnZoneAndSecret) {
  SharedMemory memory(64 * 1024);
  SharedMemory memory2(64 * 1024);
  rl_zone_t zone;
  rl_zone_t other;
  const unsigned char seed[16] = {1};
  const unsigned char seed2[16] = {2};
  ASSERT_EQ(RL_OK,
            rl_zone_create(&zone, memory.get(), memory.size(), 0, seed));
  ASSERT_EQ(RL_OK,
            rl_zone_create(&other, memory2.get(), memory2.size(), 0, seed2));
  const auto name_in = [](const rl_zone_t& of, const char* name) {
    unsigned char buf[RL_SHARED_OVERRIDES_KEY_LEN];
    const rl_str_t text = {std::strlen(name),
                           reinterpret_cast<const unsigned char*>(name)};
    rl_shared_overrides_key(&of, text, buf);
    return std::string(reinterpret_cast<char*>(buf), sizeof(buf));
  };
  EXPECT_EQ("{00}overrides:", name_in(zone, "api").substr(0, 14));
  EXPECT_EQ(name_in(zone, "api"), name_in(zone, "api"));
  EXPECT_NE(name_in(zone, "api"), name_in(zone, "apj"));
  EXPECT_NE(name_in(zone, "api"), name_in(other, "api"));
}

TEST(SharedOverrides, WhatOneSetsOthersHave) {
  Machines m(2);
  m.set(0, units_of(7, 100));
  m.poll(1);
  EXPECT_EQ((Units{{7, 100}}), m.in_force(1));
  m.set(1, units_of(7, 200));
  m.poll(0);
  EXPECT_EQ((Units{{7, 200}}), m.in_force(0));
  m.set(0, cleared(7));
  m.poll(1);
  EXPECT_EQ(Units{}, m.in_force(1));
}

TEST(SharedOverrides, TheLaterOneHolds) {
  Machines m(3);
  m.set(0, units_of(7, 100));
  m.set(1, units_of(7, 200));
  for (size_t i = 0; i < 3; ++i)
    m.poll(i);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((Units{{7, 200}}), m.in_force(i));
  }
}

TEST(SharedOverrides, TheLaterOneHoldsAlsoWhereTheClockWasSetBack) {
  Machines m(2);
  m.set(0, units_of(7, 100));
  m.set_back(3600 * 1000);
  m.set(1, units_of(7, 200));
  m.poll(0);
  m.poll(1);
  EXPECT_EQ((Units{{7, 200}}), m.in_force(0));
  EXPECT_EQ((Units{{7, 200}}), m.in_force(1));
}

TEST(SharedOverrides, ALostRedisGetsThemBack) {
  Machines m(2);
  m.set(0, units_of(7, 100));
  m.poll(1);
  m.lose();
  m.set(1, units_of(8, 50));
  m.poll(0);
  EXPECT_EQ((Units{{7, 100}, {8, 50}}), m.in_force(0));
  m.lose();
  m.poll(0);
  EXPECT_EQ(m.known(0).version, m.stored().version);
}

TEST(SharedOverrides, WhatWasClearedDoesNotComeBackFromOneWhoWasAway) {
  Machines m(2);
  m.set(0, units_of(7, 100));
  m.poll(1);
  m.set(0, cleared(7));
  m.lose();
  m.poll(1);  // knows of the override only
  m.poll(0);
  m.poll(1);
  EXPECT_EQ(Units{}, m.in_force(0));
  EXPECT_EQ(Units{}, m.in_force(1));
}

TEST(SharedOverrides, NorWhereItsTombstoneHasGone) {
  Machines m(2);
  m.set(0, units_of(7, 100));
  m.poll(1);
  m.set(0, cleared(7));
  for (uint64_t id = 1000; id < 1000 + 2 * RL_SHARED_OVERRIDES; ++id) {
    m.set(0, units_of(id, 1));
    m.set(0, cleared(id));
  }
  EXPECT_EQ(RL_SHARED_OVERRIDES, m.known(0).n);
  m.poll(1);
  EXPECT_EQ(Units{}, m.in_force(1));
  m.poll(0);
  EXPECT_EQ(Units{}, m.in_force(0));
}

TEST(SharedOverrides, OneThatIsOverMakesRoom) {
  Machines m(1);
  for (uint64_t id = 1; id <= RL_MAX_OVERRIDES; ++id) {
    EXPECT_TRUE(m.set(0, units_of(id, id, m.now_ms() + 1000)));
  }
  EXPECT_FALSE(m.set(0, units_of(99, 99)));
  EXPECT_TRUE(m.set(0, units_of(1, 2))) << "it is there already";
  EXPECT_TRUE(m.set(0, cleared(2)));
  EXPECT_TRUE(m.set(0, units_of(99, 99)));
  EXPECT_FALSE(m.set(0, units_of(98, 98)));
  m.pass(1000);
  for (uint64_t id = 200; id < 200 + RL_MAX_OVERRIDES - 2; ++id) {
    EXPECT_TRUE(m.set(0, units_of(id, id)));
  }
  EXPECT_EQ(RL_MAX_OVERRIDES, m.in_force(0).size());
}

TEST(SharedOverrides, ResetsTakeNoRoomAndAreHeededOnce) {
  Machines m(2);
  for (uint64_t id = 1; id <= 2 * RL_SHARED_OVERRIDES; ++id) {
    EXPECT_TRUE(m.set(0, {1000 + id, 0, RL_OVERRIDE_KEY_RESET, 0, 0, {}}));
    if (id <= RL_MAX_OVERRIDES) {
      EXPECT_TRUE(m.set(0, units_of(id, id)));
    }
  }
  const rl_shared_overrides_t before = m.known(1);
  m.poll(1);
  rl_override_t out[RL_SHARED_CHANGES];
  EXPECT_EQ(RL_SHARED_OVERRIDES,
            rl_shared_overrides_changes(&before, &m.known(1), out));
  const rl_shared_overrides_t once = m.known(1);
  EXPECT_TRUE(m.set(0, {1001, 0, RL_OVERRIDE_KEY_RESET, 0, 0, {}}));
  m.poll(1);
  ASSERT_EQ(1u, rl_shared_overrides_changes(&once, &m.known(1), out))
      << "the one that had to go for it says nothing";
  EXPECT_EQ(1001u, out[0].id);
}

TEST(SharedOverrides, ALaterResetOfAPolicyIsOverLater) {
  constexpr uint64_t kHour = 3600000;
  Machines m(2);
  const auto found = [](const rl_shared_overrides_t& in) {
    EXPECT_EQ(RL_OVERRIDE_RESET, in.overrides[in.n - 1].override.kind);
    return in.overrides[in.n - 1].override;
  };
  rl_override_t reset = {7, kDay + kHour, RL_OVERRIDE_RESET, 0, 0, {}};
  EXPECT_TRUE(m.set(0, reset));
  EXPECT_EQ(kDay + kHour, found(m.known(0)).value);
  EXPECT_EQ(kDay + 2 * kHour, found(m.known(0)).until_ms);
  m.poll(1);
  EXPECT_EQ(kDay + kHour, found(m.known(1)).value);
  reset.until_ms = kDay + 1000;  // with a shorter window
  EXPECT_TRUE(m.set(1, reset));
  EXPECT_EQ(kDay + kHour + 1, found(m.known(1)).value);
  m.poll(0);
  EXPECT_EQ(kDay + kHour + 1, found(m.known(0)).value);
  m.lose();
  m.poll(0);
  EXPECT_EQ(kDay + kHour + 1, found(m.stored()).value) << "told anew";
}

TEST(SharedOverrides, OfAResetThatIsTooLateNothingIsRead) {
  rl_shared_overrides_t from{};
  rl_override_t reset = {7, uint64_t{1} << 47, RL_OVERRIDE_RESET, 0, 0, {}};
  unsigned char buf[RL_SHARED_OVERRIDES_LEN] = {};
  rl_shared_overrides_t to{};
  ASSERT_EQ(RL_OK, rl_shared_overrides_set(&from, &reset, 1, kDay));
  size_t len = rl_shared_overrides_write(&from, buf);
  EXPECT_EQ(RL_ERROR, rl_shared_overrides_read(buf, len, &to));
  from = {};
  reset.until_ms--;
  ASSERT_EQ(RL_OK, rl_shared_overrides_set(&from, &reset, 1, kDay));
  len = rl_shared_overrides_write(&from, buf);
  EXPECT_EQ(RL_OK, rl_shared_overrides_read(buf, len, &to));
}

TEST(SharedOverrides, ChangesLeadFromOneToTheOther) {
  rl_shared_overrides_t from{};
  rl_shared_overrides_t to{};
  const rl_override_t same = units_of(1, 1), old = units_of(2, 2),
                      changed = units_of(2, 22), fresh = units_of(3, 3),
                      gone = units_of(4, 4), tombstone = cleared(5);
  rl_shared_overrides_set(&from, &same, 1, kDay);
  rl_shared_overrides_set(&from, &old, 2, kDay);
  rl_shared_overrides_set(&from, &gone, 3, kDay);
  rl_shared_overrides_set(&from, &tombstone, 4, kDay);
  rl_shared_overrides_set(&to, &same, 1, kDay);
  rl_shared_overrides_set(&to, &changed, 5, kDay);
  rl_shared_overrides_set(&to, &fresh, 6, kDay);
  rl_override_t out[RL_SHARED_CHANGES];
  ASSERT_EQ(3u, rl_shared_overrides_changes(&from, &to, out));
  EXPECT_EQ(22u, out[0].value);
  EXPECT_EQ(3u, out[1].value);
  EXPECT_EQ(4u, out[2].id);
  EXPECT_EQ(RL_OVERRIDE_CLEARED, out[2].kind);
}

// Whatever Redis loses, however long a machine is away and however reading
// and writing are interleaved: in the end all have what was set last.
TEST(SharedOverrides, InTheEndAllHaveWhatWasSetLast) {
  std::mt19937_64 random(1);
  for (int run = 0; run < 2000; ++run) {
    Machines m(2 + random() % 3);
    Units last;
    std::vector<rl_shared_overrides_t> read(m.size());
    for (int step = 0; step < 60; ++step) {
      const size_t who = random() % m.size();
      const uint64_t id = 1 + random() % 4;
      m.pass(random() % 3);
      switch (random() % 8) {
        case 0:
          m.lose();
          break;
        case 1:
        case 2:
          EXPECT_TRUE(m.set(who, units_of(id, 100 + step)));
          last[id] = 100 + step;
          break;
        case 3:
          EXPECT_TRUE(m.set(who, cleared(id)));
          last.erase(id);
          break;
        case 4:
          read[who] = m.stored();
          break;
        case 5:
          m.take(who, read[who]);
          break;
        default:
          m.poll(who);
      }
    }
    for (size_t i = 0; i < 2 * m.size(); ++i)
      m.poll(i % m.size());
    for (size_t i = 0; i < m.size(); ++i) {
      ASSERT_EQ(last, m.in_force(i)) << "run " << run << ", machine " << i;
      ASSERT_EQ(m.stored().version, m.known(i).version) << "run " << run;
    }
  }
}

}  // namespace
