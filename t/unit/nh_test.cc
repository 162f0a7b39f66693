// NH against its definition, and that no byte of a text or word of its key is
// left out.

#include "ratelimit/base/nh.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace ratelimit {
namespace {

NhKey random_key(std::mt19937_64* random) {
  NhKey key;
  for (std::uint64_t& word : key.words) {
    word = (*random)();
  }
  return key;
}

std::vector<unsigned char> random_bytes(std::size_t n,
                                        std::mt19937_64* random) {
  std::vector<unsigned char> bytes(n);
  for (unsigned char& byte : bytes) {
    byte = static_cast<unsigned char>((*random)());
  }
  return bytes;
}

bool same(const NhSums& a, const NhSums& b) {
  return a.first == b.first || a.second == b.second;
}

// A sum by its definition, the words made of single bytes; the key begins at
// its word `from`.
NhSum sum_of(const NhKey& key, std::vector<unsigned char> bytes,
             std::size_t from) {
  while (bytes.size() % 16 != 0) {
    bytes.push_back(0);
  }
  std::vector<std::uint64_t> words(bytes.size() / 8);
  for (std::size_t i = 0; i < bytes.size(); i++) {
    words[i / 8] |= std::uint64_t{bytes[i]} << (i % 8 * 8);
  }
  NhSum sum = 0;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::uint64_t a = words[i] + key.words[from + i];
    const std::uint64_t b = words[i + 1] + key.words[from + i + 1];
    sum += NhSum{a} * b;
  }
  return sum;
}

TEST(Nh, IsAsDefined) {
  std::mt19937_64 random(1);
  for (std::size_t n = 0; n <= kNhLen; n++) {
    const NhKey key = random_key(&random);
    const std::vector<unsigned char> bytes = random_bytes(n, &random);
    const NhSums sums = nh(key, bytes.data(), n);
    ASSERT_TRUE(sums.first == sum_of(key, bytes, 0)) << n;
    ASSERT_TRUE(sums.second == sum_of(key, bytes, 2)) << n;
  }
}

TEST(Nh, EveryBitOfATextCounts) {
  std::mt19937_64 random(2);
  const NhKey key = random_key(&random);
  for (const std::size_t n : {1u, 15u, 16u, 17u, 1000u, 1024u}) {
    std::vector<unsigned char> bytes = random_bytes(n, &random);
    const NhSums sums = nh(key, bytes.data(), n);
    for (std::size_t bit = 0; bit < 8 * n; bit++) {
      const auto mask = static_cast<unsigned char>(1 << bit % 8);
      bytes[bit / 8] ^= mask;
      ASSERT_FALSE(same(sums, nh(key, bytes.data(), n))) << n << ' ' << bit;
      bytes[bit / 8] ^= mask;
    }
  }
}

TEST(Nh, EveryWordOfTheKeyCounts) {
  std::mt19937_64 random(3);
  NhKey key = random_key(&random);
  const std::vector<unsigned char> bytes = random_bytes(kNhLen, &random);
  const NhSums sums = nh(key, bytes.data(), kNhLen);
  for (std::uint64_t& word : key.words) {
    word ^= 1;
    const NhSums others = nh(key, bytes.data(), kNhLen);
    ASSERT_FALSE(sums.first == others.first && sums.second == others.second);
    word ^= 1;
  }
}

}  // namespace
}  // namespace ratelimit
