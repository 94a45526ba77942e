#include "tests/fuzz/check_request.h"

GATE_FUZZ(gate::fuzz::check_request)
