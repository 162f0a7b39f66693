#include "ratelimit/statistics/key_labels.h"

#include <cstring>

namespace ratelimit {

namespace {

constexpr size_t kWords = RL_LABEL_LEN / 8;

uint64_t load(const std::atomic<uint64_t>& word) {
  return word.load(std::memory_order_acquire);
}

void store(std::atomic<uint64_t>* word, uint64_t value) {
  word->store(value, std::memory_order_release);
}

// The number of its place in its set, or kTopWays.
unsigned way_of(const TopSet& set, uint64_t key) {
  unsigned way = 0;
  while (way < kTopWays && load(set.keys[way].key) != key)
    ++way;
  return way;
}

// A character is not cut in two.
size_t cut(rl_str_t text) {
  if (text.len <= RL_LABEL_LEN) return text.len;
  size_t len = RL_LABEL_LEN;
  while (len > 0 && (text.data[len] & 0xc0) == 0x80)
    --len;
  return len;
}

}  // namespace

bool wants_label(const TopKeys& list, const KeyLabels& labels, uint64_t key) {
  const unsigned set = top_set_of(key);
  const unsigned way = way_of(list.sets[set], key);
  return key != 0 && way < kTopWays &&
         load(labels.labels[set][way].key) != key;
}

void set_label(TopKeys* list, KeyLabels* labels, uint64_t key, rl_str_t text,
               uint64_t now_ms) {
  const unsigned index = top_set_of(key);
  TopSet* set = &list->sets[index];
  if (key == 0 || !try_lock(set, now_ms)) return;
  const unsigned way = way_of(*set, key);
  if (way < kTopWays) {
    KeyLabel* label = &labels->labels[index][way];
    uint64_t words[kWords] = {};
    std::memcpy(words, text.data, cut(text));
    store(&label->key, 0);
    for (size_t i = 0; i < kWords; ++i)
      store(&label->text[i], words[i]);
    store(&label->key, key);
  }
  unlock(set);
}

size_t copy_label(const TopKeys& list, const KeyLabels& labels, uint64_t key,
                  unsigned char* buf) {
  const unsigned set = top_set_of(key);
  const unsigned way = way_of(list.sets[set], key);
  if (key == 0 || way == kTopWays) return 0;
  const KeyLabel& label = labels.labels[set][way];
  if (load(label.key) != key) return 0;
  for (size_t i = 0; i < kWords; ++i) {
    const uint64_t word = load(label.text[i]);
    std::memcpy(buf + i * 8, &word, 8);
  }
  if (load(label.key) != key) return 0;
  size_t len = 0;
  while (len < RL_LABEL_LEN && buf[len] != 0)
    ++len;
  return len;
}

}  // namespace ratelimit
