#include "tests/fuzz/check_key_line.h"

GATE_FUZZ(gate::fuzz::check_key_line)
