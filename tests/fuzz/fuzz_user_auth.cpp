#include "tests/fuzz/check_user_auth.h"

GATE_FUZZ(gate::fuzz::check_user_auth)
