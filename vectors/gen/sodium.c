/* Prints vectors/sodium.json with libsodium, independently of our Go code.
 *
 *   cc -o /tmp/gen vectors/gen/sodium.c -lsodium && /tmp/gen > vectors/sodium.json
 *
 * Everything but the sealed boxes is deterministic. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static int first = 1;

static void hex(const char *name, const unsigned char *b, size_t n) {
	printf(", \"%s\": \"", name);
	for (size_t i = 0; i < n; i++) printf("%02x", b[i]);
	printf("\"");
}

static void begin(const char *kind, const char *expect, const char *comment) {
	printf("%s  {\"kind\": \"%s\", \"expect\": \"%s\", \"comment\": \"%s\"", first ? "" : ",\n", kind, expect, comment);
	first = 0;
}

static void fill(unsigned char *b, size_t n, unsigned char seed) {
	unsigned char key[32];
	memset(key, seed, sizeof key);
	randombytes_buf_deterministic(b, n, key);
}

static void keypair(unsigned char *pk, unsigned char *sk, unsigned char seed) {
	unsigned char s[32];
	memset(s, seed, sizeof s);
	crypto_box_seed_keypair(pk, sk, s);
}

/* HKDF-SHA256 of RFC 5869, 64 bytes. */
static void hkdf64(unsigned char out[64], const unsigned char *salt, size_t saltlen, const unsigned char *ikm,
                   size_t ikmlen, const unsigned char *info, size_t infolen) {
	unsigned char prk[32], c;
	crypto_auth_hmacsha256_state st;
	crypto_auth_hmacsha256_init(&st, salt, saltlen);
	crypto_auth_hmacsha256_update(&st, ikm, ikmlen);
	crypto_auth_hmacsha256_final(&st, prk);
	for (int i = 0; i < 2; i++) {
		crypto_auth_hmacsha256_init(&st, prk, 32);
		if (i > 0) crypto_auth_hmacsha256_update(&st, out, 32);
		crypto_auth_hmacsha256_update(&st, info, infolen);
		c = (unsigned char)(i + 1);
		crypto_auth_hmacsha256_update(&st, &c, 1);
		crypto_auth_hmacsha256_final(&st, out + 32 * i);
	}
}

static void boxes(void) {
	static const size_t sizes[] = {0, 1, 80, 512, 768, 4096};
	static unsigned char m[4096], c[4096 + 64];
	unsigned char pa[32], sa[32], pb[32], sb[32], n[24];
	keypair(pa, sa, 1);
	keypair(pb, sb, 2);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		fill(m, sizes[i], (unsigned char)(10 + i));
		fill(n, 24, (unsigned char)(30 + i));
		if (crypto_box_easy(c, m, sizes[i], n, pb, sa)) return;
		begin("box", "ok", "crypto_box_easy, nonce before the box");
		hex("sk", sb, 32), hex("pk", pa, 32), hex("plain", m, sizes[i]);
		printf(", \"sealed\": \"");
		for (int j = 0; j < 24; j++) printf("%02x", n[j]);
		for (size_t j = 0; j < sizes[i] + 16; j++) printf("%02x", c[j]);
		printf("\"}");
		if (crypto_box_seal(c, m, sizes[i], pb)) return;
		begin("sealed box", "ok", "crypto_box_seal");
		hex("sk", sb, 32), hex("pk", pb, 32), hex("plain", m, sizes[i]), hex("sealed", c, sizes[i] + 48);
		printf("}");
	}
}

static void x25519(void) {
	/* Points of small order, from the literature on X25519. */
	static const unsigned char low[][32] = {
	    {0},
	    {1},
	    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
	     0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
	     0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	};
	unsigned char pk[32], sk[32], z[32];
	keypair(pk, sk, 3);
	for (size_t i = 0; i < sizeof low / sizeof *low; i++) {
		int bad = crypto_scalarmult(z, sk, low[i]);
		begin("x25519", bad ? "error" : "ok", "a point of low order");
		hex("sk", sk, 32), hex("pk", low[i], 32);
		printf("}");
	}
}

static void cat(unsigned char **p, const void *b, size_t n) {
	memcpy(*p, b, n);
	*p += n;
}

static void epoch(void) {
	unsigned char c[32], cs[32], s[32], ss[32], ec[32], ecs[32], es[32], ess[32];
	unsigned char ikm[128], info[128], okm[64], h[32], idin[128], *p;
	keypair(c, cs, 4), keypair(s, ss, 5), keypair(ec, ecs, 6), keypair(es, ess, 7);
	if (crypto_scalarmult(ikm, ecs, es) || crypto_scalarmult(ikm + 32, ecs, s) ||
	    crypto_scalarmult(ikm + 64, cs, es) || crypto_scalarmult(ikm + 96, cs, s)) return;
	p = info;
	cat(&p, c, 32), cat(&p, s, 32), cat(&p, ec, 32), cat(&p, es, 32);
	hkdf64(okm, (const unsigned char *)"kryptonite epoch v1", 19, ikm, 128, info, 128);
	p = idin;
	cat(&p, "kryptonite epoch id v1", 22), cat(&p, ec, 32), cat(&p, es, 32);
	crypto_hash_sha256(h, idin, (size_t)(p - idin));
	begin("epoch", "ok", "keys and id of an epoch");
	hex("c", cs, 32), hex("s", ss, 32), hex("e_c", ecs, 32), hex("e_s", ess, 32);
	hex("k_c2s", okm, 32), hex("k_s2c", okm + 32, 32), hex("id", h, 8);
	printf("}");
}

static void words(void) {
	unsigned char c[32], cs[32], s[32], ss[32], nc[32], ns[32], ph[32], mb[16], step2[80], h[32], buf[512], *p;
	keypair(c, cs, 4), keypair(s, ss, 5);
	fill(nc, 32, 50), fill(ns, 32, 51), fill(mb, 16, 52);
	crypto_hash_sha256(ph, (const unsigned char *)"PAYLOAD", 7);
	p = buf;
	cat(&p, "kryptonite pair commit v1", 25), cat(&p, c, 32), cat(&p, s, 32), cat(&p, ns, 32);
	crypto_hash_sha256(h, buf, (size_t)(p - buf));
	memcpy(step2, s, 32), memcpy(step2 + 32, h, 32), memcpy(step2 + 64, mb, 16);
	p = buf;
	cat(&p, "kryptonite pair words v1", 24), cat(&p, ph, 32), cat(&p, c, 32), cat(&p, step2, 80), cat(&p, nc, 32),
	    cat(&p, ns, 32);
	crypto_hash_sha256(h, buf, (size_t)(p - buf));
	begin("words", "ok", "indices of the two words in words.txt, from 0");
	hex("c_pub", c, 32), hex("s_pub", s, 32), hex("n_c", nc, 32), hex("n_s", ns, 32), hex("payload_hash", ph, 32);
	hex("step2", step2, 80);
	printf(", \"first\": %d, \"second\": %d}", h[0] << 3 | h[1] >> 5, (h[1] & 31) << 6 | h[2] >> 2);
}

int main(void) {
	if (sodium_init() < 0) return 1;
	printf("{\"comment\": \"printed by gen/sodium.c with libsodium %s\", \"vectors\": [\n", sodium_version_string());
	boxes(), x25519(), epoch(), words();
	printf("\n]}\n");
	return 0;
}
