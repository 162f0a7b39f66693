// Deciding as any request can be decided, and looking: see ratelimit.h.
//
// Under the locks of all sets concerned every policy is asked first; only if
// the request is admitted is anything charged.  So a refused request costs
// nobody anything, no reservation has to be rolled back, and nobody is refused
// because of a reservation that is.

#include "ratelimit/decide/decide.h"

#include "ratelimit/decide/locate.h"

namespace ratelimit {

namespace {

// Asks one policy; the item tells its standing as it is, uncharged, and the
// working copy of the bucket is in *image.  True: it admits the request.
inline bool ask(const Shape& shape, const rl_time_t& now, rl_item_t* item,
                Seat* seat, Bucket* image) {
  prepare(*item, shape, now, seat, image);
  Standing standing =
      stand(*image, shape, item->cost_units, item->want_next != 0, now);
  if (!standing.admitted && seat->exists() && !seat->rewritten) {
    standing.retry_after_ms =
        retry_ms(seat->set->buckets[seat->index], shape, item->cost_units,
                 standing.retry_after_ms, now);
  }
  tell(standing, item);
  return item->admitted != 0;
}

// Charges the admitted request's units to the working copy.
inline void charge_item(const Shape& shape, const rl_time_t& now,
                        rl_item_t* item, Bucket* image) {
  item->receipt = charge(image, shape, item->cost_units, now);
  item->charged = 1;
  if (item->want_next) {
    report(stand(*image, shape, 0, true, now), item);
  } else {
    item->remaining_units -= item->cost_units;
    report_reset(reset_ms(*image, shape, now), item);
  }
}

inline void refuse(const Seat& seat, rl_item_t* item, Bucket* image) {
  if (seat.exists()) {
    note_refusal(&seat.set->buckets[seat.index]);
    image->throttled = 1;
  }
  if (item->dry_run) {
    item->remaining_units = 0;
  }
}

struct Votes {
  bool enforced;  // every item that is not in dry run admits
  bool all;       // every item admits
};

Votes ask_all(const rl_time_t& now, rl_item_t* items, size_t n, Seat* seats,
              Bucket* images) {
  Votes votes = {true, true};
  for (size_t i = 0; i < n; ++i) {
    if (!ask(shape_of(items[i]), now, &items[i], &seats[i], &images[i])) {
      votes.all = false;
      votes.enforced = votes.enforced && items[i].dry_run;
    }
  }
  return votes;
}

// Charges what is to be charged and makes it a journal target.  False: nothing
// has to be written.
bool settle_item(rl_item_t* items, Seat* seats, size_t n, size_t i,
                 const Votes& votes, const rl_time_t& now, Journal* journal) {
  rl_item_t* item = &items[i];
  Bucket* image = &journal->images[i];
  if (!item->admitted) {
    refuse(seats[i], item, image);
  }
  const bool charges = item->dry_run ? votes.all : votes.enforced;
  if (charges && item->cost_units > 0) {
    charge_item(shape_of(*item), now, item, image);
  } else if (!seats[i].rewritten) {
    set_no_target(journal, i);
    return false;
  }
  set_target(items, seats, n, i, now.mono_ms, journal);
  return true;
}

}  // namespace

rl_verdict_e decide_in_full(rl_process_t* process, rl_item_t* items, size_t n,
                            const rl_time_t& now) {
  Seat seats[RL_MAX_ITEMS];
  Locks locks(process);
  if (!take_seats(items, n, now.mono_ms, &locks, seats)) {
    return RL_BUSY;
  }
  Journal* journal = journal_of(process);
  const Votes votes = ask_all(now, items, n, seats, journal->images);
  bool writes = false;
  for (size_t i = 0; i < n; ++i) {
    writes |= settle_item(items, seats, n, i, votes, now, journal);
  }
  if (writes) {
    commit(process, seats, n);
  }
  locks.release_all();
  return votes.enforced ? RL_ADMITTED : RL_REFUSED;
}

}  // namespace ratelimit

rl_verdict_e rl_look(rl_process_t* process, rl_item_t* items, size_t n,
                     const rl_time_t* now) noexcept {
  if (process->registry == nullptr || n > RL_MAX_ITEMS) {
    return RL_BUSY;
  }
  ratelimit::Seat seats[RL_MAX_ITEMS];
  ratelimit::Locks locks(process);
  if (!ratelimit::take_seats(items, n, now->mono_ms, &locks, seats)) {
    return RL_BUSY;
  }
  const ratelimit::Votes votes = ratelimit::ask_all(
      *now, items, n, seats, ratelimit::journal_of(process)->images);
  locks.release_all();
  return votes.enforced ? RL_ADMITTED : RL_REFUSED;
}
