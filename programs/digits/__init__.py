"""digits: an int8 neural network (64-128-10) that classifies 8x8 images of handwritten digits.

Input: 64 pixels, 0 to 16 each, row by row. Output: the class as 1 byte, then the 10 logits as int32, little-endian.
"""
