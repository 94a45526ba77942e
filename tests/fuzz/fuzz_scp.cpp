#include "tests/fuzz/check_scp.h"
#include "tests/fuzz/memory.h"

GATE_FUZZ(gate::fuzz::check_scp)
