"""matmul: the product of two random int8 matrices. Input: n (1 to 128) and a seed (not 0), 4 bytes each, little-endian.

Both matrices are drawn from one xorshift32 stream, row by row, A first: the low byte of each number is the entry.
Output: the n x n products A B^T as int32, little-endian, row by row.
"""
