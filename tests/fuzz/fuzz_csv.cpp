#include "tests/fuzz/check_csv.h"

GATE_FUZZ(gate::fuzz::check_csv)
