#include "ratelimit/shared/wire.h"

#include <cstring>

#include "ratelimit/base/bytes.h"

namespace ratelimit {

namespace {

class Writer {
 public:
  explicit Writer(unsigned char* buf) : begin_(buf), at_(buf) {}

  // The width is a constant, so that all of it becomes a store or two.
  template <unsigned kBytes>
  void put(uint64_t value) {
    constexpr uint64_t kMost = ~uint64_t{0} >> (64 - 8 * kBytes);
    if (value > kMost) value = kMost;
    if constexpr (kBytes == 8) {
      store_le64(value, at_);
    } else {
      store_few(value, kBytes, at_);
    }
    at_ += kBytes;
  }

  void put_double(double value) {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    put<8>(bits);
  }

  size_t len() const { return static_cast<size_t>(at_ - begin_); }

 private:
  unsigned char* begin_;
  unsigned char* at_;
};

class Reader {
 public:
  explicit Reader(const unsigned char* buf) : at_(buf) {}

  template <unsigned kBytes>
  uint64_t get() {
    const unsigned char* bytes = at_;
    at_ += kBytes;
    if constexpr (kBytes == 8) return load_le64(bytes);
    return load_few(bytes, kBytes);
  }

  template <unsigned kBytes>
  int64_t get_signed() {
    constexpr unsigned kSpare = 64 - 8 * kBytes;
    return static_cast<int64_t>(get<kBytes>() << kSpare) >> kSpare;
  }

  uint32_t get32() { return static_cast<uint32_t>(get<4>()); }

 private:
  const unsigned char* at_;
};

}  // namespace

size_t write_request(const WireRequest& request, unsigned char* buf) noexcept {
  Writer out(buf);
  out.put<8>(request.row);
  out.put<4>(request.number);
  out.put<1>(request.algorithm);
  out.put<5>(request.window_ms);
  out.put<kUnitsLen>(request.quota_units);
  out.put<kUnitsLen>(request.capacity_units);
  out.put<kUnitsLen>(request.need_units);
  out.put<kUnitsLen>(request.waits_units);
  out.put<3>(request.want_units);
  out.put<kUnitsLen>(request.keep_units);
  out.put<kUnitsLen>(request.used_units % kUsedWraps);
  out.put<5>(request.age_ms);
  out.put<4>(request.longest_ms);
  out.put<2>(request.shortest_ms);
  out.put<1>(request.flags);
  out.put<6>(request.latest_ms);
  out.put<2>(request.slack_ms);
  out.put<6>(request.window_end_ms);
  out.put<6>(request.reset);
  out.put<6>(request.begin_ms);
  out.put<6>(request.end_ms);
  out.put<6>(request.next_end_ms);
  if ((request.flags & kTakesBack) != 0) {
    out.put<kUnitsLen>(request.back_units);
    out.put<5>(request.back_age_ms);
  }
  if ((request.flags & kTellsAll) == 0) return out.len();
  if (request.algorithm == RL_SLIDING) {
    for (uint64_t used : request.used_by_age)
      out.put<kUnitsLen>(used);
  } else if (request.algorithm == RL_GCRA) {
    out.put_double(request.debt_ms);
    out.put<kUnitsLen>(request.used_since);
  }
  return out.len();
}

void read_reply(const unsigned char* reply, WireReply* out) noexcept {
  Reader in(reply);
  out->status = static_cast<int8_t>(in.get<1>());
  out->granted_units = in.get<kUnitsLen>();
  out->lease_ms = in.get32();
  out->free_units = in.get_signed<kUnitsLen>();
  out->held_units = in.get<kUnitsLen>();
  out->clock_ms = in.get<6>();
  out->wait_ms = in.get<6>();
  out->other_end_ms = in.get<6>();
  out->left_ms = in.get<6>();
  out->window_end_ms = in.get<6>();
  out->generation = in.get<8>();
}

}  // namespace ratelimit

void rl_shard_reply(const unsigned char* reply, rl_shard_t* out) noexcept {
  ratelimit::Reader in(reply);
  out->opens_ms = in.get<6>();
  in.get<6>();
  out->name = in.get<8>();
}
