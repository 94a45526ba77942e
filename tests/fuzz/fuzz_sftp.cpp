#include "tests/fuzz/check_sftp.h"
#include "tests/fuzz/memory.h"

GATE_FUZZ(gate::fuzz::check_sftp)
