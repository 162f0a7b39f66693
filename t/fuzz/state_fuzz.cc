// State files: arbitrary bytes, and arbitrary contents whose every checksum is
// right.  Loading them reads nothing beyond their end, and whatever buckets
// they brought are safe to decide with, to copy and to save again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "../unit/bytes_reader.h"
#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/base/siphash.h"
#include "ratelimit/ratelimit.h"

namespace {

using ratelimit::Bucket;
using File = std::vector<unsigned char>;

constexpr size_t kZoneSize = 64 * 1024;
constexpr uint64_t kMagic = 0x6574617473746c72u;
constexpr uint32_t kBlockMagic = 0x6b6c626cu;
constexpr uint32_t kEndMagic = 0x646e656cu;
constexpr size_t kEntryLen = 72;
constexpr unsigned char kBoot[16] = {1};
constexpr rl_time_t kNow = {uint64_t{800} * 86400000, 1800000000000};

void require(bool condition) {
  if (!condition) std::abort();
}

class Input {
 public:
  Input(const uint8_t* data, size_t size) : at_(data), left_(size) {}

  void bytes(void* out, size_t n) {
    std::memset(out, 0, n);
    const size_t some = n < left_ ? n : left_;
    if (some != 0) std::memcpy(out, at_, some);
    at_ += some;
    left_ -= some;
  }
  uint64_t number() {
    uint64_t value = 0;
    bytes(&value, sizeof(value));
    return value;
  }
  uint8_t byte() {
    uint8_t value = 0;
    bytes(&value, 1);
    return value;
  }
  bool empty() const { return left_ == 0; }
  const uint8_t* data() const { return at_; }
  size_t size() const { return left_; }

 private:
  const uint8_t* at_;
  size_t left_;
};

struct Zone {
  explicit Zone(size_t size) : memory(std::aligned_alloc(64, size)) {
    const unsigned char seed[16] = {9};
    require(rl_zone_create(&view, memory, size, size, seed) == RL_OK);
  }
  ~Zone() { std::free(memory); }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

  void* memory;
  rl_zone_t view{};
};

// A process table that lives as long as the fuzzer.
void* process_table() {
  static void* const memory = [] {
    void* pages =
        std::aligned_alloc(64, (rl_process_table_size() + 63) / 64 * 64);
    rl_process_table_create(pages);
    return pages;
  }();
  return memory;
}

void put(File* file, const void* part, size_t len) {
  const auto* bytes = static_cast<const unsigned char*>(part);
  file->insert(file->end(), bytes, bytes + len);
}

// The checksum is what a part of `len` bytes at `at` ends with.
void seal(File* file, size_t at, size_t len, const uint64_t seed[2]) {
  std::memset(file->data() + at + len - 16, 0, 16);
  ratelimit::SipHash13 hash(seed[0] ^ kMagic, seed[1]);
  hash.add(file->data() + at, len);
  hash.add(file->data() + at + len, file->size() - at - len);
  const rl_hash_t sum = hash.finish();
  std::memcpy(file->data() + at + len - 16, &sum, 16);
}

const char* load(const Zone& zone, const File& file, uint64_t* loaded) {
  Bytes bytes = {file.data(), file.size()};
  return rl_state_load(&zone.view, read_bytes, &bytes, kBoot, &kNow, loaded);
}

// As state.cc writes them, of contents that are not its own.
File sealed_file(Input* input, std::vector<Bucket>* buckets) {
  File file(RL_STATE_HEADER_LEN);
  uint64_t seed[2] = {0, 0};
  const Zone zone(kZoneSize);
  rl_state_header(&zone.view, kBoot, &kNow, file.data());
  const size_t some = 64 + input->byte() % 4 * 24;  // overrides are long
  input->bytes(file.data() + 16, some);
  std::memcpy(seed, file.data() + 16, 16);
  seal(&file, 0, RL_STATE_HEADER_LEN, seed);

  uint64_t first = 0;
  uint64_t entries = 0;
  while (!input->empty() && file.size() < 100000) {
    const uint32_t n = input->byte() % 32;
    first += 1 + input->byte() % 4;
    const size_t at = file.size();
    const uint64_t sums[2] = {0, 0};
    put(&file, &kBlockMagic, 4);
    put(&file, &n, 4);
    put(&file, &first, 8);
    put(&file, sums, 16);
    for (uint32_t i = 0; i < n; ++i) {
      unsigned char entry[kEntryLen];
      input->bytes(entry, sizeof(entry));
      put(&file, entry, sizeof(entry));
      Bucket bucket;
      std::memcpy(static_cast<void*>(&bucket), entry + 8, sizeof(bucket));
      buckets->push_back(bucket);
    }
    entries += n;
    seal(&file, at, 32, seed);
  }
  const size_t at = file.size();
  const uint32_t end[2] = {kEndMagic, 0};
  const uint64_t rest[3] = {entries, 0, 0};
  put(&file, end, 8);
  put(&file, rest, 24);
  seal(&file, at, 32, seed);
  return file;
}

void check(const rl_item_t& item) {
  require(item.remaining_units <= item.limit_units || item.limit_units == 0);
  require(item.admitted || item.retry_after_ms > 0);
}

// Every call that takes a bucket as it is stored.
void use(rl_process_t* process, const rl_zone_t* zone, const Bucket& bucket,
         uint8_t choice) {
  rl_policy_t policy = {};
  policy.zone = zone;
  policy.algorithm = static_cast<rl_algorithm_e>(bucket.algorithm);
  rl_item_t item = {};
  item.policy = &policy;
  item.bucket = {bucket.key, choice};
  item.quota.units = choice & 1 ? RL_MAX_UNITS : 5;
  item.quota.window_ms = choice & 2 ? RL_MAX_WINDOW_MS : 60000;
  item.quota.window_months = choice & 4 && bucket.algorithm == RL_CALENDAR;
  item.capacity_units = item.quota.units;
  item.cost_units = choice & 8 ? RL_MAX_UNITS : 1;
  item.want_next = 1;
  for (int tag = 0; tag < 2; ++tag, item.bucket.hi = 0) {
    rl_time_t now = kNow;
    require(rl_look(process, &item, 1, &now) != RL_TIMEOUT);
    check(item);
    for (int i = 0; i < 3; ++i) {
      const rl_verdict_e verdict = rl_decide(process, &item, 1, &now);
      require(verdict == (item.admitted ? RL_ADMITTED : RL_REFUSED));
      check(item);
      if (verdict == RL_ADMITTED && choice & 16) {
        rl_settle(process, &item, RL_MAX_UNITS, &now);
      }
      if (verdict == RL_ADMITTED && choice & 32) {
        rl_refund(process, &item, 1, &now);
      }
      now.mono_ms += choice & 64 ? RL_MAX_WINDOW_MS : 1000;
      now.wall_ms += choice & 128 ? 0 : 1000;
    }
  }
}

void save(rl_process_t* process, const rl_zone_t* zone) {
  File file(RL_STATE_HEADER_LEN);
  File block(RL_STATE_BLOCK_LEN);
  rl_state_header(zone, kBoot, &kNow, file.data());
  uint64_t buckets = 0;
  for (uint32_t s = 0; s < zone->sets; s += RL_STATE_SETS) {
    put(&file, block.data(),
        rl_state_sets(process, zone, s, RL_STATE_SETS, &kNow, block.data(),
                      &buckets));
  }
  unsigned char end[RL_STATE_END_LEN];
  rl_state_end(zone, buckets, end);
  put(&file, end, sizeof(end));

  const Zone again(kZoneSize);
  uint64_t loaded = 0;
  require(load(again, file, &loaded) == nullptr);
  require(loaded <= buckets);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  Input input(data, size);
  const uint8_t kind = input.byte();
  const uint8_t choice = input.byte();
  Zone zone(kZoneSize);
  uint64_t loaded = 0;
  if (kind % 4 == 0) {
    const File file(input.data(), input.data() + input.size());
    require(load(zone, file, &loaded) != nullptr);
    return 0;
  }

  std::vector<Bucket> buckets;
  const File file = sealed_file(&input, &buckets);
  if (load(zone, file, &loaded) != nullptr) {
    return 0;
  }
  require(loaded <= buckets.size());

  Zone smaller(kZoneSize / 4);
  rl_zone_t older;
  rl_zone_t* const zones[] = {&zone.view};
  rl_process_t process = {};
  require(rl_process_join(&process, process_table(), zones, 1) == RL_OK);
  rl_zone_stats_t stats;
  rl_zone_stats(&zone.view, 1, &kNow, &stats);
  require(stats.active <= stats.entries && stats.entries <= stats.capacity);
  save(&process, &zone.view);
  for (const Bucket& bucket : buckets) {
    use(&process, &zone.view, bucket, choice);
  }
  rl_zone_expect(&zone.view, &smaller.view, &older);
  require(rl_zone_claim(&process, &zone.view) == RL_OK);
  require(rl_zone_begin_move(&process, &zone.view, &kNow) == RL_OK);
  for (const Bucket& bucket : buckets) {
    use(&process, &zone.view, bucket, choice);
  }
  require(rl_zone_move(&process, &zone.view, UINT32_MAX, &kNow) == 0);
  save(&process, &zone.view);
  rl_process_leave(&process);
  return 0;
}
