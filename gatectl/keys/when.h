// Dates as an administrator writes them, and as authorized_keys has them. All times are UTC, seconds since
// the epoch, from the first second of 1970 to the last of 9999; 0 is never returned (in the store it means
// "none").
//
// A day means its first second: `--not-before 2027-01-01 --expires 2027-02-01` is the whole of January. The
// date of an expiry is thus the first day on which the key is NOT valid, as with sshd's
// expiry-time="20270201" and chage -E. It errs on the safe side, and a period that begins where another ends
// has no gap and no overlap.
#pragma once

#include <cstdint>
#include <string_view>

namespace gate::ctl {

// One of
//   90d 2w 1y 36h 90min 30s                      from `now` on; a year has 365 days
//   2027-01-31 20270131                          00:00:00 UTC of that day
//   2027-01-31T12:30 2027-01-31 12:30:15         UTC; a Z at the end changes nothing
//   202701311230 20270131123015
// `what` is the option's name. Throws Problem (usage) that names it.
[[nodiscard]] std::int64_t parse_when(std::string_view what, std::string_view text, std::int64_t now);

// expiry-time of sshd(8): YYYYMMDD[HHMM[SS]], with Z or UTC behind it in UTC, without in the time zone of
// this machine, and there, as sshd does it, without daylight saving time. Days and hours that do not exist
// are refused; sshd goes on into the next month. sshd takes the key at that very second for the last time,
// the keyring for the first time not. Throws Problem (bad_data).
[[nodiscard]] std::int64_t parse_expiry_time(std::string_view text);

} // namespace gate::ctl
