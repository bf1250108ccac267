"""What a module may at most contain. Chosen so that wasmtime, V8 and phones all take what is admitted."""

MAX_MODULE_BYTES = 1 << 20
MAX_TYPES = 1_000
MAX_FUNCTIONS = 10_000
MAX_PARAMETERS = 64
MAX_LOCALS = 1_024
"""Parameters and locals of one function together."""
MAX_BODY_BYTES = 256 << 10
MAX_NESTING = 1_024
MAX_BLOCKS = 2_000
"""Blocks, loops and ifs of one function: optimising compilers take more than linear time in them."""
MAX_OPERANDS = 1_024
"""Height of one function's operand stack."""
MAX_BRANCH_TARGETS = 4_096
"""Targets of one br_table."""
MAX_TABLE = 65_536
MAX_GLOBALS = 1_000
MAX_EXPORTS = 1_000
MAX_SEGMENTS = 1_000
MAX_NAME_BYTES = 1_024
MAX_MEMORY_PAGES = 1_024
"""Of 64 KiB: 64 MiB."""
MAX_FRAME_BYTES = 256 << 10
"""Sum of the frames of all active calls as `protocol.wasm.rewrite` counts them: a quarter of the stack of 1 MiB that
`execution` gives wasmtime, and of V8's 984 KiB."""
MAX_TASK_WU = 1 << 50
MAX_INPUT_BYTES = 16 << 20

PAGE_BYTES = 65_536
