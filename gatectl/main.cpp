// pandora-gate: what an administrator runs. Keeps the store of keys, and publishes it with the policy of
// gate.toml as the keyring that logins read.
#include "gatectl/cli.h"

#include <sys/stat.h>

int main(int argc, char** argv) {
    ::umask(077); // store and journal are root's; the keyring's mode is set explicitly
    return gate::ctl::run(argc, argv);
}
