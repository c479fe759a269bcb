/* Pairing with someone in between (docs/protocol.md 3): the attacker read the
 * computer's code, and the phone read one of the attacker's. So the computer
 * pairs with the attacker as its phone, and the phone with the attacker as its
 * computer. Each side shows two words made of all that it heard and said, and
 * the person compares them.
 *
 * Two runs that differ have equal words by luck, once in 2^22, unless the
 * attacker chooses a value while it knows all others: then it tries values until
 * the words are equal. All but two are known to it or its own: the computer's
 * n_c and the phone's n_s. The claim: once it knows both, it has nothing left to
 * choose.
 *
 * Each of the words NO_COMMITMENT, EARLY, TWO_NUMBERS, TWO_PHONES and OPEN_NUMBER
 * takes one rule away; then the claim must fail.
 */

/* What the attacker knows. */
bool knows_nc;
bool knows_ns;

/* What it has sent, and cannot take back. */
bool sent_step2; /* to the computer: its s_pub, and its commitment to n_s */
bool sent_ns;    /* to the computer, after the hello */
bool sent_nc;    /* to the phone, as the hello of its own code */

inline choose(sent) {
  assert(!(knows_nc && knows_ns));
  sent = true
}

active proctype computer() {
#ifdef EARLY
  knows_nc = true; /* n_c is in the code */
#endif
  sent_step2;
  knows_nc = true; /* drawn now, in the hello */
  sent_ns
  /* it shows its words */
}

active proctype phone() {
#ifdef OPEN_NUMBER
  knows_ns = true; /* n_s is in step 2, instead of a commitment to it */
#endif
  sent_nc;
  knows_ns = true /* in the ack */
  /* it shows its words */
}

active proctype attacker() {
  do
#ifdef TWO_PHONES /* the computer takes another step 2 for the same n_c */
  :: atomic { choose(sent_step2) }
#else
  :: atomic { !sent_step2 -> choose(sent_step2) }
#endif
#ifdef NO_COMMITMENT /* the computer does not look whether n_s fits */
  :: atomic { knows_nc && !sent_ns -> choose(sent_ns) }
#else
  :: atomic { knows_nc && !sent_ns -> sent_ns = true } /* it was chosen with the commitment */
#endif
#ifdef TWO_NUMBERS /* the phone takes another n_c for the same n_s */
  :: atomic { choose(sent_nc) }
#else
  :: atomic { !sent_nc -> choose(sent_nc) }
#endif
  :: atomic { sent_step2 && sent_ns && sent_nc && knows_nc && knows_ns -> break } /* both show words */
  od
}
