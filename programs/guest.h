/* What a guest program starts from. The host calls `alloc` with the input's length, writes the input to the address that
   it gets, calls `run` with both and reads the output that the result of `run` spans. See docs/programs.md. */
#ifndef MULTITUDE_GUEST_H
#define MULTITUDE_GUEST_H

typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))

/* Output: what `run` returns. */
static inline u64 span(const void *data, u32 bytes) { return (u64)(u32)data << 32 | bytes; }

/* Ends the task as a trap, which is charged its whole limit. */
static inline void require(int condition) {
  if (!condition) __builtin_trap();
}

/* Little-endian numbers at any address. */
static inline u32 load_u32(const u8 *p) { return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24; }

static inline u64 load_u64(const u8 *p) { return load_u32(p) | (u64)load_u32(p + 4) << 32; }

static inline void store_u32(u8 *p, u32 v) {
  for (int i = 0; i < 4; i++) p[i] = (u8)(v >> 8 * i);
}

static inline void store_u64(u8 *p, u64 v) {
  for (int i = 0; i < 8; i++) p[i] = (u8)(v >> 8 * i);
}

/* What the standard library would have. */
static inline void *memcpy(void *to, const void *from, unsigned long bytes) { return __builtin_memcpy(to, from, bytes); }

static inline void *memmove(void *to, const void *from, unsigned long bytes) { return __builtin_memmove(to, from, bytes); }

static inline void *memset(void *to, int value, unsigned long bytes) { return __builtin_memset(to, value, bytes); }

static inline int memcmp(const void *a, const void *b, unsigned long bytes) {
  const u8 *p = a, *q = b;
  for (unsigned long i = 0; i < bytes; i++)
    if (p[i] != q[i]) return p[i] < q[i] ? -1 : 1;
  return 0;
}

/* Memory from the end of the program's own data on, zero at first, never given back: every task has a fresh instance.
   Traps past the memory's maximum. 16-byte aligned. */
static inline void *take(u32 bytes) {
  extern u8 __heap_base;
  static u32 next;
  if (!next) next = (u32)&__heap_base;
  u32 start = (next + 15) & ~15u;
  require(start >= next && bytes <= 0xffffffffu - start);
  next = start + bytes;
  u32 pages = __builtin_wasm_memory_size(0), wanted = (u32)(((u64)next + 0xffff) >> 16);
  if (wanted > pages) require(__builtin_wasm_memory_grow(0, wanted - pages) != (unsigned long)-1);
  return (void *)start;
}

/* `alloc` for a program that takes inputs of any length. */
#define ALLOC_ANY_INPUT \
  EXPORT(alloc) u8 *alloc(u32 bytes) { return take(bytes); }

#endif
