// Which of several policies is reported.

#include <vector>

#include <gtest/gtest.h>

#include "arena.h"

namespace {

constexpr uint64_t kMinute = 60000;

class MostRestrictive : public testing::Test {
 protected:
  rl_item_t item(uint64_t remaining, uint64_t cost, uint64_t reset_ms) {
    rl_item_t out = policy_.item("k", cost);
    out.admitted = 1;
    out.remaining_units = remaining;
    out.reset_ms = reset_ms;
    return out;
  }
  rl_item_t refusing(uint64_t retry_ms, int dry_run = 0) {
    rl_item_t out = item(0, 1, retry_ms);
    out.admitted = 0;
    out.dry_run = dry_run;
    out.retry_after_ms = retry_ms;
    return out;
  }
  long picked(const std::vector<rl_item_t>& items,
              const unsigned char* skip = nullptr) {
    const rl_item_t* best =
        rl_most_restrictive(items.data(), items.size(), skip);
    return best == nullptr ? -1 : best - items.data();
  }

  Arena arena_{64 * 1024};
  Policy policy_{arena_.zone(), "p", 10, kMinute};
  Policy hidden_{arena_.zone(), "h", 10, kMinute};
};

TEST_F(MostRestrictive, IsTheRefusingOneThatTakesLongest) {
  EXPECT_EQ(2, picked({item(0, 1, 9), refusing(5), refusing(7), refusing(6)}));
}

TEST_F(MostRestrictive, ElseTheOneNearestToRefusing) {
  EXPECT_EQ(1, picked({item(5, 1, 9), item(4, 1, 9), item(6, 1, 9)}));
  EXPECT_EQ(0, picked({item(5, 2, 9), item(4, 1, 9)})) << "2.5 requests left";
  EXPECT_EQ(1, picked({item(5, 0, 9), item(4, 1, 9)})) << "0 divides as 1";
  EXPECT_EQ(1, picked({item(4, 2, 8), item(2, 1, 9)})) << "the longest reset";
  EXPECT_EQ(0, picked({item(999999998, 999999999, 9),
                       item(999999999, 999999999, 9)}));
}

TEST_F(MostRestrictive, IsNoRefusalInDryRunWhereOneIsInEarnest) {
  EXPECT_EQ(1, picked({refusing(9, 1), refusing(5)}));
  EXPECT_EQ(1, picked({item(0, 1, 9), refusing(5, 1)}));
}

TEST_F(MostRestrictive, IsNeitherHiddenNorSkipped) {
  hidden_.get()->hidden = 1;
  rl_item_t hidden = refusing(9);
  hidden.policy = hidden_.get();
  EXPECT_EQ(1, picked({hidden, item(5, 1, 9)}));
  const unsigned char skip[] = {0, 1};
  EXPECT_EQ(-1, picked({hidden, item(5, 1, 9)}, skip));
  EXPECT_EQ(-1, picked({}));
}

}  // namespace
