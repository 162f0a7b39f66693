// A state file that is in memory, for rl_state_load.

#ifndef RATELIMIT_BYTES_READER_H_
#define RATELIMIT_BYTES_READER_H_

#include <cstddef>
#include <cstring>

struct Bytes {
  const unsigned char* at;
  size_t left;
};

inline size_t read_bytes(void* data, unsigned char* buf, size_t len) {
  auto* bytes = static_cast<Bytes*>(data);
  const size_t n = len < bytes->left ? len : bytes->left;
  if (n != 0) std::memcpy(buf, bytes->at, n);
  bytes->at += n;
  bytes->left -= n;
  return n;
}

#endif  // RATELIMIT_BYTES_READER_H_
