// The tables, their version, and how those of earlier versions become these.
#pragma once

#include <string>

namespace soci {
class session;
}

namespace gate::ctl::schema {

// 1: the first. 2: pubkey.binding. 3: numbers, validity, networks, limits, states, before and after.
// 4: enrolment.
inline constexpr int k_version = 4;

// Inside the caller's write transaction.
void create(soci::session& sql);
[[nodiscard]] int version(soci::session& sql);
void upgrade(soci::session& sql);

// The unique indexes of pubkey.
void drop_indexes(soci::session& sql);
void create_indexes(soci::session& sql);

} // namespace gate::ctl::schema
