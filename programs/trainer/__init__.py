"""trainer: trains a small integer network on handwritten digits with given hyper-parameters and says how good it is.

Input: 8 bytes (see `reference.Settings`). Output, little-endian: right answers on the 300 validation images as
u32, then the trained weights as int32 with 20 bits behind the point: hidden rows of 64, their biases, class rows, their
biases.
"""
