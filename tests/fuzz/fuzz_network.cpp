#include "tests/fuzz/check_network.h"

GATE_FUZZ(gate::fuzz::check_network)
