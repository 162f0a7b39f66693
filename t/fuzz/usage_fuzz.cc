// The body of a response, cut anywhere: what is found must not depend on
// where, and nothing is read or written outside of what was given.

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "ratelimit/ratelimit.h"

namespace {

constexpr size_t kMax = 512;
// Shorter than the reader's memory, which has blocks of its own.
constexpr size_t kPiece = 250;

void require(bool condition) {
  if (!condition) std::abort();
}

// Of exactly that length, so that no byte beyond it can be touched; made once,
// since nothing slows a fuzzer down as allocations do.
unsigned char* block(size_t len) {
  static unsigned char* blocks[RL_USAGE_MEMORY(kMax) + 1];
  if (blocks[len] == nullptr) {
    blocks[len] = static_cast<unsigned char*>(std::malloc(len));
    require(blocks[len] != nullptr);
  }
  return blocks[len];
}

struct Search {
  rl_usage_pointer_t pointers[6];
  rl_usage_search_t search;

  Search() {
    const char* const kTexts[] = {"/usage/n", "/n",   "/total_tokens",
                                  "/a/0/kk",  "/x/l", "/m"};
    for (uint32_t i = 0; i < 6; i++) {
      require(rl_parse_usage_pointer(
                  {std::strlen(kTexts[i]),
                   reinterpret_cast<const unsigned char*>(kTexts[i])},
                  i / 2, &pointers[i]) == nullptr);
    }
    rl_usage_search(pointers, 6, &search);
  }
};

struct Found {
  int any;
  uint64_t units;
};

Found read(rl_usage_form_e form, const unsigned char* data, size_t size,
           size_t piece) {
  static const Search kSearch;
  rl_usage_t usage;
  rl_usage_begin(&usage, &kSearch.search, form);
  for (size_t at = 0; at < size;) {
    const size_t len = size - at < piece ? size - at : piece;
    unsigned char* const copy = block(len);
    std::memcpy(copy, data + at, len);
    size_t left = len;
    while ((left = rl_usage_take(&usage, {left, copy + len - left})) != 0) {
      require(left <= len && usage.held <= usage.room);
      if (usage.room == kMax) {
        rl_usage_make_room(&usage);
        continue;
      }
      const size_t room = usage.room == 0 ? kPiece + 1 : kMax;
      rl_usage_grow(&usage, block(RL_USAGE_MEMORY(room)), room);
    }
    at += len;
  }
  rl_usage_end(&usage);
  Found found{0, 0};
  found.any = rl_usage_units(&usage, &found.units);
  require(found.units <= RL_MAX_UNITS);
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const auto form = static_cast<rl_usage_form_e>(data[0] % 3);
  const Found some = read(form, data + 3, size - 3, 1 + data[1] % kPiece);
  const Found others = read(form, data + 3, size - 3, 1 + data[2] % kPiece);
  require(some.any == others.any && some.units == others.units);
  return 0;
}
