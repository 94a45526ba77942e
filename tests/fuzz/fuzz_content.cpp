#include "tests/fuzz/check_content.h"

GATE_FUZZ(gate::fuzz::check_content)
