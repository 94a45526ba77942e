#include "forcecmd/front/enrol/asked.h"

#include "forcecmd/front/request.h"

#include <string_view>

namespace gate::drop::enrol {

Asked parse_asked(const std::optional<std::string>& command) {
    using Kind = ClientRequest::Kind;
    const ClientRequest request = parse_request(command);
    switch (request.kind) {
    case Kind::interactive:
        return {Asked::Kind::greeting};
    case Kind::sftp:
        return {Asked::Kind::sftp};
    case Kind::scp_sink:
        return {Asked::Kind::refused, true};
    case Kind::exit: // a success would say that a key works
    case Kind::refused:
        break;
    }
    const bool install =
        !request.scp_protocol &&
        (command == "enrol" || command.value_or("").find("authorized_keys") != std::string::npos);
    return {install ? Asked::Kind::install : Asked::Kind::refused, request.scp_protocol};
}

} // namespace gate::drop::enrol
