// The hash of usual keys against OpenSSL's AES, and that a zone has it or
// SipHash, but never both for one key.

#include "ratelimit/aes_hash.h"

#include <openssl/evp.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/hash.h"
#include "ratelimit/siphash.h"
#include "ratelimit/zone.h"

namespace ratelimit {
namespace {

#ifdef RATELIMIT_AES_NI

using Bytes = std::vector<unsigned char>;

// As aes_hash.h says: the length, 8 bytes; the first 8 bytes; the rest; zeros.
Bytes message_of(const Bytes& key) {
  Bytes message(16 + (key.size() > 8 ? (key.size() - 8 + 15) / 16 * 16 : 0));
  for (size_t i = 0; i < 8; ++i) {
    message[i] = static_cast<unsigned char>(key.size() >> (8 * i));
  }
  std::copy(key.begin(), key.end(), message.begin() + 8);
  return message;
}

Bytes encrypted(const AesKey& key, const Bytes& block) {
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Bytes out(32);
  int len = 0;
  EXPECT_EQ(1, EVP_EncryptInit_ex(context.get(), EVP_aes_128_ecb(), nullptr,
                                  key.rounds[0], nullptr));
  EXPECT_EQ(
      1, EVP_EncryptUpdate(context.get(), out.data(), &len, block.data(), 16));
  EXPECT_EQ(16, len);
  out.resize(16);
  return out;
}

// E of the sum of all masked and encrypted blocks and of the last one.
rl_hash_t by_openssl(const AesKey& key, const Bytes& message) {
  const auto* masks = reinterpret_cast<const unsigned char*>(key.masks);
  Bytes sum(message.end() - 16, message.end());
  for (size_t at = 0; at + 16 < message.size(); at += 16) {
    Bytes block(16);
    for (size_t i = 0; i < 16; ++i) {
      block[i] = static_cast<unsigned char>(message[at + i] ^ masks[at + i]);
    }
    block = encrypted(key, block);
    for (size_t i = 0; i < 16; ++i) {
      sum[i] = static_cast<unsigned char>(sum[i] ^ block[i]);
    }
  }
  const Bytes hash = encrypted(key, sum);
  return {load_le64(&hash[0]), load_le64(&hash[8])};
}

class AesHash : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_aes()) GTEST_SKIP() << "this processor has no AES";
  }
};

// FIPS 197, appendix A.1.
TEST_F(AesHash, ExpandsThePublishedKey) {
  const unsigned char key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae,
                                 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88,
                                 0x09, 0xcf, 0x4f, 0x3c};
  const unsigned char last[16] = {0xd0, 0x14, 0xf9, 0xa8, 0xc9, 0xee,
                                  0x25, 0x89, 0xe1, 0x3f, 0x0c, 0xc8,
                                  0xb6, 0x63, 0x0c, 0xa6};
  AesKey expanded;
  std::memcpy(expanded.rounds[0], key, sizeof(key));
  expand_aes_key(&expanded);
  EXPECT_EQ(0, std::memcmp(last, expanded.rounds[10], sizeof(last)));
}

TEST_F(AesHash, AgreesWithOpenSslWhateverIsToldAsTheTag) {
  std::mt19937_64 random(1);
  AesKey key;
  for (unsigned char& byte : key.rounds[0]) {
    byte = static_cast<unsigned char>(random());
  }
  for (auto& mask : key.masks) {
    mask[0] = random();
    mask[1] = random();
  }
  expand_aes_key(&key);
  for (size_t n = 0; n <= kMaxAesLen; ++n) {
    Bytes bytes(n);
    for (unsigned char& byte : bytes) {
      byte = static_cast<unsigned char>(random());
    }
    const rl_hash_t expected = by_openssl(key, message_of(bytes));
    for (size_t tag_len = 0; tag_len <= 7 && tag_len <= n; ++tag_len) {
      uint64_t tag = 0;
      for (size_t i = 0; i < tag_len; ++i) {
        tag |= uint64_t{bytes[i]} << (8 * i);
      }
      // Of its exact length on the heap, so that reading beyond is noticed.
      const Bytes text(bytes.begin() + static_cast<long>(tag_len),
                       bytes.end());
      const rl_hash_t hash =
          aes_hash(key, {tag, tag_len, {text.size(), text.data()}});
      ASSERT_EQ(expected.lo, hash.lo) << n << " bytes, tag of " << tag_len;
      ASSERT_EQ(expected.hi, hash.hi) << n << " bytes, tag of " << tag_len;
    }
  }
}

// Else who is shown three key ids knows a fourth, and can look for one that is
// somebody else's.
TEST_F(AesHash, HashesOfKeysThatShareBlocksDoNotAddUp) {
  Arena arena(64 * 1024);
  const AesKey& key = header_of(arena.zone())->aes_key;
  const auto hash = [&](const std::string& text) {
    return aes_hash(key, {0, 0, str(text)});
  };
  const rl_hash_t square[] = {hash("aaaaaaaacccc"), hash("aaaaaaaadddd"),
                              hash("bbbbbbbbcccc"), hash("bbbbbbbbdddd")};
  EXPECT_NE(0u, square[0].lo ^ square[1].lo ^ square[2].lo ^ square[3].lo);
}

// What a zone was made with holds for it wherever its memory is used.
TEST_F(AesHash, IsAZonesHashOfKeysOfUsualLength) {
  Arena arena(64 * 1024);
  ZoneHeader* header = header_of(arena.zone());
  ASSERT_TRUE(header->uses_aes);
  for (size_t n : {size_t{1}, kMaxAesLen, kMaxAesLen + 1}) {
    const Bytes text(n, 'x');
    const rl_part_t part = {0, 0, {text.size(), text.data()}};
    const rl_hash_t sip = sip_hash_of_key(arena.zone(), part);
    header->uses_aes = 1;
    const rl_hash_t with = hash_of_key(arena.zone(), part);
    header->uses_aes = 0;
    EXPECT_EQ(sip.lo, hash_of_key(arena.zone(), part).lo) << n;
    EXPECT_EQ(n > kMaxAesLen, with.lo == sip.lo) << n;
  }
}

#endif

TEST(WithoutAes, AZoneHasSipHash) {
  if (has_aes()) GTEST_SKIP() << "this processor has AES";
  Arena arena(64 * 1024);
  EXPECT_FALSE(header_of(arena.zone())->uses_aes);
}

}  // namespace
}  // namespace ratelimit
