#include "tests/fuzz/check_toml.h"

GATE_FUZZ(gate::fuzz::check_toml)
