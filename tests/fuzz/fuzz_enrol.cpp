#include "tests/fuzz/check_enrol.h"
#include "tests/fuzz/memory.h"

GATE_FUZZ(gate::fuzz::check_enrol)
