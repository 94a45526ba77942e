#include "tests/fuzz/check_names.h"

GATE_FUZZ(gate::fuzz::check_names)
