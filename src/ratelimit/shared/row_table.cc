#include "ratelimit/shared/row_table.h"

#include <cstring>
#include <new>

#include "ratelimit/table/lock.h"
#include "ratelimit/table/process_table.h"

namespace ratelimit {

namespace {

constexpr uint64_t kRowTableMagic = 0x73776f7274736c72u;  // "rlstrows"
constexpr uint32_t kRowTableVersion = 4;

// So many rows for each that is wanted: as they are not spread evenly, seven
// would be too few in every third set.
constexpr uint64_t kSpareNumerator = 3, kSpareDenominator = 2;

// No request is under way for so long: who sent it is dead.
constexpr uint64_t kSparedUs = 60000000;

constexpr uint32_t kSetsPerWord = 32;

std::atomic<uint32_t>* use_words(RowTable* table) {
  return reinterpret_cast<std::atomic<uint32_t>*>(row_sets(table) +
                                                  table->sets);
}

void note_use(RowTable* table, uint32_t set) {
  std::atomic<uint32_t>* word = use_words(table) + set / kSetsPerWord;
  const uint32_t bit = 1u << set % kSetsPerWord;
  if ((word->load(std::memory_order_relaxed) & bit) == 0) word->fetch_or(bit);
}

// One whose request is under way is spared.
uint32_t place_for(const RowSet& set, uint64_t now_us) {
  uint32_t found = kRowsPerSet;
  for (uint32_t i = 0; i < kRowsPerSet; ++i) {
    if (set.tags[i] == 0) return i;
    if (set.rows[i].is_sent && now_us < set.rows[i].sent_us + kSparedUs) {
      continue;
    }
    if (found == kRowsPerSet ||
        set.rows[i].seen_us < set.rows[found].seen_us) {
      found = i;
    }
  }
  return found;
}

}  // namespace

uint32_t next_used(const RowTable* table, uint32_t set) {
  const std::atomic<uint32_t>* words = use_words(const_cast<RowTable*>(table));
  while (set < table->sets) {
    const uint32_t word =
        words[set / kSetsPerWord].load(std::memory_order_relaxed) >>
        set % kSetsPerWord;
    if (word != 0) return set + static_cast<uint32_t>(__builtin_ctz(word));
    set += kSetsPerWord - set % kSetsPerWord;
  }
  return table->sets;
}

bool wait_for_row_set(const rl_process_t* process, RowSet* set) {
  bool from_dead = false;
  if (!wait_for_word(process, &set->lock, &from_dead)) return false;
  const uint32_t writes = set->writes.load(std::memory_order_relaxed);
  if (from_dead && writes != 0) set->tags[writes - 1] = 0;
  return true;
}

Row* Entry::make(const Terms& terms, bool borrow, uint64_t now_us) {
  forget_older(terms.reset);
  if (row_ != nullptr) {
    write()->borrowing.allowed = borrow;  // a reload may have changed it
    return row_;
  }
  const uint32_t i = place_for(*set_, now_us);
  if (i == kRowsPerSet) return nullptr;
  note_use(table_, static_cast<uint32_t>(set_ - row_sets(table_)));
  // As long as it has no name nobody finds it.
  set_->tags[i] = 0;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  Row* row = new (&set_->rows[i]) Row();
  row->name = name_;
  row->terms = terms;
  row->id = table_->next_id.fetch_add(1);
  row->counting = static_cast<uint32_t>(row->id << 12);  // unlike one before
  row->epoch = epoch_of(table_, name_);
  row->is_first = true;
  row->borrowing.allowed = borrow;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  set_->tags[i] = row_tag(name_);
  row_ = row;
  return write();
}

void Entry::forget() {
  set_->tags[row_ - set_->rows] = 0;
  row_ = nullptr;
}

}  // namespace ratelimit

using ratelimit::RowSet;
using ratelimit::RowTable;

size_t rl_rows_size(uint32_t n) noexcept {
  const uint64_t sets = n * ratelimit::kSpareNumerator /
                            ratelimit::kSpareDenominator /
                            ratelimit::kRowsPerSet +
                        1;
  return sizeof(RowTable) + sets * sizeof(RowSet) +
         (sets / ratelimit::kSetsPerWord + 1) * sizeof(uint32_t);
}

void rl_rows_create(void* memory, size_t size, size_t used,
                    uint64_t first_id) noexcept {
  std::memset(memory, 0, used < size ? used : size);
  auto* table = static_cast<RowTable*>(memory);
  table->version = ratelimit::kRowTableVersion;
  // A bit more for each set, and a word that may be begun.
  table->sets =
      static_cast<uint32_t>((size - sizeof(RowTable) - sizeof(uint32_t)) * 8 /
                            (sizeof(RowSet) * 8 + 1));
  table->next_id.store(first_id);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  table->magic = ratelimit::kRowTableMagic;
}

void rl_rows_configure(void* memory) noexcept {
  static_cast<RowTable*>(memory)->configurations.fetch_add(1);
}

int rl_rows_attach(void* memory) noexcept {
  const auto* table = static_cast<const RowTable*>(memory);
  return table->magic == ratelimit::kRowTableMagic &&
                 table->version == ratelimit::kRowTableVersion
             ? RL_OK
             : RL_ERROR;
}
