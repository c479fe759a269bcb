/* Prints vectors/epoch.json, words.json, x25519.json or secretbox.json with
 * libsodium, independently of our Go code. All of it is deterministic.
 *
 *   cc -o /tmp/derive vectors/gen/derive.c -lsodium
 *   for f in epoch words x25519 secretbox; do
 *     /tmp/derive $f < internal/pairing/words.txt > vectors/$f.json
 *   done
 *
 * Standard input is the word list; only words needs it. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static int first = 1;

static void hex(const char *name, const unsigned char *b, size_t n) {
	printf(", \"%s\": \"", name);
	for (size_t i = 0; i < n; i++) printf("%02x", b[i]);
	printf("\"");
}

static void begin(const char *name, int i, const char *kind, const char *expect, const char *comment) {
	printf("%s  {\"name\": \"%s %d\", \"kind\": \"%s\", \"expect\": \"%s\", \"comment\": \"%s\"", first ? "" : ",\n", name,
	       i, kind, expect, comment);
	first = 0;
}

static void fill(unsigned char *b, size_t n, int seed) {
	unsigned char key[32] = {0};
	key[0] = (unsigned char)seed, key[31] = 0xd5;
	randombytes_buf_deterministic(b, n, key);
}

static void keypair(unsigned char *pk, unsigned char *sk, int seed) {
	fill(sk, 32, seed);
	crypto_scalarmult_base(pk, sk);
}

static unsigned char *cat(unsigned char *p, const void *b, size_t n) {
	memcpy(p, b, n);
	return p + n;
}

/* HMAC-SHA256 of up to three pieces. */
static void hmac(unsigned char out[32], const void *key, size_t keylen, const void *a, size_t an, const void *b,
                 size_t bn, const void *c, size_t cn) {
	crypto_auth_hmacsha256_state st;
	crypto_auth_hmacsha256_init(&st, key, keylen);
	crypto_auth_hmacsha256_update(&st, a, an);
	crypto_auth_hmacsha256_update(&st, b, bn);
	crypto_auth_hmacsha256_update(&st, c, cn);
	crypto_auth_hmacsha256_final(&st, out);
}

static int epochs(void) {
	for (int i = 0; i < 4; i++) {
		unsigned char c[32], cs[32], s[32], ss[32], ec[32], ecs[32], es[32], ess[32];
		unsigned char ikm[128], info[128], prk[32], k[96], id[32], buf[128], *p;
		keypair(c, cs, 1 + 8 * i), keypair(s, ss, 2 + 8 * i), keypair(ec, ecs, 3 + 8 * i), keypair(es, ess, 4 + 8 * i);
		if (crypto_scalarmult(ikm, ecs, es) || crypto_scalarmult(ikm + 32, ecs, s) ||
		    crypto_scalarmult(ikm + 64, cs, es) || crypto_scalarmult(ikm + 96, cs, s)) return 1;
		cat(cat(cat(cat(info, c, 32), s, 32), ec, 32), es, 32);
		hmac(prk, "kryptonite epoch v1", 19, ikm, 128, "", 0, "", 0); /* extract */
		hmac(k, prk, 32, "", 0, info, 128, "\x01", 1);               /* expand */
		hmac(k + 32, prk, 32, k, 32, info, 128, "\x02", 1);
		hmac(k + 64, prk, 32, k + 32, 32, info, 128, "\x03", 1);
		p = cat(cat(cat(buf, "kryptonite epoch id v1", 22), ec, 32), es, 32);
		crypto_hash_sha256(id, buf, (size_t)(p - buf));
		begin("epoch", i, "epoch", "ok", "private and public keys; both directions and the id");
		hex("c", cs, 32), hex("s", ss, 32), hex("e_c", ecs, 32), hex("e_s", ess, 32);
		hex("c_pub", c, 32), hex("s_pub", s, 32), hex("e_c_pub", ec, 32), hex("e_s_pub", es, 32);
		hex("k_c2s", k, 32), hex("k_s2c", k + 32, 32), hex("e_proof", k + 64, 32), hex("id", id, 8);

		/* A frame of the computer: id, nonce, secretbox under k_c2s. */
		unsigned char nonce[24], box[16 + 12];
		fill(nonce, 24, 5 + 8 * i);
		crypto_secretbox_easy(box, (const unsigned char *)"to the phone", 12, nonce, k);
		p = cat(cat(cat(buf, id, 8), nonce, 24), box, 28);
		hex("frame_c2s", buf, (size_t)(p - buf));
		crypto_secretbox_easy(box, (const unsigned char *)"to the krd..", 12, nonce, k + 32);
		p = cat(cat(cat(buf, id, 8), nonce, 24), box, 28);
		hex("frame_s2c", buf, (size_t)(p - buf));
		printf("}");
	}
	return 0;
}

static int words(void) {
	static char list[2048][16];
	for (int i = 0; i < 2048; i++)
		if (scanf("%15s", list[i]) != 1) return 1;
	for (int i = 0; i < 8; i++) {
		unsigned char c[32], cs[32], s[32], ss[32], nc[32], ns[32], ph[32], step2[80], h[32], buf[512], *p;
		char payload[40];
		keypair(c, cs, 100 + 8 * i), keypair(s, ss, 101 + 8 * i);
		fill(nc, 32, 102 + 8 * i), fill(ns, 32, 103 + 8 * i);
		int n = snprintf(payload, sizeof payload, "PAYLOAD%d/R:RELAY.EXAMPLE", i);
		crypto_hash_sha256(ph, (const unsigned char *)payload, (size_t)n);
		p = cat(cat(cat(cat(buf, "kryptonite pair commit v1", 25), c, 32), s, 32), ns, 32);
		crypto_hash_sha256(h, buf, (size_t)(p - buf));
		p = cat(cat(step2, s, 32), h, 32);
		fill(p, 16, 104 + 8 * i);
		p = cat(cat(cat(cat(buf, "kryptonite pair words v1", 24), ph, 32), c, 32), step2, 80);
		p = cat(cat(p, nc, 32), ns, 32);
		crypto_hash_sha256(h, buf, (size_t)(p - buf));
		begin("words", i, "words", "ok", "commit is bytes 32 to 63 of step2");
		hex("c_pub", c, 32), hex("s_pub", s, 32), hex("n_c", nc, 32), hex("n_s", ns, 32);
		printf(", \"payload\": \"%s\"", payload);
		hex("payload_hash", ph, 32), hex("step2", step2, 80);
		printf(", \"words\": \"%s %s\"}", list[h[0] << 3 | h[1] >> 5], list[(h[1] & 31) << 6 | h[2] >> 2]);
	}
	return 0;
}

/* The points of order 1, 2, 4 and 8 on curve and twist, and their other
 * encodings: 0, 1, two of order 8, p-1, p, p+1; each with the top bit, too. */
static void lowpoint(unsigned char b[32], int i) {
	static const unsigned char eight[2][32] = {
	    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
	     0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
	     0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	};
	memset(b, 0, 32);
	switch (i % 7) {
	case 0: break;
	case 1: b[0] = 1; break;
	case 2: case 3: memcpy(b, eight[i % 7 - 2], 32); break;
	default: memset(b, 0xff, 32), b[0] = (unsigned char)(0xec + i % 7 - 4), b[31] = 0x7f;
	}
	if (i >= 7) b[31] |= 0x80;
}

static int x25519(void) {
	unsigned char pk[32], sk[32], z[32];
	for (int i = 0; i < 14; i++) {
		fill(sk, 32, 200);
		lowpoint(pk, i);
		if (!crypto_scalarmult(z, sk, pk)) return 1;
		begin("low order", i, "x25519", "error", i < 7 ? "" : "with the top bit, which X25519 ignores");
		hex("sk", sk, 32), hex("pk", pk, 32);
		printf("}");
	}
	for (int i = 0; i < 4; i++) {
		unsigned char other[32];
		keypair(pk, other, 210 + i), fill(sk, 32, 220 + i);
		if (i == 3) pk[31] |= 0x80;
		if (crypto_scalarmult(z, sk, pk)) return 1;
		begin("shared", i, "x25519", "ok", i < 3 ? "" : "with the top bit, which X25519 ignores");
		hex("sk", sk, 32), hex("pk", pk, 32), hex("shared", z, 32);
		printf("}");
	}
	return 0;
}

static int secretboxes(void) {
	static const size_t sizes[] = {0, 1, 80, 512, 4096};
	static unsigned char m[4096], c[4096 + 16], k[32], n[24];
	for (int i = 0; i < 5; i++) {
		fill(m, sizes[i], 230 + i), fill(k, 32, 240), fill(n, 24, 241 + i);
		crypto_secretbox_easy(c, m, sizes[i], n, k);
		begin("secretbox", i, "secretbox", "ok", "crypto_secretbox_easy, nonce before the box");
		hex("key", k, 32), hex("plain", m, sizes[i]);
		printf(", \"sealed\": \"");
		for (int j = 0; j < 24; j++) printf("%02x", n[j]);
		for (size_t j = 0; j < sizes[i] + 16; j++) printf("%02x", c[j]);
		printf("\"}");
	}
	return 0;
}

int main(int argc, char **argv) {
	if (sodium_init() < 0 || argc != 2) return 1;
	printf("{\"comment\": \"printed by gen/derive.c\", \"vectors\": [\n");
	int bad = !strcmp(argv[1], "epoch")       ? epochs()
	          : !strcmp(argv[1], "words")     ? words()
	          : !strcmp(argv[1], "x25519")    ? x25519()
	          : !strcmp(argv[1], "secretbox") ? secretboxes()
	                                          : 1;
	printf("\n]}\n");
	return bad;
}
