/* What every guest program here starts from: types, and the two functions that the host calls. */
typedef signed char i8;
typedef unsigned char u8;
typedef int i32;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))

static inline u64 span(const void *data, u32 bytes) { return (u64)(u32)data << 32 | bytes; }

static inline void require(int condition) {
  if (!condition) __builtin_trap();
}

static inline u32 load_u32(const u8 *p) { return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24; }

static inline void store_u32(u8 *p, u32 v) {
  for (int i = 0; i < 4; i++) p[i] = (u8)(v >> 8 * i);
}
