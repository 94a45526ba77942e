#include "lib/spool/pause.h"

#include "lib/spool/record_file.h"

namespace gate::spool {

Result<Pause> read_pause(int fd) {
    Pause pause;
    const auto read = read_record(fd, std::as_writable_bytes(std::span(&pause, 1)));
    if (!read)
        return std::unexpected(read.error());
    pause.operator_name.back() = '\0';
    pause.reason.back() = '\0';
    return *read ? pause : Pause{};
}

Result<void> write_pause(int fd, const Pause& pause) {
    return write_record(fd, std::as_bytes(std::span(&pause, 1)));
}

} // namespace gate::spool
