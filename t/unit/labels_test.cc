// What operators see instead of the ids of listed keys.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>

#include "counters_fixture.h"

namespace {

class LabelsTest : public CountersTest {
 protected:
  LabelsTest() : policy_(arena_.zone(), "p", 3, 60000) {
    attach(&policy_, "p");
  }

  uint64_t id(const std::string& key) const {
    return policy_.item(key).bucket.lo;
  }
  bool wants(const std::string& key) {
    return rl_key_wants_label(policy_.get(), id(key)) != 0;
  }
  void label(const std::string& key, const std::string& text,
             uint64_t now_ms = 2000) {
    const rl_time_t now = at(now_ms);
    rl_label_key(policy_.get(), id(key), str(text), &now);
  }
  std::string label_of(const std::string& key) {
    unsigned char buf[RL_LABEL_LEN];
    const size_t len = rl_key_label(policy_.get(), id(key), buf);
    return {reinterpret_cast<const char*>(buf), len};
  }

  Policy policy_;
};

TEST_F(LabelsTest, OnlyListedKeysHaveOne) {
  EXPECT_FALSE(wants("k"));
  label("k", "nobody");
  EXPECT_EQ(label_of("k"), "");
  pretend(&policy_, "k", false, 1000);
  EXPECT_TRUE(wants("k"));
  EXPECT_EQ(label_of("k"), "");
  label("k", "acme");
  EXPECT_FALSE(wants("k"));
  EXPECT_EQ(label_of("k"), "acme");
  EXPECT_EQ(label_of("other"), "");
}

TEST_F(LabelsTest, OfEitherList) {
  pretend(&policy_, "k", true, 1000);
  label("k", "acme");
  EXPECT_EQ(label_of("k"), "acme");
  pretend(&policy_, "k", false, 1000);  // and now the other list's too
  EXPECT_TRUE(wants("k"));
  EXPECT_EQ(label_of("k"), "acme");
  label("k", "acme");
  EXPECT_FALSE(wants("k"));
}

TEST_F(LabelsTest, SixtyFourBytesAndNoHalfCharacter) {
  pretend(&policy_, "k", false, 1000);
  const std::string text(64, 'x');
  label("k", text);
  EXPECT_EQ(label_of("k"), text);
  label("k", text + "y");
  EXPECT_EQ(label_of("k"), text);
  label("k", std::string(63, 'x') + "\xc3\xa9");
  EXPECT_EQ(label_of("k"), std::string(63, 'x'));
  label("k", std::string(62, 'x') + "\xc3\xa9");
  EXPECT_EQ(label_of("k"), std::string(62, 'x') + "\xc3\xa9");
  label("k", std::string(100, '\x80'));
  EXPECT_EQ(label_of("k"), "");
}

TEST_F(LabelsTest, WhoTakesAPlaceDoesNotTakeItsLabel) {
  uint64_t now_ms = 1000;
  for (int i = 0; i < 64; ++i) {
    const std::string key = "first" + std::to_string(i);
    pretend(&policy_, key, false, now_ms);
    label(key, key);
  }
  for (int i = 0; i < 2000; ++i) {
    pretend(&policy_, "second" + std::to_string(i), false, ++now_ms);
  }
  size_t second = 0;
  for (const rl_top_key_t& top : list(&policy_, RL_TOP_REFUSED, now_ms)) {
    unsigned char buf[RL_LABEL_LEN];
    const size_t len = rl_key_label(policy_.get(), top.key_id, buf);
    if (len == 0) {
      EXPECT_TRUE(rl_key_wants_label(policy_.get(), top.key_id));
      ++second;
      continue;
    }
    EXPECT_EQ(id({reinterpret_cast<const char*>(buf), len}), top.key_id);
  }
  EXPECT_GT(second, 30u);
}

// Two writers of one label, and a reader that must not see a mix.
TEST_F(LabelsTest, NobodyReadsHalfOfOne) {
  pretend(&policy_, "k", false, 1000);
  const std::string a(64, 'a');
  const std::string b(64, 'b');
  label("k", a);
  std::atomic<bool> stop{false};
  std::thread one([&] {
    while (!stop)
      label("k", a);
  });
  std::thread two([&] {
    while (!stop)
      label("k", b);
  });
  for (int i = 0; i < 20000; ++i) {
    const std::string text = label_of("k");
    if (text != "" && text != a && text != b) {
      ADD_FAILURE() << text;
      break;
    }
  }
  stop = true;
  one.join();
  two.join();
}

}  // namespace
