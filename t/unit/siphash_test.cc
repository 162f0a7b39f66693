// The hash against what OpenSSL's EVP_MAC "SIPHASH" gives (size 16), however
// it is fed; and that a key's parts cannot be shifted into each other.

#include "ratelimit/base/siphash.h"

#include <cstdio>
#include <random>
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"

namespace ratelimit {
namespace {

// Key 00 01 .. 0f; message 00 01 .. of the row's number of bytes; 1 and 3
// rounds.
const char* const kSipHash13[] = {
    "e77ebcb22788a5befd62db6add303001",
    "fc6f370460d3eda85e0573cc2b2ff063",
    "75787f090569839b855bc9548c6aea95",
    "6bc5ccfa1edcf79f4823187712ebd743",
    "0c784e71ac2b285a9f8e92e78fbf2c25",
    "f328db89345b620c795229a42695843e",
    "dcd03d29f743e7100951b0e83985a6f8",
    "1084b923f2aae0c3a62f2ec80848ab77",
    "aa12fee1d5e3dab4724f16ab35f9c799",
    "81ddb8042cf33994f4720e0094137c42",
    "4faa541d5d498e89ba0ea4c387b22fb4",
    "723b9af3554491dbb1d6633dfc6e0c4e",
    "e53f92859e4819a8dc0695739fea8c65",
    "b2f858c7c9ea801d53d603596d657844",
    "87e76268dbc9227226b0ca665f64e378",
    "c17e5505b2bd526c2921cdec1e7e0109",
    "d0a8d95715518eebb513b0f83d9e1793",
    "234126f93fbb668d975112e8febdf7ec",
    "ef42f03db78f704d023c449f16b7092b",
    "abf76238c20af161b2314b4d5526bce9",
    "3c2c2f11bb90cf0be335ca9b2e91e9b7",
    "2a7a680f22a02a92f45149d20fece0ef",
    "c9a8d130231dd43e42e6456957f83779",
    "1d127b84405ceab99fd8775a9be6c559",
    "9e4bf837bcfd92cace09d2061a84d04a",
    "39031a965d73b4af5a274d18f973b1d2",
    "7f4d0a1209d67e4ed06f7538e1cfad64",
    "e61ee240fbdcce38969f4cd24927dd93",
    "4c3ba2b37b0fdd8cfa5e95c189b29414",
    "e06fd4ca066fecdd54068a5ad8896f86",
    "5ca84c34139c6580a88af24990720706",
    "42ea961c5b3c858b17c3e550dfa79010",
    "406c44dee67857b2943160f30c7417d3",
    "c5f57bae1320fcf4b4e868e71d56c66b",
    "04bf737a5b676be7c3de05017df4bff9",
    "5163c9c03f1907ea1044ed5c30727b4f",
    "37a110f002718edad24b3f9ee453f140",
    "b9877e381aedd3da08c33e75ff23ac10",
    "7c5004005ec5da4c5ac9440e5c723193",
    "81b8243783dbc646ca9d0cd82abdb46c",
    "505720543eb9b413d50b3cfad9eef938",
    "945f594de72411e4d335be874456d8f3",
    "37923b3e371777b21170bf9d7e62f602",
    "3ad4e7c85764964611eb0a6c4d62de56",
    "cd91396c44af4f5185578d9dd9803f0a",
    "fe28158e727b868f3903c9acda64a258",
    "40cc10b8288ce5f0bc3ac0b68a0eebc8",
    "6f1490f540699a3cd4974420ecc92737",
    "d505f1b75e1a84a603c43583b2ed0308",
    "491573cfd72bb4682b7ca5880e1c8d6f",
    "3ed69cfe45ab403f2fd2ad959ba27666",
    "8be839ef1b20b57c83ba7eb6a8c22b6a",
    "1409186ab42231fedee18162cf1cb4ca",
    "2bf3ccc24ab672cf151fb8d2f3f3069b",
    "b9b93a2882d6025cdb8c56fa13f7537b",
    "d97cca3694fb206db8bd1f3650c33322",
    "94ec2e19a40be41af3940d6b30c49384",
    "4b41603f209a045be140a341a3dffe10",
    "23fbcb309f1cf094890755ab1b426569",
    "e7d9b65690918a2b232f2f5c12c8300e",
    "ade83cf7e7f3847b36fa4b54b00dce61",
    "0610c5f2ee571c8ac80cbfe538bdf1c7",
    "271d5d00fbdb5d155d9dcea97cb40218",
    "4c5800e34efe426f079f6b0aa75260ad",
};

// The same with 2 and 4 rounds, by length.
const struct {
  size_t length;
  const char* hash;
} kSipHash24[] = {
    {0, "a3817f04ba25a8e66df67214c7550293"},
    {1, "da87c1d86b99af44347659119b22fc45"},
    {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},
    {8, "3b62a9ba6258f5610f83e264f31497b4"},
    {15, "5493e99933b0a8117e08ec0f97cfc3d9"},
    {24, "2db479ae78bd50d8882a8a178a6132ad"},
    {63, "5150d1772f50834a503e069a973fbd7c"},
};

constexpr uint64_t kKey0 = 0x0706050403020100u;
constexpr uint64_t kKey1 = 0x0f0e0d0c0b0a0908u;

std::string hex(const rl_hash_t& hash) {
  std::string text;
  for (uint64_t word : {hash.lo, hash.hi}) {
    for (int i = 0; i < 8; ++i) {
      char digits[3];
      std::snprintf(digits, sizeof(digits), "%02x",
                    static_cast<unsigned>(word >> (8 * i) & 0xff));
      text += digits;
    }
  }
  return text;
}

std::vector<unsigned char> counting(size_t n) {
  std::vector<unsigned char> bytes(n);
  for (size_t i = 0; i < n; ++i) {
    bytes[i] = static_cast<unsigned char>(i);
  }
  return bytes;
}

TEST(SipHash, AgreesWithOpenSslForEveryLengthOfATail) {
  size_t n = 0;
  for (const char* expected : kSipHash13) {
    const auto message = counting(n++);
    SipHash13 hash(kKey0, kKey1);
    hash.add(message.data(), message.size());
    EXPECT_EQ(expected, hex(hash.finish())) << message.size() << " bytes";
  }
}

TEST(SipHash, AgreesWithThePublishedVectorsAtMoreRounds) {
  for (const auto& vector : kSipHash24) {
    const auto message = counting(vector.length);
    SipHash<2, 4> hash(kKey0, kKey1);
    hash.add(message.data(), message.size());
    EXPECT_EQ(vector.hash, hex(hash.finish())) << vector.length << " bytes";
  }
}

TEST(SipHash, IsTheSameHoweverTheBytesAreFed) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20000; ++round) {
    const auto message = counting(random() % 64);
    SipHash13 hash(kKey0, kKey1);
    for (size_t at = 0; at < message.size();) {
      const size_t left = message.size() - at;
      if (left >= 8 && random() % 4 == 0) {
        hash.add_word(load_le64(&message[at]));
        at += 8;
      } else {
        const size_t n = random() % (left + 1);
        hash.add(&message[at], n);
        at += n;
      }
    }
    ASSERT_EQ(kSipHash13[message.size()], hex(hash.finish()));
  }
}

class KeyHash : public testing::Test {
 protected:
  rl_hash_t hash(const std::vector<std::string>& parts) {
    std::vector<rl_str_t> strings;
    for (const std::string& part : parts) {
      strings.push_back(str(part));
    }
    rl_hash_t out;
    rl_key_hash(arena_.zone(), strings.data(), strings.size(), &out);
    return out;
  }

  Arena arena_{64 * 1024};
};

// Of one part's tag as a word and its text, or of the length of each of several
// as a word and its bytes; the seed is that of Arena.
TEST_F(KeyHash, IsTheFirstHalfOfSipHash) {
  const auto expected = [](const std::string& message, uint64_t domain) {
    const std::string seed = Arena::seed();
    const auto* bytes = reinterpret_cast<const unsigned char*>(seed.data());
    SipHash13 sip(load_le64(bytes) ^ domain, load_le64(bytes + 8));
    sip.add(reinterpret_cast<const unsigned char*>(message.data()),
            message.size());
    return sip.finish().lo;
  };
  const auto zeros = [](size_t n) { return std::string(n, '\0'); };
  constexpr uint64_t kOnePart = 0x6f6e657061727401u;
  EXPECT_EQ(expected(zeros(8) + "bravo", kOnePart), hash({"bravo"}).lo);
  EXPECT_EQ(expected(zeros(8), kOnePart), hash({""}).lo);
  EXPECT_EQ(expected("\5" + zeros(7) + "bravo\3" + zeros(7) + "act", 0),
            hash({"bravo", "act"}).lo);
  std::mt19937_64 random(2);
  for (int round = 0; round < 20000; ++round) {
    std::string tag = std::string("header:").substr(random() % 8);
    std::string text(random() % 40, ' ');
    for (char& c : text) {
      c = static_cast<char>(random());
    }
    // Of its exact length on the heap, so that reading beyond it is noticed.
    const std::vector<unsigned char> exact(text.begin(), text.end());
    rl_hash_prefix_t prefix;
    rl_hash_prefix(arena_.zone(), str(tag), &prefix);
    const rl_part_t part = {&prefix, {exact.size(), exact.data()}};
    rl_hash_t out;
    rl_part_hash(&part, &out);
    ASSERT_EQ(expected(tag + zeros(8 - tag.size()) + text, kOnePart), out.lo);
  }
}

// The tag, eight bits of hi, tells keys apart that lo does not, or only some
// bits of it: all pairs of it and some of these come out alike often.
TEST_F(KeyHash, ItsCheckIsIndependentOfWhatIsShown) {
  constexpr int kKeys = 1 << 20;
  for (const int shift : {0, 8, 24, 32, 56}) {
    std::vector<int> pairs(1 << 16);
    for (int i = 0; i < kKeys; ++i) {
      const rl_hash_t key = hash({std::to_string(i)});
      ++pairs[(key.hi & 255) << 8 | (key.lo >> shift & 255)];
    }
    // Chi-square of 65,535 degrees of freedom: its deviation is 362.
    double sum = 0;
    for (const int n : pairs) {
      sum += (n - 16.0) * (n - 16.0) / 16.0;
    }
    EXPECT_NEAR(65535, sum, 5 * 362) << shift;
  }
}

TEST_F(KeyHash, KeepsPartsApart) {
  std::vector<std::string> seen;
  const std::vector<std::vector<std::string>> keys = {
      {"ab", "c"}, {"a", "bc"}, {"abc"}, {"", "abc"}, {"abc", ""},
      {"a", "b", "c"}, {std::string(1, '\0')}, {std::string(2, '\0')},
      {""}, {"", ""}};
  for (const auto& key : keys) {
    seen.push_back(hex(hash(key)));
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen.end(), std::unique(seen.begin(), seen.end()));
}

TEST_F(KeyHash, TakesAllOfALongKey) {
  std::string key(1 << 20, 'x');
  const std::string first = hex(hash({key}));
  key.back() = 'y';
  EXPECT_NE(first, hex(hash({key})));
}

TEST_F(KeyHash, DependsOnTheZonesSecret) {
  std::vector<unsigned char> seed(16, 7);
  alignas(64) static unsigned char memory[64 * 1024];
  rl_zone_t other;
  ASSERT_EQ(RL_OK,
            rl_zone_create(&other, memory, sizeof(memory), sizeof(memory), seed.data()));
  const std::string key = "key";
  const rl_str_t part = str(key);
  rl_hash_t out;
  rl_key_hash(&other, &part, 1, &out);
  EXPECT_NE(hex(hash({key})), hex(out));
}

TEST_F(KeyHash, APolicysSecretDependsOnAllThatMakesItStartAfresh) {
  std::vector<std::string> seen;
  const auto secret = [&](const std::string& name, rl_algorithm_e algorithm,
                          const std::string& key) {
    rl_hash_t out;
    rl_policy_secret(arena_.zone(), str(name), algorithm, str(key), &out);
    return hex(out);
  };
  seen = {secret("api", RL_SLIDING, "$a"), secret("apj", RL_SLIDING, "$a"),
          secret("api", RL_GCRA, "$a"), secret("api", RL_SLIDING, "$b"),
          secret("api$", RL_SLIDING, "a"), hex(hash({"api", "$a"}))};
  EXPECT_EQ(seen[0], secret("api", RL_SLIDING, "$a"));
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen.end(), std::unique(seen.begin(), seen.end()));
}

}  // namespace
}  // namespace ratelimit
