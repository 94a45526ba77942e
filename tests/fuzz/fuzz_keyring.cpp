#include "tests/fuzz/check_keyring.h"

GATE_FUZZ(gate::fuzz::check_keyring)
