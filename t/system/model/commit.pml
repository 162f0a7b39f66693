/*
 * The locks and redo logs of src/ratelimit/table, lock.cc and process_table.cc, for spin.
 *
 * Three workers decide once each over the same two buckets, each in a set of
 * its own.  Up to CRASHES of them are killed, between any two steps, also
 * while they finish what another dead one has left; a dead one's slot is taken
 * by a new worker as soon as the protocol lets it.  At last a checker takes
 * both locks and looks.
 *
 * Proved for every interleaving: a lock is held by one live process; all or
 * nothing; what was decided is counted once, and nothing else; a dead one's
 * commit is finished by one process at a time; nobody waits for ever.
 *
 * BROKEN=1 to 5 leave a part of the protocol out; spin finds each.
 *   1  `pending` is set before the images are complete
 *   2  `pending` is cleared before all images are written
 *   3  the dead one's lock is taken without finishing its commit
 *   4  a slot is given to a new worker while its commit is unfinished
 *   5  who has the claim does not look whose the slot is by now
 */

#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef BROKEN
#define BROKEN 0
#endif

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef RESPAWNS
#define RESPAWNS 1
#endif
#define CHECKER WORKERS
#define SLOTS (WORKERS + 1)
#define QUOTA 2

/* A lock word: slot and generation, never 0. */
#define WORD(slot) (1 + (slot) + SLOTS * generation[slot])
#define SLOT(word) (((word) - 1) % SLOTS)
#define GENERATION(word) (((word) - 1) / SLOTS)
#define IS_DEAD(word) \
  (generation[SLOT(word)] != GENERATION(word) || !alive[SLOT(word)])

byte generation[SLOTS];
bool alive[SLOTS];
byte pending[SLOTS];
byte claim[SLOTS];
byte image0[SLOTS];
byte image1[SLOTS];

byte lock[2];
byte bucket[2];

byte crashes = CRASHES;
byte respawns = RESPAWNS;
byte running = 0;  /* workers that are neither dead nor done */

/* What is proved, not part of the protocol. */
byte decided = 0;        /* decisions whose `pending` was set */
byte finishing[SLOTS];   /* live processes that finish a slot's commit */

/* Between any two steps a worker may be killed. */
inline may_die() {
  if
  :: true
  :: atomic {
       me != CHECKER && crashes > 0 ->
       crashes--;
       alive[me] = false;
       if
       :: finishes != 255 -> finishing[finishes]--
       :: else
       fi;
       running--;
       goto dead
     }
  fi
}

inline compare_exchange(where, old, new) {
  d_step {
    done = (where == old);
    if
    :: done -> where = new
    :: else
    fi
  }
}

/* finish_commit_of_dead(): `done` is what it returns. */
inline finish(owner) {
  done = true;
  if
  :: BROKEN == 3 || pending[SLOT(owner)] == 0
  :: else ->
     may_die();
     compare_exchange(claim[SLOT(owner)], 0, word);
     if
     :: !done ->
        may_die();
        holder = claim[SLOT(owner)];
        if
        :: holder != 0 && IS_DEAD(holder) ->
           compare_exchange(claim[SLOT(owner)], holder, word)
        :: else
        fi
     :: else
     fi;
     if
     :: done ->
        may_die();
        unfinished = pending[SLOT(owner)];
        may_die();
        if
        :: unfinished != 0 && (BROKEN == 5 ||
                               generation[SLOT(owner)] == GENERATION(owner)) ->
           atomic {
             finishes = SLOT(owner);
             finishing[finishes]++;
             assert(finishing[finishes] == 1);
           }
           may_die();
           bucket[0] = image0[SLOT(owner)];
           may_die();
           bucket[1] = image1[SLOT(owner)];
           may_die();
           atomic {
             pending[SLOT(owner)] = 0;
             finishing[finishes]--;
             finishes = 255;
           }
        :: else
        fi;
        may_die();
        claim[SLOT(owner)] = 0;
        done = true
     :: else
     fi
  fi
}

inline take(set) {
  do
  :: (lock[set] == 0 || IS_DEAD(lock[set]));
     may_die();
     found = lock[set];
     if
     :: found == 0 -> compare_exchange(lock[set], 0, word)
     :: found != 0 && IS_DEAD(found) ->
        finish(found);
        if
        :: done -> may_die(); compare_exchange(lock[set], found, word)
        :: else
        fi
     :: else -> done = false
     fi;
     if
     :: done -> break
     :: else
     fi
  od;
  assert(lock[set] == word)
}

proctype Worker(byte me) {
  byte word = WORD(me);
  byte found, holder, unfinished;
  byte finishes = 255;
  bool done;

  may_die();
  take(0);
  may_die();
  take(1);
  may_die();

  if
  :: bucket[0] < QUOTA && bucket[1] < QUOTA ->
     if
     :: BROKEN == 1 -> atomic { pending[me] = 2; decided++ }; may_die()
     :: else
     fi;
     image0[me] = bucket[0] + 1;
     may_die();
     image1[me] = bucket[1] + 1;
     may_die();
     if
     :: BROKEN != 1 -> atomic { pending[me] = 2; decided++ }
     :: else
     fi;
     may_die();
     bucket[0] = image0[me];
     may_die();
     if
     :: BROKEN == 2 -> pending[me] = 0; may_die()
     :: else
     fi;
     bucket[1] = image1[me];
     may_die();
     assert(lock[0] == word && lock[1] == word);
     pending[me] = 0
  :: else
  fi;
  may_die();
  assert(lock[1] == word);
  lock[1] = 0;
  may_die();
  assert(lock[0] == word);
  lock[0] = 0;

  /* rl_process_leave(): its slot is left alone here. */
  running--;
dead:
  skip
}

/* rl_process_join(): a slot of a dead worker that has nothing unfinished. */
proctype Respawner() {
  byte slot = 0;
  byte seen;

  do
  :: respawns > 0 && slot < WORKERS && !alive[slot] ->
     seen = generation[slot];
     if
     :: pending[slot] == 0 || BROKEN == 4 ->
        atomic {
          generation[slot] == seen && !alive[slot] ->
          respawns--;
          generation[slot] = seen + 1;
          alive[slot] = true;
          running++;
          run Worker(slot)
        }
     :: else
     fi
  :: slot < WORKERS - 1 -> slot++
  :: break
  od
}

proctype Checker() {
  byte me = CHECKER;
  byte word = WORD(me);
  byte found, holder, unfinished;
  byte finishes = 255;
  bool done;

  running == 0;
  take(0);
  take(1);
  assert(bucket[0] == bucket[1]);
  assert(bucket[0] == decided);
  assert(bucket[0] <= QUOTA);
  atomic { lock[0] = 0; lock[1] = 0 }
dead:
  skip
}

init {
  atomic {
    alive[CHECKER] = true;
    byte i = 0;
    do
    :: i < WORKERS -> alive[i] = true; running++; run Worker(i); i++
    :: else -> break
    od;
    run Respawner();
    run Checker()
  }
}
