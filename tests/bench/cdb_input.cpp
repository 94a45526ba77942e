// cdb_input KEYRING: the keyring's records, one by one, in the format that `cdb -c` reads: key and data are
// the bytes of the fingerprint and of the record as it is stored, so that both sides write the same.
#include "lib/keyring/reader.h"

#include <cstdio>

namespace {

using namespace gate;

// "+klen,dlen:key->data" and a newline.
void print(void*, const keyring::KeyRecord& key) {
    const std::string data = keyring::encode_record(key);
    std::printf("+%zu,%zu:", key.fingerprint.size(), data.size());
    std::fwrite(key.fingerprint.data(), 1, key.fingerprint.size(), stdout);
    std::fputs("->", stdout);
    std::fwrite(data.data(), 1, data.size(), stdout);
    std::putchar('\n');
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: cdb_input KEYRING\n", stderr);
        return 64;
    }
    const auto reader = keyring::Reader::open(argv[1]);
    const auto read = reader ? reader->verify(print) : Result<void>(std::unexpected(reader.error()));
    if (!read) {
        std::fprintf(stderr, "cdb_input: %s: %s\n", argv[1], read.error().what);
        return 1;
    }
    std::putchar('\n'); // the end of the input
    return std::fflush(stdout) == 0 ? 0 : 1;
}
