#include "tests/fuzz/check_words.h"

GATE_FUZZ(gate::fuzz::check_words)
