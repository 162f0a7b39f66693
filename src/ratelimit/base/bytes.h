// Words out of bytes and into them, for hashes and what is sent.

#ifndef RATELIMIT_BASE_BYTES_H_
#define RATELIMIT_BASE_BYTES_H_

#include <cstdint>
#include <cstring>

// For what has to stay in registers where it is used.
#define RATELIMIT_ALWAYS_INLINE inline __attribute__((always_inline))

namespace ratelimit {

RATELIMIT_ALWAYS_INLINE uint64_t load_le64(const unsigned char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

RATELIMIT_ALWAYS_INLINE uint64_t load_le32(const unsigned char* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap32(word);
#endif
  return word;
}

// One to seven bytes, read without a loop and never beyond their end.
RATELIMIT_ALWAYS_INLINE uint64_t load_few(const unsigned char* bytes,
                                          unsigned n) {
  if (n >= 4) {
    return load_le32(bytes) | load_le32(bytes + n - 4) << (8 * n - 32);
  }
  return bytes[0] | static_cast<uint64_t>(bytes[n / 2]) << (n / 2 * 8) |
         static_cast<uint64_t>(bytes[n - 1]) << (8 * n - 8);
}

RATELIMIT_ALWAYS_INLINE void store_le64(uint64_t word, unsigned char* bytes) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  std::memcpy(bytes, &word, sizeof(word));
}

RATELIMIT_ALWAYS_INLINE void store_le32(uint64_t value, unsigned char* bytes) {
  auto word = static_cast<uint32_t>(value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap32(word);
#endif
  std::memcpy(bytes, &word, sizeof(word));
}

// One to seven bytes, as load_few.
RATELIMIT_ALWAYS_INLINE void store_few(uint64_t value, unsigned n,
                                       unsigned char* bytes) {
  if (n >= 4) {
    store_le32(value, bytes);
    store_le32(value >> (8 * n - 32), bytes + n - 4);
    return;
  }
  bytes[0] = static_cast<unsigned char>(value);
  bytes[n / 2] = static_cast<unsigned char>(value >> (n / 2 * 8));
  bytes[n - 1] = static_cast<unsigned char>(value >> (8 * n - 8));
}

}  // namespace ratelimit

#endif  // RATELIMIT_BASE_BYTES_H_
