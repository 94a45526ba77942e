#include "tests/fuzz/check_paths.h"

GATE_FUZZ(gate::fuzz::check_paths)
