// MD5 [RFC 1321], by which SQS says what it got: against damage, not against people.

const shifts = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
const steps = [[1, 0], [5, 1], [3, 5], [7, 0]]; // of the words in each round: times, plus
const sines = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));

/** md5 is the sum of a text's UTF-8 bytes, in hex. */
export function md5(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const size = (((bytes.length + 8) >> 6) + 1) << 6;
  const padded = new Uint8Array(size);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(size - 8, bytes.length << 3, true);
  view.setUint32(size - 4, bytes.length >>> 29, true);
  const sum = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let at = 0; at < size; at += 64) {
    let [a = 0, b = 0, c = 0, d = 0] = sum;
    sines.forEach((sine, i) => {
      const round = i >> 4;
      const [times = 0, plus = 0] = steps[round] ?? [];
      const mixed = [(b & c) | (~b & d), (b & d) | (c & ~d), b ^ c ^ d, c ^ (b | ~d)][round] ?? 0;
      const word = view.getUint32(at + 4 * ((times * i + plus) % 16), true);
      const shift = shifts[round]?.[i % 4] ?? 0;
      const turned = (a + mixed + sine + word) | 0;
      [a, b, c, d] = [d, (b + ((turned << shift) | (turned >>> (32 - shift)))) | 0, b, c];
    });
    [a, b, c, d].forEach((x, i) => (sum[i] = ((sum[i] ?? 0) + x) | 0));
  }
  sum.forEach((x, i) => view.setUint32(4 * i, x, true));
  return Array.from(padded.subarray(0, 16), (x) => x.toString(16).padStart(2, "0")).join("");
}
