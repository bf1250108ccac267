/* matmul: C = A B^T of two n x n int8 matrices drawn from a seed, accumulated in int32. */
#include "guest.h"

enum { MAX_N = 128 };

static u8 input[8];
static i8 a[MAX_N * MAX_N], b[MAX_N * MAX_N];
static i32 c[MAX_N * MAX_N];

static void fill(i8 *matrix, u32 count, u32 *state) {
  u32 x = *state;
  for (u32 i = 0; i < count; i++) {
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    matrix[i] = (i8)x;
  }
  *state = x;
}

EXPORT(alloc) u8 *alloc(u32 bytes) {
  require(bytes == sizeof input);
  return input;
}

EXPORT(run) u64 run(const u8 *in, u32 bytes) {
  require(bytes == sizeof input);
  u32 n = load_u32(in), state = load_u32(in + 4);
  require(n >= 1 && n <= MAX_N && state != 0);
  fill(a, n * n, &state);
  fill(b, n * n, &state);
  for (u32 i = 0; i < n; i++)
    for (u32 j = 0; j < n; j++) {
      const i8 *row = a + i * n, *column = b + j * n;
      i32 sum = 0;
      for (u32 k = 0; k < n; k++) sum += row[k] * column[k];
      c[i * n + j] = sum;
    }
  return span(c, 4 * n * n);
}
