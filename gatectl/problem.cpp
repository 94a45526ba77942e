#include "gatectl/problem.h"

#include <system_error>

namespace gate::ctl {

std::string describe(const Error& error) {
    if (error.sys_errno == 0)
        return error.what;
    return fmt::format("{}: {}", error.what, std::generic_category().message(error.sys_errno));
}

Status status_of_errno(int sys_errno) {
    switch (sys_errno) {
    case EACCES:
    case EPERM:
        return Status::no_permission;
    case ENOENT:
    case ENOTDIR:
    case EROFS:
    case ELOOP:
    case EISDIR:
    case ENAMETOOLONG:
        return Status::cant_create;
    default:
        return Status::io;
    }
}

} // namespace gate::ctl
