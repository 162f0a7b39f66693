// Processes that are stepped through what they do, instruction by instruction,
// and what shared memory holds at each.

#ifndef RATELIMIT_T_UNIT_CRASH_UTIL_H_
#define RATELIMIT_T_UNIT_CRASH_UTIL_H_

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "arena.h"
#include "ratelimit/table/process_table.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

// ThreadSanitizer's run time does not bear being stepped through.
constexpr bool kCanStep = !kThreadSanitizer;

// The memory that processes share, as it was at one moment: the zones, the
// process table's slots and the redo logs of its first processes.
class Snapshot {
 public:
  explicit Snapshot(const Arena& arena) : arena_(&arena) {
    for_each(
        [this](char* memory, size_t size) { bytes_.append(memory, size); });
  }

  void restore() const {
    size_t at = 0;
    for_each([&](char* memory, size_t size) {
      std::memcpy(memory, bytes_.data() + at, size);
      at += size;
    });
  }

  bool is_current() const {
    size_t at = 0;
    bool same = true;
    for_each([&](char* memory, size_t size) {
      same = same && std::memcmp(memory, bytes_.data() + at, size) == 0;
      at += size;
    });
    return same;
  }

 private:
  static constexpr size_t kRedoLogs = 4;
  static constexpr size_t kUsedImages = 4;

  template <class Visit>
  void for_each(const Visit& visit) const {
    for (const rl_zone_t* zone : arena_->zones()) {
      visit(static_cast<char*>(zone->memory), header_of(zone)->size);
    }
    auto* process_table = static_cast<ProcessTable*>(arena_->process_table());
    visit(reinterpret_cast<char*>(process_table->slots),
          kRedoLogs * sizeof(Slot));
    for (size_t i = 0; i < kRedoLogs; ++i) {
      RedoLog& redo_log = process_table->redo_logs[i];
      visit(reinterpret_cast<char*>(redo_log.images),
            kUsedImages * sizeof(Bucket));
      visit(reinterpret_cast<char*>(redo_log.targets),
            kUsedImages * sizeof(Target));
    }
  }

  const Arena* arena_;
  std::string bytes_;
};

// A process that runs `body` under the eyes of the test.
class Stepped {
 public:
  explicit Stepped(const std::function<void()>& prepare,
                   const std::function<void()>& body) {
    pid_ = fork();
    if (pid_ == 0) {
      if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
        _exit(1);
      }
      prepare();
      raise(SIGSTOP);
      body();
      raise(SIGSTOP);
      _exit(0);
    }
    usable_ = waitpid(pid_, &status_, 0) == pid_ && WIFSTOPPED(status_);
  }
  ~Stepped() { kill_and_reap(); }
  Stepped(const Stepped&) = delete;
  Stepped& operator=(const Stepped&) = delete;

  bool usable() const { return usable_; }

  // One instruction; false once the body has returned.
  bool step() {
    return ptrace(PTRACE_SINGLESTEP, pid_, nullptr, nullptr) == 0 &&
           waitpid(pid_, &status_, 0) == pid_ && WIFSTOPPED(status_) &&
           WSTOPSIG(status_) == SIGTRAP;
  }

  // Killed, but not waited for: kill(pid, 0) still succeeds.
  void make_zombie() {
    kill(pid_, SIGKILL);
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }

  void kill_and_reap() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      pid_ = 0;
    }
  }

 private:
  pid_t pid_;
  int status_ = 0;
  bool usable_ = false;
};

// Every state on the way through the process's body; what it did last is the
// last one.
inline std::vector<Snapshot> states_of(const Arena& arena, Stepped* process,
                                       size_t* steps) {
  std::vector<Snapshot> states = {Snapshot(arena)};
  *steps = 0;
  while (process->step()) {
    ++*steps;
    if (!states.back().is_current()) {
      states.emplace_back(arena);
    }
  }
  return states;
}

}  // namespace ratelimit

#endif  // RATELIMIT_T_UNIT_CRASH_UTIL_H_
