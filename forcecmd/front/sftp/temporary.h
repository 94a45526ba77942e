// Temporary names: many clients upload under one and rename at the end. The name that the file will get can
// be read from it, so that everything is decided when the upload begins and not at the rename, which some do
// not check.
#pragma once

#include <optional>
#include <string_view>

namespace gate::drop::sftp {

// The final name inside a temporary one: NAME.filepart (WinSCP), .in.NAME (lftp), NAME(123).tmp, NAME.part,
// NAME.partial, NAME.tmp, .NAME.AbC123 (mkstemp). nullopt: not a temporary name of a packet.
[[nodiscard]] std::optional<std::string_view> final_name(std::string_view temporary);

} // namespace gate::drop::sftp
