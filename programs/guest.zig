//! What a guest program in Zig starts from: `const guest = @import("guest");`. The equal of guest.h; see docs/programs.md.

const std = @import("std");

/// Output: what `run` returns.
pub fn span(data: []const u8) u64 {
    return @as(u64, @intFromPtr(data.ptr)) << 32 | data.len;
}

/// Ends the task as a trap, which is charged its whole limit.
pub fn require(condition: bool) void {
    if (!condition) @trap();
}

/// A little-endian number at any address.
pub fn load(comptime T: type, bytes: []const u8) T {
    return std.mem.readInt(T, bytes[0..@sizeOf(T)], .little);
}

/// Writes a little-endian number to any address.
pub fn store(comptime T: type, bytes: []u8, value: T) void {
    std.mem.writeInt(T, bytes[0..@sizeOf(T)], value, .little);
}

extern var __heap_base: u8;
var next: usize = 0;

/// Memory from the end of the program's own data on, zero at first, never given back: every task has a fresh instance.
/// Traps past the memory's maximum. 16-byte aligned.
pub fn take(bytes: usize) []u8 {
    if (next == 0) next = @intFromPtr(&__heap_base);
    const start = std.mem.alignForward(usize, next, 16);
    require(bytes <= std.math.maxInt(usize) - start);
    next = start + bytes;
    const wanted = (@as(u64, next) + 0xffff) >> 16;
    const pages = @wasmMemorySize(0);
    if (wanted > pages) require(@wasmMemoryGrow(0, @intCast(wanted - pages)) != -1);
    return @as([*]u8, @ptrFromInt(start))[0..bytes];
}
