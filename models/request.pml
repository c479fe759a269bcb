/* One request from the computer to the phone (docs/protocol.md 4.4 and 4.5) over
 * channels that an attacker owns: a frame that was sent once is delivered never,
 * once or often, at any time, in any order. Boxes are taken as perfect: nobody
 * makes a frame of a pairing but its two sides. Both sides may lie. The phone
 * dies at any moment and goes on from its disk.
 *
 * krd asks with payload 0. A computer that lies asks with payload 1, too, under
 * the same id. Each of the words NO_HASH, NO_STORE, NO_CANCEL, NO_EXPIRY,
 * NO_TIME, NO_ERASE and NO_VERIFY takes one rule away; then a claim must fail.
 */
mtype = { unknown, pending, allowed, answered, declined, ended, forgotten };

/* The channels: everything that was ever sent. */
bool asked[2];  /* sign_request with a payload */
bool cancelled; /* cancel_request */
bool answer[2]; /* sign_response with a good signature over a payload */
bool junk;      /* sign_response with another */

/* The phone's disk. */
mtype state = unknown;
byte held;         /* the payload whose hash it remembers */
bool opens = true; /* the request's epoch has keys here */
bool late;         /* the request's time is over by the phone's clock */

/* The phone's memory. */
byte card; /* 1 + payload on the screen */
byte made; /* 1 + payload of a signature that is not on disk yet */

/* What came to pass: read by claims only. */
byte yes;     /* 1 + payload that the person allowed */
byte decided; /* how often a person decided */
byte used;  /* 1 + payload that the key signed */
bool stopped; /* a cancel or the end of its time came before an answer was on disk */

inline ask(p) { state = pending; held = p; card = p + 1 }

inline decide() {
  decided++;
  assert(decided == 1); /* one question, one decision */
  if
  :: yes = card;
#ifndef NO_STORE
     state = allowed
#else
     sign(card - 1)
#endif
  :: state = declined
  fi;
  card = 0
}

inline sign(p) {
  made = p + 1;
  assert(made == yes);                   /* what was shown */
  assert(used == 0 || used == made); /* never two payloads */
  used = made
}

inline send(p) {
  assert(yes == p + 1);
  assert(!stopped);
  answer[p] = true
}

inline end() {
  if
  :: state == unknown || state == pending || state == allowed -> stopped = true;
     state = ended; card = 0
  :: else
  fi
}

active proctype phone() {
  byte p;
  do
  /* A request comes, or a copy of it. */
  :: atomic {
       if
       :: asked[0] && opens -> p = 0
       :: asked[1] && opens -> p = 1
       fi;
       if
       :: state == unknown && !late -> ask(p)
#ifdef NO_TIME
       :: (state == unknown || state == forgotten) && late -> ask(p)
#endif
#ifdef NO_HASH
       :: state == allowed || state == pending -> held = p
#endif
       :: state == answered && held == p -> send(p)
       :: else
       fi;
       p = 0
     }
  :: atomic { card != 0 -> decide() }
  :: atomic { state == allowed && made == 0 -> sign(held) }
  /* The answer is on disk before it is sent. */
  :: atomic { made != 0 ->
       if
#ifdef NO_STORE
       :: state == pending -> state = answered
#endif
#ifdef NO_CANCEL
       :: state == ended -> send(made - 1)
#endif
       :: state == allowed -> state = answered
       :: else
       fi;
       made = 0
     }
  :: atomic { state == answered -> send(held) }
  :: atomic { cancelled && opens -> end() }
  :: atomic { !late -> late = true;
#ifndef NO_EXPIRY
       end()
#else
       stopped = stopped || state == pending || state == allowed
#endif
     }
  /* Half an hour later it forgets; then the time alone speaks against copies. */
  :: atomic { late && (state == answered || state == declined || state == ended) -> state = forgotten }
  /* Its clock is set back: copies are in time again, but their keys are erased. */
  :: atomic { late && state == forgotten -> late = false; state = unknown;
#ifndef NO_ERASE
       opens = false
#endif
     }
  /* It dies, and asks again what nobody had decided. */
  :: atomic { made = 0; card = (state == pending -> held + 1 : 0) }
  od
}

active proctype computer() {
  bool done;
  do
  :: asked[0] = true
  :: asked[1] = true /* it lies */
  :: cancelled = true
  :: junk = true /* the phone lies */
  :: atomic { answer[0] && !done -> assert(yes == 1); done = true } /* ssh logs in */
  :: atomic { (answer[1] || junk) && !done ->
#ifdef NO_VERIFY
       done = true; assert(false) /* ssh is given what does not fit */
#endif
     }
  od
}
