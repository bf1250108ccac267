/* edit-distance: how many bytes must be inserted, dropped or replaced to turn one text into each of some others.

   Input: texts, each as its length (u32, little-endian) and its bytes; the first is compared with the rest.
   Output: one u32, little-endian, for each of the rest. */
#include "guest.h"

ALLOC_ANY_INPUT

static u32 least(u32 a, u32 b) { return a < b ? a : b; }

/* One row of the table is kept: row[j] is the distance of what was read of `a` to the first j bytes of `b`. */
static u32 distance(const u8 *a, u32 length_a, const u8 *b, u32 length_b, u32 *row) {
  for (u32 j = 0; j <= length_b; j++) row[j] = j;
  for (u32 i = 0; i < length_a; i++) {
    u32 diagonal = row[0];
    row[0] = i + 1;
    for (u32 j = 0; j < length_b; j++) {
      u32 replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = least(replaced, 1 + least(diagonal, row[j]));
    }
  }
  return row[length_b];
}

EXPORT(run) u64 run(const u8 *input, u32 bytes) {
  require(bytes >= 4);
  const u8 *end = input + bytes, *first = input + 4;
  u32 length = load_u32(input);
  require(length <= (u32)(end - first));
  u32 *row = take(4 * bytes + 4);
  u8 *output = take(bytes), *written = output;
  for (const u8 *at = first + length; at < end;) {
    require(end - at >= 4);
    u32 other = load_u32(at);
    require(other <= (u32)(end - at - 4));
    store_u32(written, distance(first, length, at + 4, other, row));
    written += 4;
    at += 4 + other;
  }
  return span(output, (u32)(written - output));
}
