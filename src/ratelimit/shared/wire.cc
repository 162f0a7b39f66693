#include "ratelimit/shared/wire.h"

#include <cstring>

namespace ratelimit {

namespace {

class Writer {
 public:
  explicit Writer(unsigned char* buf) : begin_(buf), at_(buf) {}

  void put(uint64_t value, unsigned bytes) {
    if (bytes < 8 && value >> (8 * bytes) != 0) {
      value = (uint64_t{1} << (8 * bytes)) - 1;
    }
    for (unsigned i = 0; i < bytes; ++i) {
      *at_++ = static_cast<unsigned char>(value >> (8 * i));
    }
  }

  void put_double(double value) {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    put(bits, 8);
  }

  size_t len() const { return static_cast<size_t>(at_ - begin_); }

 private:
  unsigned char* begin_;
  unsigned char* at_;
};

class Reader {
 public:
  explicit Reader(const unsigned char* buf) : at_(buf) {}

  uint64_t get(unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) {
      value |= static_cast<uint64_t>(*at_++) << (8 * i);
    }
    return value;
  }

  uint32_t get32() { return static_cast<uint32_t>(get(4)); }

 private:
  const unsigned char* at_;
};

}  // namespace

size_t write_request(const WireRequest& request, unsigned char* buf) noexcept {
  Writer out(buf);
  out.put(request.row, 8);
  out.put(request.number, 4);
  out.put(request.algorithm, 1);
  out.put(request.window_ms, 5);
  out.put(request.quota_units, 4);
  out.put(request.capacity_units, 4);
  out.put(request.need_units, 4);
  out.put(request.waits_units, 4);
  out.put(request.want_units, 3);
  out.put(request.keep_units, 4);
  out.put(request.used_units, 4);
  out.put(request.age_ms, 5);
  out.put(request.longest_ms, 4);
  out.put(request.shortest_ms, 2);
  out.put(request.flags, 1);
  out.put(request.latest_ms, 6);
  out.put(request.slack_ms, 2);
  out.put(request.window_end_ms, 6);
  out.put(request.begin_ms, 6);
  out.put(request.end_ms, 6);
  out.put(request.next_end_ms, 6);
  if ((request.flags & kTellsAll) == 0) return out.len();
  if (request.algorithm == RL_SLIDING) {
    for (uint32_t used : request.used_by_age) out.put(used, 4);
  } else if (request.algorithm == RL_GCRA) {
    out.put_double(request.debt_ms);
    out.put(request.used_since, 4);
  }
  return out.len();
}

void read_reply(const unsigned char* reply, WireReply* out) noexcept {
  Reader in(reply);
  out->status = static_cast<int8_t>(in.get(1));
  out->granted_units = in.get32();
  out->lease_ms = in.get32();
  out->free_units = static_cast<int32_t>(in.get32());
  out->held_units = in.get32();
  out->clock_ms = in.get(6);
  out->wait_ms = in.get(6);
  out->other_end_ms = in.get(6);
  out->left_ms = in.get(6);
  out->window_end_ms = in.get(6);
  out->generation = in.get(8);
}

}  // namespace ratelimit

void rl_shard_reply(const unsigned char* reply, rl_shard_t* out) noexcept {
  ratelimit::Reader in(reply);
  out->opens_ms = in.get(6);
  in.get(6);
  out->name = in.get(8);
}
