/* Libsodium at the other end of a test: it reads one job a line and prints one
 * line, hex or "error".
 *
 *   open-box SK PK nonce‖box         seal-box SK PK PLAIN
 *   open-sealed SK PK box            seal-sealed SK PK PLAIN    (SK unused)
 *   open-secretbox KEY - nonce‖box   seal-secretbox KEY - PLAIN
 *   x25519 SK PK -
 *
 * "-" is no bytes. internal/sealbox/live_test.go builds it with cc -lsodium. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define MAX (1 << 17) /* bytes of one message, with what sealing adds */

static unsigned char in[MAX], out[MAX + 64];
static char line[3 * MAX];

/* Reads hex into b and returns its length, or -1. */
static long unhex(unsigned char *b, size_t max, const char *s) {
	size_t n;
	const char *end;
	if (!strcmp(s, "-")) return 0;
	if (sodium_hex2bin(b, max, s, strlen(s), NULL, &n, &end) || *end) return -1;
	return (long)n;
}

/* Does one job and returns how long the answer in out is, or -1. */
static long job(const char *what, const unsigned char *sk, const unsigned char *pk, size_t n) {
	size_t box = 24 + 16; /* what nonce and tag add */
	if (!strcmp(what, "open-box"))
		return n < box || crypto_box_open_easy(out, in + 24, n - 24, in, pk, sk) ? -1 : (long)(n - box);
	if (!strcmp(what, "open-sealed"))
		return n < 48 || crypto_box_seal_open(out, in, n, pk, sk) ? -1 : (long)(n - 48);
	if (!strcmp(what, "open-secretbox"))
		return n < box || crypto_secretbox_open_easy(out, in + 24, n - 24, in, sk) ? -1 : (long)(n - box);
	if (!strcmp(what, "seal-sealed")) return crypto_box_seal(out, in, n, pk) ? -1 : (long)(n + 48);
	if (!strcmp(what, "x25519")) return crypto_scalarmult(out, sk, pk) ? -1 : 32;
	randombytes_buf(out, 24);
	if (!strcmp(what, "seal-box")) return crypto_box_easy(out + 24, in, n, out, pk, sk) ? -1 : (long)(n + box);
	if (!strcmp(what, "seal-secretbox")) return crypto_secretbox_easy(out + 24, in, n, out, sk) ? -1 : (long)(n + box);
	return -1;
}

int main(void) {
	if (sodium_init() < 0) return 1;
	for (; fgets(line, sizeof line, stdin); fflush(stdout)) {
		unsigned char sk[32] = {0}, pk[32] = {0};
		char *what = strtok(line, " \n"), *a = strtok(NULL, " \n"), *b = strtok(NULL, " \n"), *c = strtok(NULL, " \n");
		long n;
		if (!what || !a || !b || !c || unhex(sk, 32, a) < 0 || unhex(pk, 32, b) < 0) return 2;
		if ((n = unhex(in, MAX, c)) < 0) return 2;
		if ((n = job(what, sk, pk, (size_t)n)) < 0) {
			puts("error");
			continue;
		}
		for (long i = 0; i < n; i++) printf("%02x", out[i]);
		putchar('\n');
	}
	return 0;
}
