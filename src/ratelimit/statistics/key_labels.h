// What an operator's page calls a top key: a text of up to 64 bytes beside its
// id, for policies that ask for it, and for keys only while they are listed.
//
// Each place of a list has a label, which knows whose it is: where another key
// has come into the place the label is none.  It is written under the lock of
// the place's set, which is never waited for: who finds it taken leaves the
// label to the key's next request.
//
// Lives in shared memory; whatever it holds at first is no key's label.  The
// memory of a policy that has none is never touched.

#ifndef RATELIMIT_STATISTICS_KEY_LABELS_H_
#define RATELIMIT_STATISTICS_KEY_LABELS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/statistics/top_keys.h"

namespace ratelimit {

struct KeyLabel {
  std::atomic<uint64_t> key;                     // rl_hash_t::lo
  std::atomic<uint64_t> text[RL_LABEL_LEN / 8];  // filled up with zeros
};

struct KeyLabels {
  KeyLabel labels[kTopSets][kTopWays];
};

// Whether the key is listed, and has no label.
bool wants_label(const TopKeys& list, const KeyLabels& labels, uint64_t key);

// Nothing where it is not listed.  Of a longer text as many characters of
// UTF-8 as there is room for.
void set_label(TopKeys* list, KeyLabels* labels, uint64_t key, rl_str_t text,
               uint64_t now_ms);

// Into buf of RL_LABEL_LEN bytes; 0: it has none.
size_t copy_label(const TopKeys& list, const KeyLabels& labels, uint64_t key,
                  unsigned char* buf);

}  // namespace ratelimit

#endif  // RATELIMIT_STATISTICS_KEY_LABELS_H_
