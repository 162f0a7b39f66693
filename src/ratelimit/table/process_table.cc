#include "ratelimit/table/process_table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "ratelimit/algorithm/holders.h"

namespace ratelimit {

namespace {

constexpr uint64_t kProcessTableMagic = 0x7972747367657272u;  // "rregstry"
constexpr uint32_t kProcessTableVersion = 4;

constexpr uint32_t owner_word(uint32_t slot, uint32_t generation) {
  return generation << kProcessBits | slot;
}

constexpr uint32_t slot_index(uint32_t owner) {
  return owner & (kProcesses - 1);
}

// A lock word is never 0, so no generation is.
uint32_t next_generation(uint32_t generation) {
  const uint32_t next =
      (generation + 1) & ((1u << ProcessId::kGenerationBits) - 1);
  return next == 0 ? 1 : next;
}

ProcessId id_of(const Slot& slot) {
  return ProcessId::of(slot.id.load(std::memory_order_acquire));
}

bool belongs_to(const Slot& slot, uint32_t owner) {
  return id_of(slot).generation == owner >> kProcessBits;
}

struct Stat {
  char state;
  uint32_t start;  // as in ProcessId
};

// /proc/PID/stat: "pid (name) state ppid ...", the start time its 22nd field;
// the name may hold blanks and parentheses.  False: not to be had.
bool read_stat(uint32_t pid, Stat* out) {
  char path[32] = "/proc/";
  unsigned char digits[20];
  const size_t n = rl_render_u64(pid, digits);
  std::memcpy(path + 6, digits, n);
  std::memcpy(path + 6 + n, "/stat", 6);
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  char text[512];
  const ssize_t length = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (length <= 0) {
    return false;
  }
  text[length] = '\0';
  const char* at = std::strrchr(text, ')');
  if (at == nullptr || at[1] != ' ') {
    return false;
  }
  out->state = at[2];
  // From the blank before the third field to that before the 22nd.
  ++at;
  for (int field = 3; field < 22; ++field) {
    at = std::strchr(at + 1, ' ');
    if (at == nullptr) {
      return false;
    }
  }
  uint64_t ticks = 0;
  for (++at; *at >= '0' && *at <= '9'; ++at) {
    ticks = ticks * 10 + static_cast<uint64_t>(*at - '0');
  }
  out->start =
      static_cast<uint32_t>(ticks) & ((1u << ProcessId::kStartBits) - 1);
  if (out->start == 0) {
    out->start = 1;
  }
  return true;
}

bool is_over(const ProcessId& id, bool thorough) {
  if (id.pid == 0) {
    return true;
  }
  if (kill(static_cast<pid_t>(id.pid), 0) != 0 && errno == ESRCH) {
    return true;
  }
  Stat stat;
  if (!thorough || !read_stat(id.pid, &stat)) {
    return false;
  }
  return stat.state == 'Z' || stat.state == 'X' ||
         (id.start != 0 && id.start != stat.start);
}

// Only one process finishes a dead one's commit; a claim whose holder died in
// the midst of it is taken over.
bool take_claim(const rl_process_t* process, Slot* slot) {
  uint32_t holder = 0;
  if (slot->claim.compare_exchange_strong(holder, process->owner)) {
    return true;
  }
  return is_dead(process_table_of(process), holder, true) &&
         slot->claim.compare_exchange_strong(holder, process->owner);
}

// Takes a slot that is free, or one of a dead process that has nothing left to
// be finished; always with a new generation.
bool take_slot(Slot* slot, uint32_t pid, uint32_t start, bool thorough) {
  uint64_t word = slot->id.load(std::memory_order_acquire);
  ProcessId id = ProcessId::of(word);
  if (!is_over(id, thorough)) {
    return false;
  }
  // A dead process's count does not rise, so this holds until the exchange.
  if (slot->pending.load(std::memory_order_acquire) != 0) {
    return false;
  }
  id = {next_generation(id.generation), start, pid};
  return slot->id.compare_exchange_strong(word, id.word());
}

// `since` first: whoever sees the change sees that the slot has changed hands.
void announce(ProcessTable* process_table, Slot* slot) {
  uint32_t changes = process_table->changes.load();
  do {
    slot->since.store(changes + 1);
  } while (
      !process_table->changes.compare_exchange_weak(changes, changes + 1));
}

// The lowest slot that is free; kProcesses: there is none.  /proc is asked for
// dead processes that still look alive only where there is none without them.
uint32_t find_slot(ProcessTable* process_table, uint32_t pid) {
  Stat stat;
  const uint32_t start = read_stat(pid, &stat) ? stat.start : 0;
  for (int thorough = 0; thorough < 2; ++thorough) {
    for (uint32_t i = 0; i < kProcesses; ++i) {
      if (take_slot(&process_table->slots[i], pid, start, thorough != 0)) {
        announce(process_table, &process_table->slots[i]);
        return i;
      }
    }
  }
  return kProcesses;
}

// Whether this very process, and not the one it was forked from, has joined.
bool has_joined(const rl_process_t* process, const void* process_table) {
  if (process->process_table != process_table) {
    return false;
  }
  const Slot* slot = slot_of(process);
  const ProcessId id = ProcessId::of(slot->id.load(std::memory_order_relaxed));
  return belongs_to(*slot, process->owner) &&
         id.pid == static_cast<uint32_t>(getpid());
}

// As if it had left: what it holds is nobody's from here on, also once its pid
// is another's.
void bury(ProcessTable* process_table, Slot* slot, uint64_t word) {
  ProcessId id = ProcessId::of(word);
  id.start = 0;
  id.pid = 0;
  if (slot->pending.load(std::memory_order_acquire) == 0 &&
      slot->id.compare_exchange_strong(word, id.word())) {
    process_table->changes.fetch_add(1);
  }
}

void bury_all_dead(const rl_process_t* process) {
  ProcessTable* process_table = process_table_of(process);
  for (uint32_t i = 0; i < kProcesses; ++i) {
    Slot* slot = &process_table->slots[i];
    const uint64_t word = slot->id.load(std::memory_order_acquire);
    const ProcessId id = ProcessId::of(word);
    if (id.generation == 0) {
      return;
    }
    const uint32_t owner = owner_word(i, id.generation);
    if (id.pid == 0 && slot->pending.load() == 0) {
      continue;
    }
    if (is_dead(process_table, owner, true)) {
      finish_commit_of_dead(process, owner);
      bury(process_table, slot, word);
    }
  }
}

}  // namespace

bool is_dead(const ProcessTable* process_table, uint32_t owner,
             bool thorough) {
  const Slot& slot = process_table->slots[slot_index(owner)];
  const ProcessId id = id_of(slot);
  // The slot is another's by now: its former owner was found dead, or left.
  return id.generation != owner >> kProcessBits || is_over(id, thorough);
}

bool finish_commit_of_dead(const rl_process_t* process, uint32_t owner) {
  const uint32_t index = slot_index(owner);
  Slot* slot = &process_table_of(process)->slots[index];
  if (slot->pending.load(std::memory_order_acquire) == 0) {
    return true;
  }
  if (!take_claim(process, slot)) {
    return false;
  }
  // The count before the generation: if the slot is still the dead one's, so
  // was the count, since a slot is not reused before it is 0.
  const uint32_t n = slot->pending.load(std::memory_order_acquire);
  if (n != 0 && n <= RL_MAX_ITEMS && belongs_to(*slot, owner) &&
      replay(process, &process_table_of(process)->redo_logs[index], n)) {
    end_commit(slot);
  }
  slot->claim.store(0, std::memory_order_release);
  return true;
}

uint32_t process_changes(const rl_process_t* process) {
  return changes_of(process);
}

bool has_changed_hands(const rl_process_t* process, uint32_t slot,
                       uint32_t since) {
  const Slot& of = process_table_of(process)->slots[slot];
  const uint32_t joined = of.since.load(std::memory_order_acquire);
  return id_of(of).pid == 0 || static_cast<int32_t>(joined - since) > 0;
}

bool has_died(const rl_process_t* process, uint32_t slot) {
  return is_over(id_of(process_table_of(process)->slots[slot]), false);
}

}  // namespace ratelimit

using ratelimit::ProcessId;
using ratelimit::ProcessTable;

size_t rl_process_table_size(void) noexcept {
  return sizeof(ProcessTable);
}

void rl_process_table_create(void* memory) noexcept {
  auto* process_table = static_cast<ProcessTable*>(memory);
  process_table->magic = 0;
  process_table->version = ratelimit::kProcessTableVersion;
  process_table->changes.store(0, std::memory_order_relaxed);
  // Not the redo logs: see kProcesses.
  for (ratelimit::Slot& slot : process_table->slots) {
    slot.id.store(0, std::memory_order_relaxed);
    slot.pending.store(0, std::memory_order_relaxed);
    slot.claim.store(0, std::memory_order_relaxed);
    slot.since.store(0, std::memory_order_relaxed);
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  process_table->magic = ratelimit::kProcessTableMagic;
}

int rl_process_table_attach(void* memory) noexcept {
  const auto* process_table = static_cast<const ProcessTable*>(memory);
  return process_table->magic == ratelimit::kProcessTableMagic &&
                 process_table->version == ratelimit::kProcessTableVersion
             ? RL_OK
             : RL_ERROR;
}

int rl_process_join(rl_process_t* process, void* memory,
                    rl_zone_t* const* zones, size_t nzones) noexcept {
  if (ratelimit::has_joined(process, memory)) {
    process->zones = zones;
    process->nzones = nzones;
    return RL_OK;
  }
  auto* process_table = static_cast<ProcessTable*>(memory);
  const uint32_t slot =
      ratelimit::find_slot(process_table, static_cast<uint32_t>(getpid()));
  if (slot == ratelimit::kProcesses) {
    return RL_ERROR;
  }
  const ProcessId id = ratelimit::id_of(process_table->slots[slot]);
  process->process_table = memory;
  process->owner = ratelimit::owner_word(slot, id.generation);
  process->slot = slot;
  process->redo_log = &process_table->redo_logs[slot];
  process->zones = zones;
  process->nzones = nzones;
  ratelimit::bury_all_dead(process);
  return RL_OK;
}

uint64_t rl_process_id_of(uint32_t pid) noexcept {
  ratelimit::Stat stat;
  ProcessId id = {1, 0, pid};
  if (ratelimit::read_stat(pid, &stat)) {
    id.start = stat.start;
  }
  return ratelimit::is_over(id, true) ? 0 : id.word();
}

int rl_process_has_ended(uint64_t id) noexcept {
  return ratelimit::is_over(ProcessId::of(id), true);
}

void rl_process_leave(rl_process_t* process) noexcept {
  if (process->process_table != nullptr &&
      ratelimit::has_joined(process, process->process_table)) {
    ratelimit::Slot* slot = ratelimit::slot_of(process);
    const ProcessId id = {process->owner >> ratelimit::kProcessBits, 0, 0};
    slot->id.store(id.word(), std::memory_order_release);
    ratelimit::process_table_of(process)->changes.fetch_add(1);
  }
  process->process_table = nullptr;
}
